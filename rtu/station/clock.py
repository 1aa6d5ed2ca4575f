"""Clock synchronisation C_CS_NA_1 (IEC 60870-5-5, 6.7).

Obeyed only where the configuration makes the master the source of time; a clock that another source owns is not
touched, and the master is told so. The confirmation carries this station's own time just before it was set, or, where
the configuration says so, the time it was sent.
"""

from __future__ import annotations

from rtu.iec104.asdu import HEADER_SIZE, IOA_SIZE
from rtu.iec104.elements import CP56Time2a

from .request import Request
from .synchronisation import settle

_TIME = HEADER_SIZE + IOA_SIZE


def handle(request: Request) -> None:
    station = request.station
    (time,) = request.elements
    assert isinstance(time, CP56Time2a)
    discipline = station.master_clock
    unix_ns, refusal = _read(request, time)
    if discipline is None or refusal:
        _record(request, "clock.refuse", refusal or "another source sets the clock")
        request.confirm(positive=False)
    elif request.asdu.test:
        _record(request, "clock.test")
        request.confirm(positive=True)
    else:
        now = station.clock.now_ns()
        before = station.clock.wall(now)
        discipline.set(unix_ns, now)
        station.outputs.clock_set(before)
        _record(request, "clock.set")
        settle(station)
        octets = request.octets
        if station.protocol.clock_confirmation == "own":
            octets = octets[:_TIME] + station.time.tag(before)
        request.confirm(positive=True, octets=octets)


def _read(request: Request, time: CP56Time2a) -> tuple[int, str]:
    """Nanoseconds since 1970, and why they cannot be used."""
    if time.invalid:
        return 0, "the time is marked invalid"
    if request.station.outputs.stalled:
        return 0, "the station was busy; the time may be old"
    try:
        return request.station.time.unix_ns(time), ""
    except ValueError as defect:
        return 0, str(defect)


def _record(request: Request, event: str, reason: str = "") -> None:
    peer = request.session.peer
    request.station.audit.record(event, master=peer.master, peer=peer.address, ca=request.ca, reason=reason)
