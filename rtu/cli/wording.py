"""ASDUs in words: what a person reads of an information object, and what a script does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite

from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import TYPES, TypeID
from rtu.iec104.element import BitElement
from rtu.iec104.elements import (
    AFQ,
    BCR,
    BL,
    BSI,
    CHS,
    COI,
    DCO,
    DIQ,
    EI,
    FRQ,
    IV,
    LOF,
    LSQ,
    NOF,
    NOS,
    NT,
    NVA,
    OCI,
    OV,
    QCC,
    QDP,
    QDS,
    QOI,
    QOS,
    QPA,
    QPM,
    QRP,
    R32,
    RCO,
    SB,
    SCD,
    SCO,
    SCQ,
    SEP,
    SIQ,
    SOF,
    SPE,
    SRQ,
    SVA,
    TSC,
    VTI,
    CP16Time2a,
    CP56Time2a,
    Element,
    Segment,
)
from rtu.points.protection import CIRCUITS, STARTS

CAUSES: Mapping[int, str] = (
    {
        1: "cyclic",
        2: "background scan",
        3: "spontaneous",
        4: "initialised",
        5: "requested",
        6: "activation",
        7: "activation confirmation",
        8: "deactivation",
        9: "deactivation confirmation",
        10: "activation termination",
        11: "return information, remote command",
        12: "return information, local command",
        13: "file transfer",
        20: "station interrogation",
        37: "counter interrogation",
        44: "unknown type",
        45: "unknown cause",
        46: "unknown common address",
        47: "unknown information object address",
    }
    | {20 + group: f"interrogation of group {group}" for group in range(1, 17)}
    | {37 + group: f"interrogation of counter group {group}" for group in range(1, 5)}
)
"""Causes of transmission (IEC 60870-5-101, 7.2.3)."""

Plain = bool | int | float | str | None

_QUALITY = {
    OV: "overflow",
    EI: "elapsed time invalid",
    BL: "blocked",
    SB: "substituted",
    NT: "not topical",
    IV: "invalid",
}
_DOUBLE = ("intermediate", "OFF", "ON", "indeterminate")
_STEP = ("not permitted", "LOWER", "HIGHER", "not permitted")
_INITIALISED = ("power on", "local reset", "remote reset")
_FREEZE = ("", "freeze", "freeze and reset", "reset")
_PARAMETERS = {1: "threshold", 2: "smoothing", 3: "low limit", 4: "high limit"}
_ACTIVATED = {1: "loaded parameters", 2: "parameters of the object", 3: "cyclic transmission"}
_RESET = {1: "process", 2: "events"}
_CALLS = (
    "directory", "select file", "call file", "deactivate file", "delete file",
    "select section", "call section", "deactivate section",
)  # fmt: skip
_LAST = {1: "end of file", 2: "file deactivated", 3: "end of section", 4: "section deactivated"}
_ACKNOWLEDGED = {1: "file acknowledged", 2: "file refused", 3: "section acknowledged", 4: "section refused"}
_ERROR = ("", "no memory", "checksum failed", "unexpected service", "unexpected file", "unexpected section")


@dataclass(frozen=True, slots=True)
class Report:
    """One information object as it was reported; `value` in words or as a number.

    `time` is that of the station's zone, as in ISO 8601; `summer` is SU.
    """

    ca: int
    ioa: int
    type: str
    value: Plain
    quality: tuple[str, ...]
    time: str | None
    time_valid: bool
    summer: bool
    cause: str
    negative: bool
    test: bool

    def line(self) -> str:
        """One row of the table `heading` begins."""
        value = "-" if self.value in {None, ""} else str(self.value)
        marks = "S" * self.summer + "?" * (not self.time_valid)
        time = "-" if self.time is None else f"{self.time} {marks}"
        cause = ("NEGATIVE " if self.negative else "") + self.cause + (" (test)" if self.test else "")
        quality = ", ".join(self.quality) or ("good" if self.type in _WITH_QUALITY else "-")
        return f"{self.ca:>5} {self.ioa:>8}  {self.type:<11} {value:<15} {quality:<15} {time:<26} {cause}".rstrip()

    def json(self) -> str:
        """One line for a script."""
        return json.dumps(asdict(self), allow_nan=False)


_WITH_QUALITY = frozenset(
    info.name for info in TYPES.values() if info.monitor_causes and info.number < TypeID.C_SC_NA_1
) - {TypeID.M_ME_ND_1.name}
"""Types whose objects say how far they can be trusted."""


def heading(zone: str) -> str:
    """The first row of the table; the times in it are those of `zone`."""
    time = f"TIME ({zone})"
    return f"{'CA':>5} {'IOA':>8}  {'TYPE':<11} {'VALUE':<15} {'QUALITY':<15} {time:<26} CAUSE"


def reports(asdu: ASDU) -> Iterator[Report]:
    """One report per information object."""
    for item in asdu.objects:
        yield _report(asdu, item)


def cause_words(cause: int) -> str:
    return CAUSES.get(cause, f"cause {cause}")


def _report(asdu: ASDU, item: InformationObject) -> Report:
    values: list[Plain] = []
    quality = 0
    time = None
    for element in item.elements:
        if isinstance(element, CP56Time2a):
            if time is not None:  # a span of time
                values.append(f"from {_time(time)}")
            time = element
        elif isinstance(element, QDS | QDP):
            quality |= element.quality
        else:
            value = _value(element)
            quality |= _quality(element)
            if value != "":
                values.append(value)
    between = ", " if asdu.type_id >= TypeID.F_FR_NA_1 else " "
    return Report(
        ca=asdu.ca,
        ioa=item.ioa,
        type=TYPES[asdu.type_id].name,
        value=values[0] if len(values) == 1 else between.join(map(str, values)) or None,
        quality=tuple(word for bit, word in _QUALITY.items() if quality & bit),
        time=None if time is None else _time(time),
        time_valid=time is None or not time.invalid,
        summer=time is not None and time.summer,
        cause=cause_words(asdu.cause),
        negative=asdu.negative,
        test=asdu.test,
    )


def _quality(element: Element) -> int:
    match element:
        case SIQ(_, quality) | DIQ(_, quality) | SEP(_, quality):
            return quality
        case BCR(invalid=True):
            return IV
        case _:
            return 0


def _select(word: str, select: bool) -> str:
    return f"{word} select" if select else word


def _digits(value: float) -> float:
    """Single precision holds some seven digits; more would only show how it is stored."""
    return float(f"{value:.7g}")


def _group(number: int, first: int) -> str:
    return "station" if number == first else f"group {number - first}"


def _bits(bits: int) -> Iterator[int]:
    """Numbers of the bits that are set, from 1."""
    return (number + 1 for number in range(bits.bit_length()) if bits >> number & 1)


def _packed(packed: SCD) -> str:
    on, changed = (",".join(map(str, _bits(bits))) for bits in (packed.status, packed.changed))
    return (f"ON {on}" if on else "all OFF") + (f" changed {changed}" if changed else "")


def _parts(bits: int, names: Mapping[str, int]) -> str:
    return " ".join(name for name, bit in names.items() if bits & bit) or "none"


def _parameter(qualifier: QPM) -> str:
    words = _PARAMETERS.get(qualifier.kpa, f"KPA {qualifier.kpa}")
    return words + ", changed locally" * qualifier.lpc + ", not in operation" * qualifier.pop


def _named(words: Mapping[int, str], number: int) -> str:
    return words.get(number, f"code {number}")


def _listed(status: SOF) -> str:
    marks = {"directory": status.directory, "being transferred": status.active, "last": status.last}
    return ", ".join(word for word, there in marks.items() if there)


def _with_error(words: str, error: int) -> str:
    return ": ".join(filter(None, (words, _ERROR[error] if error < len(_ERROR) else f"error {error}")))


_VALUES: Mapping[type[Element], Callable[..., Plain]] = {
    SIQ: lambda e: "ON" if e.spi else "OFF",
    DIQ: lambda e: _DOUBLE[e.dpi],
    SEP: lambda e: _DOUBLE[e.state],
    VTI: lambda e: f"{e.value} moving" if e.transient else e.value,
    BSI: lambda e: f"0x{e.bits:08x}",
    NVA: lambda e: _digits(e.value),
    SVA: lambda e: e.value,
    R32: lambda e: _digits(e.value) if isfinite(e.value) else str(e.value),
    BCR: lambda e: e.count,
    SCO: lambda e: _select("ON" if e.scs else "OFF", e.select),
    DCO: lambda e: _select(_DOUBLE[e.dcs], e.select),
    RCO: lambda e: _select(_STEP[e.rcs], e.select),
    QOS: lambda e: "select" if e.select else "",
    QOI: lambda e: _group(e.qoi, 20),
    QCC: lambda e: " ".join(filter(None, ("all" if e.rqt == 5 else f"group {e.rqt}", _FREEZE[e.frz]))),
    COI: lambda e: _INITIALISED[e.cause] if e.cause < len(_INITIALISED) else f"cause {e.cause}",
    SCD: _packed,
    SPE: lambda e: _parts(e.starts, STARTS),
    OCI: lambda e: _parts(e.commands, CIRCUITS),
    CP16Time2a: lambda e: f"{e.ms} ms",
    TSC: lambda e: e.counter,
    QPM: _parameter,
    QPA: lambda e: _named(_ACTIVATED, e.qpa),
    QRP: lambda e: _named(_RESET, e.qrp),
    NOF: lambda e: f"file {e.name}" if e.name else "",
    NOS: lambda e: f"section {e.name}" if e.name else "",
    LOF: lambda e: f"{e.length} octets",
    FRQ: lambda e: "not ready" if e.negative else "ready",
    SRQ: lambda e: "not ready" if e.not_ready else "ready",
    SCQ: lambda e: _with_error(_CALLS[e.call] if e.call < len(_CALLS) else f"call {e.call}", e.error),
    LSQ: lambda e: _named(_LAST, e.lsq),
    AFQ: lambda e: _with_error(_named(_ACKNOWLEDGED, e.ack), e.error),
    CHS: lambda e: f"checksum {e.checksum}",
    SOF: _listed,
    Segment: lambda e: f"{len(e.data)} octets",
}


def _value(element: Element) -> Plain:
    words = _VALUES.get(type(element))
    if words is not None:
        return words(element)
    if isinstance(element, BitElement):
        return " ".join(str(getattr(element, field.name)) for field in element.FIELDS)
    return element.encode().hex(" ")


def _time(tag: CP56Time2a) -> str:
    return (
        f"20{tag.year:02d}-{tag.month:02d}-{tag.day:02d} {tag.hour:02d}:{tag.minute:02d}:{tag.ms // 1000:02d}"
        f".{tag.ms % 1000:03d}"
    )
