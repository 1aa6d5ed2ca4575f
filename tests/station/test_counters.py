"""Counter interrogation and the four modes of integrated totals (checklist G)."""

import pytest

from rtu.clock import SECOND, VirtualClock
from rtu.events.journal import Volatile
from rtu.events.rows import Restored
from rtu.events.store import Store
from rtu.iec104.elements import BCR, QCC, QOI, SIQ
from rtu.points.counter import ADJUSTED, Counter
from rtu.station.freezing import ClockFreezes

HOUR = 3600

FOUR_MODES = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[[point]]
name = "door"
type = "single"
address = [ { ioa = 100 } ]
[[point]]
name = "a"
type = "counter"
freeze = { by = "clock", every_s = 900, tell = true }
address = [ { ioa = 801, group = 1 } ]
[[point]]
name = "b"
type = "counter"
freeze = { by = "clock", every_s = 900, reset = true }
address = [ { ioa = 802, group = 2 } ]
[[point]]
name = "c"
type = "counter"
address = [ { ioa = 803, group = 3 } ]
[[point]]
name = "d"
type = "counter"
freeze = { tell = true }
address = [ { ioa = 804, group = 4 }, { ca = 2, ioa = 804, time_tag = false } ]
"""


def one_counter(freeze):
    return f"""
format = 1
[station]
name = "Feeder 12"
common_address = 1
[[point]]
name = "energy"
type = "counter"
freeze = {freeze}
address = [ {{ ioa = 800 }} ]
"""


@pytest.fixture
def modes(make_rig):
    return make_rig(FOUR_MODES)


def read(master, rqt=5):
    master.send(101, 6, 0, QCC(rqt))
    asdus = master.take()
    assert [asdus[0].cause, asdus[-1].cause] == [7, 10]
    return [(a.type_id, a.cause, o.ioa, o.elements[0]) for a in asdus[1:-1] for o in a.objects]


def ask(master, rqt, frz):
    master.send(101, 6, 0, QCC(rqt, frz))
    return [(a.type_id, a.cause, a.negative) for a in master.take()]


def told(master):
    """The totals that came by themselves: type, object, total, and the time of their tag."""
    return [
        (a.type_id, a.ca, o.ioa, o.elements[0], *(str(t.hour) + f":{t.minute:02}" for t in o.elements[1:]))
        for a in master.take()
        if a.cause == 3
        for o in a.objects
    ]


def wait(rig, seconds):
    rig.clock.advance(seconds)
    rig.settle()


def restarted(rig, text):
    """The same station after a power cut, its counters not yet read."""
    store = Volatile()
    store.restored = Restored(counters=dict(rig.log.counters), meta=dict(rig.log.meta))
    again = type(rig)(text, store=store)
    again.clock.offset_ns += rig.clock.now_ns() - again.clock.now_ns()
    return again


def test_g01_what_is_read_is_the_frozen_total_not_the_running_one(rig):
    master = rig.master()
    rig.set("energy", 500)
    assert [entry[:3] for entry in read(master)] == [(37, 37, 800)]
    assert read(master)[0][3].count == 0


@pytest.mark.parametrize("group", [1, 2, 3, 4])
def test_g02_a_group_answers_with_its_own_cause_and_members(modes, group):
    assert [entry[:3] for entry in read(modes.master(), group)] == [(37, 37 + group, 800 + group)]


def test_g03_a_freeze_by_the_master_keeps_the_value_of_its_instant(rig):
    master = rig.master()
    rig.set("energy", 500)
    assert ask(master, 5, 1) == [(101, 7, False), (101, 10, False)]
    rig.set("energy", 700)
    assert read(master) == [(37, 37, 800, BCR(500, 1))]


def test_g03_the_time_tag_is_that_of_the_freeze(rig):
    master = rig.master()
    wait(rig, 90)
    ask(master, 5, 1)
    wait(rig, 90)
    master.send(101, 6, 0, QCC(5))
    (time,) = [a.objects[0].elements[1] for a in master.take() if a.type_id == 37]
    assert (time.hour, time.minute, time.ms, time.invalid) == (12, 1, 30_000, False)


def test_g04_freeze_with_reset_starts_the_count_anew_in_its_group_only(modes):
    master = modes.master()
    for name in ("c", "d"):
        modes.set(name, 500)
    ask(master, 3, 2)
    for name in ("c", "d"):
        modes.set(name, 530)
    assert read(master, 3) == [(37, 40, 803, BCR(500, 1))]
    ask(master, 3, 1)
    ask(master, 4, 1)
    assert [entry[3].count for entry in read(master, 3) + read(master, 4)] == [30, 530]


def test_g05_a_reset_keeps_the_frozen_total_and_the_sequence_number(rig):
    master = rig.master()
    rig.set("energy", 600)
    ask(master, 5, 1)
    ask(master, 5, 3)
    assert read(master) == [(37, 37, 800, BCR(600, 1))]
    rig.set("energy", 601)
    ask(master, 5, 1)
    assert read(master) == [(37, 37, 800, BCR(1, 2))]


def test_g06_a_counter_of_mode_a_is_told_when_the_clock_freezes_it(modes):
    master = modes.master()
    modes.set("a", 40)
    wait(modes, 899)
    assert told(master) == []
    wait(modes, 1)
    assert told(master) == [(37, 1, 801, BCR(40, 1), "12:15")]
    modes.set("a", 55)
    wait(modes, 900)
    assert told(master) == [(37, 1, 801, BCR(55, 2), "12:30")]
    assert read(master, 1) == [(37, 38, 801, BCR(55, 2))]


def test_g06_a_total_that_nobody_could_be_told_waits_in_the_log(modes):
    for total in (10, 20, 30):
        modes.set("a", total)
        wait(modes, 900)
    master = modes.connect().start()
    assert [(entry[3], entry[4]) for entry in told(master)] == [
        (BCR(10, 1), "12:15"),
        (BCR(20, 2), "12:30"),
        (BCR(30, 3), "12:45"),
    ]


def test_g06_without_a_synchronised_clock_it_is_frozen_all_the_same_and_the_tag_says_so(modes):
    master = modes.master()
    modes.clock.valid = False
    wait(modes, 900)
    (asdu,) = master.take()
    assert asdu.objects[0].elements[1].invalid
    assert not asdu.objects[0].elements[0].invalid


def test_a_counter_of_mode_b_is_frozen_by_the_clock_and_told_when_asked_for(modes):
    master = modes.master()
    modes.set("b", 40)
    wait(modes, 900)
    modes.set("b", 47)
    assert 802 not in {entry[2] for entry in told(master)}
    assert read(master, 2) == [(37, 39, 802, BCR(40, 1))]
    wait(modes, 900)
    assert 802 not in {entry[2] for entry in told(master)}
    assert read(master, 2) == [(37, 39, 802, BCR(7, 2))]  # it starts from 0 at each freeze


@pytest.mark.parametrize("frz", [1, 2])
def test_g07_a_counter_of_mode_d_is_told_after_the_confirmation(modes, frz):
    master = modes.master()
    modes.set("d", 12)
    master.send(101, 6, 0, QCC(4, frz))
    asdus = master.take()
    assert (asdus[0].type_id, asdus[0].cause) == (101, 7)
    assert {(a.type_id, a.cause) for a in asdus[1:]} == {(101, 10), (37, 3), (15, 3)}
    assert [o.elements[0] for a in asdus if a.cause == 3 for o in a.objects] == [BCR(12, 1), BCR(12, 1)]


def test_g07_a_reset_alone_tells_nothing(modes):
    assert ask(modes.master(), 4, 3) == [(101, 7, False), (101, 10, False)]


def test_g07_every_group_is_told(modes):
    main, other = modes.master(), modes.master(group="other")
    ask(main, 4, 1)
    assert [entry[:3] for entry in told(other)] == [(37, 1, 804), (15, 2, 804)]


@pytest.mark.parametrize("frz", [1, 2, 3])
@pytest.mark.parametrize("group", [1, 2])
def test_what_the_clock_freezes_is_not_the_masters(modes, group, frz):
    master = modes.master()
    modes.set("a", 9)
    assert ask(master, group, frz) == [(101, 7, True)]
    assert read(master, 1)[0][3].sequence == 0


def test_a_general_freeze_takes_only_the_masters_own(modes):
    master = modes.master()
    assert ask(master, 5, 1)[0] == (101, 7, False)
    master.take()
    assert [entry[3].sequence for entry in read(master)] == [0, 0, 1, 1]


@pytest.mark.parametrize("frz", [0, 1, 2, 3])
@pytest.mark.parametrize("rqt", [0, 2, 6, 63])
def test_g08_groups_that_do_not_exist_are_refused(rig, rqt, frz):
    assert ask(rig.master(), rqt, frz) == [(101, 7, True)]


def test_g09_a_total_that_wrapped_says_so_once(rig):
    master = rig.master()
    rig.set("energy", 2**31 + 5)
    ask(master, 5, 1)
    assert read(master) == [(37, 37, 800, BCR(-(2**31) + 5, 1, carry=True))]
    assert read(master) == [(37, 37, 800, BCR(-(2**31) + 5, 1, carry=True))]
    ask(master, 5, 1)
    assert read(master) == [(37, 37, 800, BCR(-(2**31) + 5, 2))]


def test_g10_a_total_that_was_adjusted_says_so_once(rig):
    master = rig.master()
    device = Counter(lambda value: rig.table.update(rig.table.index("energy"), value))
    for counted in (70, 3, 4):
        device.total(counted, rig.clock.now_ns())
    ask(master, 5, 1)
    assert read(master) == [(37, 37, 800, BCR(74, 1, adjusted=True))]
    ask(master, 5, 1)
    assert read(master) == [(37, 37, 800, BCR(74, 2))]


def test_g10_what_was_counted_while_the_station_was_down_is_unknown(modes):
    modes.set("c", 50)
    ask(modes.master(), 3, 1)
    again = restarted(modes, FOUR_MODES)
    again.set("c", 50)
    again.table.finish_start()
    master = again.master()
    assert read(master, 3) == [(37, 40, 803, BCR(50, 1))]  # frozen before
    ask(master, 3, 1)
    assert read(master, 3) == [(37, 40, 803, BCR(50, 2, adjusted=True))]


def test_g10_an_adjustment_that_no_freeze_told_yet_survives_a_power_cut(modes):
    modes.set("c", 50, ADJUSTED)
    once = restarted(modes, FOUR_MODES)
    again = restarted(once, FOUR_MODES)
    again.set("c", 50)
    master = again.master()
    ask(master, 3, 1)
    assert read(master, 3)[0][3].adjusted


def test_g11_a_counter_that_cannot_be_read_is_invalid(rig):
    master = rig.master()
    rig.set("energy", 7, 0x80)
    ask(master, 5, 1)
    assert read(master)[0][3] == BCR(7, 1, invalid=True)


def test_g11_a_counter_that_was_never_frozen_is_invalid(rig):
    assert read(rig.master())[0][3] == BCR(0, 0, invalid=True)


def test_g12_after_33_freezes_the_sequence_number_went_from_31_to_0(rig):
    master = rig.master()
    seen = []
    for _ in range(33):
        ask(master, 5, 1)
        seen.append(read(master)[0][3].sequence)
    assert seen == [*range(1, 32), 0, 1]


def test_g13_counters_are_not_part_of_an_interrogation(modes):
    master = modes.master()
    for qoi in (20, 21):
        master.send(100, 6, 0, QOI(qoi))
    assert not {15, 37} & {asdu.type_id for asdu in master.take()}


def test_a_frozen_total_survives_a_power_cut(modes):
    modes.set("a", 50)
    wait(modes, 900)
    again = restarted(modes, FOUR_MODES)
    again.set("a", 50)
    assert read(again.master(), 1) == [(37, 38, 801, BCR(50, 1))]


def test_an_instant_the_station_was_off_at_is_not_made_up_for(modes):
    modes.set("a", 50)
    again = restarted(modes, FOUR_MODES)
    again.clock.offset_ns += 2 * HOUR * SECOND
    again.set("a", 50)
    again.table.finish_start()
    ClockFreezes(again.station)
    master = again.master()
    wait(again, 899)
    assert told(master) == []
    wait(again, 1)
    assert [(entry[3], entry[4]) for entry in told(master)] == [(BCR(50, 1, adjusted=True), "14:15")]


def test_a_frozen_total_and_its_event_are_on_the_disk_together(modes, tmp_path):
    once = type(modes)(FOUR_MODES, store=Store.open(tmp_path, VirtualClock()))
    once.begin()
    once.set("a", 50)
    wait(once, 900)
    once.log.close()
    again = type(modes)(FOUR_MODES, store=Store.open(tmp_path, VirtualClock()))
    again.set("a", 50)
    master = again.connect().start()
    assert told(master) == [(37, 1, 801, BCR(50, 1), "12:15")]
    assert read(master, 1) == [(37, 38, 801, BCR(50, 1))]
    again.log.close()


def test_a_stored_total_of_another_version_is_as_if_never_frozen(modes):
    store = Volatile()
    store.restored = Restored(meta={"frozen.c": '{"total": "many"}', "frozen.d": "not json"})
    again = type(modes)(FOUR_MODES, store=store)
    master = again.master()
    assert [entry[3] for entry in read(master, 3) + read(master, 4)] == [BCR(0, 0, invalid=True)] * 2


def test_a_step_of_the_clock_over_several_instants_freezes_once(modes):
    master = modes.master()
    wait(modes, 600)
    modes.clock.offset_ns += 5 * HOUR * SECOND
    wait(modes, 1)
    assert [entry[4] for entry in told(master)] == ["17:10"]
    wait(modes, 300)
    assert [entry[4] for entry in told(master)] == ["17:15"]


def test_a_step_back_over_an_instant_does_not_use_it_twice(modes):
    master = modes.master()
    wait(modes, 905)
    assert [entry[4] for entry in told(master)] == ["12:15"]
    modes.clock.offset_ns -= 60 * SECOND
    wait(modes, 600)
    assert told(master) == []
    wait(modes, 360)
    assert [entry[4] for entry in told(master)] == ["12:30"]


def test_after_a_long_step_back_the_right_clock_counts(modes):
    master = modes.master()
    wait(modes, 960)
    told(master)
    modes.clock.offset_ns -= 10 * HOUR * SECOND
    wait(modes, 10)
    assert told(master) == []
    wait(modes, 900)
    assert [entry[4] for entry in told(master)] == ["2:30"]


@pytest.mark.parametrize(
    ("every_s", "hours"),
    [(86_400, {0}), (21_600, {0, 6, 12, 18}), (18_000, {0, 5, 10, 15, 20}), (3600, set(range(24)))],
)
def test_the_instants_are_multiples_of_the_period_since_midnight(make_rig, every_s, hours):
    rig = make_rig(one_counter(f'{{ by = "clock", every_s = {every_s}, tell = true }}'))
    master = rig.master()
    wait(rig, 24 * HOUR)
    times = [entry[4] for entry in told(master)]
    assert len(times) == len(hours)
    assert set(times) == {f"{hour}:00" for hour in hours}


SPRING = 1_774_746_000  # 2026-03-29 01:00 UTC: after 01:59 CET comes 03:00 CEST
AUTUMN = 1_792_890_000  # 2026-10-25 01:00 UTC: after 02:59 CEST comes 02:00 CET


@pytest.mark.parametrize(
    ("every_s", "change", "hours"),
    [
        (900, SPRING, [n / 4 for n in range(-3, 13)]),
        (3600, SPRING, [0, 1, 2, 3]),
        (7200, SPRING, [1, 3]),  # 04:00, 06:00; there is no 02:00
        (86_400, SPRING, []),
        (900, AUTUMN, [n / 4 for n in range(-3, 13)]),
        (3600, AUTUMN, [0, 1, 2, 3]),
        (7200, AUTUMN, [0, 2]),  # 02:00 CET, 04:00; it was 02:00 CEST at the start
        (86_400, AUTUMN, []),
    ],
)
def test_l12_the_hour_of_a_change_of_the_clock_is_a_time_like_any_other(rig, every_s, change, hours):
    again = type(rig)(
        one_counter(f'{{ by = "clock", every_s = {every_s} }}') + '[clock]\nzone = "Europe/Berlin"\n'
    )
    again.clock.offset_ns = (change - HOUR) * SECOND - again.clock.now_ns()
    again.begin()
    master = again.master()
    seen = []
    for quarter in range(-3, 13):
        wait(again, 900)
        if read(master)[0][3].sequence == (len(seen) + 1) % 32:
            seen.append(quarter / 4)
    assert seen == hours


def test_a_freeze_and_a_read_in_one_segment_are_both_served(rig):
    master = rig.master()
    rig.set("energy", 500)
    master.send_together(101, 6, 0, QCC(5, 1))
    master.send_together(101, 6, 0, QCC(5))
    rig.settle()
    asdus = master.take()
    assert [(a.type_id, a.cause, a.negative) for a in asdus if a.type_id == 101] == [
        (101, 7, False),
        (101, 10, False),
        (101, 7, False),
        (101, 10, False),
    ]
    assert [o.elements[0] for a in asdus if a.type_id == 37 for o in a.objects] == [BCR(500, 1)]


def test_a_read_total_never_goes_back_behind_a_told_one(make_rig):
    rig = make_rig(FOUR_MODES, k=1)
    master = rig.master()
    master.acknowledging = False
    rig.set("door", 1)
    rig.settle()  # the window is full
    rig.set("d", 1)
    rig.station.totals.freeze([rig.table.index("d")], 1)
    master.send(101, 6, 0, QCC(4))
    rig.set("d", 2)
    rig.station.totals.freeze([rig.table.index("d")], 1)
    master.acknowledging = True
    rig.settle()
    asdus = master.take()
    assert [o.elements[0] for a in asdus for o in a.objects if o.ioa == 100] == [SIQ(True)]
    sequence = [o.elements[0].sequence for a in asdus for o in a.objects if (a.ca, o.ioa) == (1, 804)]
    assert sequence == sorted(sequence)
    assert len(sequence) == 3


def test_many_totals_share_asdus(make_rig):
    points = "".join(
        f'[[point]]\nname = "e{n}"\ntype = "counter"\naddress = [ {{ ioa = {n} }} ]\n' for n in range(1, 41)
    )
    rig = make_rig('format = 1\n[station]\nname = "s"\ncommon_address = 1\n' + points)
    master = rig.master()
    master.send(101, 6, 0, QCC(5))
    assert [len(a.objects) for a in master.take() if a.type_id == 37] == [16, 16, 8]


def test_a_test_freezes_nothing(rig):
    master = rig.master()
    rig.set("energy", 500)
    master.send(101, 6, 0, QCC(5, 2), test=True)
    assert [(a.cause, a.test, a.negative) for a in master.take()] == [(7, True, False), (10, True, False)]
    assert read(master)[0][3].sequence == 0


def test_a_counter_is_never_told_by_itself(rig):
    master = rig.master()
    for n in range(5):
        rig.set("energy", n)
    rig.settle()
    assert master.take() == []


def test_a_viewer_may_read_but_not_freeze(rig):
    viewer = rig.master(role="viewer")
    viewer.send(101, 6, 0, QCC(5, 1))
    (answer,) = viewer.take()
    assert (answer.cause, answer.negative) == (7, True)
    assert [entry[:3] for entry in read(viewer)] == [(37, 37, 800)]
