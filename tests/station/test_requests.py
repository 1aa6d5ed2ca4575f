"""The checks every request passes, and what each failure answers (checklist E, H)."""

from dataclasses import replace
from struct import pack

import pytest

from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import TYPES
from rtu.iec104.elements import DCO, QCC, QOI, SCO, SIQ, TSC, CP56Time2a
from rtu.iec104.link import LinkParameters
from rtu.station.refusals import PERIOD_S, RECORDS
from rtu.station.transmission import MAX_OWED

NOW = CP56Time2a(56789, 34, 12, 15, 0, 7, 26)


def answer(master):
    (asdu,) = master.take()
    return asdu.cause, asdu.negative


def raw(master, octets):
    """Send octets no codec of ours would make; return the octets of the answers."""
    answers = []
    session, now = master.session, master.rig.now
    master.link.send(octets, now)
    session.receive(master.link.data_to_send(now), now)
    up = session.data_to_send(now)
    while up:
        length = up[1] + 2
        if not up[2] & 1:
            answers.append(up[6:length])
        up = up[length:]
    return answers


def test_e01_a_type_nobody_knows_comes_back_octet_by_octet(rig):
    octets = bytes.fromhex("630106000100010000aa")
    assert raw(rig.master(), octets) == [octets[:2] + b"\x6c" + octets[3:]]


@pytest.mark.parametrize("type_id", sorted(set(range(256)) - set(TYPES)))
def test_e02_every_other_type_too(rig, type_id):
    octets = bytes((type_id,)) + bytes.fromhex("0106000100010000aa")
    assert raw(rig.master(), octets) == [octets[:2] + b"\x6c" + octets[3:]]


@pytest.mark.parametrize("octets", ["680106000100000000aa55", "6a01060001000000001900"])
def test_e03_e04_types_of_101_do_not_exist_here(rig, octets):
    octets = bytes.fromhex(octets)
    assert raw(rig.master(), octets) == [octets[:2] + b"\x6c" + octets[3:]]


@pytest.mark.parametrize(
    ("type_id", "cause", "ioa", "elements"),
    [(100, 6, 0, [QOI(20)]), (101, 6, 0, [QCC(5)]), (102, 5, 100, [])],
)
def test_every_answer_to_a_test_is_marked_as_one(rig, type_id, cause, ioa, elements):
    """Confirmation, data, termination; an event in between is none of it."""
    master = rig.master()
    rig.set("door", 1)
    master.send(type_id, cause, ioa, *elements, test=True)
    answers = master.take()
    assert len(answers) >= 2
    assert {answer.cause for answer in answers if not answer.test} == {3}
    master.send(type_id, cause, ioa, *elements)
    assert not any(answer.test for answer in master.take())


@pytest.mark.parametrize("cause", [c for c in range(64) if c not in {6, 8, 44, 45, 46, 47}])
def test_e05_e06_a_cause_that_is_none_of_a_command(rig, cause):
    master = rig.master()
    master.send(45, cause, 2000, SCO(True))
    assert answer(master) == (45, True)
    assert not rig.relays.history


@pytest.mark.parametrize("ca", [0, 77, 65535])
def test_e07_e08_e10_a_common_address_that_is_not_ours(rig, ca):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True), ca=ca)
    assert answer(master) == (46, True)
    assert not rig.relays.history


def test_e09_reading_from_everybody_is_not_possible(rig):
    master = rig.master()
    master.send(102, 5, 100, ca=65535)
    assert answer(master) == (46, True)


def test_e11_an_object_nobody_has(rig):
    master = rig.master()
    master.send(45, 6, 9999, SCO(True))
    assert answer(master) == (47, True)


def test_e12_a_double_command_to_a_single_one(rig):
    master = rig.master()
    master.send(46, 6, 2000, DCO(2))
    assert answer(master) == (47, True)
    assert not rig.relays.history


def test_e13_an_interrogation_addresses_no_object(rig):
    master = rig.master()
    master.send(100, 6, 5, QOI(20))
    assert answer(master) == (47, True)


@pytest.mark.parametrize(
    "octets",
    [
        "640106000100000000",  # E14 without its qualifier
        "2d0206000100d0070001",  # E15 two objects announced, one there
        "640006000100",  # E16 no object
        "640106000100000000140000",  # E17 two octets too many
        "2d8106000100d0070001",  # E18 SQ = 1
        "2d0206000100d0070001d1070001",  # E19 two commands
    ],
)
def test_e14_e15_e16_e17_e18_e19_a_length_that_does_not_fit_closes_and_nothing_is_executed(rig, octets):
    master = rig.master()
    assert raw(master, bytes.fromhex(octets)) == []
    assert "malformed" in master.session.closed_reason
    assert not rig.relays.history


def test_e20_the_originator_comes_back(rig):
    master = rig.master()
    for originator in range(1, 256):
        master.send(45, 6, 2000, SCO(True), originator=originator)
        rig.advance(1)
        assert {asdu.originator for asdu in master.take() if asdu.type_id == 45} == {originator}


def test_e21_a_test_is_answered_and_moves_nothing(rig):
    master = rig.master()
    master.send(45, 6, 2000, SCO(True), test=True)
    (asdu,) = master.take()
    assert (asdu.cause, asdu.negative, asdu.test) == (7, False, True)
    rig.advance(2)
    assert not rig.relays.history


def test_e22_monitor_types_are_not_for_us(rig):
    master = rig.master()
    master.send(1, 3, 100, SIQ(True))
    assert answer(master) == (44, True)


@pytest.mark.parametrize("cause", [44, 45, 46, 47])
def test_e23_an_unknown_is_not_answered(rig, cause):
    master = rig.master()
    master.send(45, cause, 2000, SCO(True), negative=True)
    assert master.take() == []
    assert master.closed is None


def test_h01_a_read_brings_the_object_and_nothing_else(rig):
    master = rig.master()
    master.send(102, 5, 100, originator=7)
    (asdu,) = master.take()
    assert (asdu.type_id, asdu.cause, asdu.originator) == (1, 5, 7)
    assert asdu.objects[0].elements == (SIQ(False),)


@pytest.mark.parametrize("ioa", [9999, 800])
def test_h02_reading_what_cannot_be_read(rig, ioa):
    master = rig.master()
    master.send(102, 5, ioa)
    assert answer(master) == (47, True)


@pytest.mark.parametrize(("ioa", "type_id"), [(100, 1), (200, 3), (300, 5), (400, 7), (710, 11), (700, 13)])
def test_h01_every_type_but_counters_is_read_without_its_time(rig, ioa, type_id):
    master = rig.master()
    master.send(102, 5, ioa)
    assert [(a.type_id, a.cause, len(a.objects)) for a in master.take()] == [(type_id, 5, 1)]


def test_h01_what_is_read_is_never_older_than_what_was_told(make_rig):
    rig = make_rig(k=1)
    master = rig.master()
    master.acknowledging = False
    for value in (1, 0, 1):
        rig.set("door", value)
    master.send(102, 5, 100)
    rig.set("door", 0)
    master.acknowledging = True
    rig.settle()
    door = [
        (a.cause, o.elements[0].spi) for a in master.take() if a.ca == 1 for o in a.objects if o.ioa == 100
    ]
    assert door == [(3, True), (3, False), (3, True), (3, False), (5, False)]


def test_h03_a_read_with_another_cause(rig):
    master = rig.master()
    master.send(102, 6, 100)
    assert answer(master) == (45, True)


def test_h05_a_clock_that_another_source_owns_is_not_set(rig):
    master = rig.master()
    before = rig.clock.offset_ns
    master.send(103, 6, 0, NOW)
    assert answer(master) == (7, True)
    assert rig.clock.offset_ns == before


def test_h11_the_test_command_comes_back_identical(rig):
    master = rig.master()
    master.send(107, 6, 0, TSC(0xAA55), NOW)
    (asdu,) = master.take()
    assert (asdu.cause, asdu.negative) == (7, False)
    assert asdu.objects[0].elements == (TSC(0xAA55), NOW)


@pytest.mark.parametrize(("how", "cause"), [({"ioa": 5}, 47), ({"cot": 3}, 45), ({"ca": 65535}, 46)])
def test_h12_a_test_command_gone_wrong(rig, how, cause):
    master = rig.master()
    master.send(107, how.get("cot", 6), how.get("ioa", 0), TSC(1), NOW, ca=how.get("ca", 1))
    assert answer(master) == (cause, True)


def test_h14_a_reset_is_refused(rig):
    master = rig.master()
    raw_answer = raw(master, bytes.fromhex("69010600010000000001"))
    assert [ASDU.decode(octets).negative for octets in raw_answer] == [True]


def test_a_viewer_sees_everything_and_operates_nothing(rig):
    viewer = rig.master(role="viewer")
    viewer.send(45, 6, 2000, SCO(True))
    assert answer(viewer) == (7, True)
    viewer.send(100, 6, 0, QOI(20))
    assert viewer.take()[-1].cause == 10
    assert not rig.relays.history
    assert "request.refuse" in rig.audit.events()


@pytest.mark.parametrize(
    "request_", [bytes.fromhex("660105000100640000"), bytes.fromhex("690106000100000000 00")]
)
def test_a_master_that_asks_and_never_listens_is_let_go(rig, request_):
    master = rig.master(role="viewer")
    session, acknowledged = master.session, master.link.received
    for number in range(2 * MAX_OWED):
        frame = pack("<BBHH", 0x68, 4 + len(request_), number << 1, acknowledged << 1) + request_
        session.receive(frame, rig.now)
        session.data_to_send(rig.now)
    assert session.closed_reason == "it asks for more than it takes answers to"
    assert not session.started


def test_a_master_that_asks_a_lot_at_once_and_listens_gets_every_answer(rig):
    master = rig.master(role="viewer")
    master.link.parameters = LinkParameters(k=100, w=1)
    for _ in range(100):
        master.link.send(bytes.fromhex("690106000100000000 00"), rig.now)  # a reset process, refused
    rig.settle()
    assert len(master.take()) == 100


class Watch:
    """A clock that only its master sets."""

    def __init__(self):
        self.settings = []

    def set(self, unix_ns, mono_ns):
        self.settings.append(unix_ns)


@pytest.mark.parametrize("test", [False, True])
def test_h06_the_master_sets_the_clock_and_a_test_does_not(rig, test):
    watch = Watch()
    rig.station = replace(rig.station, master_clock=watch)
    master = rig.master()
    master.send(103, 6, 0, NOW, test=test)
    assert answer(master) == (7, False)
    assert watch.settings == ([] if test else [NOW.to_ns()])
    assert rig.audit.events().count("clock.set") == len(watch.settings)


def test_a_time_that_lay_about_while_the_loop_stood_still_is_not_taken(rig):
    watch = Watch()
    rig.station = replace(rig.station, master_clock=watch)
    master = rig.master()
    rig.clock.stall(5)
    master.send(103, 6, 0, NOW)
    assert answer(master) == (7, True)
    assert watch.settings == []
    rig.advance(1)
    master.send(103, 6, 0, NOW)
    assert answer(master) == (7, False)


def test_whatever_is_refused_is_on_record_with_its_reason(rig):
    master = rig.master(role="viewer")
    master.send(100, 6, 0, QOI(20), ca=77)
    master.send(100, 5, 0, QOI(20))
    master.send(100, 6, 5, QOI(20))
    master.send(100, 6, 0, QOI(36))
    master.send(102, 5, 4711)
    master.send(45, 6, 2000, SCO(True))
    raw(master, bytes((99, 1, 6, 0, 1, 0, 1, 0, 0, 0xAA)))
    refused = [(r["type"], r["reason"]) for r in rig.audit.records if r["event"] == "request.refuse"]
    assert refused == [
        ("C_IC_NA_1", "the common address is none of this station for this type"),
        ("C_IC_NA_1", "the cause does not exist for this type"),
        ("C_IC_NA_1", "the information object address must be 0"),
        ("C_IC_NA_1", "QOI 36 interrogates nothing here"),
        ("C_RD_NA_1", "there is no such object for this type"),
        ("C_SC_NA_1", "the role of viewer does not allow it"),
        ("99", "the type is not served"),
    ]
    assert master.session.refusals.total == 7


def test_refusals_are_counted_all_and_recorded_at_a_bounded_rate(rig):
    master = rig.master()
    for _ in range(100):
        master.send(102, 5, 4711)
    recorded = [r for r in rig.audit.records if r["event"] == "request.refuse"]
    assert len(recorded) == RECORDS
    rig.advance(PERIOD_S)
    master.send(102, 5, 4711)
    assert rig.audit.records[-1]["left_out"] == 100 - RECORDS
    assert master.session.refusals.total == 101
