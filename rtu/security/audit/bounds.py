"""How much of the audit trail others can fill: what one source causes in a minute is bounded, the rest is counted.

A surplus is told in one record `suppressed` for each event and source. Besides, all strangers together have a budget:
BUDGET records at once, and one more a minute; so that no crowd of them, and no patience, pushes out what is older.
Commands are not bounded here: each is on record by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rtu.clock import SECOND, Clock, Timer

from .events import STRANGER, kind_of

PERIOD_S = 60
BURST = STRANGER
MAX_SOURCES = 64
"""Sources told apart within a period, for each event; all further ones count as one, "others"."""
BUDGET = 400
"""Records of strangers in one go; one more for each period: some 1,800 on the first day, 1,440 on the others."""
MAX_SOURCE = 64
"""Characters of a source's name; an IPv6 address has 45."""

OTHERS = "others"

_ADDRESS = ("peer",)
_WHO = ("master", "who", "by", "peer")
"""Fields that name the source, the first that a record has."""


@dataclass(slots=True)
class _Tally:
    written: int = 0
    suppressed: int = 0


class Bounds:
    """`tell(event, source, count)` is called at the end of a period for each surplus."""

    def __init__(self, clock: Clock, tell: Callable[[str, str, int], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._sources: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._budget = BUDGET
        self._budget_ns = clock.now_ns()
        self._period: Timer | None = None

    def admit(self, event: str, fields: Mapping[str, object]) -> bool:
        """Whether a record of this event may be written now; if not it has been counted."""
        most = kind_of(event).per_minute
        if most is None:
            return True
        if self._period is None:
            self._period = self._clock.call_at(self._clock.now_ns() + PERIOD_S * SECOND, self._end_period)
        names = _ADDRESS if most == STRANGER else _WHO
        tally = self._tally(event, next((str(fields[name]) for name in names if fields.get(name)), ""))
        if tally.written < most and (most > STRANGER or self._spend()):
            tally.written += 1
            return True
        tally.suppressed += 1
        return False

    def close(self) -> None:
        """Tell what was suppressed in the period that has not ended yet."""
        if self._period is not None:
            self._period.cancel()
        self._budget = BUDGET
        self._end_period()

    def _tally(self, event: str, source: str) -> _Tally:
        key = (event, source[:MAX_SOURCE])
        if key not in self._tallies:
            if self._sources[event] >= MAX_SOURCES:
                key = (event, OTHERS)
            else:
                self._sources[event] += 1
        return self._tallies.setdefault(key, _Tally())

    def _end_period(self) -> None:
        tallies, self._tallies, self._period = self._tallies, {}, None
        self._sources.clear()
        for (event, source), tally in tallies.items():
            if not tally.suppressed:
                continue
            stranger = kind_of(event).per_minute == STRANGER
            if source == OTHERS or (stranger and not self._spend()):
                self._untold[event] += tally.suppressed
            else:
                self._tell(event, source, tally.suppressed)
        for event, count in list(self._untold.items()):
            if kind_of(event).per_minute != STRANGER or self._spend():
                del self._untold[event]
                self._tell(event, OTHERS, count)
        if self._untold:  # told when there is budget again
            self._period = self._clock.call_at(self._clock.now_ns() + PERIOD_S * SECOND, self._end_period)

    def _spend(self) -> bool:
        """One record of the strangers' budget, if any is left."""
        periods = (self._clock.now_ns() - self._budget_ns) // (PERIOD_S * SECOND)
        self._budget = min(BUDGET, self._budget + periods)
        self._budget_ns += periods * PERIOD_S * SECOND
        if self._budget == 0:
            return False
        self._budget -= 1
        return True
