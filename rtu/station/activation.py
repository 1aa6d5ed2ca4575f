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
    refusal = ""
    if address is None or qualifier.qpa != CYCLIC:
        refusal = "only cyclic transmission, QPA 3, can be started and stopped"
    elif not station.periods.is_cyclic(address):
        refusal = "the object has no cyclic transmission"
    elif not request.asdu.test:
        (station.periods.stop if request.deactivates else station.periods.start)(address)
    station.audit.record(
        "cyclic.refuse" if refusal else "cyclic.stop" if request.deactivates else "cyclic.start",
        master=request.session.peer.master,
        peer=request.session.peer.address,
        ca=request.ca,
        ioa=request.ioa,
        qpa=qualifier.qpa,
        test=request.asdu.test,
        reason=refusal,
    )
    request.confirm(positive=not refusal)
