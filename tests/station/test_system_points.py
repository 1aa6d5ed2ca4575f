"""What the station says of itself, as a master sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from rtu.clock import SECOND
from rtu.config.schema import SystemValue
from rtu.events.journal import Volatile
from rtu.iec104.elements import QOI, SCO, SIQ
from rtu.points.model import IV
from rtu.station.system_points import LOOK_S, REFUSED_FOR_S, SOURCES

from .conftest import Master, Rig

STATION = """
format = 1
[station]
name = "b"
common_address = 1
[device.field]
driver = "recorded"
config = {}
[[point]]
name = "days left"
type = "float"
system = "certificate.days_left"
address = [{ ioa = 800 }]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 1 }
address = [{ ioa = 2000 }]
"""
SINGLE = [each for each in get_args(SystemValue) if each not in ("events.lost", "certificate.days_left")]
IOA = {system: 900 + place for place, system in enumerate(SINGLE)}
for system, ioa in IOA.items():
    STATION += (
        f'[[point]]\nname = "{system}"\ntype = "single"\nsystem = "{system}"\naddress = [{{ ioa = {ioa} }}]\n'
    )


@dataclass(frozen=True)
class List:
    state: str = "valid"
    issuer: str = "CN=field"
    next_update: datetime | None = None


@dataclass(frozen=True)
class Tls:
    usable: bool = True
    reason: str = ""
    not_after: datetime | None = None
    lists: Sequence[List] = field(default_factory=tuple)


@pytest.fixture
def rig() -> Rig:
    rig = Rig(STATION)
    now = datetime.fromtimestamp(rig.clock.wall(rig.clock.now_ns()).unix_ns / SECOND, UTC)
    rig.tls = Tls(not_after=now + timedelta(days=30, hours=12))
    return rig.begin()


def told(master: Master, system: str) -> list[tuple[int, bool, bool]]:
    """Cause, state and IV of every report of this point since the last call of `take`."""
    return [
        (asdu.cause, element.spi, bool(element.quality & IV))
        for asdu in master.asdus
        for item in asdu.objects
        if item.ioa == IOA[system] and isinstance(element := item.elements[0], SIQ)
    ]


def pass_days(rig: Rig, days: int) -> None:
    """The wall clock moves on; what runs meanwhile is left out."""
    rig.clock.offset_ns += days * 86_400 * SECOND
    rig.advance(LOOK_S)


def news(rig: Rig, master: Master, system: str, seconds: float = 0.01) -> list[tuple[int, bool, bool]]:
    master.take()
    rig.advance(seconds)
    return told(master, system)


ON, OFF, UNKNOWN = [(3, True, False)], [(3, False, False)], [(3, False, True)]


def test_there_is_a_source_for_every_value_but_the_one_each_group_has_of_its_own():
    assert {*SOURCES, "events.lost"} == set(get_args(SystemValue))


def test_when_all_is_well_no_point_is_on_and_nothing_is_told(rig):
    master = rig.connect().start()
    assert [told(master, system) for system in SINGLE] == [[]] * len(SINGLE)
    master.send(100, 6, 0, QOI(20))
    assert {system: told(master, system) for system in SINGLE} == {
        system: [(20, False, False)] for system in SINGLE
    }


def days(master: Master) -> list[tuple[float, bool]]:
    return [
        (item.elements[0].value, bool(item.elements[1].quality & IV))
        for asdu in master.asdus
        for item in asdu.objects
        if item.ioa == 800
    ]


def test_the_days_of_the_certificate_are_counted_down_one_report_a_day(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert days(master) == [(30.0, False)]
    master.take()
    for _ in range(3):
        pass_days(rig, 1)
        rig.advance(100)
    assert days(master) == [(29.0, False), (28.0, False), (27.0, False)]


def test_a_certificate_that_expires_is_told_thirty_days_before_and_when_it_has(rig):
    master = rig.master()
    pass_days(rig, 1)
    assert told(master, "certificate.expiring") == ON
    master.take()
    pass_days(rig, 30)
    assert (told(master, "certificate.expired"), told(master, "certificate.expiring")) == (ON, [])
    assert days(master)[-1] == (-1.0, False)
    rig.tls = replace(rig.tls, not_after=rig.tls.not_after + timedelta(days=365))
    master.take()
    rig.advance(LOOK_S)
    assert (told(master, "certificate.expired"), told(master, "certificate.expiring")) == (OFF, OFF)


def test_of_a_certificate_that_cannot_be_read_nothing_is_known(rig):
    master = rig.master()
    rig.tls = Tls(usable=False, not_after=None)
    assert news(rig, master, "tls.failed", LOOK_S) == ON
    assert told(master, "certificate.expiring") == UNKNOWN
    assert days(master)[-1][1]


def test_a_revocation_list_that_is_not_current_is_told(rig):
    master = rig.master()
    rig.tls = replace(rig.tls, lists=(List(), List("expired")))
    assert news(rig, master, "revocation.stale", LOOK_S) == ON
    rig.tls = replace(rig.tls, lists=(List(), List()))
    assert news(rig, master, "revocation.stale", LOOK_S) == OFF


def test_an_open_plain_port_is_told_as_long_as_the_station_runs():
    rig = Rig(STATION + '[listen.plain]\naddress = "127.0.0.1"\n').begin()
    master = rig.connect().start()
    assert told(master, "plain.open") == ON


@pytest.mark.parametrize("event", ["tls.refuse", "plain.refuse"])
def test_a_refused_connection_is_told_at_once_and_for_ten_minutes_after_the_last(rig, event):
    master = rig.master()
    rig.audit.record(event, peer="192.0.2.9")
    assert news(rig, master, "connection.refused") == ON
    rig.advance(REFUSED_FOR_S - 1)
    rig.audit.record(event, peer="192.0.2.9")
    assert news(rig, master, "connection.refused", REFUSED_FOR_S - LOOK_S) == []
    assert news(rig, master, "connection.refused", 2 * LOOK_S) == OFF


def test_a_clock_that_is_not_synchronised_is_told(rig):
    master = rig.master()
    rig.clock.valid = False
    assert news(rig, master, "clock.unsynchronised", LOOK_S) == ON
    rig.clock.valid = True
    assert news(rig, master, "clock.unsynchronised", LOOK_S) == OFF


def test_an_audit_trail_that_cannot_be_kept_is_told(rig):
    master = rig.master()
    rig.audit.failed = True
    assert news(rig, master, "audit.failed", LOOK_S) == ON


def test_a_locked_lock_group_is_told_until_it_is_unlocked(rig):
    master = rig.master()
    rig.relays.levels[0] = 1
    master.send(45, 6, 2000, SCO(True))
    rig.advance(0.1)
    assert told(master, "outputs.locked") == ON
    said: list[str] = []
    rig.relays.levels[0] = 0
    rig.outputs.unlock("lamp", "fitter", said.append)
    assert said == [""]
    assert news(rig, master, "outputs.locked", 0.1) == OFF


def test_what_was_told_before_a_restart_is_taken_back_or_stands():
    store = Volatile()
    store.restored.last_states |= {"outputs.locked": (1, 0), "audit.failed": (1, 0), "tls.failed": (0, 0x80)}
    store.restored.meta["locked.lamp"] = "field 1 is on"
    master = Rig(STATION, store=store).begin().connect().start()
    assert told(master, "audit.failed") == OFF
    assert told(master, "outputs.locked") == told(master, "tls.failed") == []
    master.send(100, 6, 0, QOI(20))
    assert told(master, "outputs.locked") == [(20, True, False)]


def test_a_system_point_can_be_a_member_of_a_packed_point():
    text = STATION + (
        '[[point]]\nname = "health"\ntype = "packed"\nof = ["outputs.locked", "plain.open"]\n'
        'address = [{ ioa = 990 }]\n[listen.plain]\naddress = "127.0.0.1"\n'
    )
    master = Rig(text).begin().connect().start()
    master.send(100, 6, 0, QOI(20))
    (element,) = [item.elements for asdu in master.asdus for item in asdu.objects if item.ioa == 990]
    assert "2" in str(element)


def test_a_lock_survives_a_restart_by_a_master_and_leaves_by_an_unlock_only():
    store = Volatile()
    rig = Rig(STATION, store=store).begin()
    rig.relays.levels[0] = 1
    rig.master().send(45, 6, 2000, SCO(True))
    rig.advance(1)
    kept = rig.log.meta
    assert kept["locked.lamp"] == "before switching field 1 is on"
    again = Volatile()
    again.restored.meta |= kept
    rig = Rig(STATION, store=again).begin()
    master = rig.master()
    master.send(45, 6, 2000, SCO(True))
    assert [(a.cause, a.negative) for a in master.take() if a.type_id == 45] == [(7, True)]
    said: list[str] = []
    rig.outputs.unlock("lamp", "fitter", said.append)
    assert said == [""]
    rig.advance(1)
    assert rig.log.meta["locked.lamp"] == ""
