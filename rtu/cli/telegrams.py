"""Telegrams in words: one line for each APDU, and for each connection that begins or ends.

    2026-11-22 17:06:24.117  control-centre-a#1    in   I 1/3    C_DC_NA_1 ACT ca 12 ioa 5001 ON select
    2026-11-22 17:06:24.118  control-centre-a#1    out  I 3/2    C_DC_NA_1 ACTCON ca 12 ioa 5001 ON select

`in` came from the master, `out` went to it; I frames with N(S)/N(R), S frames with N(R). What makes no sense is shown as
it is, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from rtu.clock import MILLISECOND, SECOND
from rtu.iec104.apci import APCIError, IFrame, SFrame, UFrame, decode_frame
from rtu.iec104.asdu import ASDU, ASDUError
from rtu.iec104.catalogue import TYPES, Cause

from .wording import Report, reports

_CAUSES: Mapping[int, str] = (
    {int(cause): cause.name for cause in Cause}
    | {Cause.INROGEN + group: f"INRO{group}" for group in range(1, 17)}
    | {Cause.REQCOGEN + group: f"REQCO{group}" for group in range(1, 5)}
)


def line(item: Mapping[str, Any], *, octets: bool = False) -> str:
    """The line of an item of the station's stream `trace`; with `octets`, those of the APDU too. Raises KeyError."""
    if "lost" in item:
        return f"... {item['lost']} telegrams left out: this output is too slow for them"
    who = f"{item['master']}#{item['connection']}"
    return f"{_time(item['time'])}  {who:<20}  {_words(item, octets)}"


def apdu(octets: bytes) -> str:
    """An APDU in words. Never raises: what is none is shown with the reason."""
    try:
        frame = decode_frame(octets)
    except APCIError as error:
        return f"no APDU: {error}: {octets.hex(' ')}"
    match frame:
        case UFrame(function):
            name, _, way = function.name.partition("_")
            return f"U        {name} {way.lower()}"
        case SFrame(nr):
            return f"S {nr}"
        case IFrame(ns, nr, asdu):
            number = f"I {ns}/{nr}"
            return f"{number:<8} {_asdu(asdu)}"


def _words(item: Mapping[str, Any], with_octets: bool) -> str:
    match item["kind"]:
        case "opened":
            return f"opened from {_end(item['peer'])} to {_end(item['station'])}"
        case "closed":
            return f"ended: {item['reason']}"
        case kind:
            octets = bytes.fromhex(item["octets"])
            words = f"{'in ' if kind == 'received' else 'out'}  {apdu(octets)}"
            return f"{words}  [{octets.hex(' ')}]" if with_octets else words


def _end(end: tuple[str, int]) -> str:
    address, port = end
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _time(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // SECOND, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{unix_ns % SECOND // MILLISECOND:03d}"


def _asdu(octets: bytes) -> str:
    try:
        asdu = ASDU.decode(octets)
    except ASDUError as error:
        return f"not understood: {error}: {octets.hex(' ')}"
    return " ".join(filter(None, _parts(asdu)))


def _parts(asdu: ASDU) -> Iterator[str]:
    yield TYPES[asdu.type_id].name
    yield _CAUSES.get(asdu.cause, f"cause {asdu.cause}")
    yield "NEGATIVE" * asdu.negative
    yield "TEST" * asdu.test
    if asdu.originator:
        yield f"oa {asdu.originator}"
    yield f"ca {asdu.ca}"
    yield "ioa " + "; ".join(_object(report) for report in reports(asdu))


def _object(report: Report) -> str:
    marks = "S" * report.summer + "?" * (not report.time_valid)
    words = (
        str(report.ioa),
        "" if report.value is None else str(report.value),
        ", ".join(report.quality),
        report.time,
        marks,
    )
    return " ".join(word for word in words if word)
