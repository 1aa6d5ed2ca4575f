"""Events of protection equipment, M_EP_TD_1, M_EP_TE_1 and M_EP_TF_1 (checklist F02, L; types 38 to 40)."""

from __future__ import annotations

import pytest

from rtu.clock import MILLISECOND
from rtu.iec104.elements import OCI, QDP, QOI, SEP, SPE, CP16Time2a

EI, BL, NT, IV = 0x08, 0x10, 0x40, 0x80

HEAD = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
"""

MEMBER_NAMES = ("pickup", "l1", "l2", "l3", "earth", "reverse", "trip", "trip.l1", "trip.l2")
MEMBERS = "".join(f'[[point]]\nname = "{name}"\ntype = "single"\naddress = []\n' for name in MEMBER_NAMES)

PROTECTION = (
    HEAD
    + MEMBERS
    + """
[[point]]
name = "tripped"
type = "protection"
of = "trip"
since = "pickup"
address = [ { ioa = 1100, group = 1 } ]
[[point]]
name = "picked up"
type = "protection"
of = "pickup"
address = [ { ioa = 1101 } ]
[[point]]
name = "starts"
type = "protection_start"
of = { general = "pickup", l1 = "l1", l2 = "l2", l3 = "l3", earth = "earth", reverse = "reverse" }
address = [ { ioa = 1200 } ]
[[point]]
name = "circuits"
type = "protection_trip"
of = { general = "trip", l1 = "trip.l1", l2 = "trip.l2" }
since = "pickup"
address = [ { ioa = 1300 } ]
"""
)


@pytest.fixture
def relay(make_rig):
    return make_rig(PROTECTION)


def told(master, ioa):
    """The elements of every event of that object, without their time."""
    return [item.elements[:-1] for asdu in master.take() for item in asdu.objects if item.ioa == ioa]


def at(rig, ms, name, value, quality=0):
    """So many milliseconds later a contact moves."""
    rig.clock.advance(ns=ms * MILLISECOND)
    rig.set(name, value, quality)


# 38: single events


def test_type_38_on_tells_the_time_since_the_start_and_off_how_long_it_was_on(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 250, "trip", 1)
    at(relay, 80, "trip", 0)
    relay.settle()
    assert told(master, 1100) == [(SEP(2), CP16Time2a(250)), (SEP(1), CP16Time2a(80))]


def test_type_38_without_since_on_tells_zero(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 330, "pickup", 0)
    relay.settle()
    assert told(master, 1101) == [(SEP(2), CP16Time2a(0)), (SEP(1), CP16Time2a(330))]


def test_type_38_carries_the_cause_and_the_time_of_the_change(relay):
    master = relay.master()
    stamp = relay.clock.wall(relay.clock.now_ns()).unix_ns
    relay.set("trip", 1)
    relay.advance(1)
    (asdu,) = [asdu for asdu in master.take() if asdu.type_id == 38]
    assert (asdu.cause, asdu.sequence) == (3, False)
    assert asdu.objects[0].elements[-1].to_ns() == stamp


def test_type_38_a_trip_without_a_start_has_no_elapsed_time(relay):
    master = relay.master()
    at(relay, 0, "trip", 1)
    relay.settle()
    assert told(master, 1100) == [(SEP(2, EI), CP16Time2a(0))]


def test_type_38_a_start_that_had_dropped_before_is_not_the_one_that_tripped(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 10, "pickup", 0)
    at(relay, 10, "trip", 1)
    relay.settle()
    assert told(master, 1100) == [(SEP(2, EI), CP16Time2a(0))]


@pytest.mark.parametrize(("ms", "told_ms", "quality"), [(59_999, 59_999, 0), (60_000, 59_999, EI)])
def test_type_38_the_elapsed_time_ends_at_59999_ms(relay, ms, told_ms, quality):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, ms, "pickup", 0)
    relay.settle()
    assert told(master, 1101) == [(SEP(2), CP16Time2a(0)), (SEP(1, quality), CP16Time2a(told_ms))]


def test_type_38_what_was_not_seen_has_no_elapsed_time(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 10, "pickup", 1, IV | NT)
    at(relay, 10, "pickup", 0)
    relay.settle()
    assert told(master, 1101) == [(SEP(2), CP16Time2a(0)), (SEP(1, EI), CP16Time2a(0))]


def test_type_38_a_loss_of_the_contact_alone_is_no_event(relay):
    master = relay.master()
    at(relay, 0, "pickup", 0, IV)
    at(relay, 0, "pickup", 0)
    relay.settle()
    assert master.take() == []


def test_type_38_a_contact_that_came_back_unseen_has_been_on_for_nobody_knows_how_long(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 10, "pickup", 1, NT)
    at(relay, 10, "pickup", 1)
    at(relay, 10, "pickup", 0)
    relay.settle()
    assert told(master, 1101) == [(SEP(2), CP16Time2a(0)), (SEP(1, EI), CP16Time2a(0))]


def test_type_38_a_blocked_contact_says_so(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1, BL)
    relay.settle()
    assert told(master, 1101) == [(SEP(2, BL), CP16Time2a(0))]


def test_type_38_two_equal_events_are_two_events(relay):
    master = relay.master()
    for _ in range(2):
        at(relay, 100, "pickup", 1)
        at(relay, 50, "pickup", 0)
    relay.settle()
    one = [(SEP(2), CP16Time2a(0)), (SEP(1), CP16Time2a(50))]
    assert told(master, 1101) == one + one


# 39: start events


def test_type_39_an_operation_begins_grows_and_ends(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 5, "l1", 1)
    at(relay, 15, "earth", 1)
    at(relay, 80, "l1", 0)
    at(relay, 10, "l1", 1)  # it had started in this operation already
    at(relay, 10, "l1", 0)
    at(relay, 10, "earth", 0)
    at(relay, 20, "pickup", 0)
    at(relay, 500, "l3", 1)
    relay.settle()
    assert told(master, 1200) == [
        (SPE(0x01), QDP(), CP16Time2a(0)),
        (SPE(0x03), QDP(), CP16Time2a(5)),
        (SPE(0x13), QDP(), CP16Time2a(20)),
        (SPE(0x13), QDP(), CP16Time2a(150)),
        (SPE(0x08), QDP(), CP16Time2a(0)),
    ]


@pytest.mark.parametrize(
    ("name", "bit"), [("pickup", 1), ("l1", 2), ("l2", 4), ("l3", 8), ("earth", 16), ("reverse", 32)]
)
def test_type_39_each_element_has_its_bit(relay, name, bit):
    master = relay.master()
    at(relay, 0, name, 1)
    relay.settle()
    assert told(master, 1200) == [(SPE(bit), QDP(), CP16Time2a(0))]


def test_type_39_an_operation_of_more_than_a_minute_has_no_duration(relay):
    master = relay.master()
    at(relay, 0, "l1", 1)
    at(relay, 60_001, "l1", 0)
    relay.settle()
    assert told(master, 1200)[-1] == (SPE(2), QDP(EI), CP16Time2a(59_999))


def test_type_39_and_40_travel_one_to_a_telegram(relay):
    master = relay.master()
    master.acknowledging = False
    for _ in range(20):
        at(relay, 1, "l1", 1)
        at(relay, 1, "l1", 0)
    master.acknowledging = True
    relay.advance(20)
    asdus = [asdu for asdu in master.take() if asdu.type_id == 39]
    assert [len(asdu.objects) for asdu in asdus] == [1] * 40


# 40: output circuits


def test_type_40_commands_are_told_with_the_relay_operating_time(relay):
    master = relay.master()
    at(relay, 0, "pickup", 1)
    at(relay, 60, "trip.l1", 1)
    at(relay, 10, "trip", 1)
    at(relay, 50, "trip", 0)
    at(relay, 5, "trip", 1)  # given in this operation already
    at(relay, 5, "trip", 0)
    at(relay, 5, "trip.l1", 0)
    at(relay, 5, "pickup", 0)
    relay.settle()
    assert told(master, 1300) == [
        (OCI(0x02), QDP(), CP16Time2a(60)),
        (OCI(0x03), QDP(), CP16Time2a(60)),
    ]


def test_type_40_the_next_operation_starts_from_nothing(relay):
    master = relay.master()
    at(relay, 0, "trip.l2", 1)
    at(relay, 10, "trip.l2", 0)
    at(relay, 10, "trip", 1)
    relay.settle()
    assert told(master, 1300) == [
        (OCI(0x04), QDP(EI), CP16Time2a(0)),
        (OCI(0x01), QDP(EI), CP16Time2a(0)),
    ]


# All of them


def test_f02_protection_is_in_no_interrogation(relay):
    relay.set("pickup", 1)
    master = relay.master()
    master.send(100, 6, 0, QOI(20))
    assert [asdu.cause for asdu in master.take()] == [7, 10]


@pytest.mark.parametrize("ioa", [1100, 1200, 1300])
def test_protection_cannot_be_read(relay, ioa):
    master = relay.master()
    master.send(102, 5, ioa)
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (102, 47, True)


def test_what_is_on_when_the_station_has_started_is_no_event(relay):
    rig = type(relay)(PROTECTION)
    for member in MEMBER_NAMES:
        rig.set(member, int(member in ("pickup", "l1", "trip")))
    rig.table.finish_start()
    master = rig.master()
    at(rig, 100, "trip", 0)
    at(rig, 100, "l1", 0)
    at(rig, 100, "pickup", 0)
    rig.settle()
    events = [(asdu.type_id, item.elements[:-1]) for asdu in master.take() for item in asdu.objects]
    assert events == [
        (38, (SEP(1, EI), CP16Time2a(0))),
        (38, (SEP(1, EI), CP16Time2a(0))),
        (39, (SPE(3), QDP(EI), CP16Time2a(0))),
    ]


def test_protection_events_wait_for_a_master_that_is_away(relay):
    for name in ("pickup", "trip"):
        at(relay, 40, name, 1)
    master = relay.connect().start()
    types = [asdu.type_id for asdu in master.take() for _ in asdu.objects]
    assert types == [70, 38, 39, 38, 40]
