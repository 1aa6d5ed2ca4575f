"""What the service manager is told while the station serves: on which ports, how many masters, and that all of it moves.

The watchdog is fed by the loop, and only while some device is still being read: a loop that hangs, or a station whose
readings all stand still, is restarted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rtu.clock import SECOND, Clock
from rtu.field.field import Field
from rtu.station.station import Station

from .service import ServiceManager

_CONNECTIONS = frozenset({"tls.accept", "plain.accept", "session.close"})
"""Records after which another number of masters may be connected."""

Watcher = Callable[[str, Mapping[str, object]], object]


def serving(points: int, ports: Iterable[tuple[str, int]]) -> str:
    """What is served, and where; a port without protection stands out."""
    named = ", ".join(
        f"PLAIN {port} (unprotected)" if name == "plain" else f"{name} {port}" for name, port in ports
    )
    return f"serving {_counted(points, 'point')} on {named or 'no port'}"


def keep_told(
    service: ServiceManager,
    clock: Clock,
    what: str,
    station: Station,
    watch: Callable[[Watcher], None],
) -> None:
    """Say that the station is ready, and from then on how many masters are connected whenever that changes.

    `watch` hands over every record of the audit trail.
    """
    told = _and_masters(what, 0)
    service.ready(told)

    def tell() -> None:
        nonlocal told
        status = _and_masters(what, len({way.master for way in station.traffic.ways.values()}))
        if status != told:
            told = status
            service.status(told)

    def recorded(event: str, fields: Mapping[str, object]) -> None:
        if event in _CONNECTIONS:  # soon, because a connection is put on record while it is being made
            clock.call_at(clock.now_ns(), tell)

    watch(recorded)


def feed_watchdog(service: ServiceManager, clock: Clock, field: Field, patience_ns: int) -> None:
    """Feed the watchdog, as long as some device is still being read, if any has inputs.

    `patience_ns`: for so long beyond the watchdog's time no reading may come.
    """
    if service.watchdog_s is None:
        return
    statistics = field.statistics
    watchdog_ns = round(service.watchdog_s * SECOND)
    scans, moved_ns = statistics.scans, clock.now_ns()

    def feed() -> None:
        nonlocal scans, moved_ns
        now = clock.now_ns()
        if statistics.scans != scans or not field.reads:
            scans, moved_ns = statistics.scans, now
        if now - moved_ns < watchdog_ns + patience_ns:
            service.alive()
        clock.call_at(now + watchdog_ns // 3, feed)

    feed()


def _and_masters(what: str, number: int) -> str:
    return f"{what}; {_counted(number, 'master') if number else 'no masters'} connected"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
