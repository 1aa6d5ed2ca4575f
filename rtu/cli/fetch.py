"""Fetching a file from a station: the master's half of the conversation, sans I/O (IEC 60870-5-101, 7.4.11.3).

Select the file, call it, call each section as it is ready, acknowledge what adds up and ask again for what does not.
A `Download` is the wish on the command line, `7101=trip.cfg`; a `Fetch` the conversation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import Cause, TypeID
from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, SCQ, SRQ, Element, Segment

from .requests import parse_ioa

MAX_FILE = 16_777_215
"""Octets of the longest file: what LOF can say."""
ATTEMPTS = 3
"""To get a section that adds up."""

_SELECT, _CALL_FILE, _CALL_SECTION = 1, 2, 6
_END_OF_FILE, _END_OF_SECTION = 1, 3
_ACK_FILE, _NACK_FILE, _ACK_SECTION, _NACK_SECTION = 1, 2, 3, 4
_CHECKSUM = 2


class NotFetched(Exception):
    """Why the file could not be had, in words; `answer` is what to tell the station, if anything."""

    def __init__(self, words: str, answer: ASDU | None = None) -> None:
        super().__init__(words)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be fetched, and where to; standard output when `path` is None."""

    ioa: int
    path: Path | None

    def save(self, sections: Sequence[bytes]) -> str:
        """Write the file and say where. Raises OSError.

        The two sections of disturbance data are a .cfg and a .dat; if `path` is the former they become these two.
        """
        if self.path is None:
            sys.stdout.buffer.write(b"".join(sections))
            sys.stdout.buffer.flush()
            return "standard output"
        parts = {self.path: b"".join(sections)}
        if self.path.suffix == ".cfg" and len(sections) == 2:
            parts = {self.path: sections[0], self.path.with_suffix(".dat"): sections[1]}
        for path, octets in parts.items():
            path.write_bytes(octets)
        return " and ".join(map(str, parts))

    def __str__(self) -> str:
        return f"file {self.ioa}"


def parse_download(text: str) -> Download:
    """For argparse: `7101=trip.cfg` or `7101`."""
    ioa, equals, path = text.partition("=")
    if equals and not path:
        raise argparse.ArgumentTypeError(f"write IOA=FILE, not {text!r}")
    return Download(parse_ioa(ioa), Path(path) if equals else None)


class Fetch:
    """One transfer. It is `complete` when all sections are here and add up; `accept` is then the last word."""

    def __init__(self, ca: int, ioa: int, originator: int = 0) -> None:
        self.sections: list[bytes] = []
        self.complete = False
        self._ca = ca
        self._ioa = ioa
        self._originator = originator
        self._name = 0
        self._length = 0
        self._section = 0
        self._expected = 0
        self._octets = bytearray()
        self._attempts = 0

    def begin(self) -> ASDU:
        """Selects the file."""
        return self._call(_SELECT)

    def accept(self) -> ASDU:
        """Tells the station that all has arrived."""
        return self._acknowledge(_ACK_FILE)

    def concerns(self, asdu: ASDU) -> bool:
        """Whether an ASDU belongs to this transfer."""
        is_file = TypeID.F_FR_NA_1 <= asdu.type_id <= TypeID.F_SG_NA_1
        return is_file and asdu.ca == self._ca and asdu.objects[0].ioa == self._ioa

    def take(self, asdu: ASDU) -> ASDU | None:
        """What to answer. Raises NotFetched."""
        match asdu.objects[0].elements:
            case (NOF(name), LOF(length), FRQ(negative)):
                return self._file_ready(name, length, negative)
            case (NOF(), NOS(section), LOF(length), SRQ(not_ready)):
                return self._section_ready(section, length, not_ready)
            case (NOF(), NOS(), Segment(data)):
                self._octets += data
                if len(self._octets) > self._expected:
                    raise NotFetched(f"section {self._section} is longer than announced")
            case (NOF(), NOS(), LSQ(lsq), CHS(checksum)) if lsq == _END_OF_SECTION:
                return self._end_of_section(checksum)
            case (NOF(), NOS(), LSQ(lsq), CHS(checksum)) if lsq == _END_OF_FILE:
                self._end_of_file(checksum)
            case (NOF(), NOS(), LSQ(), CHS()):
                raise NotFetched("the station broke it off")
        return None

    def _file_ready(self, name: int, length: int, negative: bool) -> ASDU:
        if negative:
            raise NotFetched("not ready: it is not there, or not now")
        self._name, self._length = name, length
        return self._call(_CALL_FILE)

    def _section_ready(self, section: int, length: int, not_ready: bool) -> ASDU:
        if not_ready:
            raise NotFetched(f"section {section} is not ready")
        if sum(map(len, self.sections)) + length > (self._length or MAX_FILE):
            raise NotFetched("it is longer than announced")
        self._section, self._expected = section, length
        self._octets.clear()
        return self._call(_CALL_SECTION, section)

    def _end_of_section(self, checksum: int) -> ASDU:
        if len(self._octets) == self._expected and sum(self._octets) & 0xFF == checksum:
            self.sections.append(bytes(self._octets))
            self._octets.clear()
            self._expected = self._attempts = 0
            return self._acknowledge(_ACK_SECTION, self._section)
        self._attempts += 1
        if self._attempts == ATTEMPTS:
            refusal = self._acknowledge(_NACK_FILE, 0, _CHECKSUM)
            raise NotFetched(f"section {self._section} did not add up {ATTEMPTS} times", refusal)
        return self._acknowledge(_NACK_SECTION, self._section, _CHECKSUM)

    def _end_of_file(self, checksum: int) -> None:
        length = sum(map(len, self.sections))
        total = sum(map(sum, self.sections)) & 0xFF
        if total != checksum or length != (self._length or length):
            raise NotFetched("it does not add up", self._acknowledge(_NACK_FILE, 0, _CHECKSUM))
        self.complete = True

    def _call(self, call: int, section: int = 0) -> ASDU:
        return self._asdu(TypeID.F_SC_NA_1, NOS(section), SCQ(call))

    def _acknowledge(self, ack: int, section: int = 0, error: int = 0) -> ASDU:
        return self._asdu(TypeID.F_AF_NA_1, NOS(section), AFQ(ack, error))

    def _asdu(self, type_id: TypeID, *elements: Element) -> ASDU:
        about = InformationObject(self._ioa, (NOF(self._name), *elements))
        return ASDU(type_id, Cause.FILE, self._ca, (about,), self._originator)
