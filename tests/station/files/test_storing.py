"""Files from the master to the station (checklist K)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rtu.iec104.elements import AFQ, CHS, FRQ, LOF, LSQ, NOF, NOS, SRQ, Segment

F_FR, F_SR, F_SC, F_LS, F_AF, F_SG = range(120, 126)
LOG, INBOX, RECORDS = 9000, 9100, 9200


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "inbox.bin"


def test_a_file_is_kept_when_all_of_it_was_right(rig: Any, reader: Any, inbox: Path) -> None:
    assert reader.code(reader.offer(7)) == (F_SC, 2, 0)
    assert reader.code(reader.section(b"set")) == (F_AF, 3, 0)
    assert reader.code(reader.section(b"ting", 2)) == (F_AF, 3, 0)
    assert not inbox.exists()
    (answer,) = reader.end(b"setting", 2)
    assert answer.objects[0].elements == (NOF(1), NOS(2), AFQ(1))
    assert inbox.read_bytes() == b"setting"
    assert reader.read() == [b"setting"]
    stored = next(record for record in rig.audit.records if record["event"] == "file.store")
    assert stored["result"] == "complete"
    assert stored["octets"] == 7


def test_k08_a_section_with_a_wrong_checksum_is_asked_for_again(reader: Any, inbox: Path) -> None:
    reader.offer(5)
    (answer,) = reader.section(b"hello", wrong=1)
    assert answer.objects[0].elements == (NOF(1), NOS(1), AFQ(4, 2))
    assert answer.encode()[-1] == 0x24
    assert reader.code(reader.section(b"hello")) == (F_AF, 3, 0)
    assert reader.code(reader.end(b"hello")) == (F_AF, 1, 0)
    assert inbox.read_bytes() == b"hello"


def test_k08_a_file_with_a_wrong_checksum_is_not_kept(rig: Any, reader: Any, inbox: Path) -> None:
    reader.write(b"before")
    reader.offer(5)
    reader.section(b"hello")
    assert reader.code(reader.end(b"hello", wrong=1)) == (F_AF, 2, 2)
    assert inbox.read_bytes() == b"before"
    assert rig.audit.records[-1]["result"] == "the checksum or the length is wrong"
    assert reader.code(reader.write(b"hello")) == (F_AF, 1, 0)


def test_k09_a_file_that_is_too_long_is_refused(rig: Any, reader: Any) -> None:
    assert reader.code(reader.offer(200_001)) == (F_SC, 2, 1)
    assert reader.code(reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ())) == (F_SC, 6, 3)
    assert reader.code(reader.offer(200_000)) == (F_SC, 2, 0)


@pytest.mark.parametrize("sections", [[b""], [], [b"x"], [b"x" * 236], [b"x" * 237], [b"", b"x", b""]])
def test_k11_a_file_of_any_length_can_be_sent(reader: Any, inbox: Path, sections: list[bytes]) -> None:
    assert reader.code(reader.write(*sections)) == (F_AF, 1, 0)
    assert inbox.read_bytes() == b"".join(sections)
    assert reader.read() == [b"".join(sections)]


@pytest.mark.parametrize("ioa", [LOG, RECORDS])
def test_other_files_are_not_taken(reader: Any, ioa: int) -> None:
    assert reader.code(reader.offer(5, ioa)) == (F_SC, 2, 3)


def test_the_name_must_be_that_of_the_file_or_none(reader: Any) -> None:
    assert reader.code(reader.offer(5, name=4)) == (F_SC, 2, 4)
    assert reader.code(reader.offer(5, name=0)) == (F_SC, 2, 0)


def test_a_master_that_says_not_ready_is_refused(reader: Any) -> None:
    assert reader.code(reader.say(F_FR, INBOX, LOF(5), FRQ(negative=True))) == (F_SC, 2, 3)
    reader.offer(5)
    assert reader.code(reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ(not_ready=True))) == (F_SC, 6, 3)
    assert reader.code(reader.section(b"hello")) == (F_AF, 3, 0)


def test_steps_without_a_transfer_are_refused(reader: Any) -> None:
    assert reader.code(reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ())) == (F_SC, 6, 3)
    assert reader.say(F_SG, INBOX, NOS(1), Segment(b"x")) == []
    assert reader.code(reader.say(F_LS, INBOX, NOS(1), LSQ(3), CHS(0))) == (F_AF, 4, 3)
    assert reader.code(reader.say(F_LS, INBOX, NOS(1), LSQ(1), CHS(0))) == (F_AF, 2, 3)


def test_the_sections_come_in_turn(reader: Any, inbox: Path) -> None:
    reader.offer(5)
    assert reader.code(reader.say(F_SR, INBOX, NOS(2), LOF(5), SRQ())) == (F_SC, 6, 5)
    assert reader.code(reader.say(F_SR, INBOX, NOS(1), LOF(6), SRQ())) == (F_SC, 6, 1)
    assert reader.code(reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ())) == (F_SC, 6, 0)
    reader.say(F_SG, INBOX, NOS(1), Segment(b"hello"))
    assert reader.code(reader.say(F_LS, INBOX, NOS(2), LSQ(3), CHS(0))) == (F_AF, 4, 5)
    assert reader.code(reader.section(b"hello")) == (F_AF, 3, 0)
    assert reader.code(reader.end(b"hello")) == (F_AF, 1, 0)


@pytest.mark.parametrize(
    "segments", [[(1, b"too much")], [(1, b"few")], [(2, b"hello")], [(1, b"hello"), (1, b"!")]]
)
def test_a_section_that_is_not_what_was_announced_is_asked_for_again(
    reader: Any, inbox: Path, segments: list[tuple[int, bytes]]
) -> None:
    reader.offer(5)
    reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ())
    octets = b"".join(data for _, data in segments)
    for number, data in segments:
        reader.say(F_SG, INBOX, NOS(number), Segment(data))
    end = reader.say(F_LS, INBOX, NOS(1), LSQ(3), CHS(sum(octets) & 0xFF))
    assert reader.code(end) == (F_AF, 4, 2)
    assert reader.code(reader.section(b"hello")) == (F_AF, 3, 0)
    assert reader.code(reader.end(b"hello")) == (F_AF, 1, 0)
    assert inbox.read_bytes() == b"hello"


def test_a_file_of_which_something_lacks_is_not_kept(reader: Any, inbox: Path) -> None:
    reader.offer(5)
    reader.section(b"hell")
    assert reader.code(reader.end(b"hell")) == (F_AF, 2, 2)
    assert not inbox.exists()


def test_the_master_can_break_off(reader: Any, inbox: Path) -> None:
    reader.offer(5)
    reader.say(F_SR, INBOX, NOS(1), LOF(5), SRQ())
    reader.say(F_SG, INBOX, NOS(1), Segment(b"he"))
    assert reader.code(reader.say(F_LS, INBOX, NOS(1), LSQ(4), CHS(0))) == (F_AF, 4, 0)
    assert reader.code(reader.section(b"hello")) == (F_AF, 3, 0)
    assert reader.code(reader.say(F_LS, INBOX, NOS(1), LSQ(2), CHS(0))) == (F_AF, 2, 0)
    assert reader.code(reader.end(b"hello")) == (F_AF, 2, 3)
    reader.offer(5)
    assert reader.code(reader.call(3)) == (F_FR, 0, 0)
    assert not inbox.exists()


def test_silence_ends_it(rig: Any, reader: Any, inbox: Path) -> None:
    reader.offer(500)
    reader.say(F_SR, INBOX, NOS(1), LOF(500), SRQ())
    for _ in range(3):
        rig.advance(19)
        reader.say(F_SG, INBOX, NOS(1), Segment(b"x"))
    rig.advance(20)
    assert reader.code(reader.say(F_LS, INBOX, NOS(1), LSQ(3), CHS(0))) == (F_AF, 4, 3)
    assert rig.audit.records[-2]["result"] == "the master was silent"
    assert not inbox.exists()


def test_it_ends_with_the_connection(rig: Any, reader: Any, another: Any) -> None:
    other = another(group="other")
    reader.offer(5)
    assert other.code(other.offer(5)) == (F_SC, 2, 1)
    assert other.code(other.end(b"hello")) == (F_AF, 2, 3)
    reader.master.disconnect()
    assert other.code(other.write(b"hello")) == (F_AF, 1, 0)


def test_one_transfer_at_a_time(reader: Any) -> None:
    reader.offer(5)
    assert reader.code(reader.offer(5)) == (F_SC, 2, 3)
    assert reader.code(reader.call(1, LOG)) == (F_FR, 1, 0)
    reader.section(b"hello")
    assert reader.code(reader.end(b"hello")) == (F_AF, 1, 0)


def test_the_directory_shows_what_is_under_way(reader: Any) -> None:
    reader.write(b"hello")
    reader.offer(7)
    entry = reader.directory()[1]
    assert entry[2] == 5
    assert entry[3].active


def test_a_disk_that_fails_is_told(rig: Any, reader: Any, inbox: Path) -> None:
    reader.write(b"before")
    inbox.with_name("inbox.bin.new").mkdir()
    assert reader.code(reader.write(b"hello")) == (F_AF, 2, 1)
    assert inbox.read_bytes() == b"before"
    assert str(rig.audit.records[-1]["result"]).startswith("it could not be stored: ")


def test_what_the_disk_takes_while_the_connection_ends_is_on_record(
    rig: Any, reader: Any, inbox: Path
) -> None:
    rig.background.held = []
    assert reader.write(b"hello") == []
    assert reader.code(reader.call(1)) == (F_FR, 1, 0)  # its answer is still owed
    reader.master.disconnect()
    rig.background.let_go()
    assert inbox.read_bytes() == b"hello"
    assert rig.audit.records[-1]["event"] == "file.store"
    assert rig.audit.records[-1]["result"] == "complete"


def test_nothing_new_is_taken_before_the_disk_has_the_last_one(
    rig: Any, reader: Any, another: Any, inbox: Path
) -> None:
    """However often a master comes back, the station holds one file of it."""
    rig.background.held = []
    reader.write(b"hello")
    reader.master.disconnect()
    other = another(group="other")
    assert other.code(other.offer(5)) == (F_SC, 2, 1)
    rig.background.let_go()
    assert other.code(other.write(b"again")) == (F_AF, 1, 0)
    assert inbox.read_bytes() == b"again"


def test_the_time_of_a_file_that_came_while_the_clock_was_wrong_is_marked(
    make_rig: Any, text: str, rig: Any, reader: Any, tmp_path: Path
) -> None:
    rig.clock.valid = False
    reader.write(b"hello")
    assert reader.directory()[1][4].invalid
    rig.clock.valid = True
    reader.master = make_rig(text, base=tmp_path).master()
    assert reader.directory()[1][4].invalid
    reader.write(b"again")
    assert not reader.directory()[1][4].invalid


def test_a_test_stores_nothing(rig: Any, reader: Any, inbox: Path) -> None:
    (answer,) = reader.write(b"hello", test=True)
    assert answer.test
    assert reader.code([answer]) == (F_AF, 1, 0)
    assert not inbox.exists()
    assert rig.audit.records[-1]["result"] == "a test, nothing was stored"


def test_a_test_in_between_makes_all_of_it_a_test(reader: Any, inbox: Path) -> None:
    reader.offer(5)
    reader.section(b"hello", test=True)
    reader.end(b"hello")
    assert not inbox.exists()


def test_a_file_outlives_a_restart(make_rig: Any, text: str, reader: Any, tmp_path: Path) -> None:
    reader.write(b"hello")
    time = reader.directory()[1][4]
    reader.master = make_rig(text, base=tmp_path).master()
    assert reader.read() == [b"hello"]
    assert reader.directory()[1][4] == time


def test_a_file_put_there_by_hand_must_not_be_longer_than_a_file_can_be(
    make_rig: Any, text: str, tmp_path: Path, reader: Any, inbox: Path
) -> None:
    with inbox.open("wb") as file:
        file.truncate(16_777_216)
    reader.master = make_rig(text, base=tmp_path).master()
    assert reader.code(reader.call(1)) == (F_FR, 1, 0)
