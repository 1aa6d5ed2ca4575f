"""End of initialisation: first, once per start, common address and group, never twice once acknowledged."""

from rtu.iec104.elements import COI


def test_H16_the_end_of_initialisation_comes_first_and_once_per_common_address(rig):
    rig.set("door", 1)
    master = rig.connect().start()
    first, second, *rest = master.take()
    assert [(a.type_id, a.cause, a.ca, a.objects[0].ioa) for a in (first, second)] == [
        (70, 4, 1, 0),
        (70, 4, 2, 0),
    ]
    assert first.objects[0].elements == (COI(0),)
    assert 70 not in {asdu.type_id for asdu in rest}


def test_H17_a_reconnection_brings_no_second_one(rig):
    rig.master().disconnect()
    assert 70 not in {asdu.type_id for asdu in rig.connect().start().take()}


def test_one_that_was_not_acknowledged_is_sent_again(rig):
    master = rig.connect()
    master.acknowledging = False
    master.link.start(rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    rig.settle()
    assert 70 in {asdu.type_id for asdu in master.take()}
    master.disconnect()
    assert 70 in {asdu.type_id for asdu in rig.connect().start().take()}


def test_every_group_gets_its_own(rig):
    rig.master(group="main")
    assert 70 in {asdu.type_id for asdu in rig.connect(group="other").start().take()}
