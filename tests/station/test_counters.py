"""Counter interrogation (checklist G)."""

import pytest

from rtu.iec104.elements import BCR, QCC


def read(master, rqt=5):
    master.send(101, 6, 0, QCC(rqt))
    asdus = master.take()
    assert [asdus[0].cause, asdus[-1].cause] == [7, 10]
    return [(a.type_id, a.cause, o.ioa, o.elements[0]) for a in asdus[1:-1] for o in a.objects]


def test_G01_G03_what_is_read_is_what_was_frozen(rig):
    master = rig.master()
    rig.set("energy", 500)
    master.send(101, 6, 0, QCC(5, 1))
    assert [(a.type_id, a.cause) for a in master.take()] == [(101, 7), (101, 10)]
    rig.set("energy", 700)
    assert read(master) == [(37, 37, 800, BCR(500, 1))]


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


def test_G02_a_group_answers_with_its_own_cause(rig):
    master = rig.master()
    master.send(101, 6, 0, QCC(1, 1))
    master.take()
    assert [entry[:3] for entry in read(master, 1)] == [(37, 38, 800)]


def test_G04_G05_freeze_with_reset_and_reset(rig):
    master = rig.master()
    rig.set("energy", 500)
    master.send(101, 6, 0, QCC(1, 2))
    rig.set("energy", 530)
    master.send(101, 6, 0, QCC(1, 2))
    master.take()
    assert read(master) == [(37, 37, 800, BCR(30, 2))]
    rig.set("energy", 600)
    master.send(101, 6, 0, QCC(5, 3))
    rig.set("energy", 601)
    master.send(101, 6, 0, QCC(5, 1))
    master.take()
    assert read(master) == [(37, 37, 800, BCR(1, 3))]


@pytest.mark.parametrize("rqt", [0, 2, 6, 63])
def test_G08_groups_that_do_not_exist(rig, rqt):
    master = rig.master()
    master.send(101, 6, 0, QCC(rqt))
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (7, True)


def test_G09_a_total_that_wrapped_says_so_once(rig):
    master = rig.master()
    rig.set("energy", 2**31 + 5)
    master.send(101, 6, 0, QCC(5, 1))
    master.take()
    assert read(master) == [(37, 37, 800, BCR(-(2**31) + 5, 1, carry=True))]
    master.send(101, 6, 0, QCC(5, 1))
    master.take()
    assert read(master) == [(37, 37, 800, BCR(-(2**31) + 5, 2))]


def test_G11_a_counter_that_cannot_be_read_is_invalid(rig):
    master = rig.master()
    rig.set("energy", 7, 0x80)
    master.send(101, 6, 0, QCC(5, 1))
    master.take()
    assert read(master)[0][3].invalid


def test_G12_the_sequence_number_counts_to_31(rig):
    master = rig.master()
    for _ in range(33):
        master.send(101, 6, 0, QCC(5, 1))
        master.take()
    assert read(master)[0][3].sequence == 1


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
