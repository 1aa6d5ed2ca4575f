"""The first synchronisation since the start: it makes right, once, what was stamped before anybody knew the time.

Until then all stamps have one provisional offset and IV (see `rtu.clock`), so one correction mends them all: events no
group was sent yet, and what counters were frozen with. What somebody was sent keeps its octets, and no later step of
the clock changes anything stored.

The time is remembered while it is known, so that a station without a clock of its own does not, after a time without
power, begin behind what it told.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from rtu.clock import MILLISECOND, SECOND
from rtu.events.rows import Scalar
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import CP56Time2a
from rtu.points.station_time import StationTime

from .station import Station

_POLL_NS = SECOND // 2
_KEEP_NS = 3600 * SECOND
_TOLD = "clock.told"


class Synchronisation:
    """Looks at the clock from construction on."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._look()

    def _look(self) -> None:
        clock = self._station.clock
        if clock.settled:
            keep(self._station)
        else:
            settle(self._station)
        again_ns = _KEEP_NS if clock.settled else _POLL_NS
        clock.call_at(clock.now_ns() + again_ns, self._look)


def settle(station: Station) -> None:
    """Make right what was stamped since the start, if this is the first synchronisation."""
    correction_ns = station.clock.settle()
    if correction_ns is None:
        return
    station.log.resolve(partial(_resolved, station.time, correction_ns))
    station.totals.resolve(correction_ns)
    station.audit.record("clock.synchronise", correction_ms=correction_ns // MILLISECOND)
    keep(station)


def keep(station: Station) -> None:
    """Remember the time, if it is known now."""
    wall = station.clock.wall(station.clock.now_ns())
    if wall.valid:
        station.log.remember(_TOLD, wall.unix_ns)


def last_told(meta: Mapping[str, Scalar]) -> int:
    """The time remembered last, nanoseconds since 1970; 0 for none."""
    told = meta.get(_TOLD, 0)
    return told if isinstance(told, int) else 0


def _resolved(time: StationTime, correction_ns: int, type_id: int, octets: bytes) -> bytes:
    if not TYPES[type_id].time_tagged:
        return octets
    tag = len(octets) - CP56Time2a.SIZE
    return octets[:tag] + time.resolved(octets[tag:], correction_ns)
