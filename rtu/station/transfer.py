"""The messages of a file transfer, whichever way the file goes (IEC 60870-5-101, 7.4.11).

A *step* is what a master may say, a *message* what the station answers; both are about one file, so neither names it.
What comes at the wrong time, or names a section that is not the one in turn, is answered in the negative form of its
own kind and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from rtu.iec104.catalogue import TypeID
from rtu.iec104.elements import (
    AFQ,
    CHS,
    FRQ,
    LOF,
    LSQ,
    NOF,
    NOS,
    SCQ,
    SRQ,
    CP56Time2a,
    Element,
    Segment,
)

NO_MEMORY, CHECKSUM, UNEXPECTED, UNEXPECTED_FILE, UNEXPECTED_SECTION = 1, 2, 3, 4, 5
"""Errors in the qualifiers SCQ and AFQ."""

END_OF_FILE, FILE_DEACTIVATED, END_OF_SECTION, SECTION_DEACTIVATED = 1, 2, 3, 4
"""LSQ."""


class OutOfTurn(Exception):
    """The step does not belong here. Nothing has happened."""


class Step(Enum):
    """What the master wants: type identification, and the code in its qualifier where there is one."""

    SELECT_FILE = (TypeID.F_SC_NA_1, 1)
    CALL_FILE = (TypeID.F_SC_NA_1, 2)
    DEACTIVATE_FILE = (TypeID.F_SC_NA_1, 3)
    DELETE_FILE = (TypeID.F_SC_NA_1, 4)
    SELECT_SECTION = (TypeID.F_SC_NA_1, 5)
    CALL_SECTION = (TypeID.F_SC_NA_1, 6)
    DEACTIVATE_SECTION = (TypeID.F_SC_NA_1, 7)
    ACK_FILE = (TypeID.F_AF_NA_1, 1)
    NACK_FILE = (TypeID.F_AF_NA_1, 2)
    ACK_SECTION = (TypeID.F_AF_NA_1, 3)
    NACK_SECTION = (TypeID.F_AF_NA_1, 4)
    QUERY_LOG = (TypeID.F_SC_NB_1, 0)
    FILE_READY = (TypeID.F_FR_NA_1, 0)
    SECTION_READY = (TypeID.F_SR_NA_1, 0)
    SEGMENT = (TypeID.F_SG_NA_1, 0)
    END_FILE = (TypeID.F_LS_NA_1, END_OF_FILE)
    ABORT_FILE = (TypeID.F_LS_NA_1, FILE_DEACTIVATED)
    END_SECTION = (TypeID.F_LS_NA_1, END_OF_SECTION)
    ABORT_SECTION = (TypeID.F_LS_NA_1, SECTION_DEACTIVATED)


class Told(NamedTuple):
    """What came with a step."""

    name: int = 0
    section: int = 0
    length: int = 0
    checksum: int = 0
    data: bytes = b""
    span: tuple[CP56Time2a, CP56Time2a] | None = None


class Message(NamedTuple):
    """An ASDU about the file, without its name."""

    type_id: TypeID
    elements: tuple[Element, ...]


def understand(type_id: int, elements: Sequence[Element]) -> tuple[Step | None, Told]:
    """What an ASDU of file transfer says; no step for a reserved code, and for "not ready" of the master."""
    code = 0
    match elements:
        case (NOF(name), LOF(length), FRQ(negative)):
            code, told = -int(negative), Told(name, length=length)
        case (NOF(name), NOS(section), LOF(length), SRQ(not_ready)):
            code, told = -int(not_ready), Told(name, section, length)
        case (NOF(name), NOS(section), SCQ(call)):
            code, told = call, Told(name, section)
        case (NOF(name), NOS(section), AFQ(ack)):
            code, told = ack, Told(name, section)
        case (NOF(name), NOS(section), LSQ(lsq), CHS(checksum)):
            code, told = lsq, Told(name, section, checksum=checksum)
        case (NOF(name), NOS(section), Segment(data)):
            told = Told(name, section, data=data)
        case (NOF(name), CP56Time2a() as since, CP56Time2a() as until):
            told = Told(name, span=(since, until))
        case _:
            raise AssertionError(f"no file transfer: {elements}")
    return _STEPS.get((type_id, code)), told


_STEPS = {(int(type_id), code): step for step in Step for type_id, code in [step.value]}


def checksum(octets: bytes) -> int:
    """CHS."""
    return sum(octets) & 0xFF


def file_ready(length: int) -> Message:
    """F_FR_NA_1, positive."""
    return Message(TypeID.F_FR_NA_1, (LOF(length), FRQ()))


def file_not_ready() -> Message:
    """F_FR_NA_1: not available, or what was asked for is refused."""
    return Message(TypeID.F_FR_NA_1, (LOF(0), FRQ(negative=True)))


def section_ready(section: int, length: int) -> Message:
    """F_SR_NA_1, positive."""
    return Message(TypeID.F_SR_NA_1, (NOS(section), LOF(length), SRQ()))


def last(section: int, lsq: int, octets_sum: int) -> Message:
    """F_LS_NA_1."""
    return Message(TypeID.F_LS_NA_1, (NOS(section), LSQ(lsq), CHS(octets_sum)))


def acknowledge(step: Step, section: int, error: int = 0) -> Message:
    """F_AF_NA_1 with the code of ACK_FILE, NACK_FILE, ACK_SECTION or NACK_SECTION."""
    return Message(TypeID.F_AF_NA_1, (NOS(section), AFQ(step.value[1], error)))


def call(step: Step, section: int, error: int = 0) -> Message:
    """F_SC_NA_1 with the code of CALL_FILE or CALL_SECTION."""
    return Message(TypeID.F_SC_NA_1, (NOS(section), SCQ(step.value[1], error)))


def refusal(type_id: int, step: Step | None, section: int, error: int = UNEXPECTED) -> Message | None:
    """How a step is refused. A segment is not: its section is, when it ends."""
    if type_id == TypeID.F_FR_NA_1:
        return call(Step.CALL_FILE, section, error)
    if type_id == TypeID.F_SR_NA_1:
        return call(Step.CALL_SECTION, section, error)
    if type_id == TypeID.F_LS_NA_1:
        file = step in (Step.END_FILE, Step.ABORT_FILE)
        return acknowledge(Step.NACK_FILE if file else Step.NACK_SECTION, section, error)
    if type_id == TypeID.F_SG_NA_1:
        return None
    if step in (Step.SELECT_SECTION, Step.CALL_SECTION, Step.DEACTIVATE_SECTION):
        return Message(TypeID.F_SR_NA_1, (NOS(section), LOF(0), SRQ(not_ready=True)))
    return file_not_ready()
