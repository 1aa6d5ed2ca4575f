"""The rows of the conformance checklist on commands, each from the octets of a master to the relay and back."""

import math

import pytest

from rtu.iec104.elements import BSI, DCO, NVA, QOS, R32, RCO, SCO, SVA
from rtu.outputs.request import Request

from .bay import (
    FAN,
    FREQUENCY,
    HORN,
    LAMP,
    POWER,
    Q0,
    Q1,
    SIREN,
    SPRING,
    TAP,
    VOLTAGE,
    WORD,
    answers,
    begin,
    energised,
    follow,
    line,
    refusals,
    start,
    tag,
)

OFF, ON = 1, 2
ACTCON, REFUSED, DEACTCON, ACTTERM, FAILED = (7, False), (7, True), (9, False), (10, False), (10, True)


@pytest.fixture
def bay(make_rig):
    return begin(make_rig)


@pytest.fixture
def master(bay):
    return start(bay)


def told(master):
    """Type, cause and P/N of everything that came."""
    return [(asdu.type_id, asdu.cause, asdu.negative) for asdu in master.take()]


def select_and_execute(master, value=ON):
    master.send(46, 6, Q0, DCO(value, select=True))
    master.send(46, 6, Q0, DCO(value))


@pytest.mark.parametrize(("state", "role"), [(True, "on"), (False, "off")])
def test_i01_a_direct_command_is_confirmed_then_return_information_then_termination(bay, master, state, role):
    bay.set("fan.running", not state)
    bay.settle()
    master.take()
    follow(bay, "fan.running", int(state))
    master.send(45, 6, FAN, SCO(state))
    bay.advance(1)
    assert told(master) == [(45, 7, False), (30, 11, False), (45, 10, False)]
    assert energised(bay) == [line(bay, "fan", role)]


@pytest.mark.parametrize(("state", "role"), [(OFF, "off"), (ON, "on")])
def test_i02_a_double_command_drives_the_coil_of_its_state(bay, master, state, role):
    bay.set("q1.position", 3 - state)
    bay.settle()
    master.take()
    follow(bay, "q1.position", state)
    master.send(46, 6, Q1, DCO(state))
    bay.advance(1)
    assert told(master) == [(46, 7, False), (31, 11, False), (46, 10, False)]
    assert energised(bay) == [line(bay, "q1.operate", role)]


@pytest.mark.parametrize("state", [0, 3])
@pytest.mark.parametrize(("ioa", "select"), [(Q1, False), (Q0, True), (Q0, False)])
def test_i03_states_that_are_not_permitted_are_refused(bay, master, state, ioa, select):
    master.send(46, 6, ioa, DCO(state, select=select))
    assert answers(master) == [REFUSED]
    assert energised(bay) == []


@pytest.mark.parametrize(("step", "role", "lands"), [(1, "lower", -1), (2, "higher", 1)])
def test_i04_a_step_command_moves_one_step(bay, master, step, role, lands):
    follow(bay, "tap", lands)
    master.send(47, 6, TAP, RCO(step))
    bay.advance(1)
    assert told(master) == [(47, 7, False), (32, 11, False), (47, 10, False)]
    assert energised(bay) == [line(bay, "tap.step", role)]


@pytest.mark.parametrize("step", [0, 3])
def test_i04_steps_that_are_not_permitted_are_refused(bay, master, step):
    master.send(47, 6, TAP, RCO(step))
    assert answers(master) == [REFUSED]
    assert energised(bay) == []


SET_POINTS = [
    (48, FREQUENCY, NVA(-16384), -50.0, [ACTCON, ACTTERM]),
    (49, VOLTAGE, SVA(-55), -5.5, [ACTCON]),  # ACTTERM of set-points is an option; this one does without
    (50, POWER, R32(49.5), 49.5, [ACTCON, ACTTERM]),
]


@pytest.mark.parametrize(("type_id", "ioa", "raw", "units", "verdicts"), SET_POINTS)
def test_i05_a_set_point_is_applied_in_engineering_units(bay, master, type_id, ioa, raw, units, verdicts):
    master.send(type_id, 6, ioa, raw, QOS(0))
    assert answers(master) == verdicts
    ((_, value),) = bay.relays.setpoints
    assert value == pytest.approx(units)


@pytest.mark.parametrize(
    ("type_id", "ioa", "raw"),
    [
        (48, FREQUENCY, "ffbf"),  # -0.50003
        (48, FREQUENCY, "0140"),  # +0.50003
        (49, VOLTAGE, "6500"),  # 101
        (49, VOLTAGE, "9bff"),  # -101
        (50, POWER, "0000c8c2"),  # -100
        (50, POWER, "0000ca42"),  # 101
        (50, POWER, "0000c07f"),  # not a number
        (50, POWER, "0000807f"),  # infinite
        (50, POWER, "000080ff"),
    ],
)
def test_i06_a_set_point_out_of_range_or_no_number_changes_nothing(bay, master, type_id, ioa, raw):
    header = bytes((type_id, 1, 6, 0, 1, 0)) + ioa.to_bytes(3, "little")
    master.send_octets(header + bytes.fromhex(raw) + b"\0")
    assert answers(master) == [REFUSED]
    assert bay.relays.setpoints == []


@pytest.mark.parametrize("word", [0, 0xA5F0, 0xFFFF])
def test_i07_a_bitstring_is_written_confirmed_and_terminated(bay, master, word):
    master.send(51, 6, WORD, BSI(word))
    assert answers(master) == [ACTCON, ACTTERM]
    assert [value for _, value in bay.relays.setpoints] == [word]


def test_i07_a_bitstring_beyond_its_limit_is_refused(bay, master):
    master.send(51, 6, WORD, BSI(0x10000))
    assert answers(master) == [REFUSED]
    assert bay.relays.setpoints == []


@pytest.mark.parametrize("type_id", [51, 64])
def test_i07_a_bitstring_cannot_be_deactivated(bay, master, type_id):
    master.send(type_id, 8, WORD, BSI(1), *([tag(bay)] if type_id == 64 else []))
    assert answers(master) == [(45, True)]
    assert bay.relays.setpoints == []


def test_i08_select_execute_return_information_termination(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True), originator=9)
    assert energised(bay) == []
    follow(bay, "q0.position", ON)
    master.send(46, 6, Q0, DCO(ON), originator=9)
    bay.advance(2)
    asdus = master.take()
    assert [(a.type_id, a.cause, a.negative) for a in asdus] == [
        (46, 7, False),
        (46, 7, False),
        (31, 11, False),
        (46, 10, False),
    ]
    assert {asdu.originator for asdu in asdus} == {9}
    assert [a.objects[0].elements[0].select for a in asdus if a.type_id == 46] == [True, False, False]
    assert energised(bay) == [line(bay, "q0.operate", "on")]


def test_i09_an_execute_without_select_is_refused(bay, master):
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [REFUSED]
    assert refusals(bay) == ["not selected"]
    assert energised(bay) == []


def test_i10_a_selection_ends_silently_after_its_time(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    master.take()
    bay.advance(10)
    assert master.take() == []
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [REFUSED]
    assert refusals(bay) == ["not executed within 10 s", "not selected"]
    assert energised(bay) == []


@pytest.mark.parametrize(
    ("type_id", "ioa", "elements"),
    [
        (46, Q0, (DCO(OFF),)),
        (46, Q0, (DCO(ON, qu=1),)),
        (45, SPRING, (SCO(True),)),
        (59, Q0, (DCO(ON), "now")),
    ],
)
def test_i11_an_execute_that_differs_cancels_the_selection(bay, master, type_id, ioa, elements):
    master.send(46, 6, Q0, DCO(ON, select=True))
    master.send(type_id, 6, ioa, *(tag(bay) if each == "now" else each for each in elements))
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [ACTCON, REFUSED, REFUSED]
    assert energised(bay) == []


def test_i12_a_selection_taken_back_cannot_be_executed(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    master.send(46, 8, Q0, DCO(ON, select=True))
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [ACTCON, DEACTCON, REFUSED]
    assert energised(bay) == []


def test_i13_a_second_select_is_refused_and_the_first_runs_on(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    bay.advance(6)
    master.send(46, 6, Q0, DCO(ON, select=True))
    assert answers(master) == [ACTCON, REFUSED]
    bay.advance(3.9)
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [ACTCON]
    assert energised(bay) == [line(bay, "q0.operate", "on")]


@pytest.mark.parametrize(
    ("type_id", "ioa", "elements"),
    [(45, HORN, (SCO(True, select=True),)), (50, POWER, (R32(1.0), QOS(0, select=True)))],
)
def test_i14_a_direct_command_cannot_be_selected(bay, master, type_id, ioa, elements):
    master.send(type_id, 6, ioa, *elements)
    assert answers(master) == [REFUSED]
    assert bay.relays.history == []
    assert bay.relays.setpoints == []


@pytest.mark.parametrize("group", ["main", "other"])
@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize("during_s", [0.1, 2.0])  # the pulse; waiting for the breaker
def test_i15_what_is_busy_takes_nothing_else(bay, master, group, select, during_s):
    second = master if group == "main" else start(bay, group=group)
    select_and_execute(master)
    bay.advance(during_s)
    answers(master)
    second.send(46, 6, Q0, DCO(OFF, select=select))
    second.send(45, 6, SPRING, SCO(True, select=select))
    assert answers(second) == [REFUSED, REFUSED]
    bay.advance(5)
    assert energised(bay) == [line(bay, "q0.operate", "on")]


@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize("ioa", [Q0, Q1])
def test_i16_in_local_mode_nothing_is_operated_from_afar(bay, master, ioa, select):
    bay.set("remote", 0)
    master.send(46, 6, ioa, DCO(ON, select=select))
    assert answers(master) == [REFUSED]
    assert energised(bay) == []


def test_i16_switching_to_local_ends_a_selection(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    bay.set("remote", 0)
    bay.set("remote", 1)
    master.send(46, 6, Q0, DCO(ON))
    assert answers(master) == [ACTCON, REFUSED]
    assert refusals(bay) == ["remote is not on, must be on", "not selected"]
    assert energised(bay) == []


class Silent:
    """An operator on site looks at the plant, not at telegrams."""

    def confirm(self, positive, reason):
        pass

    terminate = confirm

    def discard(self, reason):
        pass


def test_i17_what_was_operated_on_site_is_reported_with_cause_12(bay, master):
    follow(bay, "fan.running", 1)
    bay.outputs.request(Request("panel", "", 0, 45, 1, FAN, 1, 0, local=True), Silent())
    bay.advance(2)
    assert told(master) == [(30, 12, False)]


@pytest.mark.parametrize(("qu", "seconds"), [(0, 0.5), (1, 0.1), (2, 2.0)])
def test_i18_qu_chooses_the_pulse_and_the_termination_follows_its_end(bay, master, qu, seconds):
    master.send(45, 6, HORN, SCO(True, qu=qu))
    assert answers(master) == [ACTCON]
    bay.advance(seconds)
    assert answers(master) == []
    bay.advance(0.3)
    assert answers(master) == [ACTTERM]
    (on, off) = bay.relays.history
    assert (on[1:], off[1:]) == ((line(bay, "horn", "on"), 1), (line(bay, "horn", "on"), 0))
    assert math.isclose(off[0] - on[0], seconds, abs_tol=1e-6)


@pytest.mark.parametrize("qu", [0, 3])
def test_i18_a_latched_output_persists(bay, master, qu):
    master.send(45, 6, LAMP, SCO(True, qu=qu))
    assert answers(master) == [ACTCON, ACTTERM]
    bay.advance(5)
    assert bay.relays.levels[line(bay, "lamp", "on")] == 1
    master.send(45, 6, LAMP, SCO(False, qu=qu))
    assert answers(master) == [ACTCON, ACTTERM]
    assert bay.relays.levels[line(bay, "lamp", "on")] == 0


@pytest.mark.parametrize(("ioa", "qu"), [(HORN, 3), (LAMP, 1), (LAMP, 2)])
def test_i18_an_output_does_only_what_it_can(bay, master, ioa, qu):
    master.send(45, 6, ioa, SCO(True, qu=qu))
    assert answers(master) == [REFUSED]
    assert energised(bay) == []


@pytest.mark.parametrize("qu", range(4, 32))
def test_i19_reserved_qualifiers_of_commands_are_refused(bay, master, qu):
    master.send(45, 6, HORN, SCO(True, qu=qu))
    master.send(45, 6, LAMP, SCO(True, qu=qu))
    master.send(46, 6, Q0, DCO(ON, qu=qu, select=True))
    master.send(47, 6, TAP, RCO(2, qu=qu))
    assert answers(master) == [REFUSED] * 4
    assert energised(bay) == []


@pytest.mark.parametrize("ql", range(1, 128))
def test_i20_reserved_qualifiers_of_set_points_are_refused(bay, master, ql):
    master.send(48, 6, FREQUENCY, NVA(0), QOS(ql))
    master.send(49, 6, VOLTAGE, SVA(0), QOS(ql))
    master.send(50, 6, POWER, R32(0.0), QOS(ql))
    assert answers(master) == [REFUSED] * 3
    assert bay.relays.setpoints == []


def test_i21_a_command_of_now_operates_and_its_tag_comes_back(bay, master):
    now = tag(bay)
    master.send(58, 6, HORN, SCO(True), now)
    bay.advance(1)
    asdus = master.take()
    assert [(asdu.cause, asdu.negative) for asdu in asdus] == [ACTCON, ACTTERM]
    assert [asdu.objects[0].elements for asdu in asdus] == [(SCO(True), now)] * 2
    assert energised(bay) == [line(bay, "horn", "on")]


def test_a_command_that_comes_again_with_its_tag_operates_once(bay, master):
    first = tag(bay)
    master.send(58, 6, HORN, SCO(True), first)
    bay.advance(1)
    master.take()
    again = start(bay)  # another connection of the same control centre
    again.send(58, 6, HORN, SCO(True), first)
    assert answers(again) == [REFUSED]
    assert refusals(bay) == ["the same command with the same time tag was carried out already"]
    again.send(58, 6, HORN, SCO(True), tag(bay))
    bay.advance(1)
    assert energised(bay) == [line(bay, "horn", "on")] * 2


def test_neither_does_a_command_that_comes_again_after_others_of_its_object(bay, master):
    tags = []
    for _ in range(3):
        tags.append(tag(bay))
        master.send(58, 6, HORN, SCO(True), tags[-1])
        bay.advance(1)
    master.take()
    for each in tags:  # as somebody recorded them
        master.send(58, 6, HORN, SCO(True), each)
    assert answers(master) == [REFUSED] * 3
    assert energised(bay) == [line(bay, "horn", "on")] * 3


def test_i22_a_command_that_is_too_old_is_not_executed_and_not_answered(bay, master):
    master.send(58, 6, HORN, SCO(True), tag(bay, 11))
    bay.advance(1)
    assert master.take() == []
    assert energised(bay) == []
    assert refusals(bay) == ["its time tag is 11.0 s old"]
    assert bay.outputs.late == 1


def test_i22_where_masters_want_an_answer_it_is_negative(make_rig):
    bay = begin(make_rig, 'late_command = "refuse"')
    master = start(bay)
    late = tag(bay, 11)
    master.send(58, 6, HORN, SCO(True), late)
    (asdu,) = master.take()
    assert (asdu.cause, asdu.negative) == REFUSED
    assert asdu.objects[0].elements == (SCO(True), late)
    assert energised(bay) == []


def test_i22_the_greatest_delay_is_agreed(make_rig):
    bay = begin(make_rig, "max_command_age_s = 60")
    bay.advance(60)
    master = start(bay)
    master.send(58, 6, HORN, SCO(True), tag(bay, 61))
    assert answers(master) == []
    master.send(58, 6, HORN, SCO(True), tag(bay, 59))
    assert answers(master) == [ACTCON]


def test_i22_a_late_select_reserves_nothing_and_a_late_execute_uses_its_selection_up(bay, master):
    master.send(59, 6, Q0, DCO(ON, select=True), tag(bay, 11))
    master.send(59, 6, Q0, DCO(ON), tag(bay))
    assert answers(master) == [REFUSED]
    master.send(59, 6, Q0, DCO(ON, select=True), tag(bay))
    master.send(59, 6, Q0, DCO(ON), tag(bay, 11))
    assert answers(master) == [ACTCON]
    master.send(59, 6, Q0, DCO(ON), tag(bay))
    assert answers(master) == [REFUSED]
    assert energised(bay) == []


def test_i22_a_deactivation_is_never_too_late(bay, master):
    master.send(59, 6, Q0, DCO(ON, select=True), tag(bay))
    master.send(59, 8, Q0, DCO(ON, select=True), tag(bay, 3600))
    assert answers(master) == [ACTCON, DEACTCON]


def test_i23_a_command_of_the_future_is_not_executed(bay, master):
    master.send(58, 6, HORN, SCO(True), tag(bay, -11))
    assert master.take() == []
    assert energised(bay) == []
    assert refusals(bay) == ["its time tag is 11.0 s ahead"]


def test_i24_a_command_whose_time_is_invalid_is_not_executed(bay, master):
    master.send(58, 6, HORN, SCO(True), tag(bay, invalid=True))
    assert master.take() == []
    assert energised(bay) == []
    assert refusals(bay) == ["its time tag is marked invalid"]


def test_i24_nor_one_that_names_no_time(bay, master):
    header = bytes((58, 1, 6, 0, 1, 0)) + HORN.to_bytes(3, "little") + SCO(True).encode()
    master.send_octets(header + bytes.fromhex("60ea 00 00 01 01 1a"))  # 60000 ms in a minute
    master.send_octets(header + bytes.fromhex("0000 00 00 1e 02 1a"))  # the 30th of February
    assert master.take() == []
    assert master.closed is None
    assert energised(bay) == []
    assert bay.outputs.late == 2


def test_i24_nor_one_met_by_a_station_that_does_not_know_the_time(bay, master):
    bay.clock.valid = False
    master.send(58, 6, HORN, SCO(True), tag(bay))
    assert master.take() == []
    assert energised(bay) == []
    assert refusals(bay) == ["the clock of this station is not synchronised"]


# A type that no command of the station is given with is one that is not configured (44), of either family alike: its
# object is not looked for. An object that takes only the other family is no object of this type (47).

VALUES = {
    45: (SCO(True),),
    46: (DCO(ON),),
    47: (RCO(2),),
    48: (NVA(0), QOS(0)),
    49: (SVA(0), QOS(0)),
    51: (BSI(1),),
}
VALUES[50] = (R32(0.0), QOS(0))


@pytest.mark.parametrize("type_id", range(58, 65))
@pytest.mark.parametrize("ioa", [2000, 2100, 2500, 9999])
def test_i25_tagged_types_are_unknown_where_no_command_is_given_with_a_tag(rig, type_id, ioa):
    master = rig.master()
    elements = (*VALUES[type_id - 13], tag(rig))
    master.send(type_id, 6, ioa, *elements)
    (asdu,) = master.take()
    assert (asdu.type_id, asdu.cause, asdu.negative) == (type_id, 44, True)
    assert (asdu.objects[0].ioa, asdu.objects[0].elements) == (ioa, elements)
    assert rig.relays.history == []


@pytest.mark.parametrize(
    "type_id", [47, 48, 49, 51]
)  # the station has single and double commands, and a float
def test_i25_so_are_untagged_types_no_command_is_given_with(rig, type_id):
    master = rig.master()
    master.send(type_id, 6, 2000, *VALUES[type_id])
    assert answers(master) == [(44, True)]


def test_i25_an_object_takes_only_its_family_of_types(bay, master):
    master.send(58, 6, LAMP, SCO(True), tag(bay))
    master.send(45, 6, SIREN, SCO(True))
    assert answers(master) == [(47, True), (47, True)]
    master.send(45, 6, LAMP, SCO(True))
    master.send(58, 6, SIREN, SCO(True), tag(bay))
    assert answers(master) == [ACTCON, ACTTERM, ACTCON]
    assert energised(bay) == [line(bay, "lamp", "on"), line(bay, "siren", "on")]


def test_i26_an_output_that_does_not_reach_its_state_is_terminated_negatively(bay, master):
    select_and_execute(master)
    bay.advance(4.9)
    assert answers(master) == [ACTCON, ACTCON]
    bay.advance(0.2)
    assert answers(master) == [FAILED]
    (result,) = [record for record in bay.audit.records if record["event"] == "command.result"]
    assert (result["positive"], result["reason"]) == (False, "q0.position did not follow within 5 s")


TWINS = [
    (59, Q1, (DCO(ON),)),
    (60, TAP, (RCO(2),)),
    (61, FREQUENCY, (NVA(-16384), QOS(0))),
    (62, VOLTAGE, (SVA(-55), QOS(0))),
    (63, POWER, (R32(49.5), QOS(0))),
    (64, WORD, (BSI(0xA5F0),)),
]


@pytest.mark.parametrize(("type_id", "ioa", "elements"), TWINS)
def test_i27_a_tagged_type_does_what_its_untagged_twin_does(make_rig, type_id, ioa, elements):
    done = []
    for number in (type_id - 13, type_id):
        bay = begin(make_rig)
        master = start(bay)
        follow(bay, "q1.position", ON)
        follow(bay, "tap", 1)
        now = (tag(bay),) if number == type_id else ()
        master.send(number, 6, ioa, *elements, *now)
        bay.advance(2)
        asdus = [asdu for asdu in master.take() if asdu.type_id == number]
        assert [asdu.objects[0].elements for asdu in asdus] == [(*elements, *now)] * len(asdus)
        done.append(([(a.cause, a.negative) for a in asdus], energised(bay), bay.relays.setpoints))
    assert done[0] == done[1]
    assert done[0][0][0] == ACTCON
    assert done[0][1] or done[0][2]


def test_i28_a_pulse_ends_normally_without_its_connection_and_the_state_is_an_event(bay, master):
    select_and_execute(master)
    bay.advance(0.1)
    master.disconnect()
    follow(bay, "q0.position", ON)
    bay.advance(2)
    (on, off) = bay.relays.history
    assert math.isclose(off[0] - on[0], 0.5, abs_tol=1e-6)
    later = bay.connect().start()
    assert (31, 11) in [(asdu.type_id, asdu.cause) for asdu in later.take()]
    assert bay.audit.records[-1]["positive"] is True


def test_c06_a_discarded_command_is_acknowledged_within_t2(bay):
    master = start(bay)
    session, link = master.session, master.link
    link.send(late_horn(bay), bay.now)
    session.receive(link.data_to_send(bay.now), bay.now)
    assert session.data_to_send(bay.now) == b""
    session.on_timer(bay.now + 9.9)
    assert session.data_to_send(bay.now + 9.9) == b""
    session.on_timer(bay.now + 10)
    assert session.data_to_send(bay.now + 10) == acknowledgement(link.sent)


def test_c07_the_first_of_two_discarded_commands_starts_t2(bay):
    master = start(bay)
    session, link, now = master.session, master.link, bay.now
    for at in (now, now + 8):
        link.send(late_horn(bay), at)
        session.receive(link.data_to_send(at), at)
    session.on_timer(now + 10)
    assert session.data_to_send(now + 10) == acknowledgement(link.sent)


def test_d10_nobody_executes_the_selection_of_another_connection(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    second = start(bay, group="other")
    second.send(46, 6, Q0, DCO(ON))
    assert answers(second) == [REFUSED]
    assert energised(bay) == []


def test_d10_not_even_the_connection_that_takes_over(bay, master):
    master.send(46, 6, Q0, DCO(ON, select=True))
    second = start(bay)
    second.send(46, 6, Q0, DCO(ON))
    assert answers(second) == [REFUSED]
    assert energised(bay) == []


def test_d11_a_connection_that_takes_over_hears_of_the_state_but_not_of_the_termination(bay, master):
    select_and_execute(master)
    bay.advance(0.1)
    second = start(bay)
    bay.set("q0.position", ON)
    bay.advance(2)
    assert told(second) == [(31, 11, False)]


def late_horn(bay):
    octets = bytes((58, 1, 6, 0, 1, 0)) + HORN.to_bytes(3, "little")
    return octets + SCO(True).encode() + tag(bay, 60).encode()


def acknowledgement(received):
    return b"\x68\x04\x01\x00" + (received << 1).to_bytes(2, "little")
