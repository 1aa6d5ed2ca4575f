"""Counters: totals that outlive the device."""

from __future__ import annotations

from rtu.points.counter import ADJUSTED, Counter
from rtu.points.model import GOOD, IV, NT, Value


def test_the_total_goes_on_from_where_the_station_stopped() -> None:
    told: list[Value] = []
    counter = Counter(told.append, base=1000)
    counter.total(0, 1)
    counter.total(5, 2)
    assert told == [Value(1000, GOOD, 1), Value(1005, GOOD, 2)]


def test_a_device_that_starts_again_does_not_take_the_total_back_and_it_shows() -> None:
    told: list[Value] = []
    counter = Counter(told.append)
    for counted in (7, 2, 3):
        counter.total(counted, 1)
    assert told == [Value(7, GOOD, 1), Value(9, ADJUSTED, 1), Value(10, GOOD, 1)]


def test_an_unreadable_counter_keeps_its_total_as_invalid() -> None:
    told: list[Value] = []
    counter = Counter(told.append, base=10)
    counter.total(None, 1)
    counter.total(4, 2)
    counter.total(None, 3)
    assert told == [Value(10, IV | NT, 1), Value(14, GOOD, 2), Value(14, IV, 3)]
