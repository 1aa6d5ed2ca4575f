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
    BCR,
    BL,
    BSI,
    COI,
    DCO,
    DIQ,
    EI,
    IV,
    NT,
    NVA,
    OV,
    QCC,
    QDP,
    QDS,
    QOI,
    QOS,
    R32,
    RCO,
    SB,
    SCO,
    SEP,
    SIQ,
    SVA,
    VTI,
    CP56Time2a,
    Element,
)  # fmt: skip

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


@dataclass(frozen=True, slots=True)
class Report:
    """One information object as it was reported; `value` in words or as a number, `time` as in ISO 8601."""

    ca: int
    ioa: int
    type: str
    value: Plain
    quality: tuple[str, ...]
    time: str | None
    time_valid: bool
    cause: str
    negative: bool
    test: bool

    def line(self) -> str:
        """One row of the table `HEADING` begins."""
        value = "-" if self.value in {None, ""} else str(self.value)
        time = "-" if self.time is None else self.time + ("" if self.time_valid else " ?")
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

HEADING = f"{'CA':>5} {'IOA':>8}  {'TYPE':<11} {'VALUE':<15} {'QUALITY':<15} {'TIME (UTC)':<26} CAUSE"


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
            time = element
        elif isinstance(element, QDS | QDP):
            quality |= element.quality
        else:
            values.append(_value(element))
            quality |= _quality(element)
    return Report(
        ca=asdu.ca,
        ioa=item.ioa,
        type=TYPES[asdu.type_id].name,
        value=values[0] if len(values) == 1 else " ".join(str(value) for value in values) or None,
        quality=tuple(word for bit, word in _QUALITY.items() if quality & bit),
        time=None if time is None else _time(time),
        time_valid=time is None or not time.invalid,
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
    QCC: lambda e: "all" if e.rqt == 5 else f"group {e.rqt}",
    COI: lambda e: _INITIALISED[e.cause] if e.cause < len(_INITIALISED) else f"cause {e.cause}",
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
