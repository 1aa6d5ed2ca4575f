"""Files from the station to the master (checklist K)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, QCC, SCQ, SRQ, CP56Time2a, Segment

F_FR, F_SR, F_SC, F_LS, F_AF, F_SG, F_DR, F_SC_NB = range(120, 128)
LOG, INBOX, RECORDS = 9000, 9100, 9200
NEGATIVE = (F_FR, 1, 0)


def trip(rig: Any) -> None:
    """The breaker opens, and two seconds later there is a record of it."""
    rig.set("q0.position", 2)
    rig.advance(1)
    rig.set("current", 400.0)
    rig.set("q0.position", 1)
    rig.advance(2.1)


def moment(rig: Any, seconds: float = 0.0) -> CP56Time2a:
    return CP56Time2a.from_ns(rig.clock.wall(rig.clock.now_ns()).unix_ns + round(seconds * 1e9))


def ioas(reader: Any) -> list[int]:
    return [entry[0] for entry in reader.directory()]


# The checklist


def test_k01_the_directory_lists_every_file_and_marks_the_last_one(rig: Any, reader: Any) -> None:
    trip(rig)
    reader.write(b"hello")
    rig.masters[0].take()
    entries = reader.directory()
    assert [(ioa, name) for ioa, name, *_ in entries] == [(LOG, 3), (INBOX, 1), (RECORDS, 2)]
    assert [sof.last for *_, sof, _ in entries] == [False, False, True]
    assert not any(sof.active or sof.directory for *_, sof, _ in entries)
    assert entries[1][2] == 5


def test_k02_a_complete_transfer_is_identical_and_its_sums_are_right(rig: Any, reader: Any) -> None:
    octets = bytes(range(256)) * 600
    assert reader.code(reader.write(octets)) == (F_AF, 1, 0)
    sections = reader.read()
    assert b"".join(sections) == octets
    assert [len(section) for section in sections] == [65_793, 65_793, 153_600 - 2 * 65_793]
    assert rig.audit.records[-1] == {
        "event": "file.read",
        "master": "master of main",
        "peer": "192.0.2.1",
        "ca": 1,
        "ioa": INBOX,
        "octets": len(octets),
        "result": "complete",
    }


def test_k03_an_address_without_a_file_is_unknown(reader: Any) -> None:
    (answer,) = reader.call(1, 4711)
    assert (answer.type_id, answer.cause, answer.negative) == (F_SC, 47, True)


@pytest.mark.parametrize("ioa", [INBOX, RECORDS])
def test_k03_a_file_that_is_not_there_yet_is_not_available(reader: Any, ioa: int) -> None:
    (answer,) = reader.call(1, ioa)
    assert answer.type_id == F_FR
    assert not answer.negative
    assert answer.objects[0].elements[1:] == (LOF(0), FRQ(negative=True))


def test_k04_a_section_that_is_refused_is_sent_again(rig: Any, reader: Any) -> None:
    octets = bytes(range(250)) * 2
    reader.write(octets)
    refused = iter([True, True, False])
    assert b"".join(reader.read(refuse=lambda: next(refused))) == octets


def test_k05_a_transfer_that_is_broken_off_is_over(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    for steps in ([], [2], [2, 6]):
        reader.call(1)
        for step in steps:
            reader.call(step)
        (answer,) = reader.call(3)
        assert answer.objects[0].elements == (NOF(1), LOF(5), FRQ())
        assert reader.code(reader.call(2)) == NEGATIVE
    assert rig.audit.records[-2]["result"] == "the master broke it off"


def test_k05_segments_that_were_not_sent_yet_are_not_sent_any_more(rig: Any, reader: Any) -> None:
    reader.write(bytes(100_000))
    reader.call(1)
    reader.call(2)
    (answer,) = reader.at_once(6, 3)
    assert answer.type_id == F_FR
    reader.call(1)
    reader.call(2)
    assert len(reader.at_once(6)) == 12
    (answer,) = reader.call(3)
    assert answer.type_id == F_FR


def test_k06_after_a_silence_the_transfer_is_over(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    for steps in ([1], [1, 2], [1, 2, 6]):
        for step in steps:
            reader.call(step)
        rig.advance(19)
        assert reader.directory()[1][3].active
        rig.advance(1.1)
        assert not reader.directory()[1][3].active
        assert reader.code(reader.call(6)) == (F_SR, 1, 0)
        assert "the master was silent" in [record.get("result") for record in rig.audit.records]
    assert b"".join(reader.read()) == b"hello"


def test_k07_events_overtake_segments(rig: Any, reader: Any) -> None:
    reader.write(bytes(236 * 100))
    reader.call(1)
    reader.call(2)
    assert [asdu.type_id for asdu in reader.at_once(6)] == [F_SG] * 12  # k of them are on their way
    rig.set("door", 1)
    rig.settle()
    types = [asdu.type_id for asdu in reader.heard()]
    assert types == [30] + [F_SG] * 88 + [F_LS]


def test_k07_an_answer_does_not_wait_for_a_file(rig: Any, reader: Any) -> None:
    reader.write(bytes(236 * 50))
    reader.call(1)
    reader.call(2)
    assert len(reader.at_once(6)) == 12
    reader.master.send(102, 5, 100)
    assert [asdu.type_id for asdu in reader.heard()] == [1] + [F_SG] * 38 + [F_LS]


@pytest.mark.parametrize(
    ("type_id", "elements"),
    [
        (F_FR, (LOF(0), FRQ())),
        (F_SR, (NOS(1), LOF(0), SRQ())),
        (F_SC, (NOS(0), SCQ(1))),
        (F_LS, (NOS(1), LSQ(1), CHS(0))),
        (F_AF, (NOS(1), AFQ(1))),
        (F_SG, (NOS(1), Segment(b"x"))),
        (F_SC_NB, (CP56Time2a.from_ns(10**18), CP56Time2a.from_ns(10**18))),
    ],
)
def test_k10_a_station_without_files_does_not_know_the_types(
    make_rig: Any, type_id: int, elements: tuple[object, ...]
) -> None:
    master = make_rig().master()
    master.send(type_id, 13, 100, NOF(1), *elements)
    (answer,) = master.take()
    assert (answer.type_id, answer.cause, answer.negative) == (type_id, 44, True)


@pytest.mark.parametrize("length", [0, 1, 236, 237])
def test_k11_any_length_is_cut_into_segments(reader: Any, length: int) -> None:
    octets = bytes(range(1, 238))[:length]
    reader.write(octets)
    reader.said.clear()
    assert reader.read() == [octets]
    segments = [len(asdu.objects[0].elements[2].data) for asdu in reader.said if asdu.type_id == F_SG]
    assert segments == {0: [], 1: [1], 236: [236], 237: [236, 1]}[length]


# Steps and states


@pytest.mark.parametrize("code", [2, 3])
def test_a_step_about_the_file_without_a_transfer_is_refused(reader: Any, code: int) -> None:
    assert reader.code(reader.call(code, LOG)) == NEGATIVE


@pytest.mark.parametrize("code", [5, 6, 7])
def test_a_step_about_a_section_without_a_transfer_is_refused(reader: Any, code: int) -> None:
    assert reader.code(reader.call(code, LOG, 1)) == (F_SR, 1, 0)


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_an_acknowledgement_of_nothing_is_refused(reader: Any, code: int) -> None:
    assert reader.code(reader.acknowledge(code, LOG)) == NEGATIVE


@pytest.mark.parametrize("code", [0, 8, 15])
def test_a_code_nobody_defined_is_refused(reader: Any, code: int) -> None:
    assert reader.code(reader.call(code, LOG)) == NEGATIVE


def test_what_is_out_of_turn_is_refused_and_the_transfer_goes_on(reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    assert reader.code(reader.call(6, section=1)) == (F_SR, 1, 0)
    assert reader.code(reader.call(2)) == (F_SR, 0, 0)
    assert reader.code(reader.call(1)) == NEGATIVE
    assert reader.code(reader.call(2)) == NEGATIVE
    assert reader.code(reader.acknowledge(3)) == NEGATIVE
    assert reader.code(reader.call(6, section=9)) == (F_SR, 1, 0)
    assert len(reader.call(6, section=1)) == 2
    assert reader.code(reader.acknowledge(1)) == NEGATIVE
    assert [asdu.type_id for asdu in reader.acknowledge(3, section=1)] == [F_LS]
    assert reader.acknowledge(1) == []


def test_another_file_cannot_be_had_before_this_one_is_over(reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    reader.call(2)
    assert reader.code(reader.call(1, LOG)) == NEGATIVE
    assert reader.code(reader.call(2, LOG)) == NEGATIVE
    reader.call(3)
    assert reader.code(reader.call(1, LOG)) == (F_FR, 0, 0)


def test_a_file_that_is_only_selected_gives_way_to_the_next(reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    assert reader.code(reader.call(1, LOG)) == (F_FR, 0, 0)
    assert not reader.directory()[1][3].active


def test_the_name_must_be_that_of_the_file_or_none(reader: Any) -> None:
    reader.write(b"hello")
    assert reader.code(reader.call(1, name=2)) == NEGATIVE
    (answer,) = reader.call(1, name=0)
    assert answer.objects[0].elements == (NOF(0), LOF(5), FRQ())


def test_a_file_the_master_refuses_is_over(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    reader.call(2)
    reader.call(6, section=1)
    reader.acknowledge(3, section=1)
    assert reader.acknowledge(2, error=2) == []
    assert rig.audit.records[-1]["result"] == "the master refused it"
    assert reader.read() == [b"hello"]


def test_a_section_that_is_broken_off_can_be_called_again(rig: Any, reader: Any) -> None:
    octets = bytes(range(200)) * 100
    reader.write(octets)
    reader.call(1)
    reader.call(2)
    sent = b"".join(asdu.objects[0].elements[2].data for asdu in reader.at_once(6))
    assert len(sent) == 12 * 236
    (end,) = reader.call(7, section=1)
    assert end.objects[0].elements == (NOF(1), NOS(1), LSQ(4), CHS(sum(sent) & 0xFF))
    *segments, end = reader.call(6, section=1)
    assert b"".join(asdu.objects[0].elements[2].data for asdu in segments) == octets
    assert end.objects[0].elements[2] == LSQ(3)


def test_a_section_can_be_chosen(rig: Any, reader: Any) -> None:
    trip(rig)
    reader.heard()
    reader.call(1, RECORDS)
    reader.call(2, RECORDS)
    assert reader.code(reader.call(5, RECORDS, 3)) == (F_SR, 1, 0)
    (answer,) = reader.call(5, RECORDS, 2)
    assert answer.objects[0].elements[1] == NOS(2)
    *segments, _ = reader.call(6, RECORDS, 2)
    assert segments[0].objects[0].elements[2].data.startswith(b"1,0,")
    (end,) = reader.acknowledge(3, RECORDS, 2)
    assert end.objects[0].elements[2] == LSQ(1)


def test_what_is_transferred_is_a_copy(rig: Any, reader: Any, another: Any) -> None:
    reader.write(b"as it was")
    ready = reader.call(1)
    assert another(group="other").write(b"as it is now") != []
    assert reader.fetch(INBOX, ready) == [b"as it was"]
    assert reader.read() == [b"as it is now"]


def test_a_file_that_is_gone_is_not_available(rig: Any, reader: Any, tmp_path: Any) -> None:
    reader.write(b"hello")
    (tmp_path / "inbox.bin").unlink()
    assert reader.code(reader.call(1)) == NEGATIVE
    assert ioas(reader) == [LOG]


# Connections


def test_a_transfer_ends_with_its_connection(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    reader.master.disconnect()
    assert rig.audit.records[-1]["result"] == "the connection ended"


def test_a_transfer_ends_when_the_connection_is_stopped(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    reader.call(1)
    reader.master.stop()
    reader.master.start()
    reader.heard()
    assert reader.code(reader.call(2)) == NEGATIVE


def test_a_transfer_is_nobody_elses(reader: Any, another: Any) -> None:
    reader.write(b"hello")
    ready = reader.call(1)
    thief = another(group="other")
    assert thief.code(thief.call(2)) == NEGATIVE
    assert thief.code(thief.call(3)) == NEGATIVE
    assert reader.fetch(INBOX, ready) == [b"hello"]


def test_two_masters_can_read_the_same_file(reader: Any, another: Any) -> None:
    reader.write(b"hello")
    ready = reader.call(1)
    assert another(group="other").read() == [b"hello"]
    assert reader.fetch(INBOX, ready) == [b"hello"]


def test_a_file_that_comes_too_late_is_not_told(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    rig.background.held = []
    assert reader.call(1) == []
    assert reader.code(reader.call(2)) == NEGATIVE  # not before it is there
    reader.master.stop()
    reader.master.start()
    reader.heard()
    rig.background.let_go()
    rig.settle()
    assert reader.heard() == []
    assert reader.read() == [b"hello"]


def test_only_so_many_files_are_read_at_a_time(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    rig.background.held = []
    for _ in range(40):
        reader.call(1)
        reader.master.stop()
        reader.master.start()
        reader.heard()
    assert len(rig.background.held) == 16
    rig.background.let_go()
    assert reader.read() == [b"hello"]


# Rights


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_files_are_for_engineers(rig: Any, reader: Any, another: Any, role: str) -> None:
    stranger = another(group="other", role=role)
    for cause, ioa in ((5, 0), (13, LOG), (13, 4711)):
        (answer,) = stranger.call(1, ioa, cause=cause)
        assert (answer.type_id, answer.cause, answer.negative) == (F_SC, 13, True)
    assert rig.audit.events()[-3:] == ["request.refuse"] * 3


def test_refusals_are_on_record_once_a_second(rig: Any, reader: Any) -> None:
    for _ in range(5):
        reader.call(2)
    rig.advance(1)
    reader.call(2)
    refused = [record for record in rig.audit.records if record["event"] == "file.refuse"]
    assert [record["left_out"] for record in refused] == [0, 4]
    assert refused[0]["step"] == "CALL_FILE"
    assert refused[0]["reason"] == "no transfer is under way"


# Directory


def test_an_unknown_entry_of_the_directory_is_unknown(reader: Any) -> None:
    (answer,) = reader.call(0, 4711, cause=5)
    assert (answer.cause, answer.negative) == (47, True)


def test_one_entry_of_the_directory_can_be_asked_for(reader: Any) -> None:
    reader.write(b"hello")
    (answer,) = reader.call(0, INBOX, cause=5)
    assert [item.ioa for item in answer.objects] == [INBOX]
    assert answer.objects[0].elements[2].last


def test_a_common_address_without_files_has_no_directory(make_rig: Any, text: str, tmp_path: Any) -> None:
    rig = make_rig(text.replace("ioa = 700", "ca = 2, ioa = 700"), base=tmp_path)
    master = rig.master()
    master.send(F_SC, 5, 0, NOF(0), NOS(0), SCQ(0), ca=2)
    (answer,) = master.take()
    assert (answer.cause, answer.negative, answer.ca) == (47, True, 2)


def test_a_long_directory_takes_several_asdus_and_has_one_last(
    make_rig: Any, text: str, tmp_path: Any
) -> None:
    inboxes = "".join(f'[[files.inbox]]\nioa = {5000 + n}\nfile = "{n}"\n' for n in range(40))
    for n in range(40):
        (tmp_path / str(n)).write_bytes(bytes(n))
    rig = make_rig(
        text.replace("[[files.inbox]]\nioa = 9100", inboxes + "[[files.inbox]]\nioa = 9100"), base=tmp_path
    )
    master = rig.master()
    master.send(F_SC, 5, 0, NOF(0), NOS(0), SCQ(0), originator=7)
    asdus = master.take()
    assert [len(asdu.objects) for asdu in asdus] == [15, 15, 11]
    assert {asdu.originator for asdu in asdus} == {7}
    items = [item for asdu in asdus for item in asdu.objects]
    assert [item.elements[1].length for item in items[:40]] == list(range(40))
    assert [item.elements[2].last for item in items] == [False] * 40 + [True]


def test_files_have_their_own_common_addresses(make_rig: Any, text: str, tmp_path: Any) -> None:
    rig = make_rig(text.replace("{ ioa = 9000 }", "{ ioa = 9000, ca = 77 }"), base=tmp_path)
    master = rig.master()
    master.send(F_SC, 13, LOG, NOF(3), NOS(0), SCQ(1), ca=77)
    (answer,) = master.take()
    assert (answer.type_id, answer.ca) == (F_FR, 77)


# The event log


def lines(sections: list[bytes]) -> list[str]:
    return b"".join(sections).decode().splitlines()


def test_the_event_log_is_a_text(rig: Any, reader: Any) -> None:
    rig.set("door", 1)
    rig.advance(1)
    rig.set("q0.position", 2, 0x40)
    rig.set("current", 50.0)  # told, but each one replaces the one before
    assert lines(reader.read(LOG)) == [
        "time;iv;name;value;quality;cause",
        "2026-07-15T12:00:00.000Z;;door;1;;SPONT",
        "2026-07-15T12:00:01.000Z;;q0.position;2;NT;SPONT",
    ]


def test_the_event_log_has_frozen_totals_that_were_told(make_rig: Any, text: str, tmp_path: Any) -> None:
    counter = """
[[point]]
name = "energy"
type = "counter"
freeze = { tell = true }
address = [ { ioa = 800, group = 1 } ]
"""
    rig = make_rig(text + counter, base=tmp_path)
    rig.set("energy", 1234)
    master = rig.master()
    master.send(101, 6, 0, QCC(5, 1))
    assert [asdu.type_id for asdu in master.take()].count(37) == 1
    assert rig.history.extract().text().endswith(b";energy;1234;;SPONT\n")


def test_a_query_of_the_log_is_a_select_of_what_is_of_that_time(rig: Any, reader: Any) -> None:
    for second in range(5):
        rig.set("door", second % 2 == 0)
        rig.advance(1)
    ready = reader.query(moment(rig, -4), moment(rig, -2))
    sections = reader.fetch(LOG, ready)
    assert [line[17:24] for line in lines(sections)[1:]] == ["01.000Z", "02.000Z", "03.000Z"]
    assert len(lines(reader.fetch(LOG, reader.query(moment(rig, 100), moment(rig, 101))))) == 1


@pytest.mark.parametrize("wrong", ["backwards", "invalid", "no time"])
def test_an_impossible_time_is_refused(rig: Any, reader: Any, wrong: str) -> None:
    since, until = moment(rig, -1), moment(rig)
    if wrong == "backwards":
        since, until = until, since
    elif wrong == "invalid":
        since = replace(since, invalid=True)
    else:
        octets = bytearray(_asdu(F_SC_NB, NOF(3), since, until, ioa=LOG))
        octets[-4] = 31  # hour
        reader.master.send_octets(bytes(octets))
        assert reader.code(reader.heard()) == NEGATIVE
        return
    assert reader.code(reader.query(since, until)) == NEGATIVE


def test_only_a_log_can_be_asked_for_a_time(rig: Any, reader: Any) -> None:
    reader.write(b"hello")
    assert reader.code(reader.query(moment(rig, -1), moment(rig), INBOX)) == NEGATIVE
    assert reader.code(reader.call(2)) == NEGATIVE


def test_the_directory_knows_how_long_the_log_is_and_when_it_grew(rig: Any, reader: Any) -> None:
    rig.advance(3)
    rig.set("door", 1)
    at = moment(rig)
    rig.advance(3)
    ((_, _, length, _, time),) = reader.directory()
    assert length == len(b"".join(reader.read(LOG)))
    assert time == at


# Disturbance records


def test_a_new_record_is_told_to_every_engineer(rig: Any, reader: Any, another: Any) -> None:
    viewer = another(group="other", role="viewer")
    trip(rig)
    told = [asdu for asdu in reader.heard() if asdu.type_id == F_DR]
    assert [asdu.cause for asdu in told] == [3]
    assert [item.ioa for item in told[0].objects] == [LOG, RECORDS]
    assert not [asdu for asdu in viewer.heard() if asdu.type_id == F_DR]


def test_a_record_has_two_sections_and_its_time_is_that_of_the_trigger(rig: Any, reader: Any) -> None:
    rig.set("q0.position", 2)
    rig.advance(1)
    rig.set("q0.position", 1)
    at = moment(rig)
    rig.advance(2.1)
    reader.heard()
    cfg, dat = reader.read(RECORDS)
    assert cfg.startswith(b"Feeder 12,trip,1999\r\n7,1A,6D\r\n")
    assert dat.startswith(b"1,0,")
    entry = reader.directory()[-1]
    assert entry[1:3] == (2, len(cfg) + len(dat))
    assert entry[4] == at


def test_the_oldest_record_gives_way(rig: Any, reader: Any) -> None:
    times = []
    for _ in range(3):
        trip(rig)
        times.append(rig.now)
    entries = reader.heard() and reader.directory()
    assert [entry[0] for entry in entries] == [LOG, RECORDS, RECORDS + 1]
    assert entries[1][4].to_ns() > entries[2][4].to_ns()


def test_a_record_that_is_being_read_does_not_give_way(rig: Any, reader: Any) -> None:
    trip(rig)
    trip(rig)
    reader.heard()
    before = reader.directory()[1][4]
    ready = reader.call(1, RECORDS)
    trip(rig)
    reader.heard()
    entries = reader.directory()
    assert entries[1][4] == before
    assert entries[2][4].to_ns() > before.to_ns()
    assert entries[1][3].active
    assert len(reader.fetch(RECORDS, ready)) == 2


def test_a_record_can_be_deleted(rig: Any, reader: Any, tmp_path: Any) -> None:
    trip(rig)
    reader.heard()
    assert [path.name for path in tmp_path.glob("state/records/trip/*")] == ["0.cff"]
    (answer,) = reader.call(4, RECORDS)
    assert answer.objects[0].elements == (NOF(2), LOF(0), FRQ())
    assert ioas(reader) == [LOG]
    assert rig.audit.records[-1]["event"] == "file.delete"
    assert list(tmp_path.glob("state/records/trip/*")) == []
    assert reader.code(reader.call(4, RECORDS)) == NEGATIVE


@pytest.mark.parametrize("ioa", [LOG, INBOX])
def test_other_files_cannot_be_deleted(reader: Any, ioa: int) -> None:
    reader.write(b"hello")
    assert reader.code(reader.call(4, ioa)) == NEGATIVE
    assert ioa in ioas(reader)


def test_a_record_that_is_being_read_cannot_be_deleted(rig: Any, reader: Any, another: Any) -> None:
    trip(rig)
    reader.heard()
    ready = reader.call(1, RECORDS)
    assert reader.code(reader.call(4, RECORDS)) == NEGATIVE
    other = another(group="other")
    assert other.code(other.call(4, RECORDS)) == NEGATIVE
    assert len(reader.fetch(RECORDS, ready)) == 2


def test_a_test_deletes_nothing(rig: Any, reader: Any) -> None:
    trip(rig)
    reader.heard()
    (answer,) = reader.call(4, RECORDS, test=True)
    assert answer.test
    assert answer.objects[0].elements[2] == FRQ()
    assert ioas(reader) == [LOG, RECORDS]


def test_a_test_can_read(reader: Any) -> None:
    (answer,) = reader.call(1, LOG, test=True, originator=5)
    assert (answer.test, answer.originator) == (True, 5)


def _asdu(type_id: int, *elements: Any, ioa: int = INBOX) -> bytes:
    octets = bytes((type_id, 1, 13, 0, 1, 0)) + ioa.to_bytes(3, "little")
    return octets + b"".join(element.encode() for element in elements)
