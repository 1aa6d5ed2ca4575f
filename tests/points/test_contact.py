"""Debounce: the first edge stamps, stability decides."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import MILLISECOND, SECOND, VirtualClock
from rtu.points.contact import Contact
from rtu.points.model import GOOD, IV, NT, Value

DEBOUNCE = 5 * MILLISECOND


class Bench:
    """A contact that was first read open, and everything it told since."""

    def __init__(self, debounce_ns: int = DEBOUNCE, *, invert: bool = False) -> None:
        self.clock = VirtualClock()
        self.told: list[Value] = []
        self.contact = Contact(self.clock, self.told.append, debounce_ns=debounce_ns, invert=invert)
        self.contact.reconcile(0, self.clock.now_ns())
        self.first = self.told.pop()

    def edge(self, level: int, *, after_ms: float = 0) -> int:
        self.clock.advance(after_ms / 1000)
        self.contact.edge(level, self.clock.now_ns())
        return self.clock.now_ns()


def test_the_first_level_is_taken_at_once() -> None:
    bench = Bench()
    assert bench.first == Value(0, GOOD, bench.clock.now_ns())


def test_a_bouncing_contact_is_told_once_and_stamped_with_its_first_edge() -> None:
    bench = Bench()
    first = bench.edge(1)
    for level in (0, 1, 0, 1):
        bench.edge(level, after_ms=2)
    assert not bench.told
    bench.clock.advance(0.0049)
    assert not bench.told
    bench.clock.advance(0.0001)
    assert bench.told == [Value(1, GOOD, first)]


def test_a_train_that_returns_is_a_counted_glitch() -> None:
    bench = Bench()
    bench.edge(1)
    bench.edge(0, after_ms=1)
    bench.clock.advance(1)
    assert bench.told == []
    assert bench.contact.suppressed == 1


def test_a_contact_that_never_settles_is_not_topical_until_it_does() -> None:
    bench = Bench()
    bench.edge(1)
    edges = [bench.edge(level % 2, after_ms=4) for level in range(600)]
    (restless,) = bench.told
    assert restless[:2] == (0, NT)
    assert 1 <= (restless.mono_ns - bench.first.mono_ns) / SECOND < 1.1
    bench.clock.advance(0.01)
    assert bench.told[1:] == [Value(1, GOOD, edges[-1])]


def test_a_contact_that_settles_where_it_was_is_good_again() -> None:
    bench = Bench()
    for level in range(601):
        last = bench.edge(1 - level % 2, after_ms=4)
    bench.edge(0, after_ms=1)
    bench.clock.advance(0.01)
    assert [value[:2] for value in bench.told] == [(0, NT), (0, GOOD)]
    assert bench.told[1].mono_ns == last + 1_000_000


def test_a_restless_contact_that_is_lost_is_read_anew() -> None:
    bench = Bench()
    for level in range(600):
        bench.edge(level % 2, after_ms=4)
    bench.contact.lose(IV, bench.clock.now_ns())
    bench.contact.reconcile(1, bench.clock.now_ns())
    bench.clock.advance(1)
    assert [value[:2] for value in bench.told] == [(0, NT), (0, IV), (1, GOOD)]


def test_without_debounce_every_edge_is_told_at_once() -> None:
    bench = Bench(0)
    stamps = [bench.edge(level, after_ms=1) for level in (1, 0, 1)]
    assert bench.told == [Value(level, GOOD, at) for level, at in zip((1, 0, 1), stamps, strict=True)]


def test_an_edge_to_the_known_level_is_a_glitch_not_a_change() -> None:
    bench = Bench(0)
    bench.edge(0)
    assert bench.told == []
    assert bench.contact.suppressed == 1


def test_stamps_decide_when_edges_are_read_late() -> None:
    bench = Bench()
    start = bench.clock.now_ns()
    bench.clock.advance(1)
    for level, at_ms in ((1, 0), (0, 20), (1, 40)):
        bench.contact.edge(level, start + at_ms * MILLISECOND)
    bench.clock.advance(1)
    assert bench.told == [
        Value(level, GOOD, start + at_ms * MILLISECOND) for level, at_ms in ((1, 0), (0, 20), (1, 40))
    ]


def test_inversion_turns_the_level_round() -> None:
    bench = Bench(invert=True)
    assert bench.first.value == 1
    bench.edge(1)
    bench.clock.advance(1)
    assert [value.value for value in bench.told] == [0]


def test_a_failed_read_keeps_the_level_with_iv_and_recovery_tells_it_again() -> None:
    bench = Bench()
    bench.edge(1)
    bench.clock.advance(1)
    bench.told.clear()
    failed = bench.clock.now_ns()
    assert not bench.contact.reconcile(None, failed)
    assert not bench.contact.reconcile(None, failed + 1)
    assert bench.told == [Value(1, IV, failed)]
    assert not bench.contact.reconcile(1, failed + 2)
    assert bench.told[1:] == [Value(1, GOOD, failed + 2)]


def test_a_level_that_had_settled_before_the_contact_was_lost_is_told_first() -> None:
    bench = Bench()
    first = bench.clock.now_ns()
    bench.contact.edge(1, first)
    bench.contact.lose(IV, first + DEBOUNCE)
    assert bench.told == [Value(1, GOOD, first), Value(1, IV, first + DEBOUNCE)]


def test_an_unsettled_level_is_lost_with_the_contact() -> None:
    bench = Bench()
    first = bench.clock.now_ns()
    bench.contact.edge(1, first)
    bench.contact.lose(IV, first + DEBOUNCE - 1)
    bench.clock.advance(1)
    assert bench.told == [Value(0, IV, first + DEBOUNCE - 1)]


def test_what_was_never_read_has_nothing_to_lose() -> None:
    told: list[Value] = []
    contact = Contact(VirtualClock(), told.append)
    contact.lose(IV, 5)
    assert told == []


def test_silence_grows_from_not_topical_to_invalid_and_never_back() -> None:
    bench = Bench()
    for at, quality in enumerate((NT, IV | NT, NT)):
        bench.contact.lose(quality, bench.clock.now_ns() + at)
    assert [value.quality for value in bench.told] == [NT, IV | NT]


def test_a_level_that_differs_without_an_edge_is_a_lost_edge() -> None:
    bench = Bench()
    assert not bench.contact.reconcile(0, bench.clock.now_ns())
    assert bench.contact.reconcile(1, bench.clock.now_ns())
    bench.clock.advance(1)
    assert [value.value for value in bench.told] == [1]


def test_a_poll_does_not_disturb_edges_that_settle() -> None:
    bench = Bench()
    first = bench.edge(1)
    assert not bench.contact.reconcile(0, bench.clock.now_ns())
    bench.clock.advance(1)
    assert bench.told == [Value(1, GOOD, first)]


@pytest.mark.parametrize("debounce_ms", [0, 5])
@given(train=st.lists(st.tuples(st.integers(0, 1), st.floats(0, 12)), max_size=40))
def test_any_train_alternates_in_order_and_ends_where_the_contact_rests(
    debounce_ms: int, train: list[tuple[int, float]]
) -> None:
    bench = Bench(debounce_ms * MILLISECOND)
    stamps = [bench.edge(level, after_ms=pause) for level, pause in train]
    bench.clock.advance(1)
    levels = [0, *(value.value for value in bench.told)]
    assert all(one != next_ for one, next_ in itertools.pairwise(levels))
    assert [value.mono_ns for value in bench.told] == sorted(value.mono_ns for value in bench.told)
    assert {value.mono_ns for value in bench.told} <= set(stamps)
    assert levels[-1] == (train[-1][0] if train else 0)
