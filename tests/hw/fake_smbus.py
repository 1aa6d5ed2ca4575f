"""An I2C bus without wires: chips by address, faults on order, time that passes only by sleeping."""

from __future__ import annotations

import errno
import os


class FakeTime:
    """Sleeping is what makes time pass."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000_000

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(seconds * 1e9)

    def read(self) -> int:
        return self.now_ns


class FakeAds1115:
    """The registers of the chip, with conversions that take their time.

    `volts` are what is on the pins A0..A3.
    """

    MUX = ((0, 1), (0, 3), (1, 3), (2, 3), (0, None), (1, None), (2, None), (3, None))
    FULL_SCALE = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
    RATES = (8, 16, 32, 64, 128, 250, 475, 860)

    def __init__(self, time: FakeTime) -> None:
        self.time = time
        self.volts = [0.0, 0.0, 0.0, 0.0]
        self.config = 0x8583
        self.result = 0
        self.ready_ns = 0
        self.conversions = 0
        self.slowness = 1.0

    def read(self, register: int) -> int:
        ready = self.time.now_ns >= self.ready_ns
        if register == 1:
            return self.config & 0x7FFF | (0x8000 if ready else 0)
        assert register == 0
        return self.result if ready else 0x5555  # of an older conversion

    def write(self, register: int, value: int) -> None:
        assert register == 1
        self.config = value
        if value & 0x8000:
            self.conversions += 1
            plus, minus = self.MUX[value >> 12 & 7]
            volts = self.volts[plus] - (0.0 if minus is None else self.volts[minus])
            counts = round(volts / self.FULL_SCALE[value >> 9 & 7] * 32768)
            self.result = max(-0x8000, min(0x7FFF, counts)) & 0xFFFF
            duration = self.slowness / self.RATES[value >> 5 & 7]
            self.ready_ns = self.time.now_ns + round(duration * 1e9)

    def power_cycle(self) -> None:
        self.config = 0x8583
        self.ready_ns = 0


class FakeSMBus:
    """The adapter: what smbus2.SMBus is to a driver, words least significant octet first."""

    def __init__(self) -> None:
        self.chips: dict[int, FakeAds1115] = {}
        self.present = True
        self.opened = 0
        self.open_now = 0
        self.transfers = 0
        self._faults: list[int] = []

    def opener(self, number: int) -> FakeSMBus:
        if not self.present:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"/dev/i2c-{number}")
        self.opened += 1
        self.open_now += 1
        return self

    def fail_next(self, number: int, times: int) -> None:
        """The next `times` transfers end with that errno."""
        self._faults += [number] * times

    def read_word_data(self, address: int, register: int) -> int:
        return _swapped(self._chip(address).read(register))

    def write_word_data(self, address: int, register: int, value: int) -> None:
        self._chip(address).write(register, _swapped(value))

    def _chip(self, address: int) -> FakeAds1115:
        self.transfers += 1
        assert self.open_now == 1
        if self._faults:
            number = self._faults.pop(0)
            raise OSError(number, os.strerror(number))
        if address not in self.chips:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        return self.chips[address]

    def close(self) -> None:
        self.open_now -= 1


def _swapped(word: int) -> int:
    assert 0 <= word <= 0xFFFF
    return (word & 0xFF) << 8 | word >> 8
