"""Parameter activation P_AC_NA_1: starts and stops the cyclic transmission of one object.

IEC 60870-5-5, 6.12. Only QPA 3 exists here: loaded parameters are in operation at once, so there is nothing for QPA 1
and 2 to activate. An object without a period of its own cannot be started.
"""

from __future__ import annotations

from rtu.iec104.elements import QPA

from .request import Request

LOADED, OBJECT, CYCLIC = 1, 2, 3
"""What QPA asks to activate: all loaded parameters, those of the object, its cyclic transmission."""


def handle(request: Request) -> None:
    (qualifier,) = request.elements
    assert isinstance(qualifier, QPA)
    station = request.station
    address = station.table.image.find(request.ca, request.ioa)
    if address is None and qualifier.qpa != LOADED:  # that one addresses no object
        request.unknown_ioa()
        return
    possible = address is not None and qualifier.qpa == CYCLIC and station.periods.is_cyclic(address)
    if address is not None and possible and not request.asdu.test:
        (station.periods.stop if request.deactivates else station.periods.start)(address)
    station.audit.record(
        "cyclic.refuse" if not possible else "cyclic.stop" if request.deactivates else "cyclic.start",
        master=request.session.peer.master,
        peer=request.session.peer.address,
        ca=request.ca,
        ioa=request.ioa,
        qpa=qualifier.qpa,
        test=request.asdu.test,
    )
    request.confirm(positive=possible)
