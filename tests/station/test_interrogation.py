"""Station and group interrogation (checklist F)."""

import pytest

from rtu.iec104.elements import QOI, SIQ


def data(asdus, cause):
    return {
        (asdu.type_id, asdu.ca, item.ioa): item.elements
        for asdu in asdus
        if asdu.cause == cause
        for item in asdu.objects
    }


def test_F01_everything_once_between_confirmation_and_termination(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    asdus = master.take()
    assert (asdus[0].cause, asdus[-1].cause) == (7, 10)
    assert {asdu.cause for asdu in asdus[1:-1]} == {20}
    objects = [(a.type_id, o.ioa) for a in asdus[1:-1] for o in a.objects]
    assert sorted(objects) == [(1, 100), (1, 105), (3, 200), (5, 300), (7, 400), (11, 710), (13, 700)]


def test_F03_a_point_that_was_never_read_is_there_and_invalid(make_rig):
    rig = make_rig()
    rig.set("door", 0, 0x80)
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert data(master.take(), 20)[1, 1, 100] == (SIQ(False, 0x80),)


@pytest.mark.parametrize(("qoi", "members"), [(21, [(1, 100), (3, 200)]), (22, [(3, 200), (13, 700)])])
def test_F04_F05_a_group_tells_its_members_with_its_own_cause(rig, qoi, members):
    master = rig.master()
    master.send(100, 6, 0, QOI(qoi))
    asdus = master.take()
    assert [asdu.cause for asdu in asdus] == [7, *[qoi] * (len(asdus) - 2), 10]
    assert sorted((a.type_id, o.ioa) for a in asdus[1:-1] for o in a.objects) == members


@pytest.mark.parametrize("qoi", [0, 19, 23, 36, 37, 63, 64, 255])
def test_F06_F07_groups_that_do_not_exist_are_refused(rig, qoi):
    master = rig.master()
    master.send(100, 6, 0, QOI(qoi))
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (100, 7, True)


def test_F08_every_common_address_answers_for_itself(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20), ca=65535)
    asdus = master.take()
    assert 65535 not in {asdu.ca for asdu in asdus}
    for ca in (1, 2):
        causes = [asdu.cause for asdu in asdus if asdu.ca == ca]
        assert (causes[0], causes[-1]) == (7, 10)
        assert set(causes[1:-1]) == {20}


def test_F09_a_second_one_is_refused_and_the_first_goes_on(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    for qoi in (20, 20, 21):
        master.send_together(100, 6, 0, QOI(qoi))
    rig.settle()
    rig.advance(60)
    asdus = master.take()
    answers = [(asdu.cause, asdu.negative) for asdu in asdus if asdu.type_id == 100]
    assert answers == [(7, False), (7, True), (7, True), (10, False)]
    assert len({(a.type_id, o.ioa) for a in asdus if a.cause == 20 for o in a.objects}) == 7


def test_F10_deactivation_ends_it_without_termination(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    master.send_together(100, 6, 0, QOI(20))
    master.send_together(100, 8, 0, QOI(20))
    rig.settle()
    rig.advance(60)
    assert [(a.cause, a.negative) for a in master.take() if a.type_id == 100] == [(7, False), (9, False)]


def test_F11_there_is_nothing_to_deactivate(rig):
    master = rig.master()
    master.send(100, 8, 0, QOI(20))
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (9, True)


def test_F12_no_object_goes_from_new_to_old_and_back(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    master.acknowledging = False
    rig.set("door", 1)
    rig.set("door", 0)
    rig.set("current", 50)
    rig.set("door", 1)
    master.send(100, 6, 0, QOI(20))
    rig.set("current", 70)
    master.acknowledging = True
    rig.settle()
    asdus = master.take()
    door = [o.elements[0].spi for a in asdus for o in a.objects if a.ca == 1 and o.ioa == 100]
    assert door == [True, False, True, True]
    current = [o.elements[0].value for a in asdus for o in a.objects if o.ioa == 700]
    assert current == sorted(current)
    assert current[-1] == 70


def test_F15_the_originator_comes_back_in_everything(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20), originator=9)
    assert {asdu.originator for asdu in master.take()} == {9}


def test_G13_counters_are_not_part_of_it(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert not {15, 37} & {asdu.type_id for asdu in master.take()}
