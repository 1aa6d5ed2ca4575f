"""Commands from the octets to the relay and back (checklist I)."""

import math

import pytest

from rtu.iec104.elements import DCO, QOS, R32, SCO


def causes(master, type_id):
    return [(asdu.cause, asdu.negative) for asdu in master.take() if asdu.type_id == type_id]


def travel(rig, *, to, after):
    """The breaker answers: in between, then in its new position."""
    now = rig.clock.now_ns()
    rig.clock.call_at(now + round(after * 1e9), lambda: rig.set("q0.position", to))


def test_I01_confirmed_when_switched_terminated_when_the_pulse_is_over(rig):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True), originator=3)
    assert causes(master, 45) == [(7, False)]
    assert rig.relays.levels[0] == 1
    rig.advance(2)
    assert causes(master, 45) == [(10, False)]
    (on, off) = rig.relays.history
    assert (on[1:], off[1:]) == ((0, 1), (0, 0))
    assert math.isclose(off[0] - on[0], 0.5, abs_tol=1e-6)


def test_I08_select_execute_return_information_termination_in_that_order(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True), originator=5)
    assert causes(master, 46) == [(7, False)]
    assert rig.relays.history == []
    travel(rig, to=2, after=0.1)
    master.send(46, 6, 2100, DCO(2), originator=5)
    rig.advance(3)
    asdus = [asdu for asdu in master.take() if asdu.type_id in (31, 46)]
    assert [(a.type_id, a.cause, a.negative, a.originator) for a in asdus] == [
        (46, 7, False, 5),
        (31, 11, False, 5),
        (46, 10, False, 5),
    ]
    assert [entry[1:] for entry in rig.relays.history] == [(2, 1), (2, 0)]
    rig.set("q0.position", 1)
    rig.settle()
    assert [(a.type_id, a.cause) for a in master.take()] == [(31, 3)]


def test_a_termination_never_overtakes_the_return_information_it_follows(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True))
    master.send(46, 6, 2100, DCO(2))
    rig.advance(2)
    master.take()
    rig.set("door", 1)
    rig.set("q0.position", 2)  # the feedback and, in the same instant, the termination
    rig.settle()
    told = [(a.type_id, a.cause) for a in master.take() if a.ca == 1]
    assert told[-2:] == [(31, 11), (46, 10)]
    assert (30, 3) in told[:-2]


def test_the_other_group_hears_of_it_without_the_originator(rig):
    other = rig.master(group="other")
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True), originator=5)
    travel(rig, to=2, after=0.1)
    master.send(46, 6, 2100, DCO(2), originator=5)
    rig.advance(3)
    assert [(a.type_id, a.cause, a.originator) for a in other.take()] == [(31, 11, 0)]


def test_I09_execute_without_select(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2))
    assert causes(master, 46) == [(7, True)]
    assert rig.relays.history == []


def test_I10_a_selection_lasts_only_so_long(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True))
    rig.advance(10.1)
    master.send(46, 6, 2100, DCO(2))
    assert causes(master, 46) == [(7, False), (7, True)]
    assert rig.relays.history == []


def test_I12_a_selection_taken_back(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True))
    master.send(46, 8, 2100, DCO(2, select=True))
    master.send(46, 6, 2100, DCO(2))
    assert causes(master, 46) == [(7, False), (9, False), (7, True)]
    assert rig.relays.history == []


def test_I14_a_direct_command_cannot_be_selected(rig):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True, select=True))
    assert causes(master, 45) == [(7, True)]


@pytest.mark.parametrize("dcs", [0, 3])
def test_I03_states_that_are_not_permitted(rig, dcs):
    master = rig.master()
    master.send(46, 6, 2100, DCO(dcs, select=True))
    assert causes(master, 46) == [(7, True)]


def test_I05_a_set_point_is_written_confirmed_and_terminated(rig):
    master = rig.master()
    master.send(50, 6, 2500, R32(49.5), QOS(0))
    assert rig.relays.setpoints == [(0, 49.5)]
    assert causes(master, 50) == [(7, False), (10, False)]


@pytest.mark.parametrize("octets", ["0000c8c2", "00000243", "0000c07f", "0000807f"])
def test_I06_a_set_point_out_of_range_or_no_number_is_refused(rig, octets):
    master = rig.master()
    master.send_octets(bytes.fromhex("320106000100c40900" + octets + "00"))
    assert causes(master, 50) == [(7, True)]
    assert rig.relays.setpoints == []


def test_D10_a_selection_belongs_to_its_connection(rig):
    first = rig.master()
    first.send(46, 6, 2100, DCO(2, select=True))
    second = rig.connect(group="other").start()
    second.send(46, 6, 2100, DCO(2))
    assert causes(second, 46) == [(7, True)]
    first.disconnect()
    third = rig.connect().start()
    third.send(46, 6, 2100, DCO(2))
    assert causes(third, 46) == [(7, True)]
    assert rig.relays.history == []


def test_I26_a_breaker_that_does_not_move_ends_in_a_negative_termination(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True))
    master.send(46, 6, 2100, DCO(2))
    rig.advance(6)
    assert causes(master, 46) == [(7, False), (7, False), (10, True)]


def test_a_relay_that_fails_is_no_success(rig):
    master = rig.master()
    rig.relays.fault = "line 3 does not answer"
    master.send(45, 6, 2000, SCO(True))
    rig.advance(5)
    assert causes(master, 45) == [(7, True)]


def test_I28_a_pulse_ends_though_its_connection_is_gone(rig):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True))
    master.disconnect()
    rig.advance(2)
    assert [entry[1:] for entry in rig.relays.history] == [(0, 1), (0, 0)]


def test_a_command_in_the_segment_of_a_stop_operates_nothing(rig):
    master = rig.master()
    master.link.send(bytes.fromhex("2d0106000100d0070001"), rig.now)
    master.link.stop(rig.now)
    rig.settle()
    rig.advance(5)
    assert rig.relays.history == []


def test_a_command_in_the_segment_of_a_violation_operates_nothing(rig):
    master = rig.master()
    master.link.send(bytes.fromhex("2d0106000100d0070001"), rig.now)
    master.session.receive(master.link.data_to_send(rig.now) + b"\x69", rig.now)
    rig.advance(5)
    assert master.session.closed_reason
    assert rig.relays.history == []


def test_no_relay_moves_before_its_audit_record(rig):
    master = rig.master()
    before = []
    record = rig.audit.record

    def looking(event, **fields):
        before.append((event, len(rig.relays.history)))
        return record(event, **fields)

    rig.audit.record = looking
    master.send(45, 6, 2000, SCO(True))
    assert ("command.execute", 0) in before


def test_a_command_in_the_segment_of_a_stop_and_a_new_start_operates_nothing(rig):
    master = rig.master()
    master.link.send(bytes.fromhex("2d0106000100d0070001"), rig.now)
    stop_and_start = bytes.fromhex("680413000000 680407000000")
    master.session.receive(master.link.data_to_send(rig.now) + stop_and_start, rig.now)
    rig.advance(5)
    assert master.session.started
    assert rig.relays.history == []


def test_what_cannot_be_put_on_record_is_not_done(rig):
    master = rig.master()
    rig.audit.record = lambda event, **fields: False
    master.send(45, 6, 2000, SCO(True))
    rig.advance(2)
    assert causes(master, 45) == [(7, True)]
    assert rig.relays.history == []
