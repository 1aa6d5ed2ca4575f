"""Disturbance recorder: remembers what some points did, and when a trigger comes makes a record of it.

    WATCHING --a trigger point reaches its state--> RECORDING --after_s later--> WATCHING

While watching, changes of the last `before_s` are remembered and older ones folded into the values they left, so what
is remembered is always complete. A trigger is a point that goes to the state from another: what was already there,
or what nothing is known of (IV, NT), triggers nothing. Triggers while recording are part of the record and start no
other. Nothing is lost between two records: the second begins with the changes the first ended with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from rtu.clock import SECOND, Clock, Timer

from .comtrade import Recorded, Recording, Sample
from .model import IV, NT, OFF, ON, Signal, Value
from .table import PointTable

MAX_CHANGES = 20_000
"""Changes in memory per recorder, at most half of them from before the trigger: with more of these the record begins
later, with more after it ends earlier."""

TRIGGERS: dict[str, dict[str, int]] = {
    "single": {"off": 0, "open": 0, "on": 1, "closed": 1},
    "double": {"off": OFF, "open": OFF, "on": ON, "closed": ON},
}
"""The value a trigger waits for, by the kind of the point and the word of the station file."""


class Recorder:
    """One `[[record]]`. Works from construction on; belongs to the loop."""

    def __init__(
        self,
        name: str,
        station: str,
        table: PointTable,
        clock: Clock,
        *,
        trigger: dict[int, int],
        points: Sequence[int],
        before_s: float,
        after_s: float,
        made: Callable[[Recording], None],
    ) -> None:
        """`trigger` are signals and the values they trigger at, `points` the signals that are recorded.

        `made` is given each record when it is over.
        """
        self._name = name
        self._station = station
        self._clock = clock
        self._before_ns = round(before_s * SECOND)
        self._after_ns = round(after_s * SECOND)
        self._made = made
        self._points = tuple(
            Recorded(signal.name, signal.kind, signal.unit) for signal in (table.signals[at] for at in points)
        )
        self._start = [table.value(index) for index in points]
        self._since_ns = clock.now_ns()  # `_start` are the values then
        self._changes: deque[Sample] = deque()
        self._trigger_ns: int | None = None  # while recording
        self._timer: Timer
        self._there: dict[int, bool | None] = {}
        for place, index in enumerate(points):
            table.watch(index, partial(self._note, place))
        for index, wanted in trigger.items():  # after the notes: the trigger itself is in the record
            self._there[index] = _reached(table.value(index), wanted)
            table.watch(index, partial(self._look, wanted))

    def _note(self, place: int, signal: Signal, value: Value) -> None:
        self._changes.append(Sample(value.mono_ns, place, value.value, value.quality))
        if self._trigger_ns is None:
            self._forget(self._clock.now_ns() - self._before_ns)
        elif len(self._changes) > MAX_CHANGES:
            self._finish(self._trigger_ns)

    def _look(self, wanted: int, signal: Signal, value: Value) -> None:
        there = _reached(value, wanted)
        if there is None:
            return
        before, self._there[signal.index] = self._there[signal.index], there
        if there and before is False and self._trigger_ns is None:
            self._trigger_ns = trigger_ns = value.mono_ns
            self._forget(trigger_ns - self._before_ns)
            self._timer = self._clock.call_at(trigger_ns + self._after_ns, partial(self._finish, trigger_ns))

    def _finish(self, trigger_ns: int) -> None:
        end_ns = max(self._clock.now_ns(), trigger_ns)
        wall = self._clock.wall(trigger_ns)
        self._trigger_ns = None
        self._timer.cancel()  # if it ended early
        self._made(
            Recording(
                self._station,
                self._name,
                self._points,
                tuple(self._start),
                tuple(self._changes),
                min([self._since_ns, trigger_ns, *(change.mono_ns for change in self._changes)]),
                trigger_ns,
                end_ns,
                wall.unix_ns,
                wall.valid,
            )
        )
        self._forget(end_ns - self._before_ns)

    def _forget(self, until_ns: int) -> None:
        """Fold what is older, or too much, into the values the record would start with."""
        changes = self._changes
        while changes and (changes[0].mono_ns < until_ns or len(changes) > MAX_CHANGES // 2):
            mono_ns, place, value, quality = changes.popleft()
            self._start[place] = Value(value, quality, mono_ns)
            self._since_ns = max(self._since_ns, mono_ns)
        self._since_ns = max(self._since_ns, until_ns)


def _reached(value: Value, wanted: int) -> bool | None:
    """Whether a point is in the state; None when that is not known."""
    return None if value.quality & (IV | NT) else value.value == wanted
