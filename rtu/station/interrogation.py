"""Station and group interrogation C_IC_NA_1 (IEC 60870-5-5, 6.6).

Confirmation, then every object of the group with its present value and quality, then termination.
One at a time per connection and common address: a second one meanwhile is refused, the running
one goes on.
"""

from __future__ import annotations

from collections import deque
from functools import partial

from rtu.iec104.catalogue import Cause
from rtu.iec104.elements import QOI
from rtu.points.image import Image, Run

from . import parameters
from .request import Request
from .transmission import Part, Scan

STATION = 20
"""Qualifier of station interrogation; 21..36 are groups 1..16."""


def handle(request: Request) -> None:
    (qualifier,) = request.elements
    assert isinstance(qualifier, QOI)
    transmission = request.session.transmission
    running = transmission.running("interrogation", request.ca)
    if request.deactivates:
        if running is None or running.key[2] != qualifier.qoi:
            request.refuse("there is no such interrogation to deactivate")
        else:
            transmission.cancel_scan(running)
            request.confirm(positive=True)
        return
    image = request.station.table.image
    group = qualifier.qoi - STATION
    plan = image.plan(request.ca, group) if 0 <= group <= 16 else ()
    if running is not None:
        request.refuse("an interrogation of this common address runs already")
        return
    if not plan and group != 0:
        request.refuse(f"QOI {qualifier.qoi} interrogates nothing here")
        return
    cause = Cause.INROGEN + group
    parts = deque(Part(run.addresses, partial(_data, image, run, cause, request)) for run in plan)
    if request.station.protocol.parameters == "interrogated":
        originator = request.asdu.originator
        parts += parameters.interrogated(request.station, request.ca, group, cause, originator)
    request.confirm(positive=True)
    key = ("interrogation", request.ca, qualifier.qoi)
    transmission.start_scan(Scan(key, parts, request.termination(), request.asdu.test))


def _data(image: Image, run: Run, cause: int, request: Request) -> bytes:
    return image.asdu(run, cause, request.asdu.originator, request.session.group.events.overlay())
