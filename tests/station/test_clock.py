"""Clock synchronisation, and what becomes of events made before, between and after it (checklist H, L)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rtu.clock import SECOND
from rtu.iec104.elements import QCC, SIQ, CP56Time2a
from rtu.station import synchronisation
from rtu.station.totals import FREEZE

from .conftest import STATION, Master, Rig

BY_MASTER = STATION.replace(
    "common_address = 1\n", 'common_address = 1\n[clock]\nsource = "master"\nvalid_for_s = 60\n'
)
IN_BERLIN = BY_MASTER.replace("[clock]\n", '[clock]\nzone = "Europe/Berlin"\n')
NOW = CP56Time2a(56_789, 34, 12, 15, 0, 7, 26)
NOW_NS = NOW.to_ns()


@pytest.fixture
def rig() -> Rig:
    return Rig(BY_MASTER).begin()


def by_ntp() -> Rig:
    """A station whose machine is synchronised by somebody else, and is not yet."""
    rig = Rig()
    rig.clock.valid = False
    rig.clock.hold(0)
    return rig.begin()


def set_clock(master: Master, time: CP56Time2a = NOW, **how) -> list[tuple[int, int, bool, CP56Time2a]]:
    """The confirmations: cause, common address, negative, time."""
    master.take()
    master.send(103, 6, 0, time, **how)
    return [(a.cause, a.ca, a.negative, a.objects[0].elements[0]) for a in master.take() if a.type_id == 103]


def tags(master: Master, type_id: int = 30, ca: int = 1, ioa: int = 100) -> list[CP56Time2a]:
    """The time tags of the events of one object that came since the last call."""
    return [
        item.elements[-1]
        for asdu in master.take()
        if asdu.type_id == type_id and asdu.ca == ca
        for item in asdu.objects
        if item.ioa == ioa
    ]


def later(seconds: float) -> CP56Time2a:
    return CP56Time2a.from_ns(NOW_NS + round(seconds * SECOND))


# The command


def test_h04_a_clock_command_sets_the_clock_and_its_confirmation_tells_the_time_before(rig):
    master = rig.master()
    before = rig.station.time.tag(rig.clock.wall(rig.clock.now_ns()))
    assert set_clock(master) == [(7, 1, False, CP56Time2a.decode(before))]
    assert rig.clock.wall(rig.clock.now_ns()) == (NOW_NS, True)
    (record,) = [r for r in rig.audit.records if r["event"] == "clock.set"]
    assert record["master"] == "master of main"


def test_h04_the_confirmation_tells_the_sent_time_where_that_is_agreed():
    rig = Rig(BY_MASTER + '[protocol]\nclock_confirmation = "echo"\n').begin()
    assert set_clock(rig.master()) == [(7, 1, False, NOW)]
    assert rig.clock.wall(rig.clock.now_ns()) == (NOW_NS, True)


def test_h05_a_clock_another_source_sets_is_left_alone():
    rig = Rig().begin()
    before = rig.clock.wall(rig.clock.now_ns())
    assert set_clock(rig.master()) == [(7, 1, True, NOW)]
    assert rig.clock.wall(rig.clock.now_ns()) == before
    assert [r["reason"] for r in rig.audit.records if r["event"] == "clock.refuse"] == [
        "another source sets the clock"
    ]


@pytest.mark.parametrize(
    "time",
    [
        bytes.fromhex("0000000c0f0d1a"),  # month 13
        bytes.fromhex("0000000c1f021a"),  # 31 February
        bytes.fromhex("60ea000c0f071a"),  # 60000 ms
        bytes.fromhex("0000800c0f071a"),  # IV
    ],
)
def test_h06_a_time_that_is_none_is_refused(rig, time):
    master = rig.master()
    master.send_octets(bytes.fromhex("670106000100000000") + time)
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (7, True)
    assert not rig.clock.wall(rig.clock.now_ns()).valid
    assert "clock.set" not in rig.audit.events()
    assert "clock.refuse" in rig.audit.events()


def test_h06_an_hour_that_summer_time_skips_is_refused():
    rig = Rig(IN_BERLIN).begin()
    ((cause, _, negative, _),) = set_clock(rig.master(), CP56Time2a(0, 30, 2, 29, 0, 3, 26))
    assert (cause, negative) == (7, True)
    assert not rig.clock.wall(rig.clock.now_ns()).valid


@pytest.mark.parametrize("summer", [True, False])
def test_an_hour_that_comes_twice_is_told_apart_by_su(summer):
    rig = Rig(IN_BERLIN).begin()
    ((_, _, negative, _),) = set_clock(rig.master(), CP56Time2a(0, 30, 2, 25, 0, 10, 26, summer=summer))
    assert not negative
    utc = CP56Time2a(0, 30, 0 if summer else 1, 25, 0, 10, 26)
    assert rig.clock.wall(rig.clock.now_ns()).unix_ns == utc.to_ns()


def test_h07_to_all_common_addresses_it_is_carried_out_once_and_each_confirms(rig):
    master = rig.master()
    before = CP56Time2a.decode(rig.station.time.tag(rig.clock.wall(rig.clock.now_ns())))
    assert set_clock(master, ca=65535) == [(7, 1, False, before), (7, 2, False, before)]
    assert rig.audit.events().count("clock.set") == 1


def test_h07_a_viewer_is_refused_by_each(rig):
    viewer = rig.master(role="viewer")
    assert set_clock(viewer, ca=65535) == [(7, 1, True, NOW), (7, 2, True, NOW)]
    assert not rig.clock.wall(rig.clock.now_ns()).valid


def test_a_test_sets_nothing(rig):
    assert set_clock(rig.master(), test=True) == [(7, 1, False, NOW)]
    assert not rig.clock.wall(rig.clock.now_ns()).valid


# Time tags


def test_h08_before_the_clock_was_ever_set_events_carry_iv(rig):
    master = rig.master()
    rig.set("door", 1)
    rig.settle()
    (tag,) = tags(master)
    assert tag.invalid


def test_h09_after_it_was_set_events_carry_the_right_time(rig):
    master = rig.master()
    set_clock(master)
    rig.advance(10)
    rig.set("door", 1)
    rig.settle()
    assert tags(master) == [later(10)]


def test_h10_when_the_last_setting_is_too_old_events_carry_iv_again(rig):
    master = rig.master()
    set_clock(master)
    rig.advance(59)
    rig.set("door", 1)
    rig.advance(2)
    rig.set("door", 0)
    rig.settle()
    assert tags(master) == [later(59), replace(later(61), invalid=True)]
    set_clock(master, later(70))
    rig.set("door", 1)
    rig.settle()
    assert tags(master) == [later(70)]


def test_h10_a_time_service_that_went_away_leaves_iv():
    rig = Rig().begin()
    master = rig.master()
    rig.clock.valid = False
    rig.set("door", 1)
    rig.settle()
    (tag,) = tags(master)
    assert tag.invalid


# Resolved once


def ntp_sets(rig: Rig, time: CP56Time2a = NOW) -> None:
    """The machine's clock is stepped to `time`, and its kernel says that this is right."""
    rig.clock.offset_ns = time.to_ns() - rig.clock.now_ns()
    rig.clock.valid = True
    rig.advance(0.5)


def test_h09_what_happened_before_the_first_synchronisation_is_told_with_the_right_time():
    rig = by_ntp()
    rig.set("door", 1)
    rig.advance(30)
    ntp_sets(rig)
    rig.set("door", 0)
    assert tags(rig.connect().start()) == [later(-30), later(0.5)]
    assert rig.audit.events().count("clock.synchronise") == 1


def test_h09_and_before_the_first_clock_command_unless_it_was_told_already(rig):
    setting = rig.master(group="other")
    setting.acknowledging = False
    rig.clock.advance(1)
    for number in range(100):  # more than the window of this master takes
        rig.set("door", (number + 1) % 2)
        rig.settle()
    setting.link.send(clock_command(NOW), rig.now)
    setting.session.receive(setting.link.data_to_send(rig.now), rig.now)
    told = tags(rig.connect().start())
    assert len(told) == 100
    assert [tag.invalid for tag in told] == sorted((tag.invalid for tag in told), reverse=True)
    assert not told[-1].invalid
    assert {tag for tag in told if not tag.invalid} == {NOW}


def clock_command(time: CP56Time2a) -> bytes:
    return bytes.fromhex("670106000100000000") + time.encode()


def test_every_object_of_a_change_is_resolved():
    rig = by_ntp()
    rig.set("door", 1)
    ntp_sets(rig)
    main = rig.connect().start()
    events = [(a.ca, i.ioa, i.elements) for a in main.take() if a.type_id == 30 for i in a.objects]
    assert events == [
        (1, 100, (SIQ(True), NOW)),
        (1, 105, (SIQ(True), NOW)),
        (2, 100, (SIQ(True), NOW)),
    ]


def test_what_a_master_was_sent_before_keeps_its_octets():
    rig = by_ntp()
    master = rig.master()
    master.acknowledging = False
    rig.set("door", 1)
    rig.settle()
    (sent,) = tags(master)
    master.disconnect()
    ntp_sets(rig)
    assert tags(rig.connect().start()) == [sent]
    assert sent.invalid


def test_a_later_step_moves_nothing_that_is_stored():
    rig = by_ntp()
    rig.set("door", 1)
    ntp_sets(rig)
    ntp_sets(rig, later(3600))
    rig.clock.valid = False
    rig.set("door", 0)
    ntp_sets(rig, later(7200))
    assert tags(rig.connect().start()) == [NOW, replace(later(3600.5), invalid=True)]


def test_with_no_source_of_time_events_follow_the_machine_and_always_carry_iv():
    rig = Rig(STATION.replace("[device.field]", '[clock]\nsource = "none"\n[device.field]'))
    rig.clock.valid = False
    rig.begin()
    rig.set("door", 1)
    rig.clock.offset_ns = NOW_NS - rig.clock.now_ns()
    rig.set("door", 0)
    first, second = tags(rig.connect().start())
    assert first.invalid
    assert second == replace(NOW, invalid=True)


@pytest.mark.parametrize("step", [-3600, 3600])
def test_events_around_a_step_of_the_clock_keep_their_order_and_their_times(rig, step):
    other = rig.master(group="other")
    set_clock(other)
    for second in range(1, 6):
        rig.advance(1)
        rig.set("door", second % 2)
    set_clock(other, later(5 + step))
    for second in range(6, 11):
        rig.advance(1)
        rig.set("door", second % 2)
    main = rig.connect().start()
    asdus = main.asdus
    states = [
        i.elements[0] for a in asdus if a.type_id == 30 and a.ca == 1 for i in a.objects if i.ioa == 100
    ]
    assert states == [SIQ(second % 2 == 1) for second in range(1, 11)]
    assert tags(main) == [later(s) for s in range(1, 6)] + [later(s + step) for s in range(6, 11)]


def test_a_step_of_the_machines_clock_before_the_synchronisation_leaves_events_in_order():
    rig = by_ntp()
    start = rig.clock.wall(rig.clock.now_ns()).unix_ns
    rig.set("door", 1)
    rig.clock.offset_ns -= 86_400 * SECOND
    rig.advance(1)
    rig.set("door", 0)
    told = tags(rig.connect().start())
    assert [t.to_ns() - start for t in told] == [0, SECOND]
    assert all(t.invalid for t in told)


def test_a_step_moves_no_timer_of_the_link(rig):
    master = rig.master()
    set_clock(master)
    for step in (-86_400 * 365, 86_400 * 365):
        set_clock(master, later(step))
        rig.advance(5)
    assert master.closed is None


def test_a_frozen_total_is_resolved_with_its_event():
    rig = Rig(STATION.replace('type = "counter"\n', 'type = "counter"\nfreeze = { tell = true }\n'))
    rig.clock.valid = False
    rig.clock.hold(0)
    rig.begin()
    rig.station.totals.freeze([rig.table.index("energy")], FREEZE)
    rig.advance(30)
    ntp_sets(rig)
    main = rig.connect().start()
    assert tags(main, type_id=37, ioa=800) == [later(-30)]
    main.send(101, 6, 0, QCC(5, 0))
    assert tags(main, type_id=37, ioa=800) == [later(-30)]


def test_l12_events_around_the_end_of_summer_time_say_so_and_keep_their_order():
    rig = Rig(IN_BERLIN).begin()
    other = rig.master(group="other")
    set_clock(other, CP56Time2a(59_000, 59, 2, 25, 0, 10, 26, summer=True))
    rig.set("door", 1)
    rig.advance(2)
    rig.set("door", 0)
    first, second = tags(rig.connect().start())
    assert (first.hour, first.minute, first.summer) == (2, 59, True)
    assert (second.hour, second.minute, second.summer) == (2, 0, False)


def test_l13_events_at_the_turn_of_the_year(rig):
    other = rig.master(group="other")
    set_clock(other, CP56Time2a(59_999, 59, 23, 31, 0, 12, 26))
    rig.set("door", 1)
    rig.advance(0.001)
    rig.set("door", 0)
    assert tags(rig.connect().start()) == [
        CP56Time2a(59_999, 59, 23, 31, 0, 12, 26),
        CP56Time2a(0, 0, 0, 1, 0, 1, 27),
    ]


# Remembered


def test_the_time_is_remembered_once_an_hour_while_it_is_known():
    rig = by_ntp()
    rig.advance(7200)
    assert synchronisation.last_told(rig.log.meta) == 0
    rig.clock.valid = True
    rig.advance(1)
    first = synchronisation.last_told(rig.log.meta)
    assert abs(first - rig.clock.wall(rig.clock.now_ns()).unix_ns) <= SECOND
    rig.advance(3602)
    assert (
        0
        <= rig.clock.wall(rig.clock.now_ns()).unix_ns - synchronisation.last_told(rig.log.meta)
        <= 3600 * SECOND
    )
    assert synchronisation.last_told(rig.log.meta) > first
