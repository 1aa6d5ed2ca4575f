"""Station and group interrogation (checklist F)."""

import pytest

from rtu.iec104.asdu import MAX_ASDU
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import QOI, SCO, SIQ


def points(*addresses, type="single"):
    """A station of one point each."""
    listed = "".join(
        f'[[point]]\nname = "p{number}"\ntype = "{type}"\naddress = [ {{ {address} }} ]\n'
        for number, address in enumerate(addresses)
    )
    return f'format = 1\n[station]\nname = "Feeder 12"\ncommon_address = 1\n{listed}'


def data(asdus, cause):
    return {
        (asdu.type_id, asdu.ca, item.ioa): item.elements
        for asdu in asdus
        if asdu.cause == cause
        for item in asdu.objects
    }


def test_f01_everything_once_between_confirmation_and_termination(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    asdus = master.take()
    assert (asdus[0].cause, asdus[-1].cause) == (7, 10)
    assert {asdu.cause for asdu in asdus[1:-1]} == {20}
    objects = [(a.type_id, o.ioa) for a in asdus[1:-1] for o in a.objects]
    assert sorted(objects) == [(1, 100), (1, 105), (3, 200), (5, 300), (7, 400), (11, 710), (13, 700)]


def test_f03_a_point_that_was_never_read_is_there_and_invalid(make_rig):
    rig = make_rig()
    rig.set("door", 0, 0x80)
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert data(master.take(), 20)[1, 1, 100] == (SIQ(False, 0x80),)


def test_f02_there_are_only_types_without_time_and_no_counters(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    types = {asdu.type_id for asdu in master.take() if asdu.cause == 20}
    assert types <= {1, 3, 5, 7, 9, 11, 13, 20, 21}
    assert not any(TYPES[type_id].time_tagged for type_id in types)


@pytest.mark.parametrize(("qoi", "members"), [(21, [(1, 100), (3, 200)]), (22, [(3, 200), (13, 700)])])
def test_f04_a_group_tells_its_members_with_its_own_cause(rig, qoi, members):
    master = rig.master()
    master.send(100, 6, 0, QOI(qoi))
    asdus = master.take()
    assert [asdu.cause for asdu in asdus] == [7, *[qoi] * (len(asdus) - 2), 10]
    assert sorted((a.type_id, o.ioa) for a in asdus[1:-1] for o in a.objects) == members


@pytest.mark.parametrize("group", range(1, 17))
def test_f05_there_are_sixteen_groups(make_rig, group):
    master = make_rig(points(*(f"ioa = {n}, group = {n}" for n in range(1, 17)))).master()
    master.send(100, 6, 0, QOI(20 + group))
    asdus = master.take()
    assert [(a.cause, [o.ioa for o in a.objects]) for a in asdus] == [
        (7, [0]),
        (20 + group, [group]),
        (10, [0]),
    ]


@pytest.mark.parametrize("qoi", [23, 36])
def test_f06_a_group_without_members_is_refused(rig, qoi):
    master = rig.master()
    master.send(100, 6, 0, QOI(qoi))
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (100, 7, True)


@pytest.mark.parametrize("qoi", [0, 19, 37, 63, 64, 255])
def test_f07_a_qualifier_that_does_not_exist_is_refused(rig, qoi):
    master = rig.master()
    master.send(100, 6, 0, QOI(qoi))
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (100, 7, True)


def test_f08_every_common_address_answers_for_itself(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20), ca=65535)
    asdus = master.take()
    assert 65535 not in {asdu.ca for asdu in asdus}
    for ca in (1, 2):
        causes = [asdu.cause for asdu in asdus if asdu.ca == ca]
        assert (causes[0], causes[-1]) == (7, 10)
        assert set(causes[1:-1]) == {20}


def test_f09_a_second_one_is_refused_and_the_first_goes_on(make_rig):
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


def test_f09_common_addresses_and_masters_are_independent(make_rig):
    rig = make_rig(k=1)
    master, other = rig.master(), rig.master(group="other")
    for ca in (1, 2):
        octets = bytes.fromhex("640106000000000000") + b"\x14"
        master.link.send(octets[:4] + ca.to_bytes(2, "little") + octets[6:], rig.now)
    other.send_together(100, 6, 0, QOI(20))
    rig.settle()
    rig.advance(60)
    for heard, stations in ((master.take(), (1, 2)), (other.take(), (1,))):
        for ca in stations:
            answers = [(a.cause, a.negative) for a in heard if a.type_id == 100 and a.ca == ca]
            assert answers == [(7, False), (10, False)]


def test_f10_deactivation_ends_it_without_termination(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    master.send_together(100, 6, 0, QOI(20))
    master.send_together(100, 8, 0, QOI(20))
    rig.settle()
    rig.advance(60)
    assert [(a.cause, a.negative) for a in master.take() if a.type_id == 100] == [(7, False), (9, False)]


def test_f10_deactivation_ends_only_its_own(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    master.send_together(100, 6, 0, QOI(20))
    master.send_together(100, 8, 0, QOI(21))  # that one does not run
    rig.settle()
    rig.advance(60)
    assert [(a.cause, a.negative) for a in master.take() if a.type_id == 100] == [
        (7, False),
        (9, True),
        (10, False),
    ]


def test_f10_after_a_deactivation_it_may_be_asked_for_again(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    for cause in (6, 8, 6):
        master.send_together(100, cause, 0, QOI(20))
    rig.settle()
    rig.advance(60)
    asdus = master.take()
    assert [(a.cause, a.negative) for a in asdus if a.type_id == 100] == [
        (7, False),
        (9, False),
        (7, False),
        (10, False),
    ]
    after = asdus[[a.cause for a in asdus].index(9) :]
    assert len({(a.type_id, o.ioa) for a in after if a.cause == 20 for o in a.objects}) == 7


def test_f11_there_is_nothing_to_deactivate(rig):
    master = rig.master()
    master.send(100, 8, 0, QOI(20))
    (answer,) = master.take()
    assert (answer.cause, answer.negative) == (9, True)


def test_f12_no_object_goes_from_new_to_old_and_back(make_rig):
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


def test_f12_an_event_during_the_interrogation_is_told_and_no_older_value_after_it(make_rig):
    rig = make_rig(points(*(f"ioa = {2 * n + 1}" for n in range(1000))), k=2)
    master = rig.master()
    master.acknowledging = False
    master.link.send(bytes.fromhex("64010600010000000014"), rig.now)
    master.session.receive(master.link.data_to_send(rig.now), rig.now)
    rig.settle()  # the window is full in the midst of it
    assert [a.cause for a in master.asdus] == [7, 20]
    rig.set("p1", 1)  # interrogated already
    rig.set("p999", 1)  # not yet
    master.acknowledging = True
    rig.settle()
    asdus = master.take()
    for ioa, expected in ((3, [(20, False), (3, True)]), (1999, [(3, True), (20, True)])):
        told = [(a.cause, o.elements[0].spi) for a in asdus for o in a.objects if o.ioa == ioa]
        assert told == expected
    assert asdus[-1].cause == 10


def test_f13_a_command_is_confirmed_while_an_interrogation_runs(make_rig):
    rig = make_rig(k=2)
    master = rig.master()
    master.send_together(100, 6, 0, QOI(20))
    master.send_together(45, 6, 2000, SCO(True))
    rig.settle()
    rig.advance(60)
    order = [(a.type_id, a.cause) for a in master.take()]
    assert order.index((45, 7)) < order.index((100, 10))
    assert order.index((45, 7)) <= 2


def test_f14_a_thousand_consecutive_points_go_as_sequences(make_rig):
    rig = make_rig(points(*(f"ioa = {n}" for n in range(1, 1001)), type="float"))
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    data = [asdu for asdu in master.take() if asdu.cause == 20]
    assert all(asdu.sequence for asdu in data)
    assert all(len(asdu.encode()) <= MAX_ASDU for asdu in data)
    assert len(data) == 21  # 48 short floats each
    assert [o.ioa for asdu in data for o in asdu.objects] == list(range(1, 1001))


def test_f15_the_originator_comes_back_in_everything(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20), originator=9)
    assert {asdu.originator for asdu in master.take()} == {9}


def test_g13_counters_are_not_part_of_it(rig):
    master = rig.master()
    master.send(100, 6, 0, QOI(20))
    assert not {15, 37} & {asdu.type_id for asdu in master.take()}
