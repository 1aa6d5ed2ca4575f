"""A station with files, and a master that can read and write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rtu.iec104.asdu import ASDU
from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, SCQ, SOF, SRQ, CP56Time2a, Segment

F_FR, F_SR, F_SC, F_LS, F_AF, F_SG, F_DR, F_SC_NB = range(120, 128)
LOG, INBOX, RECORDS = 9000, 9100, 9200
NAMES = {LOG: 3, INBOX: 1, RECORDS: 2, RECORDS + 1: 2}

STATION = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[device.field]
driver = "recorded"
config = {}
[[point]]
name = "door"
type = "single"
address = [ { ioa = 100 } ]
[[point]]
name = "q0.position"
type = "double"
address = [ { ioa = 200 } ]
[[point]]
name = "current"
type = "float"
unit = "A"
report = { deadband = 1.0 }
address = [ { ioa = 700 } ]
[files]
event_log = { ioa = 9000 }
timeout_s = 20
[[files.inbox]]
ioa = 9100
file = "inbox.bin"
max_octets = 200_000
[[record]]
name = "trip"
trigger = { "q0.position" = "off" }
points = ["q0.position", "current", "door"]
before_s = 1
after_s = 2
keep = 2
address = { ioa = 9200 }
"""


@dataclass
class FileMaster:
    """Speaks about files and remembers what it was told about them."""

    master: Any
    said: list[ASDU] = field(default_factory=list)

    def say(
        self,
        type_id: int,
        ioa: int,
        *elements: object,
        cause: int = 13,
        name: int | None = None,
        **header: Any,
    ) -> list[ASDU]:
        """One step; what came in answer."""
        nof = NOF(NAMES.get(ioa, 0) if name is None else name)
        self.master.send(type_id, cause, ioa, nof, *elements, **header)
        return self.answers()

    def at_once(self, *codes: int, ioa: int = INBOX, section: int = 1) -> list[ASDU]:
        """Steps in one TCP segment, and what the station says before it hears anything more."""
        master, now = self.master, self.master.rig.now
        for code in codes:
            master.send_together(F_SC, 13, ioa, NOF(NAMES[ioa]), NOS(section), SCQ(code))
        master.session.receive(master.link.data_to_send(now), now)
        master.acknowledging = False
        master.exchange()
        master.acknowledging = True
        return self.answers()

    def answers(self) -> list[ASDU]:
        """What came since about files."""
        return [asdu for asdu in self.heard() if asdu.type_id >= F_FR]

    def heard(self) -> list[ASDU]:
        """What came since."""
        asdus = self.master.take()
        self.said += asdus
        return asdus

    def call(self, code: int, ioa: int = INBOX, section: int = 0, **header: Any) -> list[ASDU]:
        """F_SC_NA_1."""
        return self.say(F_SC, ioa, NOS(section), SCQ(code), **header)

    def acknowledge(
        self, code: int, ioa: int = INBOX, section: int = 0, error: int = 0, **header: Any
    ) -> list[ASDU]:
        """F_AF_NA_1."""
        return self.say(F_AF, ioa, NOS(section), AFQ(code, error), **header)

    def directory(self, **header: Any) -> list[tuple[int, int, int, SOF, CP56Time2a]]:
        """IOA, name, length, status and time of every file."""
        answer = self.call(0, 0, cause=5, **header)
        return entries(answer, 5)

    def query(self, since: CP56Time2a, until: CP56Time2a, ioa: int = LOG) -> list[ASDU]:
        """F_SC_NB_1."""
        return self.say(F_SC_NB, ioa, since, until)

    def read(self, ioa: int = INBOX, *, refuse: Callable[[], bool] = lambda: False) -> list[bytes]:
        """Select and fetch a whole file; `refuse` says of each section that came whether to have it once more."""
        return self.fetch(ioa, self.call(1, ioa), refuse=refuse)

    def fetch(
        self, ioa: int, ready: list[ASDU], *, refuse: Callable[[], bool] = lambda: False
    ) -> list[bytes]:
        """The file of which `ready` says that it is."""
        (told,) = ready
        _, length, qualifier = what(told, F_FR)
        assert qualifier == FRQ()
        sections: list[bytes] = []
        answer = self.call(2, ioa)
        while answer[0].type_id == F_SR:
            (offer,) = answer
            _, section, announced, ready_or_not = what(offer, F_SR)
            assert ready_or_not == SRQ()
            assert section == NOS(len(sections) + 1)
            *segments, end = self.call(6, ioa, section.name)
            octets = b"".join(what(segment, F_SG)[2].data for segment in segments)
            assert what(end, F_LS)[1:] == (section, LSQ(3), CHS(sum(octets) & 0xFF))
            assert announced == LOF(len(octets))
            if refuse():
                answer = self.acknowledge(4, ioa, section.name, 2)
                continue
            sections.append(octets)
            answer = self.acknowledge(3, ioa, section.name)
        whole = b"".join(sections)
        assert what(answer[0], F_LS)[2:] == (LSQ(1), CHS(sum(whole) & 0xFF))
        assert length == LOF(len(whole))
        assert self.acknowledge(1, ioa) == []
        return sections

    def write(self, *sections: bytes, ioa: int = INBOX, **header: Any) -> list[ASDU]:
        """Send a file, all sums right; the answer to its end."""
        whole = b"".join(sections)
        self.offer(len(whole), ioa, **header)
        for number, octets in enumerate(sections, 1):
            assert self.code(self.section(octets, number, ioa, **header)) == (F_AF, 3, 0)
        return self.end(whole, len(sections), ioa, **header)

    def offer(self, length: int, ioa: int = INBOX, **header: Any) -> list[ASDU]:
        """F_FR_NA_1."""
        return self.say(F_FR, ioa, LOF(length), FRQ(), **header)

    def section(
        self, octets: bytes, number: int = 1, ioa: int = INBOX, *, wrong: int = 0, **header: Any
    ) -> list[ASDU]:
        """A whole section, its sum off by `wrong`; the answer to its end."""
        assert self.code(self.say(F_SR, ioa, NOS(number), LOF(len(octets)), SRQ(), **header)) == (F_SC, 6, 0)
        for at in range(0, len(octets), 236):
            assert self.say(F_SG, ioa, NOS(number), Segment(octets[at : at + 236]), **header) == []
        return self.say(F_LS, ioa, NOS(number), LSQ(3), CHS((sum(octets) + wrong) & 0xFF), **header)

    def end(
        self, whole: bytes, section: int = 1, ioa: int = INBOX, *, wrong: int = 0, **header: Any
    ) -> list[ASDU]:
        """F_LS_NA_1 of the file."""
        return self.say(F_LS, ioa, NOS(section), LSQ(1), CHS((sum(whole) + wrong) & 0xFF), **header)

    @staticmethod
    def code(answer: list[ASDU]) -> tuple[int, int, int]:
        """Type of a single answer, and the code and error of its qualifier; 1 for "not ready"."""
        (asdu,) = answer
        qualifier = asdu.objects[0].elements[-1]
        match qualifier:
            case SCQ(code, error) | AFQ(code, error):
                return asdu.type_id, code, error
            case FRQ(negative) | SRQ(negative):
                return asdu.type_id, int(negative), 0
        return asdu.type_id, -1, 0


def what(asdu: ASDU, type_id: int) -> tuple[Any, ...]:
    """The elements of the one object of an ASDU of this type."""
    assert (asdu.type_id, asdu.cause) == (type_id, 13)
    return asdu.objects[0].elements


def entries(asdus: list[ASDU], cause: int) -> list[tuple[int, int, int, SOF, CP56Time2a]]:
    found = []
    for asdu in asdus:
        assert (asdu.type_id, asdu.cause) == (F_DR, cause)
        for item in asdu.objects:
            nof, lof, sof, time = item.elements
            found.append((item.ioa, nof.name, lof.length, sof, time))  # type: ignore[union-attr]
    return found


@pytest.fixture
def rig(make_rig: Callable[..., Any], tmp_path: Path) -> Any:
    """A station with an event log, an inbox and two slots for records."""
    return make_rig(STATION, base=tmp_path)


@pytest.fixture
def reader(rig: Any) -> FileMaster:
    return FileMaster(rig.master())


@pytest.fixture
def another(rig: Any) -> Callable[..., FileMaster]:
    """One more master."""
    return lambda **how: FileMaster(rig.master(**how))


@pytest.fixture
def text() -> str:
    """The station file of the rig."""
    return STATION
