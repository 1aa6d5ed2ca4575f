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
    defect = time.defect() or ("the time is marked invalid" if time.invalid else None)
    if discipline is None:
        defect = "another source sets the clock"
    if defect is None and not request.asdu.test and discipline is not None:
        now = station.clock.now_ns()
        before = station.clock.wall(now)
        discipline.set(time.to_ns(), now)
        own = CP56Time2a.from_ns(before.unix_ns, invalid=not before.valid).encode()
        request.confirm(positive=True, octets=request.octets[:_TIME] + own)
    else:
        request.confirm(positive=defect is None)
    station.audit.record(
        "clock.set" if defect is None else "clock.refuse",
        master=request.session.peer.master,
        peer=request.session.peer.address,
        ca=request.ca,
        reason=defect or "",
    )
