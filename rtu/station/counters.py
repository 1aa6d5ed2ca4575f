"""Counter interrogation C_CI_NA_1: freezing comes first, then reading what was frozen.

IEC 60870-5-5, 6.9. One reading at a time per connection and common address.
"""

from __future__ import annotations

from collections import deque

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import QCC
from rtu.points.model import Address

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
    members: list[Address] = []
    if 1 <= qualifier.rqt <= GENERAL:
        members = request.station.totals.members(request.ca, qualifier.rqt)
    if qualifier.frz == READ:
        _read(request, members, qualifier.rqt)
    else:
        _freeze(request, members, qualifier.frz)


def _freeze(request: Request, members: list[Address], how: int) -> None:
    """Confirmation and termination, without data: the standard leaves open whether the latter is sent.

    What the station's clock freezes is not the master's to freeze or reset.
    """
    totals = request.station.totals
    signals = totals.for_master(members)
    if not signals:
        request.refuse("no counter of this request is frozen by a master")
        return
    request.confirm(positive=True)
    if not request.asdu.test:
        totals.freeze(signals, how)
    request.session.reply(request.termination())


def _read(request: Request, members: list[Address], group: int) -> None:
    transmission = request.session.transmission
    if transmission.running("counters", request.ca) is not None:
        request.refuse("a counter interrogation of this common address runs already")
        return
    if not members:
        request.refuse("this request reads no counter")
        return
    request.confirm(positive=True)
    cause = Cause.REQCOGEN + (0 if group == GENERAL else group)
    data = deque(request.station.totals.scan(members, cause, request.asdu.originator))
    key = ("counters", request.ca, group)
    transmission.start_scan(Scan(key, data, request.termination(), request.asdu.test))
