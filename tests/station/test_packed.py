"""Packed single points, M_PS_NA_1, and normalised values without quality, M_ME_ND_1 (types 20 and 21)."""

from __future__ import annotations

import pytest

from rtu.events.journal import Volatile
from rtu.iec104.elements import NVA, QDS, QOI, SCD, SCO

HEAD = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[device.field]
driver = "recorded"
config = {}
"""

ALARMS = (
    HEAD
    + """
[[point]]
name = "a"
type = "single"
address = [ { ioa = 100 } ]
[[point]]
name = "b"
type = "single"
address = []
[[point]]
name = "c"
type = "single"
address = []
[[point]]
name = "alarms"
type = "packed"
of = ["a", "b", "", "", "", "", "", "", "", "", "", "", "", "", "", "c"]
report = { background_s = 60 }
address = [ { ioa = 900, group = 3 }, { ca = 2, ioa = 901 } ]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 1, latched = true }
feedback = { point = "a", within_s = 5 }
address = [ { ioa = 2000 } ]
"""
)

NORMALIZED = (
    HEAD
    + """
[[point]]
name = "level"
type = "float"
report = { cyclic_s = 10 }
address = [
    { ioa = 950, type = "normalized", nominal = 200, quality = false, group = 1 },
    { ioa = 951, type = "normalized", nominal = 200, quality = false, time_tag = false },
]
"""
)


@pytest.fixture
def alarms(make_rig):
    return make_rig(ALARMS)


@pytest.fixture
def level(make_rig):
    return make_rig(NORMALIZED)


def told(asdus, type_id, ioa=None):
    """Cause and elements of every object of that type."""
    return [
        (asdu.cause, *(e for e in item.elements if not hasattr(e, "minute")))
        for asdu in asdus
        if asdu.type_id == type_id
        for item in asdu.objects
        if ioa in (None, item.ioa)
    ]


# 20


def test_type_20_tells_the_states_and_which_of_them_changed(alarms):
    master = alarms.master()
    for name, value in (("b", 1), ("c", 1), ("b", 0)):
        alarms.set(name, value)
    alarms.settle()
    assert told(master.take(), 20, 900) == [
        (3, SCD(0x0002, 0x0002), QDS()),
        (3, SCD(0x8002, 0x8000), QDS()),
        (3, SCD(0x8000, 0x0002), QDS()),
    ]


def test_type_20_is_told_after_the_event_of_its_member_and_without_time(alarms):
    master = alarms.master()
    alarms.set("a", 1)
    alarms.settle()
    assert [(asdu.type_id, asdu.ca, asdu.cause) for asdu in master.take()] == [
        (30, 1, 3),
        (20, 1, 3),
        (20, 2, 3),
    ]


@pytest.mark.parametrize(
    ("type_id", "cause", "ioa", "elements", "answer"),
    [(100, 6, 0, (QOI(20),), 20), (100, 6, 0, (QOI(23),), 23), (102, 5, 900, (), 5)],
)
def test_type_20_interrogated_or_read_has_nothing_left_to_report(
    alarms, type_id, cause, ioa, elements, answer
):
    master = alarms.master()
    alarms.set("b", 1)
    alarms.set("c", 1)
    alarms.settle()
    master.take()
    master.send(type_id, cause, ioa, *elements)
    assert told(master.take(), 20) == [(answer, SCD(0x8002, 0), QDS())]


def test_type_20_belongs_to_the_background_scan(alarms):
    master = alarms.master()
    alarms.advance(60.5)
    assert told(master.take(), 20, 900) == [(2, SCD(0, 0), QDS())]


def test_type_20_has_the_qualities_of_all_its_members_but_overflow(alarms):
    master = alarms.master()
    alarms.set("a", 0, 0x41)
    alarms.set("b", 0, 0x20)
    alarms.set("c", 0, 0x40)
    alarms.set("c", 1)
    alarms.set("a", 0)
    alarms.set("b", 0)
    alarms.settle()
    assert told(master.take(), 20, 900) == [
        (3, SCD(0, 0), QDS(0x40)),
        (3, SCD(0, 0), QDS(0x60)),
        (3, SCD(0x8000, 0x8000), QDS(0x60)),
        (3, SCD(0x8000, 0), QDS(0x20)),
        (3, SCD(0x8000, 0), QDS(0)),
    ]


def test_type_20_carries_no_return_information(alarms):
    master = alarms.master()
    master.send(45, 6, 2000, SCO(True))
    alarms.set("a", 1)
    alarms.settle()
    events = [(asdu.type_id, asdu.cause) for asdu in master.take() if asdu.type_id in (20, 30)]
    assert events == [(30, 11), (20, 3), (20, 3)]


class Restarted:
    """The station after a restart, before its first scan; `restored` are the states it had stored."""

    def __init__(self, alarms, **restored):
        store = Volatile()
        store.restored.last_states.update({name: (state, 0) for name, state in restored.items()})
        self.rig = type(alarms)(ALARMS, store=store)
        self.set = self.rig.set

    def started(self):
        """What it tells when the first scan is over."""
        self.rig.table.finish_start()
        master = self.rig.connect().start()
        return told(master.take(), 20, 900)

    def read(self):
        master = self.rig.master()
        master.send(102, 5, 900)
        return told(master.take(), 20)


def test_type_20_starts_quietly_when_nothing_was_known(alarms):
    rig = Restarted(alarms)
    for name in "abc":
        rig.set(name, 1)
    assert rig.started() == []
    assert rig.read() == [(5, SCD(0x8003, 0), QDS())]


def test_type_20_an_unread_member_makes_it_invalid(alarms):
    rig = Restarted(alarms)
    rig.set("a", 1)
    assert rig.started() == []
    assert rig.read() == [(5, SCD(1, 0), QDS(0xC0))]


def test_type_20_tells_at_the_start_what_changed_while_the_station_was_off(alarms):
    rig = Restarted(alarms, a=1, b=0, c=0)
    for name, value in (("a", 1), ("b", 1), ("c", 0)):
        rig.set(name, value)
    assert rig.started() == [(3, SCD(0x0003, 0x0002), QDS())]


def test_type_20_tells_a_change_that_came_and_went_during_the_first_scan(alarms):
    rig = Restarted(alarms, a=0, b=0, c=0)
    for name, value in (("a", 0), ("b", 0), ("c", 0), ("c", 1), ("c", 0)):
        rig.set(name, value)
    assert rig.started() == [(3, SCD(0, 0x8000), QDS())]


def test_type_20_tells_that_a_member_is_not_known_any_more(alarms):
    rig = Restarted(alarms, a=1, b=0, c=0)
    rig.set("b", 0)
    rig.set("c", 0)
    assert rig.started() == [(3, SCD(1, 0), QDS(0xC0))]


# 21


def test_type_21_is_interrogated_as_two_octets(level):
    level.set("level", 100)
    master = level.master()
    master.send(100, 6, 0, QOI(21))
    assert told(master.take(), 21) == [(21, NVA(16384))]


def test_type_21_is_read_and_cyclic(level):
    master = level.master()
    level.set("level", -200)
    level.settle()
    master.take()
    master.send(102, 5, 951)
    assert told(master.take(), 21) == [(5, NVA(-32768))]
    level.advance(10.5)
    assert told(master.take(), 21) == [(1, NVA(-32768))] * 2


def test_type_21_is_told_with_time_and_quality_or_as_it_is(level):
    master = level.master()
    level.set("level", 50, 0x80)
    level.settle()
    asdus = master.take()
    assert told(asdus, 34) == [(3, NVA(8192), QDS(0x80))]
    assert told(asdus, 21) == [(3, NVA(8192))]


def test_type_21_ends_silently_at_its_limits(level):
    level.set("level", 1000)
    master = level.master()
    master.send(100, 6, 0, QOI(21))
    assert told(master.take(), 21) == [(21, NVA(32767))]
