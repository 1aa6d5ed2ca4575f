"""Counters that the station's own clock freezes (modes A and B of IEC 60870-5-101, 7.4.8).

They are frozen whenever the clock passes a multiple of their period since midnight, in the time that the tags tell.
The clock counts as it is known, synchronised or not; if not, the tag says so. When it is stepped

* forward, over one such instant or many: frozen once, at the step (it is noticed within a second);
* back, over an instant: that instant is not used twice. After more than a period back the clock was wrong before,
  and the next instant counts again.

A station that was off at an instant makes nothing up for it: the next total covers the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rtu.clock import MILLISECOND, SECOND, Clock, WallTime
from rtu.iec104.elements import CP56Time2a
from rtu.points.station_time import StationTime

from .station import Station

_DAY = 86_400 * SECOND
_NOTICE = SECOND  # how long a step of the clock may go unnoticed


class ClockFreezes:
    """The timers of all counters frozen by the clock, from construction on."""

    def __init__(self, station: Station) -> None:
        totals = station.totals
        for (every_s, how), signals in totals.for_clock().items():
            _Timer(station.clock, station.time, round(every_s * SECOND), partial(totals.freeze, signals, how))


class _Timer:
    """Calls `freeze` at each multiple of `every_ns` since midnight."""

    def __init__(self, clock: Clock, time: StationTime, every_ns: int, freeze: Callable[[], None]) -> None:
        self._clock = clock
        self._time = time
        self._every_ns = every_ns
        self._freeze = freeze
        self._last_ns = clock.wall(clock.now_ns()).unix_ns  # nothing before the start is made up for
        self._look()

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        unix_ns = self._clock.wall(now_ns).unix_ns
        of_day = self._since_midnight(unix_ns)
        past = of_day % self._every_ns
        instant = unix_ns - past
        if instant < self._last_ns - self._every_ns:
            self._last_ns = instant
        # With summer time, an hour may lie in between that is no whole number of periods.
        elif instant > self._last_ns and self._since_midnight(instant) == of_day - past:
            self._last_ns = instant
            self._freeze()
        wait = min(self._every_ns - past, _DAY - of_day, _NOTICE)
        self._clock.call_at(now_ns + wait, self._look)

    def _since_midnight(self, unix_ns: int) -> int:
        time = CP56Time2a.decode(self._time.tag(WallTime(unix_ns, valid=True)))
        minutes = time.hour * 60 + time.minute
        return (minutes * 60_000 + time.ms) * MILLISECOND + unix_ns % MILLISECOND
