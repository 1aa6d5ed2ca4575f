"""Counter interrogation C_CI_NA_1: freezing comes first, then reading what was frozen (modes B and C).

IEC 60870-5-5, 6.9. One reading at a time per connection and common address.
"""

from __future__ import annotations

from collections import deque

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import QCC

from .request import Request
from .totals import GENERAL, READ
from .transmission import Scan


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
    if not members:
        request.confirm(positive=False)
    elif qualifier.frz != READ:
        if not request.asdu.test:
            totals.freeze(members, qualifier.frz)
        request.confirm(positive=True)
        request.session.reply(request.termination())
    elif transmission.running("counters", request.ca) is not None:
        request.confirm(positive=False)
    else:
        request.confirm(positive=True)
        cause = Cause.REQCOGEN + (0 if qualifier.rqt == GENERAL else qualifier.rqt)
        data = deque(totals.scan(members, cause, request.asdu.originator))
        transmission.start_scan(Scan(("counters", request.ca, qualifier.rqt), data, request.termination()))
