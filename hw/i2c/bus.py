"""One I2C bus: the only place that touches /dev/i2c-N, shared by the chips on it.

A bus is used by one thread, that of its name; only closing may come from another. Whatever goes wrong in a transfer comes out as a
`BusFault`; which wire state gives which error number depends on the adapter, so the numbers that
can mean a passing disturbance are all treated alike (Linux, Documentation/i2c/fault-codes).
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import smbus2

from hw.interface import DeviceFault

RETRIES = 2
TRANSIENT = frozenset({errno.EIO, errno.ENXIO, errno.EAGAIN, errno.ENODEV, errno.ETIMEDOUT, errno.EREMOTEIO})
STUCK_AFTER = 3  # time-outs in a row
FIRST_REST_S, LONGEST_REST_S = 1.0, 30.0

_I2C_TIMEOUT = 0x0702  # ioctl of i2c-dev, in units of 10 ms
_FIFTY_MS = 5


class BusFault(Exception):
    """A transfer failed. `transient`: the next one may succeed; otherwise something is configured wrongly."""

    def __init__(self, bus: int, address: int, number: int, what: str = "") -> None:
        self.bus = bus
        self.address = address
        self.errno = number
        self.transient = number in TRANSIENT
        what = what or f"{os.strerror(number)} (errno {number})"
        super().__init__(f"i2c-{bus}, address {address:#04x}: {what}")


def open_smbus(number: int) -> Any:
    """The adapter with a time-out of 50 ms, so that a held bus blocks its thread no longer than that."""
    bus: Any = smbus2.SMBus()
    try:
        bus.open(number)
    except OSError:
        bus.close()
        raise
    try:
        fcntl.ioctl(bus.fd, _I2C_TIMEOUT, _FIFTY_MS)
    except OSError:
        pass  # not every adapter can be told; its own time-out then is about 1 s
    return bus


class I2CBus:
    """A bus by number. It opens when first needed and again after a failure, so that an adapter may
    come late or come back.

    `opener`, `now_ns` stand for the adapter and the clock, for tests.
    """

    def __init__(
        self,
        number: int,
        *,
        opener: Callable[[int], Any] = open_smbus,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.number = number
        self.chips: dict[int, str] = {}  # address -> who claimed it
        self._opener = opener
        self._now_ns = now_ns
        self._smbus: Any = None
        self._lock = threading.Lock()
        self._timeouts = 0
        self._rest_s = FIRST_REST_S
        self._resting_until_ns = 0

    @property
    def name(self) -> str:
        """ "i2c-1": the name of the bus's thread."""
        return f"i2c-{self.number}"

    def read_word(self, address: int, register: int) -> int:
        """A 16-bit register, most significant octet first on the wire. Raises BusFault."""
        return _swap(self._transfer(address, lambda smbus: smbus.read_word_data(address, register)))

    def write_word(self, address: int, register: int, value: int) -> None:
        """Write a 16-bit register, most significant octet first on the wire. Raises BusFault."""
        self._transfer(address, lambda smbus: smbus.write_word_data(address, register, _swap(value)))

    def _transfer(self, address: int, transfer: Callable[[Any], Any]) -> Any:
        with self._lock:
            return self._attempt(address, transfer)

    def _attempt(self, address: int, transfer: Callable[[Any], Any]) -> Any:
        if self._now_ns() < self._resting_until_ns:
            raise BusFault(self.number, address, errno.ETIMEDOUT)
        retries = RETRIES
        while True:
            try:
                if self._smbus is None:
                    self._smbus = self._opener(self.number)
                answer = transfer(self._smbus)
            except OSError as error:
                number = error.errno or errno.EIO
                # A time-out has cost 50 ms already: not again for this reading.
                if retries and number in TRANSIENT and number != errno.ETIMEDOUT:
                    retries -= 1
                    continue
                self._failed(number)
                raise BusFault(self.number, address, number) from error
            self._timeouts = 0
            self._rest_s = FIRST_REST_S
            return answer

    def _failed(self, number: int) -> None:
        self._close_smbus()  # the next transfer starts with a fresh descriptor
        if number != errno.ETIMEDOUT:
            self._timeouts = 0
            return
        self._timeouts += 1
        if self._timeouts >= STUCK_AFTER:
            # Something holds the lines: leave them alone for a while, longer each time.
            self._resting_until_ns = self._now_ns() + round(self._rest_s * 1e9)
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def _close_smbus(self) -> None:
        smbus, self._smbus = self._smbus, None
        if smbus is not None:
            try:
                smbus.close()
            except OSError:
                pass

    def close(self) -> None:
        """Let go of the adapter. Idempotent; a later transfer opens it again."""
        with self._lock:
            self._close_smbus()


def _swap(word: int) -> int:
    # SMBus words travel least significant octet first.
    return (word & 0xFF) << 8 | word >> 8


class Buses:
    """The buses in use, one object per number, closed when the last chip on it is."""

    def __init__(self, opener: Callable[[int], Any] = open_smbus) -> None:
        self._opener = opener
        self._buses: dict[int, I2CBus] = {}
        self._lock = threading.Lock()

    def claim(self, number: int, address: int, user: str) -> I2CBus:
        """The bus, with `address` marked as taken by `user`. Raises DeviceFault if another has it."""
        with self._lock:
            bus = self._buses.get(number)
            if bus is None:
                bus = self._buses[number] = I2CBus(number, opener=self._opener)
            if address in bus.chips:
                raise DeviceFault(
                    f"{user}: address {address:#04x} of {bus.name} is already used by {bus.chips[address]}"
                )
            bus.chips[address] = user
            return bus

    def release(self, bus: I2CBus, address: int) -> None:
        """Give the address back; the last one closes the bus."""
        with self._lock:
            bus.chips.pop(address, None)
            if not bus.chips and self._buses.get(bus.number) is bus:
                del self._buses[bus.number]
                bus.close()


BUSES = Buses()
