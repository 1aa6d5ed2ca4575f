"""How long a device may be silent before its points say so.

After two periods (at least 1 s) without a reading its points are not topical; after five times as long they are
invalid too. A driver that never returns from a scan shows in no other way.
"""

from __future__ import annotations

from collections.abc import Callable

from rtu.clock import SECOND, Clock, Timer
from rtu.points.model import IV, NT

LOST = 5  # times the first limit


class Freshness:
    """Watches one device: `heard` on every reading; `silent(quality)` is called once with NT, then with IV and NT."""

    def __init__(self, clock: Clock, period_ns: int, silent: Callable[[int], None]) -> None:
        self._clock = clock
        self._late_ns = max(2 * period_ns, SECOND)
        self._silent = silent
        self._heard_ns = 0
        self._told = 0
        self._timer: Timer | None = None

    def start(self) -> None:
        """From now on a reading is expected."""
        self._heard_ns = self._clock.now_ns()
        self._arm(self._late_ns)

    def heard(self) -> None:
        """A reading came."""
        self._heard_ns = self._clock.now_ns()
        if self._told:
            self._told = 0
            self.stop()
            self._arm(self._late_ns)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, after_ns: int) -> None:
        self._timer = self._clock.call_at(self._heard_ns + after_ns, self._look)

    def _look(self) -> None:
        self._timer = None
        limit_ns = self._late_ns * LOST if self._told else self._late_ns
        if self._clock.now_ns() - self._heard_ns < limit_ns:
            self._arm(limit_ns)
        elif not self._told:
            self._told = NT
            self._silent(NT)
            self._arm(self._late_ns * LOST)
        else:
            self._told = IV | NT
            self._silent(IV | NT)
