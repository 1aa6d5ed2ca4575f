"""In a flood the loop stands aside for the writer, so that what was detected reaches the disk."""

from __future__ import annotations

import pytest

from rtu.events.journal import FLOOD_ROWS, STAND_ASIDE_S, Volatile
from rtu.events.log import EventLog
from rtu.events.rows import Changes
from rtu.points.model import SPONTANEOUS


class Slow(Volatile):
    """A writer that is done only when it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def submit(self, changes: Changes) -> None:
        super().submit(changes)
        self.idle = False

    def drain(self, timeout_s: float) -> bool:
        self.waited.append(timeout_s)
        self.idle = True
        return True


@pytest.mark.parametrize(("rows", "waited"), [(FLOOD_ROWS, []), (FLOOD_ROWS + 1, [STAND_ASIDE_S])])
def test_the_loop_waits_for_the_writer_only_in_a_flood(points, clock, octets, rows, waited):
    store = Slow()
    log = EventLog(("main",), clock, points.all, store=store, capacity=2 * FLOOD_ROWS)
    log.state(points.q[0], octets(0), SPONTANEOUS)
    clock.advance(0.03)
    store.waited.clear()
    store.idle = False  # at work on the first event
    for number in range(rows):
        log.state(points.q[0], octets(number % 1000), SPONTANEOUS)
    clock.advance(0.03)
    assert store.waited == waited
    assert store.committed == (rows + 1 if waited else 1)


def test_a_disk_that_hangs_is_waited_for_once_and_then_left_to_itself(points, clock, octets):
    class Hanging(Slow):
        def drain(self, timeout_s: float) -> bool:
            self.waited.append(timeout_s)
            return False

    store = Hanging()
    log = EventLog(("main",), clock, points.all, store=store, capacity=2 * FLOOD_ROWS)
    clock.advance(2)
    store.idle = True  # what the start had to store is stored
    log.state(points.q[0], octets(0), SPONTANEOUS)
    clock.advance(0.03)
    store.waited.clear()
    for number in range(FLOOD_ROWS + 1):
        log.state(points.q[0], octets(number % 1000), SPONTANEOUS)
    clock.advance(10)
    assert store.waited == [STAND_ASIDE_S]
