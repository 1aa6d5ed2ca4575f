"""The `ads1115` driver against a model of the chip."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.i2c.ads1115 import DRIVER, Ads1115, Config, Options
from hw.i2c.bus import Buses
from hw.interface import AnalogInputs, Channel, Condition, Context, Device, DeviceFault, Kind, driver
from tests.hw.fake_smbus import FakeAds1115, FakeSMBus, FakeTime

LSB = 2.048 / 32768


def analog(ref: str, range_v: float = 2.048) -> Channel:
    return Channel(Kind.ANALOG_INPUT, ref, Options(range_V=range_v))


class Board:
    """One chip at 0x48 of bus 1, opened with some channels."""

    def __init__(self, *channels: Channel, rate: int = 128) -> None:
        self.time = FakeTime()
        self.smbus = FakeSMBus()
        self.chip = self.smbus.chips[0x48] = FakeAds1115(self.time)
        self.buses = Buses(self.smbus.opener)
        self.lines: list[str] = []
        self.device = Ads1115(
            Config(bus=1, rate=rate),  # type: ignore[arg-type]
            channels or (analog("A0"),),
            Context("adc", self.lines.append),
            buses=self.buses,
            sleep=self.time.sleep,
            now_ns=self.time.read,
        )

    def one(self) -> tuple[Any, Condition]:
        (sample,) = self.device.scan()
        return sample.value, sample.condition

    def absent(self) -> None:
        self.smbus.chips.clear()

    def back(self) -> None:
        self.smbus.chips[0x48] = self.chip


def test_the_device_is_what_it_says_it_is() -> None:
    device = Board().device
    assert isinstance(device, Device)
    assert isinstance(device, AnalogInputs)
    assert device.bus == "i2c-1"


def test_every_channel_is_converted_by_itself() -> None:
    board = Board(analog("A0"), analog("A1", 4.096), analog("A2-A3"), analog("A0-A1", 6.144))
    board.chip.volts = [1.0, 3.3, 0.5, 1.5]
    values = [sample.value for sample in board.device.scan()]
    assert values == pytest.approx([1.0, 3.3, -1.0, -2.3], abs=6.144 / 32768)
    assert board.chip.conversions == 4


@given(
    st.sampled_from([6.144, 4.096, 2.048, 1.024, 0.512, 0.256]),
    st.sampled_from(["A0-A1", "A0-A3", "A1-A3", "A2-A3"]),
    st.floats(-1.0, 1.0),
)
def test_a_voltage_within_the_range_is_measured_to_one_step(range_v: float, pair: str, part: float) -> None:
    board = Board(analog(pair, range_v))
    volts = part * range_v * 0.9999
    board.chip.volts[int(pair[1])] = volts
    value, condition = board.one()
    assert condition is Condition.GOOD
    assert value == pytest.approx(volts, abs=range_v / 32768)


@pytest.mark.parametrize("rate", [8, 16, 32, 64, 128, 250, 475, 860])
def test_a_conversion_is_waited_for_at_every_rate(rate: int) -> None:
    board = Board(rate=rate)
    board.chip.slowness = 1.2  # slower than the data sheet allows
    board.chip.volts[0] = 1.5
    assert board.one() == (pytest.approx(1.5, abs=LSB), Condition.GOOD)


def test_a_sample_carries_the_time_it_was_taken() -> None:
    board = Board()
    before = board.time.now_ns
    (sample,) = board.device.scan()
    assert before < sample.mono_ns <= board.time.now_ns


def test_a_value_beyond_the_range_is_an_overflow() -> None:
    board = Board(analog("A0"), analog("A1-A3"))
    board.chip.volts = [3.0, 0.0, 0.0, 3.0]
    high, low = board.device.scan()
    assert (high.condition, low.condition) == (Condition.OVERFLOW, Condition.OVERFLOW)
    assert (high.value, low.value) == pytest.approx((2.048, -2.048), abs=LSB)


def test_a_little_below_ground_is_the_converters_offset() -> None:
    board = Board()
    board.chip.volts[0] = -10 * LSB
    assert board.one() == (0.0, Condition.GOOD)


def test_more_below_ground_is_a_wiring_fault() -> None:
    board = Board()
    board.chip.volts[0] = -11 * LSB
    assert board.one() == (pytest.approx(-11 * LSB), Condition.FAILED)


def test_below_ground_is_fine_between_two_inputs() -> None:
    board = Board(analog("A0-A1"))
    board.chip.volts[1] = 1.0
    assert board.one() == (pytest.approx(-1.0, abs=LSB), Condition.GOOD)


# -- faults


def test_a_chip_that_never_answered_has_failed_at_once() -> None:
    board = Board()
    board.absent()
    assert board.one() == (0.0, Condition.FAILED)


def test_a_chip_that_comes_late_is_good_from_its_first_answer() -> None:
    board = Board()
    board.absent()
    board.one()
    board.back()
    assert board.one()[1] is Condition.GOOD
    assert board.lines == [
        "i2c-1, address 0x48: Remote I/O error (errno 121)",
        "answers again",
    ]


def test_one_failed_scan_keeps_the_last_value_as_stale() -> None:
    board = Board()
    board.chip.volts[0] = 1.0
    (good,) = board.device.scan()
    board.chip.volts[0] = 1.5
    board.smbus.fail_next(errno.EREMOTEIO, 3)  # as often as it is tried
    (stale,) = board.device.scan()
    assert stale == good._replace(condition=Condition.STALE)
    assert board.one() == (pytest.approx(1.5, abs=LSB), Condition.GOOD)


def test_two_disturbances_within_a_scan_are_not_noticed() -> None:
    board = Board()
    board.smbus.fail_next(errno.EIO, 2)
    assert board.one()[1] is Condition.GOOD


def test_the_third_failed_scan_is_a_failure_and_one_good_scan_the_end_of_it() -> None:
    board = Board()
    board.one()
    board.absent()
    assert [board.one()[1] for _ in range(4)] == [
        Condition.STALE, Condition.STALE, Condition.FAILED, Condition.FAILED,
    ]  # fmt: skip
    board.back()
    assert board.one()[1] is Condition.GOOD
    board.absent()
    assert board.one()[1] is Condition.STALE


def test_five_seconds_without_an_answer_are_a_failure() -> None:
    board = Board()
    board.one()
    board.absent()
    assert board.one()[1] is Condition.STALE
    board.time.sleep(5.0)
    assert board.one()[1] is Condition.FAILED


def test_one_channel_may_fail_while_the_others_do_not() -> None:
    board = Board(analog("A0"), analog("A1"))
    board.device.scan()
    board.smbus.fail_next(errno.ENXIO, 3)
    assert [sample.condition for sample in board.device.scan()] == [Condition.STALE, Condition.GOOD]


@pytest.mark.parametrize("ref", ["A1", "A0-A1"])  # the second is what the chip converts by itself
def test_a_chip_that_lost_its_supply_meanwhile_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, ref: str
) -> None:
    board = Board(analog(ref))
    board.one()

    def brown_out(seconds: float) -> None:
        board.time.sleep(seconds)
        board.chip.power_cycle()

    monkeypatch.setattr(board.device, "_sleep", brown_out)
    assert board.one()[1] is Condition.STALE
    assert "configuration reads" in board.lines[0]


def test_a_conversion_that_does_not_end_is_a_failed_reading() -> None:
    board = Board()
    board.one()
    board.chip.slowness = 10.0
    assert board.one()[1] is Condition.STALE
    assert board.lines == ["i2c-1, address 0x48: a conversion does not end"]


def test_a_missing_bus_is_a_failure_and_not_an_exception() -> None:
    board = Board()
    board.smbus.present = False
    assert board.one()[1] is Condition.FAILED
    board.smbus.present = True
    assert board.one()[1] is Condition.GOOD


def test_a_lasting_fault_is_said_once() -> None:
    board = Board()
    board.absent()
    for _ in range(10):
        board.one()
    assert len(board.lines) == 1


def test_two_devices_cannot_have_one_address() -> None:
    board = Board()
    with pytest.raises(DeviceFault, match="already used by adc"):
        Ads1115(Config(bus=1), [], Context("twin"), buses=board.buses)


def test_a_closed_device_gives_its_bus_back_and_reads_no_more() -> None:
    board = Board()
    board.one()
    board.device.close()
    board.device.close()
    assert board.smbus.open_now == 0
    assert board.one()[1] is Condition.STALE
    assert board.smbus.opened == 1


# -- checking


def test_the_driver_is_found_by_its_name() -> None:
    assert driver("ads1115") is DRIVER


def test_a_sensible_use_has_no_mistakes() -> None:
    assert DRIVER.check(Config(bus=1), [analog("A0"), analog("A1"), analog("A2-A3", 0.256)]) == []


@pytest.mark.parametrize(
    ("channels", "mistake"),
    [
        ([analog("A4")], "channel A4: no channel 'A4'; there are A0, A0-A1"),
        ([analog("A1-A0")], "no channel 'A1-A0'"),
        ([analog("A0"), analog("A0")], "channel A0 is already used by channel A0"),
        ([analog("A0", 5.0)], "range_V 5 is not one of 6.144, 4.096"),
        ([Channel(Kind.DIGITAL_INPUT, "A0", user="door")], "door: an ADS1115 has no digital input"),
    ],
)
def test_a_mistake_is_one_line(channels: list[Channel], mistake: str) -> None:
    (found,) = DRIVER.check(Config(bus=1), channels)
    assert mistake in found
