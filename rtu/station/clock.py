"""Clock synchronisation C_CS_NA_1 (IEC 60870-5-5, 6.7).

Obeyed only where the configuration makes the master the source of time; a clock that another
source owns is not touched, and the master is told so. The confirmation carries this station's own
time just before it was set.
"""

from __future__ import annotations

from rtu.iec104.asdu import HEADER_SIZE, IOA_SIZE
from rtu.iec104.elements import CP56Time2a

from .request import Request

_TIME = HEADER_SIZE + IOA_SIZE


def handle(request: Request) -> None:
    station = request.station
    (time,) = request.elements
    assert isinstance(time, CP56Time2a)
    discipline = station.master_clock
    defect = time.defect() or ("the time is marked invalid" if time.invalid else "")
    if not defect and station.outputs.stalled:
        defect = "the station was busy; the time may be old"
    if discipline is None or defect:
        _record(request, "clock.refuse", defect or "another source sets the clock")
        request.confirm(positive=False)
    elif request.asdu.test:
        _record(request, "clock.test")
        request.confirm(positive=True)
    else:
        now = station.clock.now_ns()
        before = station.clock.wall(now)
        discipline.set(time.to_ns(), now)
        _record(request, "clock.set")
        own = CP56Time2a.from_ns(before.unix_ns, invalid=not before.valid).encode()
        request.confirm(positive=True, octets=request.octets[:_TIME] + own)


def _record(request: Request, event: str, reason: str = "") -> None:
    peer = request.session.peer
    request.station.audit.record(event, master=peer.master, peer=peer.address, ca=request.ca, reason=reason)
