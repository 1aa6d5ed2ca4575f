"""Commands from the octets to the relay and back: order, records, and what comes in one segment with them."""

from rtu.clock import SECOND
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.elements import DCO, SCO, CP56Time2a

from .conftest import STATION, Rig

STOPDT_ACT, STARTDT_ACT = bytes.fromhex("680413000000"), bytes.fromhex("680407000000")


def causes(master, type_id):
    return [(asdu.cause, asdu.negative) for asdu in master.take() if asdu.type_id == type_id]


def travel(rig, *, to, after):
    """The breaker answers: in between, then in its new position."""
    now = rig.clock.now_ns()
    rig.clock.call_at(now + round(after * 1e9), lambda: rig.set("q0.position", to))


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


def test_a_relay_that_fails_is_no_success(rig):
    master = rig.master()
    rig.relays.fault = "line 3 does not answer"
    master.send(45, 6, 2000, SCO(True))
    rig.advance(5)
    assert causes(master, 45) == [(7, True)]


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
    master.session.receive(master.link.data_to_send(rig.now) + STOPDT_ACT + STARTDT_ACT, rig.now)
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


def test_a_stop_ends_a_selection_at_once_though_it_is_not_confirmed_yet(rig):
    master = rig.master()
    master.send(46, 6, 2100, DCO(2, select=True))
    rig.set("door", 1)
    master.session.data_to_send(rig.now)  # an event on its way that is not acknowledged
    master.session.receive(STOPDT_ACT, rig.now)
    master.session.receive(STARTDT_ACT, rig.now)
    execute = ASDU(46, 6, 1, (InformationObject(2100, (DCO(2),)),)).encode()
    master.link.send(execute, rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    rig.advance(5)
    assert master.session.started
    assert rig.relays.history == []
    assert "command.cancel" in rig.audit.events()


def test_a_command_in_the_segment_of_an_unconfirmed_stop_and_a_new_start_operates_nothing(rig):
    master = rig.master()
    rig.set("door", 1)
    master.session.data_to_send(rig.now)
    master.link.send(bytes.fromhex("2d0106000100d0070001"), rig.now)
    master.session.receive(master.link.data_to_send(rig.now) + STOPDT_ACT + STARTDT_ACT, rig.now)
    rig.advance(5)
    assert master.session.started
    assert rig.relays.history == []


TAGGED = STATION.replace('name = "lamp"\n', 'name = "lamp"\ntime_tag = "yes"\n').replace(
    "[device.field]", '[clock]\nsource = "master"\n[device.field]'
)
NOON = CP56Time2a(0, 0, 12, 15, 0, 7, 26)


def at(seconds):
    return CP56Time2a.from_ns(NOON.to_ns() + seconds * SECOND)


def test_a_clock_command_does_not_freshen_the_command_that_waited_on_its_way_with_it():
    rig = Rig(TAGGED).begin()
    master = rig.master()
    master.send(103, 6, 0, NOON)
    rig.advance(25)
    master.send_together(103, 6, 0, at(5))  # twenty seconds on their way
    master.send_together(58, 6, 2000, SCO(True), at(6))
    rig.settle()
    rig.advance(1)
    assert rig.relays.history == []
    assert rig.outputs.late == 1


def test_after_a_clock_command_that_put_the_clock_right_commands_are_fresh_by_it():
    rig = Rig(TAGGED).begin()
    master = rig.master()
    master.send(103, 6, 0, NOON)  # a first one is believed: there was no time before
    master.send(58, 6, 2000, SCO(True), at(0))
    rig.advance(1)
    master.send(103, 6, 0, at(3601))  # it was an hour behind
    rig.advance(9.9)
    master.send(58, 6, 2000, SCO(True), at(3610))
    assert rig.outputs.late == 1
    rig.advance(0.2)
    master.send(58, 6, 2000, SCO(True), at(3611))
    rig.advance(1)
    assert rig.outputs.late == 1
    assert len(rig.relays.history) == 4


def test_a_clock_command_that_hardly_moves_the_clock_delays_nothing():
    rig = Rig(TAGGED).begin()
    master = rig.master()
    for second in range(0, 60, 5):
        master.send(103, 6, 0, at(second))
        master.send(58, 6, 2000, SCO(True), at(second))
        rig.advance(5.001)
    assert rig.outputs.late == 0
    assert len(rig.relays.history) == 24
