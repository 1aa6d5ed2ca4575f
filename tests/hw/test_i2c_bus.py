"""One I2C bus: retries, re-opening, leaving a stuck bus alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hw.i2c.bus import Buses, BusFault, I2CBus, open_smbus
from hw.interface import DeviceFault
from tests.hw.fake_smbus import FakeAds1115, FakeSMBus, FakeTime


class Wire:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.smbus = FakeSMBus()
        self.smbus.chips[0x48] = FakeAds1115(self.time)
        self.bus = I2CBus(1, opener=self.smbus.opener, now_ns=self.time.read)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_word_is_read_with_its_most_significant_octet_first(wire: Wire) -> None:
    assert wire.bus.read_word(0x48, 1) == 0x8583


def test_a_word_written_reads_back(wire: Wire) -> None:
    wire.bus.write_word(0x48, 1, 0x1234)
    assert wire.bus.read_word(0x48, 1) == 0x9234


@pytest.mark.parametrize("number", [errno.EIO, errno.ENXIO, errno.EAGAIN, errno.ENODEV, errno.EREMOTEIO])
def test_two_disturbances_are_ridden_out(wire: Wire, number: int) -> None:
    wire.smbus.fail_next(number, 2)
    assert wire.bus.read_word(0x48, 1) == 0x8583
    assert wire.smbus.transfers == 3


def test_three_disturbances_are_a_fault(wire: Wire) -> None:
    wire.smbus.fail_next(errno.EREMOTEIO, 3)
    with pytest.raises(BusFault, match=r"i2c-1, address 0x48: Remote I/O error \(errno 121\)") as caught:
        wire.bus.read_word(0x48, 1)
    assert caught.value.transient
    assert caught.value.errno == errno.EREMOTEIO
    assert wire.bus.read_word(0x48, 1) == 0x8583


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EOPNOTSUPP])
def test_what_cannot_pass_is_not_retried(wire: Wire, number: int) -> None:
    wire.smbus.fail_next(number, 1)
    with pytest.raises(BusFault) as caught:
        wire.bus.read_word(0x48, 1)
    assert not caught.value.transient
    assert wire.smbus.transfers == 1


def test_an_adapter_that_is_missing_is_found_when_it_comes(wire: Wire) -> None:
    wire.smbus.present = False
    with pytest.raises(BusFault, match="No such file"):
        wire.bus.read_word(0x48, 1)
    wire.smbus.present = True
    assert wire.bus.read_word(0x48, 1) == 0x8583


def test_the_adapter_is_opened_once_and_again_only_after_a_failure(wire: Wire) -> None:
    for _ in range(5):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.opened == 1
    wire.smbus.fail_next(errno.ENXIO, 3)
    with pytest.raises(BusFault):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.open_now == 0
    wire.bus.read_word(0x48, 1)
    assert wire.smbus.opened == 2


def test_a_stuck_bus_is_left_alone_longer_each_time(wire: Wire) -> None:
    wire.smbus.fail_next(errno.ETIMEDOUT, 5)
    for _ in range(3):  # not retried: each has cost its time-out
        with pytest.raises(BusFault):
            wire.bus.read_word(0x48, 1)
    assert wire.smbus.transfers == 3
    with pytest.raises(BusFault, match="timed out"):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.transfers == 3
    wire.time.sleep(1.0)
    with pytest.raises(BusFault):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.transfers == 4
    wire.time.sleep(1.0)
    with pytest.raises(BusFault):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.transfers == 4  # this time it rests two seconds
    wire.time.sleep(1.0)
    with pytest.raises(BusFault):
        wire.bus.read_word(0x48, 1)
    assert wire.smbus.transfers == 5
    wire.time.sleep(4.0)
    assert wire.bus.read_word(0x48, 1) == 0x8583


def test_chips_share_the_bus_and_the_last_one_closes_it() -> None:
    smbus = FakeSMBus()
    buses = Buses(smbus.opener)
    first, second = buses.claim(1, 0x48, "adc"), buses.claim(1, 0x49, "other")
    assert first is second
    smbus.chips[0x48] = FakeAds1115(FakeTime())
    first.read_word(0x48, 1)
    buses.release(first, 0x48)
    assert smbus.open_now == 1
    buses.release(second, 0x49)
    assert smbus.open_now == 0
    assert buses.claim(1, 0x48, "adc") is not first


def test_an_address_belongs_to_one_chip() -> None:
    buses = Buses(FakeSMBus().opener)
    buses.claim(1, 0x48, "adc")
    buses.claim(2, 0x48, "elsewhere")
    with pytest.raises(DeviceFault, match="address 0x48 of i2c-1 is already used by adc"):
        buses.claim(1, 0x48, "other")


def test_a_bus_that_is_no_adapter_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    not_a_bus = tmp_path / "i2c"
    not_a_bus.touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        open_smbus(str(not_a_bus))  # type: ignore[arg-type]
    assert len(os.listdir("/proc/self/fd")) == before
