"""File transfer, types 120 to 125 and 127 (IEC 60870-5-5, 6.13): from the ASDU to the file and the step it is about.

    F_SC_NA_1 with cause 5       call of the directory; of one entry, when it names one
    anything else                a step of a transfer

An address where no file ever is, is unknown (47); so is the directory of a common address that has none now.
"""

from __future__ import annotations

from rtu.iec104.catalogue import Cause, TypeID

from .filing import Line
from .request import Request
from .transfer import understand


def handle(request: Request) -> None:
    files = request.station.files
    assert files is not None
    step, told = understand(request.asdu.type_id, request.elements)
    asdu = request.asdu
    line = Line(request.session, request.ca, request.ioa, told.name, asdu.originator, asdu.test)
    if asdu.type_id == TypeID.F_SC_NA_1 and asdu.cause == Cause.REQ:
        files.directory(line, Cause.REQ, request.unknown_ioa)
        return
    file = files.find(request.ca, request.ioa)
    if file is None:
        request.unknown_ioa()
    else:
        files.take(line, file, asdu.type_id, step, told)
