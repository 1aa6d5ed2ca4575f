"""Reset process C_RP_NA_1 (IEC 60870-5-5, 6.11), as far as the configuration enables it.

    QRP 1  the station is restarted, as soon as the master has the confirmation, or after t1
    QRP 2  what still waits for the group of this master is discarded

A test is confirmed and changes nothing. From its confirmation to the restart no command is carried out, and no selection
lasts; while an output operates the reset is refused, for it would cut the pulse short, and while the disk fails, for what
is in memory only would be gone. Nothing resumes.
"""

from __future__ import annotations

from functools import partial

from rtu.clock import SECOND
from rtu.iec104.elements import QRP

from .request import Request
from .station import Station

_WHAT = {1: "process", 2: "events"}


def handle(request: Request) -> None:
    station = request.station
    (qualifier,) = request.elements
    assert isinstance(qualifier, QRP)
    what = _WHAT.get(qualifier.qrp, "")
    if refusal := _refusal(station, what, qualifier.qrp):
        _record(request, "reset.refuse", reason=refusal)
        request.confirm(positive=False)
    elif request.asdu.test:
        _record(request, "reset.test", reason=f"QRP {qualifier.qrp}")
        request.confirm(positive=True)
    elif what == "events":
        _record(request, "reset.events", rows=request.session.group.events.discard())
        request.confirm(positive=True)
    else:
        _record(request, "reset.process")
        station.outputs.retire("the station is about to restart")
        restart = partial(station.restart, f"reset by {request.session.peer.master}")
        request.confirm(positive=True, acknowledged=restart)
        station.clock.call_at(station.clock.now_ns() + round(station.parameters.t1 * SECOND), restart)


def _refusal(station: Station, what: str, qrp: int) -> str:
    if what not in station.protocol.reset:
        return f"QRP {qrp} is not enabled"
    if what == "process" and station.outputs.operating:
        return "an output operates"
    if what == "process" and station.log.fault is not None:
        return "the disk fails: events and locks would be lost"
    return ""


def _record(request: Request, event: str, **fields: object) -> None:
    peer = request.session.peer
    request.station.audit.record(
        event, master=peer.master, peer=peer.address, group=peer.group, ca=request.ca, **fields
    )
