"""Commands and set-points: from the ASDU to `outputs`, and from its verdicts to confirmations.

What may be operated, and whether it is operated now, is decided in `rtu.outputs` alone. Here the
octets become a request, "operated" becomes ACTCON and "done" becomes ACTTERM, the latter never
before the return information it follows (IEC 60870-5-5, 6.8).
"""

from __future__ import annotations

from collections.abc import Sequence

from rtu.iec104.elements import BSI, DCO, NVA, QOS, R32, RCO, SCO, SVA, CP56Time2a, Element
from rtu.outputs.request import Issued
from rtu.outputs.request import Request as OutputRequest
from rtu.points.station_time import StationTime

from .request import Request


def handle(request: Request) -> None:
    station, session = request.station, request.session
    command = station.outputs.find(request.ca, request.ioa)
    if command is None or request.asdu.type_id not in command.type_ids:
        request.unknown_ioa()
        return
    issued, told = None, request.elements
    if isinstance(tag := told[-1], CP56Time2a):
        issued, told = _issued(tag, station.time), told[:-1]
    value, qualifier, select = _told(told)
    station.outputs.request(
        OutputRequest(
            owner=session,
            group=session.peer.group,
            originator=request.asdu.originator,
            type_id=request.asdu.type_id,
            ca=request.ca,
            ioa=request.ioa,
            value=value,
            qualifier=qualifier,
            select=select,
            deactivate=request.deactivates,
            test=request.asdu.test,
            who=session.peer.master,
            issued=issued,
        ),
        CommandReply(request),
    )


class CommandReply:
    """Carries the verdicts back to the connection that asked, if it still holds its group."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def confirm(self, positive: bool, reason: str) -> None:
        if not positive:
            self._refused()
        self._request.confirm(positive=positive)

    def terminate(self, positive: bool, reason: str) -> None:
        octets = self._request.termination(positive=positive)
        self._request.session.reply(octets, after=self._request.station.log.position)

    def discard(self, reason: str) -> None:
        """The link acknowledges it, and that is all its master will see."""
        self._refused()

    def _refused(self) -> None:
        self._request.session.refusals.refused_command(self._request.ca, self._request.ioa)


def _issued(tag: CP56Time2a, time: StationTime) -> Issued:
    if tag.invalid:
        return Issued(defect="its time tag is marked invalid")
    try:
        return Issued(time.unix_ns(tag))
    except ValueError as defect:
        return Issued(defect=str(defect))


def _told(elements: Sequence[Element]) -> tuple[float, int, bool]:
    """Value, qualifier (QU or QL) and select bit of a command."""
    match elements:
        case (SCO(scs, qu, select),):
            return scs, qu, select
        case (DCO(dcs, qu, select),):
            return dcs, qu, select
        case (RCO(rcs, qu, select),):
            return rcs, qu, select
        case (NVA(raw), QOS(ql, select)):
            return raw, ql, select
        case (SVA(scaled), QOS(ql, select)):
            return scaled, ql, select
        case (R32(real), QOS(ql, select)):
            return real, ql, select
        case (BSI(bits),):
            return bits, 0, False
    raise AssertionError(f"no command: {elements}")
