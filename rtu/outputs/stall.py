"""A loop that stood still must not carry out what piled up meanwhile.

Nobody can tell how long octets lay in the kernel's buffer. But the loop can tell that it was late: a heartbeat is due
every `BEAT_S`, and while it is overdue by more than `LIMIT_S`, or was and has not been on time again since, everything
that arrives may be old. On the first turn after a stall sockets are served before timers, so the check compares the
clock itself; the turns that follow, in which the rest of a backlog comes in, are covered by the heartbeat.
"""

from __future__ import annotations

from rtu.clock import MILLISECOND, SECOND, Clock, Timer

BEAT_S = 0.5
LIMIT_S = 0.75

_BEAT_NS = round(BEAT_S * SECOND)
_LIMIT_NS = round(LIMIT_S * SECOND)
_ON_TIME_NS = 100 * MILLISECOND


class LoopGuard:
    """Beats on the loop from construction until `stop`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_ns = clock.now_ns() + _BEAT_NS
        self._recovering = False
        self.longest_s = 0.0
        """By how much a beat was late at most."""
        self._timer: Timer = clock.call_at(self._due_ns, self._beat)

    @property
    def stalled(self) -> bool:
        """True while what arrives may have waited for longer than `LIMIT_S`."""
        return self._recovering or self._clock.now_ns() - self._due_ns > _LIMIT_NS

    def stop(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        now = self._clock.now_ns()
        late = now - self._due_ns
        self.longest_s = max(self.longest_s, late / SECOND)
        if late > _LIMIT_NS:
            self._recovering = True
        elif late <= _ON_TIME_NS:
            self._recovering = False
        self._due_ns = now + _BEAT_NS
        self._timer = self._clock.call_at(self._due_ns, self._beat)
