"""The system point that says events are not being saved, and a station that serves on meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rtu.events.journal import Volatile
from rtu.events.rows import Changes
from rtu.iec104.asdu import ASDU
from rtu.iec104.elements import QOI, SIQ

STATION = """
format = 1
[station]
name = "b"
common_address = 1
[[point]]
name = "door"
type = "single"
address = [{ ioa = 100 }]
[[point]]
name = "unsaved"
type = "single"
system = "events.unsaved"
address = [{ ioa = 901 }]
"""


class Disk(Volatile):
    """A store whose disk may be full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def submit(self, changes: Changes) -> None:
        super().submit(changes)
        self.fault = "no space left on device" if self.full else None
        self.incomplete = self.full


def told(asdus: Iterable[ASDU], ioa: int) -> list[tuple[int, bool]]:
    """Cause and state of every single point with this address."""
    return [
        (asdu.cause, siq.spi)
        for asdu in asdus
        for item in asdu.objects
        if item.ioa == ioa and isinstance(siq := item.elements[0], SIQ)
    ]


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_b_a_full_disk_is_told_when_it_fills_and_when_there_is_room_again_and_stops_nothing(make_rig, disk):
    rig = make_rig(STATION, store=disk)
    master = rig.master()
    disk.full = True
    for state in (1, 0, 1):
        rig.set("door", state)
        rig.advance(2)
    asdus = master.take()
    assert told(asdus, 100) == [(3, True), (3, False), (3, True)]
    assert told(asdus, 901) == [(3, True)]
    disk.full = False
    rig.advance(5)
    assert told(master.take(), 901) == [(3, False)]


def test_b_a_disk_that_is_full_from_the_start_is_shown_by_an_interrogation(make_rig, disk):
    disk.fault = "read-only file system"
    rig = make_rig(STATION, store=disk)
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert told(master.take(), 901)[-1] == (20, True)


def test_b_trouble_that_is_over_after_a_restart_is_taken_back(make_rig, disk):
    disk.restored.last_states["unsaved"] = (1, 0)
    rig = make_rig(STATION, store=disk)
    assert told(rig.connect().start().take(), 901) == [(3, False)]
