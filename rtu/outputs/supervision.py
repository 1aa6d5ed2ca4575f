"""Did the plant do what it was told? The feedback point, from the first switching to the verdict.

While this goes on, changes of the point are reported as return information (COT 11, or 12 for a local command). The
verdict is never given before the output action is complete. Then:

* the point is in the commanded state with good quality: reached. A point that was there before the command, too: the
  command is carried out all the same, and what counts is the state at the end;
* it comes to stand in a faulty state or moves to another definite one: missed;
* it stays where it was, in between, or not known: that may still change until the time is over.

Events are never held back: a plant that answers before a slow bus has read the output back is reported before the
confirmation, with the cause of the command all the same.

"In time" is judged by the stamp of the change, not by when this program came to look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rtu.clock import SECOND, Clock, Timer
from rtu.points.model import FAULTY, INTERMEDIATE, Cause, Signal, Value

from .commands import Feedback


class Points(Protocol):
    """What outputs need of the point table."""

    def value(self, index: int) -> Value: ...

    def watch(self, index: int, callback: Callable[[Signal, Value], None]) -> Callable[[], None]: ...

    def attribute(self, index: int, cause: Cause | None) -> None: ...


class Supervision:
    """Watches one feedback for one command that brings about `value`."""

    def __init__(
        self,
        feedback: Feedback,
        value: int,
        cause: Cause,
        *,
        points: Points,
        clock: Clock,
        verdict: Callable[[bool, str], None],
    ) -> None:
        self._feedback = feedback
        self._points = points
        self._clock = clock
        self._verdict = verdict
        before = points.value(feedback.point)
        self._expected = feedback.states[value] + (before.value if feedback.relative else 0)
        self._stood = before.value if self._definite(before) else None
        self._deadline_ns: int | None = None
        self._timer: Timer | None = None
        self._unwatch = points.watch(feedback.point, self._changed)
        points.attribute(feedback.point, cause)

    def energised(self) -> None:
        """The output has switched: the time runs from now."""
        self._deadline_ns = self._clock.now_ns() + round(self._feedback.within_s * SECOND)

    def settle(self) -> None:
        """The output action is complete: give the verdict as soon as there is one."""
        deadline_ns = self._deadline_ns
        assert deadline_ns is not None
        present = self._points.value(self._feedback.point)
        if self._reached(present):
            self._verdict(True, "")
        elif self._clock.now_ns() >= deadline_ns:
            self._late()
        else:
            self._timer = self._clock.call_at(deadline_ns, self._late)

    def close(self) -> None:
        """Watch no more; changes are spontaneous again. Idempotent."""
        self._unwatch()
        self._points.attribute(self._feedback.point, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _changed(self, signal: Signal, value: Value) -> None:
        moved = self._definite(value) and value.value != self._stood
        if self._definite(value):
            self._stood = value.value
        if self._timer is None:
            return
        if self._reached(value):
            self._verdict(True, "")
        elif self._faulty(value) or (moved and value.value != self._expected):
            self._verdict(False, f"{self._feedback.name} went to {value.value:g}, not to {self._expected:g}")

    def _reached(self, value: Value) -> bool:
        assert self._deadline_ns is not None
        return value.quality == 0 and value.value == self._expected and value.mono_ns <= self._deadline_ns

    def _definite(self, value: Value) -> bool:
        between = self._feedback.double and value.value in (INTERMEDIATE, FAULTY)
        return value.quality == 0 and not between

    def _faulty(self, value: Value) -> bool:
        return self._feedback.double and value.quality == 0 and value.value == FAULTY

    def _late(self) -> None:
        self._verdict(False, f"{self._feedback.name} did not follow within {self._feedback.within_s:g} s")
