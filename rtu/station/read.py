"""Read command C_RD_NA_1: the object's value with cause 5, nothing else (IEC 60870-5-5, 6.3)."""

from __future__ import annotations

from collections import deque

from rtu.iec104.catalogue import Cause

from .request import Request
from .transmission import Part, Scan


def handle(request: Request) -> None:
    image = request.station.table.image
    address = image.find(request.ca, request.ioa)
    runs = image.runs((address,)) if address is not None else ()
    if not runs:  # totals are read by counter interrogation, events of protection not at all
        request.unknown_ioa()
        return
    (run,) = runs
    originator = request.asdu.originator
    overlay = request.session.group.events.overlay
    part = Part(run.addresses, lambda: image.asdu(run, Cause.REQ, originator, overlay()))
    key = ("read", request.ca, request.ioa)
    request.session.transmission.start_scan(Scan(key, deque((part,)), test=request.asdu.test))
