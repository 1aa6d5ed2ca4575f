"""Scaling and live zero, after the table of NAMUR NE 43."""

from __future__ import annotations

import pytest

from rtu.points.model import GOOD, IV, NT, OV
from rtu.points.scaling import Line, LiveZero


def settled(live_zero: LiveZero, x: float) -> tuple[float, int]:
    live_zero(x)
    return tuple(live_zero(x))  # type: ignore[return-value]


@pytest.mark.parametrize(("x", "e"), [(4, 0), (20, 400), (12, 200), (3, -25), (22, 450)])
def test_a_line_goes_through_its_ends_and_beyond(x: float, e: float) -> None:
    assert Line(4, 20, 0, 400)(x) == pytest.approx(e)


def test_a_line_may_fall() -> None:
    assert Line(0, 10, 100, -100)(2.5) == 50


def test_a_range_without_width_is_refused() -> None:
    with pytest.raises(ValueError, match="two different ends"):
        Line(4, 4, 0, 400)


@pytest.mark.parametrize(
    ("milliamperes", "x", "quality"),
    [
        (0.0, 4, IV),
        (3.59, 4, IV),
        (3.85, 4, GOOD),
        (3.99, 4, GOOD),
        (4.0, 4, GOOD),
        (20.0, 20, GOOD),
        (20.4, 20.4, GOOD),
        (20.6, 20.6, OV),
        (21.1, 21.1, IV | OV),
    ],
)
def test_each_current_has_its_meaning(milliamperes: float, x: float, quality: int) -> None:
    assert settled(LiveZero(4, 20), milliamperes) == (x, quality)


def test_one_low_sample_between_good_ones_is_no_broken_wire() -> None:
    live_zero = LiveZero(4, 20)
    assert [live_zero(x).quality for x in (10, 3.0, 10, 3.0, 3.0)] == [GOOD, NT, GOOD, NT, IV]


def test_a_wire_broken_from_the_start_is_invalid_at_once() -> None:
    assert LiveZero(4, 20)(0.0).quality == IV


def test_the_band_below_zero_keeps_the_last_decision() -> None:
    live_zero = LiveZero(4, 20)
    readings = [
        (10, GOOD),
        (3.7, GOOD),
        (3.5, NT),
        (3.5, IV),
        (3.7, IV),
        (3.79, IV),
        (3.81, GOOD),
        (3.7, GOOD),
    ]
    assert [live_zero(x).quality for x, _ in readings] == [quality for _, quality in readings]


def test_other_live_zero_ranges_take_the_same_shares() -> None:
    live_zero = LiveZero(1, 5)
    assert [settled(live_zero, x)[1] for x in (0.89, 0.96, 5.12, 5.13, 5.26)] == [IV, GOOD, GOOD, OV, IV | OV]
