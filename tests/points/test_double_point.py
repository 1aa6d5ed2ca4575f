"""Double points: what two contacts of one switch say together."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import MILLISECOND, VirtualClock
from rtu.points.contact import Contact
from rtu.points.double_point import DoublePoint
from rtu.points.model import FAULTY, GOOD, INTERMEDIATE, IV, OFF, ON, Value

DEBOUNCE_MS = 5


class Bench:
    """A switch that was first read OFF; `told` is what its point said since."""

    def __init__(self, transit_ms: int = 0, fault_ms: int = 0, debounce_ms: int = DEBOUNCE_MS) -> None:
        self.clock = VirtualClock()
        self.told: list[Value] = []
        debounce_ns = debounce_ms * MILLISECOND
        self.point = DoublePoint(
            self.clock,
            self.told.append,
            transit_ns=transit_ms * MILLISECOND,
            fault_ns=fault_ms * MILLISECOND,
            settle_ns=debounce_ns,
        )
        self.open = Contact(self.clock, self.point.open_contact, debounce_ns=debounce_ns)
        self.closed = Contact(self.clock, self.point.closed_contact, debounce_ns=debounce_ns)
        self.closed.reconcile(0, self.clock.now_ns())
        assert self.told == []
        self.open.reconcile(1, self.clock.now_ns())
        self.first = self.told.pop()

    def edge(self, contact: Contact, level: int, *, after_ms: float = 0) -> int:
        self.clock.advance(after_ms / 1000)
        contact.edge(level, self.clock.now_ns())
        return self.clock.now_ns()


def test_it_is_known_once_both_contacts_are() -> None:
    bench = Bench()
    assert (bench.first.value, bench.first.quality) == (OFF, GOOD)


def test_without_transit_time_every_state_is_told() -> None:
    bench = Bench()
    left = bench.edge(bench.open, 0)
    arrived = bench.edge(bench.closed, 1, after_ms=50)
    bench.clock.advance(1)
    assert bench.told == [Value(INTERMEDIATE, GOOD, left), Value(ON, GOOD, arrived)]


def test_a_quick_travel_tells_only_where_it_arrived() -> None:
    bench = Bench(800)
    bench.edge(bench.open, 0)
    arrived = bench.edge(bench.closed, 1, after_ms=300)
    bench.clock.advance(2)
    assert bench.told == [Value(ON, GOOD, arrived)]


def test_a_slow_travel_is_told_with_the_stamp_of_its_beginning() -> None:
    bench = Bench(800)
    left = bench.edge(bench.open, 0)
    bench.clock.advance(0.9)
    assert bench.told == [Value(INTERMEDIATE, GOOD, left)]
    arrived = bench.edge(bench.closed, 1)
    bench.clock.advance(1)
    assert bench.told[1:] == [Value(ON, GOOD, arrived)]


def test_arriving_just_in_time_counts_although_the_contact_still_settles() -> None:
    bench = Bench(800)
    bench.edge(bench.open, 0)
    arrived = bench.edge(bench.closed, 1, after_ms=799)
    bench.clock.advance(1)
    assert bench.told == [Value(ON, GOOD, arrived)]


def test_a_switch_that_falls_back_in_time_tells_nothing() -> None:
    bench = Bench(800)
    bench.edge(bench.open, 0)
    bench.edge(bench.open, 1, after_ms=300)
    bench.clock.advance(2)
    assert bench.told == []


def test_overlapping_contacts_stamp_with_the_one_that_arrived() -> None:
    bench = Bench(800, 800)
    arrived = bench.edge(bench.closed, 1)
    bench.edge(bench.open, 0, after_ms=30)
    bench.clock.advance(2)
    assert bench.told == [Value(ON, GOOD, arrived)]


def test_both_contacts_made_for_long_is_a_fault() -> None:
    bench = Bench(800, 500)
    began = bench.edge(bench.closed, 1)
    bench.clock.advance(0.6)
    assert bench.told == [Value(FAULTY, GOOD, began)]
    ended = bench.edge(bench.closed, 0)
    bench.clock.advance(1)
    assert bench.told[1:] == [Value(OFF, GOOD, ended)]


def test_a_long_travel_read_late_is_told_all_the_same() -> None:
    bench = Bench(800, debounce_ms=0)
    left = bench.edge(bench.open, 0)
    arrived = left + 900 * MILLISECOND
    bench.closed.edge(1, arrived)
    assert bench.told == [Value(INTERMEDIATE, GOOD, left), Value(ON, GOOD, arrived)]


def test_one_lost_contact_invalidates_the_last_state_and_recovery_tells_the_present_one() -> None:
    bench = Bench(800)
    lost = bench.clock.now_ns()
    bench.closed.reconcile(None, lost)
    bench.open.reconcile(None, lost)
    assert bench.told == [Value(OFF, IV, lost)]
    bench.open.reconcile(0, lost + 1)
    assert len(bench.told) == 1
    bench.closed.reconcile(1, lost + 2)
    assert bench.told[1:] == [Value(ON, GOOD, lost + 2)]


def test_a_switch_lost_while_travelling_is_not_told_as_travelling() -> None:
    bench = Bench(800)
    bench.edge(bench.open, 0)
    bench.clock.advance(0.1)
    bench.open.reconcile(None, bench.clock.now_ns())
    bench.clock.advance(5)
    assert [(value.value, value.quality) for value in bench.told] == [(OFF, IV)]


@given(
    transit_ms=st.sampled_from([0, 20, 800]),
    debounce_ms=st.sampled_from([0, 5]),
    train=st.lists(
        st.tuples(st.booleans(), st.integers(0, 1), st.floats(0, 30)),
        max_size=40,
    ),
)
def test_any_train_alternates_in_order_and_ends_where_the_switch_rests(
    transit_ms: int, debounce_ms: int, train: list[tuple[bool, int, float]]
) -> None:
    bench = Bench(transit_ms, transit_ms, debounce_ms)
    rest = {True: 1, False: 0}
    for is_open, level, pause in train:
        bench.edge(bench.open if is_open else bench.closed, level, after_ms=pause)
        rest[is_open] = level
    bench.clock.advance(5)
    states = [OFF, *(value.value for value in bench.told)]
    assert all(one != next_ for one, next_ in itertools.pairwise(states))
    assert [value.mono_ns for value in bench.told] == sorted(value.mono_ns for value in bench.told)
    assert states[-1] == rest[True] | rest[False] << 1
