"""Counter interrogation C_CI_NA_1: freezing comes first, then reading what was frozen (modes B and C).

IEC 60870-5-5, 6.9. One at a time per connection and common address.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import QCC

from .request import Request
from .totals import GENERAL, READ
from .transmission import Part, Scan


def freezes(asdu: ASDU) -> bool:
    """Whether this is a counter interrogation that changes counters, not only reads them."""
    match asdu.objects[0].elements:
        case (QCC(frz=frz),):
            return frz != READ
    return False


def handle(request: Request) -> None:
    (qualifier,) = request.elements
    assert isinstance(qualifier, QCC)
    totals = request.station.totals
    transmission = request.session.transmission
    members = totals.members(request.ca, qualifier.rqt) if 1 <= qualifier.rqt <= GENERAL else []
    if not members or transmission.running("counters", request.ca) is not None:
        request.confirm(positive=False)
        return
    request.confirm(positive=True)
    data: Iterable[Part] = ()
    if qualifier.frz != READ:
        if not request.asdu.test:
            totals.freeze(members, qualifier.frz)
    else:
        cause = Cause.REQCOGEN + (0 if qualifier.rqt == GENERAL else qualifier.rqt)
        data = totals.scan(members, cause, request.asdu.originator)
    transmission.start_scan(Scan(("counters", request.ca, qualifier.rqt), deque(data), request.termination()))
