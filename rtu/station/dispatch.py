"""One ASDU in, one handler: the checks every request passes, in this order.

    type (44) > common address (46) > cause (45) > information object address not 0 (47) > rights > handler

The first that fails answers with a mirror of the request (IEC 60870-5-101, 7.2.3). Of addresses only those that must be
0 are checked here; which there are, the handler knows, and nobody learns it who may not use them. ASDUs that are
negative or say "unknown" themselves are never answered. A length that does not fit its type raises ASDUError: nothing is
executed and the connection is to be closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtu.iec104.asdu import ASDU, GLOBAL_CA, Header, mirror
from rtu.iec104.catalogue import TYPES, Cause, TypeID

from . import (
    activation,
    clock,
    commands,
    counters,
    files,
    interrogation,
    parameters,
    read,
    reset,
    rights,
    test,
)
from .client import Client
from .request import Request
from .station import Station

HANDLERS: Mapping[int, Callable[[Request], None]] = {
    TypeID.C_SC_NA_1: commands.handle,
    TypeID.C_DC_NA_1: commands.handle,
    TypeID.C_RC_NA_1: commands.handle,
    TypeID.C_SE_NA_1: commands.handle,
    TypeID.C_SE_NB_1: commands.handle,
    TypeID.C_SE_NC_1: commands.handle,
    TypeID.C_BO_NA_1: commands.handle,
    TypeID.C_SC_TA_1: commands.handle,
    TypeID.C_DC_TA_1: commands.handle,
    TypeID.C_RC_TA_1: commands.handle,
    TypeID.C_SE_TA_1: commands.handle,
    TypeID.C_SE_TB_1: commands.handle,
    TypeID.C_SE_TC_1: commands.handle,
    TypeID.C_BO_TA_1: commands.handle,
    TypeID.C_IC_NA_1: interrogation.handle,
    TypeID.C_CI_NA_1: counters.handle,
    TypeID.C_RD_NA_1: read.handle,
    TypeID.C_CS_NA_1: clock.handle,
    TypeID.C_RP_NA_1: reset.handle,
    TypeID.C_TS_TA_1: test.handle,
    TypeID.P_ME_NA_1: parameters.handle,
    TypeID.P_ME_NB_1: parameters.handle,
    TypeID.P_ME_NC_1: parameters.handle,
    TypeID.P_AC_NA_1: activation.handle,
    TypeID.F_FR_NA_1: files.handle,
    TypeID.F_SR_NA_1: files.handle,
    TypeID.F_SC_NA_1: files.handle,
    TypeID.F_LS_NA_1: files.handle,
    TypeID.F_AF_NA_1: files.handle,
    TypeID.F_SG_NA_1: files.handle,
    TypeID.F_SC_NB_1: files.handle,
}

WHOLE = frozenset({TypeID.C_CS_NA_1, TypeID.C_RP_NA_1})
"""To all common addresses it is one request: there is one clock and one process. Each confirms it all the same."""

_REASONS = {
    Cause.UNKNOWN_CA: "the common address is none of this station for this type",
    Cause.UNKNOWN_CAUSE: "the cause does not exist for this type",
    Cause.UNKNOWN_IOA: "the information object address must be 0",
}
_NEVER_ANSWERED = frozenset({Cause.UNKNOWN_TYPE, Cause.UNKNOWN_CAUSE, Cause.UNKNOWN_CA, Cause.UNKNOWN_IOA})


def dispatch(station: Station, session: Client, octets: bytes) -> None:
    """Answer one ASDU. Raises ASDUError when it is malformed."""
    header = Header.decode(octets)
    handler = _handler(station, header.type_id)
    if handler is None:
        if not (header.negative or header.cause in _NEVER_ANSWERED):
            session.refusals.note(header.type_id, header.ca, None, "the type is not served")
            session.reply(mirror(octets, Cause.UNKNOWN_TYPE, negative=True))
        return
    asdu = ASDU.decode(octets)
    if header.negative or header.cause in _NEVER_ANSWERED:
        return
    refusal = _refusal(station, asdu)
    if refusal is not None:
        session.refusals.note(header.type_id, header.ca, asdu.objects[0].ioa, _REASONS[refusal])
        session.reply(mirror(octets, refusal, negative=True))
        return
    stations = station.common_addresses if header.ca == GLOBAL_CA else (header.ca,)
    if header.type_id in WHOLE:
        requests = [Request(station, session, octets, header.ca, asdu, stations)]
    else:
        requests = [
            Request(station, session, octets[:4] + ca.to_bytes(2, "little") + octets[6:], ca, asdu, (ca,))
            for ca in stations
        ]
    for request in requests:
        if (objection := rights.objection(request)) is None:
            handler(request)
        else:
            request.refuse(*objection)


def _handler(station: Station, type_id: int) -> Callable[[Request], None] | None:
    """Who answers a type: nobody, when nothing of this station is configured for it."""
    handler = HANDLERS.get(type_id)
    if handler is commands.handle and type_id not in station.outputs.type_ids:
        return None
    if handler is files.handle and station.files is None:
        return None
    if type_id in parameters.TYPES and station.protocol.parameters == "off":
        return None
    return handler


def _refusal(station: Station, asdu: ASDU) -> Cause | None:
    info = TYPES[asdu.type_id]
    if not (asdu.ca in station.common_addresses or (asdu.ca == GLOBAL_CA and info.global_ca)):
        return Cause.UNKNOWN_CA
    if asdu.cause not in info.control_causes:
        return Cause.UNKNOWN_CAUSE
    if info.ioa_zero and asdu.objects[0].ioa != 0:
        return Cause.UNKNOWN_IOA
    return None
