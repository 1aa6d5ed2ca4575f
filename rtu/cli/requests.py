"""What a master may ask of a station, as written on a command line: `5001=on`, `7001=12.5`, `1001`.

A `Request` knows its ASDU and how it is over: confirmed, confirmed and terminated, or answered by the object itself.
What carries a time tag gets it when it is sent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

import msgspec

from rtu.iec104.asdu import ASDU, MAX_IOA, InformationObject
from rtu.iec104.catalogue import TAGGED, TYPES, Cause, TypeID
from rtu.iec104.elements import (
    DCO,
    NOF,
    NOS,
    NVA,
    QCC,
    QOI,
    QOS,
    R32,
    RCO,
    SCO,
    SCQ,
    SVA,
    TSC,
    CP56Time2a,
    Element,
)


class Ending(Enum):
    """When a request is over. A command's termination depends on the station's configuration."""

    OBJECT = "the object or an error"
    DIRECTORY = "the last entry or an error"
    CONFIRMATION = "a confirmation"
    TERMINATION = "a confirmation and a termination"
    COMMAND = "a confirmation, and a termination if one comes"


@dataclass(frozen=True, slots=True)
class Request:
    """One question or command. `everywhere`: it may go to the global common address."""

    type_id: int
    ioa: int
    elements: tuple[Element, ...]
    ending: Ending
    cause: int = Cause.ACT
    everywhere: bool = False

    @property
    def is_command(self) -> bool:
        return self.ending is Ending.COMMAND

    def selecting(self) -> Request:
        """The select that precedes this command: the same with S/E = 1, over with its confirmation."""
        elements = tuple(
            msgspec.structs.replace(element, select=True)
            if isinstance(element, SCO | DCO | RCO | QOS)
            else element
            for element in self.elements
        )
        return replace(self, elements=elements, ending=Ending.CONFIRMATION)

    def with_time(self) -> Request:
        """The same command in the type that carries a time tag."""
        return replace(self, type_id=TAGGED[self.type_id])

    def asdu(self, ca: int, originator: int, now: CP56Time2a) -> ASDU:
        """What is sent `now`. Raises ValueError when a value does not fit."""
        tagged = CP56Time2a in TYPES[self.type_id].layout
        elements = (*self.elements, now) if tagged else self.elements
        return ASDU(self.type_id, self.cause, ca, (InformationObject(self.ioa, elements),), originator)

    def __str__(self) -> str:
        name = TYPES[self.type_id].name
        return f"{name} {self.ioa}" if self.ioa else name


def interrogation(group: int = 0) -> Request:
    """Station interrogation, or that of a group 1..16."""
    return Request(TypeID.C_IC_NA_1, 0, (QOI(20 + group),), Ending.TERMINATION, everywhere=True)


COUNTERS = Request(TypeID.C_CI_NA_1, 0, (QCC(5),), Ending.TERMINATION, everywhere=True)
"""General counter interrogation without freeze."""


def freeze(rqt: int = 5) -> Request:
    """Freezing of all counters, or those of a group 1..4, without reset."""
    return Request(TypeID.C_CI_NA_1, 0, (QCC(rqt, 1),), Ending.TERMINATION, everywhere=True)


CLOCK = Request(TypeID.C_CS_NA_1, 0, (), Ending.CONFIRMATION, everywhere=True)
"""Clock synchronisation to the time of this machine."""

TEST = Request(TypeID.C_TS_TA_1, 0, (TSC(1),), Ending.CONFIRMATION)

FILES = Request(TypeID.F_SC_NA_1, 0, (NOF(0), NOS(0), SCQ(0)), Ending.DIRECTORY, Cause.REQ)
"""Call of the directory."""


def parse_group(text: str) -> Request:
    """For argparse: `3` is the interrogation of group 3."""
    if not text.isdecimal() or not 1 <= int(text) <= 16:
        raise argparse.ArgumentTypeError(f"a group is 1..16, not {text!r}")
    return interrogation(int(text))


def parse_freeze(text: str) -> Request:
    """For argparse: `3` freezes the counters of group 3."""
    if not text.isdecimal() or not 1 <= int(text) <= 4:
        raise argparse.ArgumentTypeError(f"a counter group is 1..4, not {text!r}")
    return freeze(int(text))


def parse_read(text: str) -> Request:
    """For argparse: `1001` reads that object."""
    return Request(TypeID.C_RD_NA_1, parse_ioa(text), (), Ending.OBJECT, Cause.REQ)


def _word(type_id: int, words: Mapping[str, Element]) -> Callable[[str], Request]:
    def parse(text: str) -> Request:
        ioa, value = _split(text, "|".join(words))
        if value not in words:
            raise argparse.ArgumentTypeError(f"{text!r}: the value is {' or '.join(words)}")
        return Request(type_id, ioa, (words[value],), Ending.COMMAND)

    return parse


def _number(type_id: int, make: Callable[[float], Element]) -> Callable[[str], Request]:
    def parse(text: str) -> Request:
        ioa, value = _split(text, "VALUE")
        try:
            element = make(float(value))
            element.encode()
        except (ValueError, OverflowError) as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
        return Request(type_id, ioa, (element, QOS()), Ending.COMMAND)

    return parse


def _scaled(value: float) -> SVA:
    if not value.is_integer():
        raise ValueError("a scaled value is a whole number")
    return SVA(int(value))


def _normalized(value: float) -> NVA:
    return NVA(round(value * 32768))


def _split(text: str, value: str) -> tuple[int, str]:
    ioa, equals, rest = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"write IOA={value}, not {text!r}")
    return parse_ioa(ioa), rest.strip().lower()


def parse_ioa(text: str) -> int:
    """For argparse: an information object address."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= MAX_IOA:
        raise argparse.ArgumentTypeError(f"an information object address is 1..{MAX_IOA}, not {text!r}")
    return int(text)


COMMANDS: Mapping[str, tuple[str, Callable[[str], Request], str]] = {
    "single": ("IOA=on|off", _word(TypeID.C_SC_NA_1, {"on": SCO(True), "off": SCO(False)}), "single command"),
    "double": ("IOA=on|off", _word(TypeID.C_DC_NA_1, {"on": DCO(2), "off": DCO(1)}), "double command"),
    "step": (
        "IOA=up|down",
        _word(TypeID.C_RC_NA_1, {"up": RCO(2), "down": RCO(1)}),
        "regulating step command",
    ),
    "float": ("IOA=VALUE", _number(TypeID.C_SE_NC_1, R32), "set-point, floating point"),
    "scaled": ("IOA=VALUE", _number(TypeID.C_SE_NB_1, _scaled), "set-point, whole number"),
    "normalized": ("IOA=VALUE", _number(TypeID.C_SE_NA_1, _normalized), "set-point, -1 to 1"),
}
"""Commands by option name: how it is written, what reads it, what it is."""
