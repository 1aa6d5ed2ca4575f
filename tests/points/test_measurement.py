"""Measurements: conditions become quality, and only finite numbers come out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.interface import Condition, Sample
from rtu.points.measurement import Measurement, Rounded
from rtu.points.model import GOOD, IV, NT, OV, Value
from rtu.points.scaling import Line, LiveZero


class Bench:
    """4..20 mA through 100 ohm as 0..400 A."""

    def __init__(self) -> None:
        self.told: list[Value] = []
        self.measurement = Measurement(
            self.told.append, gain=1000 / 100, line=Line(4, 20, 0, 400), live_zero=LiveZero(4, 20)
        )

    def sample(self, volts: float, condition: Condition = Condition.GOOD) -> Value:
        self.measurement.sample(Sample(volts, condition, len(self.told)))
        return self.told[-1]


def test_volts_across_the_shunt_become_engineering_units() -> None:
    value = Bench().sample(1.2)
    assert value.value == pytest.approx(200)
    assert value.quality == GOOD


def test_a_clipped_sample_is_an_overflow() -> None:
    assert Bench().sample(2.0, Condition.OVERFLOW).quality == OV


def test_a_failed_read_keeps_the_value_as_not_topical() -> None:
    bench = Bench()
    good = bench.sample(1.2)
    assert bench.sample(0.3, Condition.STALE)[:2] == (good.value, NT)
    assert bench.sample(1.2)[:2] == (good.value, GOOD)


def test_a_broken_device_keeps_the_value_as_invalid_and_not_topical() -> None:
    bench = Bench()
    good = bench.sample(1.2)
    assert bench.sample(0.0, Condition.FAILED)[:2] == (good.value, IV | NT)


def test_the_first_sample_of_a_broken_wire_is_no_zero() -> None:
    bench = Bench()
    bench.sample(1.2)
    first, second = bench.sample(0.0), bench.sample(0.0)
    assert (first.value, first.quality) == (pytest.approx(200), NT)
    assert second.quality == IV


def test_what_was_never_read_is_zero_and_invalid() -> None:
    assert Bench().sample(1.2, Condition.STALE)[:2] == (0, IV | NT)


def test_a_stale_reading_of_a_broken_wire_stays_invalid() -> None:
    bench = Bench()
    bench.sample(0.0)
    assert bench.sample(0.0, Condition.STALE)[:2] == (0, IV | NT)


@given(samples=st.lists(st.tuples(st.floats(), st.sampled_from(list(Condition))), max_size=20))
def test_only_finite_numbers_come_out(samples: list[tuple[float, Condition]]) -> None:
    bench = Bench()
    for volts, condition in samples:
        value = bench.sample(volts, condition)
        assert math.isfinite(value.value)
        assert math.isfinite(volts) or value.quality & (IV | NT)


@pytest.mark.parametrize(
    ("x", "position", "quality"),
    [(3.4, 3, GOOD), (-64.4, -64, GOOD), (63.4, 63, GOOD), (64, 63, OV), (-1e9, -64, OV)],
)
def test_a_step_position_is_rounded_and_kept_in_range(x: float, position: int, quality: int) -> None:
    told: list[Value] = []
    Rounded(told.append, -64, 63)(Value(x, GOOD, 7))
    assert told == [Value(position, quality, 7)]
