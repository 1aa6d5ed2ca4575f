"""Parameters of measured values, P_ME_NA_1, P_ME_NB_1, P_ME_NC_1 (IEC 60870-5-5, 6.12).

A parameter is loaded to the address of the measured object, in the form of that object: normalized, scaled or short
float. Threshold and limits are values of that form; the smoothing factor 0 <= s < 1 is the number itself when
normalized or float, and percent when scaled. It is in operation at once for the signal, so for all of its addresses;
it outlives restarts until the station file gives the point another deadband.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import msgspec

from rtu.events.log import EventLog
from rtu.iec104.asdu import pack_header, pack_ioa
from rtu.iec104.catalogue import TypeID
from rtu.iec104.elements import NVA, QPM, R32, SVA, Element
from rtu.points.image import STATION
from rtu.points.model import Address, Signal
from rtu.points.report import Parameters
from rtu.points.table import PointTable

from .request import Request
from .station import Station
from .transmission import Part

TYPES = frozenset({TypeID.P_ME_NA_1, TypeID.P_ME_NB_1, TypeID.P_ME_NC_1, TypeID.P_AC_NA_1})
"""Types that exist only where the station file lets parameters be loaded."""

_FORMS = {
    TypeID.M_ME_NA_1: TypeID.P_ME_NA_1,
    TypeID.M_ME_ND_1: TypeID.P_ME_NA_1,
    TypeID.M_ME_NB_1: TypeID.P_ME_NB_1,
    TypeID.M_ME_NC_1: TypeID.P_ME_NC_1,
}
_SMOOTHING_STEP = {TypeID.P_ME_NA_1: 1 / 32768, TypeID.P_ME_NB_1: 1 / 100, TypeID.P_ME_NC_1: 1.0}
_KINDS = {1: "threshold", 2: "smoothing", 3: "low", 4: "high"}
"""KPA of a QPM. To others there is no meaning."""
_MAX_SINGLE = (2 - 2**-23) * 2.0**127


class _Loaded(msgspec.Struct, frozen=True):
    """What is stored of a signal: its parameters, and the deadband the station file had when they were loaded."""

    deadband: float
    parameters: Parameters


def restore(table: PointTable, log: EventLog) -> None:
    """Put in operation again what was loaded before the restart, where the points are still what they were."""
    for signal in table.signals:
        text = log.meta.get(_key(signal))
        if signal.kind != "measured" or not isinstance(text, str):
            continue
        try:
            loaded = msgspec.json.decode(text, type=_Loaded)
        except msgspec.DecodeError:  # of another version
            continue
        if loaded.deadband == signal.reporting.deadband and _sound(loaded.parameters):
            table.set_parameters(signal.index, loaded.parameters)


def handle(request: Request) -> None:
    number, qualifier = request.elements
    assert isinstance(qualifier, QPM)
    station = request.station
    address = station.table.image.find(request.ca, request.ioa)
    if address is None or _FORMS.get(TypeID(address.type_id)) != request.asdu.type_id:
        request.unknown_ioa()
        return
    kind = _KINDS.get(qualifier.kpa)
    value = _raw(number) * _step(address, qualifier.kpa)
    loaded = replace(station.table.parameters(address.signal), **{kind: value}) if kind else None
    refusal = _refusal(qualifier, loaded)
    if loaded is None or refusal:
        event = "parameter.refuse"
    elif request.asdu.test:
        event = "parameter.test"
    else:
        event = "parameter.load"
        signal = station.table.signals[address.signal]
        station.table.set_parameters(signal.index, loaded)
        stored = msgspec.json.encode(_Loaded(signal.reporting.deadband, loaded)).decode()
        station.log.remember(_key(signal), stored)
    station.audit.record(
        event,
        master=request.session.peer.master,
        peer=request.session.peer.address,
        ca=request.ca,
        ioa=request.ioa,
        parameter=kind or f"KPA {qualifier.kpa}",
        value=value if math.isfinite(value) else str(value),
        reason=refusal,
    )
    request.confirm(positive=not refusal)


def interrogated(station: Station, ca: int, group: int, cause: int, originator: int) -> Iterator[Part]:
    """The parameters of the measured objects in an interrogation's group, each an ASDU of its own."""
    for address in station.table.image.addresses:
        if address.ca == ca and address.type_id in _FORMS and (group == STATION or group in address.groups):
            for kpa in _KINDS:
                yield Part((), partial(_told, station.table, address, kpa, cause, originator))


def _told(table: PointTable, address: Address, kpa: int, cause: int, originator: int) -> bytes:
    form = _FORMS[TypeID(address.type_id)]
    value: float | None = getattr(table.parameters(address.signal), _KINDS[kpa])
    steps = (value or 0.0) / _step(address, kpa)
    number: NVA | SVA | R32
    if form == TypeID.P_ME_NC_1:
        number = R32(max(-_MAX_SINGLE, min(_MAX_SINGLE, steps)))
    else:
        whole = max(-32768, min(32767, round(steps)))
        number = NVA(whole) if form == TypeID.P_ME_NA_1 else SVA(whole)
    header = pack_header(form, False, 1, cause, originator, address.ca)
    return header + pack_ioa(address.ioa) + number.encode() + QPM(kpa, pop=value is None).encode()


def _raw(number: Element) -> float:
    match number:
        case NVA(raw):
            return raw
        case SVA(value) | R32(value):
            return value
    raise TypeError(f"{number} is no form of a parameter")


def _step(address: Address, kpa: int) -> float:
    """What one raw step of a parameter stands for: engineering units, or a share for smoothing."""
    if _KINDS.get(kpa) == "smoothing":
        return _SMOOTHING_STEP[_FORMS[TypeID(address.type_id)]]
    return address.step


def _refusal(qualifier: QPM, loaded: Parameters | None) -> str:
    """Why a parameter is not loaded, or ""."""
    if loaded is None:
        return "there is no such parameter"
    if qualifier.lpc:
        return "it says that it was changed at the station (LPC)"
    if qualifier.pop:
        return "a parameter is always in operation (POP)"
    return "" if _sound(loaded) else "out of range, or the limits cross"


def _sound(parameters: Parameters) -> bool:
    low, high = parameters.low, parameters.high
    return (
        0 <= parameters.threshold < math.inf
        and 0 <= parameters.smoothing < 1
        and (low is None or math.isfinite(low))
        and (high is None or math.isfinite(high))
        and (low is None or high is None or low <= high)
    )


def _key(signal: Signal) -> str:
    return f"parameters.{signal.name}"
