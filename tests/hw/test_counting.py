"""Counting pulses from stamped edges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hw.counting import PulseCount

MS = 1_000_000
REST_MS = st.integers(10, 1000)
BOUNCES_MS = st.lists(st.floats(0.01, 4.9), max_size=6).filter(lambda gaps: len(gaps) % 2 == 0)


def counter(level: int = 0, active: int = 1) -> PulseCount:
    return PulseCount(active, 5 * MS, level, 0)


def fed(count: PulseCount, *edges: tuple[float, int], until: float = 10_000) -> int:
    for at_ms, level in edges:
        count.edge(round(at_ms * MS), level)
    count.settle(round(until * MS))
    return count.total


def test_a_pulse_counts_once() -> None:
    assert fed(counter(), (100, 1), (130, 0)) == 1


def test_a_pulse_counts_as_soon_as_it_has_lasted_long_enough() -> None:
    assert fed(counter(), (100, 1), until=104) == 0
    assert fed(counter(), (100, 1), until=105) == 1


def test_a_pulse_too_short_does_not_count() -> None:
    assert fed(counter(), (100, 1), (104, 0)) == 0


def test_a_rest_too_short_joins_two_pulses() -> None:
    assert fed(counter(), (100, 1), (130, 0), (133, 1), (160, 0)) == 1


def test_a_contact_that_pulls_to_ground_counts_its_falling_edges() -> None:
    assert fed(counter(level=1, active=0), (100, 0), (130, 1), (200, 0)) == 2


def test_a_level_that_is_there_at_the_beginning_is_no_pulse() -> None:
    assert fed(counter(level=1), (100, 0), (200, 1)) == 1


def test_a_change_too_short_to_be_seen_begins_the_wait_anew() -> None:
    assert fed(counter(), (100, 1), (103, 1), until=107) == 0
    assert fed(counter(), (100, 1), (103, 1), until=108) == 1


def test_a_missed_edge_is_made_up_for_by_reading_the_line() -> None:
    count = counter()
    count.agree(100 * MS, 1)
    count.agree(200 * MS, 1)
    assert count.total == 1
    count.edge(99 * MS, 1)  # it was only late
    count.agree(300 * MS, 0)
    count.agree(400 * MS, 1)
    count.agree(500 * MS, 1)
    assert count.total == 2


@given(st.lists(st.tuples(REST_MS, BOUNCES_MS, REST_MS, BOUNCES_MS), max_size=20))
def test_bouncing_pulses_count_once_each(
    pulses: list[tuple[int, list[float], int, list[float]]],
) -> None:
    count = counter()
    now, level = 0.0, 0

    def change(after_ms: float) -> None:
        nonlocal now, level
        now += after_ms
        level = 1 - level
        count.edge(round(now * MS), level)

    for rest, closing, hold, opening in pulses:
        change(rest)
        for gap in closing:
            change(gap)
        change(hold)
        for gap in opening:
            change(gap)
    count.settle(round((now + 10) * MS))
    assert count.total == len(pulses)
