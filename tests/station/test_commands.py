"""Commands from the octets to the relay and back: order, records, and what comes in one segment with them."""

from rtu.iec104.elements import DCO, SCO


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
