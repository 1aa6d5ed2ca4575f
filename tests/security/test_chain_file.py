"""The files of the trail: each line in the kernel at once, numbers that go on, and disks that fail, fill up and hang."""

from __future__ import annotations

import errno
import os

import pytest

from rtu.security.audit import chain_file
from rtu.security.audit.chain import WINDOW, Head, digest, files
from rtu.security.audit.chain_check import check
from rtu.security.audit.chain_file import HANG_NS, RETRY_NS, SYNC_NS, WAITING
from tests.security.chained import Trail, events, lines, records


@pytest.fixture
def where(tmp_path):
    return tmp_path / "audit"


@pytest.fixture
def disk(monkeypatch):
    """Says which calls fail, and counts syncs."""

    class Disk:
        def __init__(self):
            self.error = 0
            self.syncs = 0
            self.room = None

        def write(self, descriptor, octets):
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            return real_write(descriptor, octets if self.room is None else octets[: self.room])

        def fdatasync(self, descriptor):
            self.syncs += 1
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            real_sync(descriptor)

    real_write, real_sync = os.write, os.fdatasync
    disk = Disk()
    monkeypatch.setattr(chain_file.os, "write", disk.write)
    monkeypatch.setattr(chain_file.os, "fdatasync", disk.fdatasync)
    return disk


def whole(directory):
    return check(directory).breaks == ()


def test_a_record_is_in_the_file_when_record_returns(where):
    trail = Trail(where)
    trail.record("start")
    trail.commands(1)
    assert events(where) == ["start", "command.execute"]


def test_it_is_on_the_disk_a_tenth_of_a_second_later_with_all_others_of_that_time(where, disk):
    trail = Trail(where)
    trail.clock.advance(1)
    trail.commands(50)
    assert disk.syncs == 0
    trail.clock.advance(ns=SYNC_NS)
    assert disk.syncs == 1
    trail.clock.advance(3600)
    assert disk.syncs == 1


def test_what_comes_during_a_sync_is_synced_by_the_next(where, disk):
    trail = Trail(where)
    trail.commands(1)
    trail.thread.hangs = True
    trail.clock.advance(ns=SYNC_NS)
    trail.commands(1)
    trail.thread.run()
    assert disk.syncs == 1
    trail.clock.advance(ns=SYNC_NS)
    assert disk.syncs == 2


@pytest.mark.parametrize("end", [Trail.end, Trail.die])
def test_numbers_and_hashes_go_on_over_a_restart(where, end):
    for _ in range(3):
        trail = Trail(where)
        trail.record("start")
        trail.commands(2)
        end(trail)
    numbers = [record["seq"] for record in records(where)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert whole(where)


def test_the_station_knows_how_it_ended_last_time(where):
    first = Trail(where)
    assert first.audit.previous_end == ""
    first.record("start")
    first.end()
    second = Trail(where)
    assert second.audit.previous_end == "stop"
    second.record("start")
    second.die()
    assert Trail(where).audit.previous_end == "unexpected"


def test_a_full_file_is_followed_by_the_next_and_the_oldest_gives_way(where):
    trail = Trail(where)
    trail.commands(6000, reason="x" * 200)
    trail.clock.advance(1)
    kept = files(where)
    assert kept[0].name != "audit-000001.jsonl"
    assert len(kept) <= chain_file.FILES
    assert sum(path.stat().st_size for path in kept) <= 1_048_576
    assert all(path.stat().st_size <= 1_048_576 // chain_file.FILES for path in kept)
    verdict = check(where)
    assert verdict.breaks == ()
    assert verdict.first > 1
    assert verdict.head == trail.audit.status().head


def test_that_files_gave_way_is_on_record_before_they_do(where):
    trail = Trail(where)
    trail.commands(1)
    trail.thread.hangs = True
    while trail.heard[-1]["event"] != "audit.prune":
        trail.commands(1, reason="x" * 200)
    assert (where / "audit-000001.jsonl").exists()
    assert events(where)[-1] == "audit.prune"
    trail.thread.run()
    trail.clock.advance(1)
    assert not (where / "audit-000001.jsonl").exists()
    assert whole(where)


def test_less_room_than_before_is_made_at_the_next_start(where):
    trail = Trail(where, 4 * 1_048_576)
    trail.commands(6000, reason="x" * 200)
    trail.end()
    trail = Trail(where, 1_048_576)
    trail.record("start")
    trail.clock.advance(1)
    assert sum(path.stat().st_size for path in files(where)) <= 1_048_576 + 4 * 1_048_576 // chain_file.FILES
    assert whole(where)


# A disk that fails


def test_a_full_disk_stops_no_command_as_long_as_the_log_takes_the_record(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.error = errno.ENOSPC
    trail.commands(3)
    assert trail.audit.status().failed
    assert trail.audit.status().reason == f"{where}: No space left on device"
    assert [record["event"] for record in trail.heard] == ["start", "command.execute", "audit.fault"] + 2 * [
        "command.execute"
    ]


@pytest.mark.parametrize("count", range(100, 108))  # at least one of them is the last that fits its file
def test_no_file_gives_way_to_lines_that_a_full_disk_did_not_take(where, disk, count):
    trail = Trail(where, 16_000)
    trail.commands(count)
    disk.room = 0
    trail.commands(1)
    trail.end()
    disk.room = None
    Trail(where, 16_000).commands(1)
    assert whole(where)


def test_without_a_log_nothing_is_kept_and_said_so(where, disk):
    trail = Trail(where)
    trail.record("start")
    trail.heard = None
    assert trail.record("command.execute")  # in the file
    disk.error = errno.EROFS
    assert not trail.record("command.execute")


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.error = errno.ENOSPC
    trail.commands(3)
    trail.clock.advance(60)
    assert events(where) == ["start"]
    disk.error = 0
    trail.clock.advance(ns=RETRY_NS)
    assert not trail.audit.status().failed
    trail.commands(1)
    assert events(where) == ["start", "command.execute", "audit.fault"] + 3 * ["command.execute"]
    assert whole(where)


def test_too_much_for_the_memory_is_missing_and_one_record_tells_how_many(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.error = errno.ENOSPC
    trail.commands(WAITING + 500)
    disk.error = 0
    trail.clock.advance(ns=RETRY_NS)
    trail.commands(1)
    (gap,) = [record for record in records(where) if record["event"] == "audit.gap"]
    assert gap["missing"] == 501  # the record of the fault among them
    numbers = [record["seq"] for record in trail.heard]
    assert numbers == list(range(1, len(numbers) + 1))
    verdict = check(where)
    assert (verdict.breaks, verdict.missing) == ((), 501)


def test_a_line_that_only_half_fits_is_taken_back(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.room = 100
    trail.commands(1)
    disk.room = None
    assert lines(where)[-1].endswith(b"}")
    trail.clock.advance(ns=RETRY_NS)
    assert events(where) == ["start", "command.execute", "audit.fault"]
    assert whole(where)


def test_after_a_sync_that_failed_a_new_file_is_begun(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.error = errno.EIO
    trail.clock.advance(ns=SYNC_NS)
    assert trail.audit.status().failed
    disk.error = 0
    trail.clock.advance(ns=RETRY_NS)
    assert not trail.audit.status().failed
    trail.commands(1)
    assert [path.name for path in files(where)] == ["audit-000001.jsonl", "audit-000002.jsonl"]
    assert events(where) == ["start", "audit.fault", "command.execute"]
    assert whole(where)


def test_a_disk_that_stays_full_does_not_fill_up_with_empty_files(where, disk):
    trail = Trail(where)
    trail.record("start")
    disk.error = errno.ENOSPC
    trail.commands(1)
    trail.clock.advance(3600)
    assert len(files(where)) == 2


def test_a_disk_that_hangs_does_not_hold_up_the_loop_and_loses_nothing(where, disk):
    trail = Trail(where)
    trail.commands(1)
    trail.thread.hangs = True
    trail.clock.advance(ns=SYNC_NS + HANG_NS)
    assert trail.audit.status().reason == f"{where}: the disk does not answer"
    disk.write = None  # a write would hang now
    trail.commands(5)
    del disk.write
    trail.thread.run()
    assert not trail.audit.status().failed
    assert events(where) == ["command.execute", "audit.fault"] + 5 * ["command.execute"]
    assert whole(where)


def test_a_trail_that_cannot_be_opened_does_not_keep_the_station_from_starting(where):
    where.write_text("a file where the directory should be")
    trail = Trail(where)
    trail.record("start")
    trail.commands(2)
    assert trail.audit.status().failed
    where.unlink()
    trail.clock.advance(ns=RETRY_NS)
    trail.commands(1)
    assert events(where) == ["audit.gap", "command.execute"]
    verdict = check(where)
    assert (verdict.breaks, verdict.missing) == ((), 4)


def test_when_an_old_trail_comes_back_its_numbers_go_on(where, tmp_path):
    trail = Trail(where)
    trail.commands(7)
    trail.end()
    where.rename(tmp_path / "away")
    where.write_text("not mounted")
    trail = Trail(where)
    trail.commands(2)
    where.unlink()
    (tmp_path / "away").rename(where)
    trail.clock.advance(ns=RETRY_NS)
    trail.commands(1)
    assert [record["seq"] for record in records(where)][7:] == [8, 12, 13]
    verdict = check(where)
    assert (verdict.breaks, verdict.missing) == ((), 3)


def test_two_stations_do_not_write_one_trail(where):
    first, second = Trail(where), Trail(where)
    first.record("start")
    second.record("start")
    assert second.audit.status().reason == f"{where}: another program writes it"
    assert events(where) == ["start"]


def test_a_station_that_stops_while_it_looks_at_the_disk_again_does_not_keep_the_next_one_out(where):
    other, trail = Trail(where), Trail(where)
    other.record("start")
    trail.record("start")
    trail.thread.hangs = True
    trail.clock.advance(ns=RETRY_NS)
    other.end()
    open_before = len(os.listdir("/proc/self/fd"))
    trail.end()
    trail.thread.run()
    assert len(os.listdir("/proc/self/fd")) == open_before
    third = Trail(where)
    third.record("start")
    assert not third.audit.status().failed


def test_a_file_somebody_removes_is_missed(where):
    trail = Trail(where)
    trail.commands(3)
    (where / "audit-000001.jsonl").unlink()
    trail.commands(1)
    trail.clock.advance(ns=SYNC_NS)
    assert trail.audit.status().failed
    trail.clock.advance(ns=RETRY_NS)
    assert not trail.audit.status().failed
    assert "audit.broken" in events(where)
    assert not whole(where)


# Power cuts


def test_wherever_a_power_cut_tears_the_last_lines_the_chain_goes_on(where):
    trail = Trail(where)
    trail.record("start")
    trail.commands(3)
    trail.die()
    path = where / "audit-000001.jsonl"
    octets = path.read_bytes()
    ends = [at + 1 for at, octet in enumerate(octets) if octet == 10]
    for cut in range(1, len(octets)):
        path.write_bytes(octets[:cut])
        trail = Trail(where)
        trail.record("start")
        trail.die()
        survived = sum(end <= cut for end in ends)
        repaired = ["audit.repaired"] if cut not in ends else []
        told = ["start", "command.execute", "command.execute"][:survived]
        assert events(where) == told + repaired + ["start"], cut
        assert whole(where)


@pytest.mark.parametrize("garbage", [bytes(512), b"\xff" * 700, bytes(300) + b"\n" + bytes(10) + b"\n"])
def test_sectors_of_nothing_at_the_end_are_cut_off(where, garbage):
    trail = Trail(where)
    trail.commands(3)
    trail.die()
    path = where / "audit-000001.jsonl"
    with path.open("ab") as file:
        file.write(garbage)
    trail = Trail(where)
    trail.record("start")
    assert events(where) == 3 * ["command.execute"] + ["audit.repaired", "start"]
    assert records(where)[3]["octets"] == len(garbage)
    assert whole(where)


def test_a_power_cut_right_after_a_new_file_was_begun(where):
    trail = Trail(where)
    trail.commands(3)
    trail.die()
    (where / "audit-000002.jsonl").touch()
    trail = Trail(where)
    trail.record("start")
    assert (where / "audit-000002.jsonl").stat().st_size
    assert whole(where)


def test_a_chain_somebody_broke_is_told_at_the_start_and_goes_on(where):
    trail = Trail(where)
    trail.commands(5)
    trail.end()
    path = where / "audit-000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"number": 2', b'"number": 3'))
    trail = Trail(where)
    trail.record("start")
    (broken,) = [record for record in records(where) if record["event"] == "audit.broken"]
    assert broken["reason"] == "record 4 does not name the hash of record 3: one of them was changed"
    assert len(check(where).breaks) == 1


def test_a_file_that_is_all_garbage_is_left_as_it_is(where):
    trail = Trail(where)
    trail.commands(3)
    trail.end()
    (where / "audit-000002.jsonl").write_bytes(b"\xa5" * 400_000)
    trail = Trail(where)
    trail.record("start")
    assert (where / "audit-000002.jsonl").stat().st_size == 400_000
    assert records(where)[-1]["event"] == "start"
    assert (where / "audit-000003.jsonl").exists()


def test_the_head_is_the_hash_of_the_last_line(where):
    trail = Trail(where)
    trail.commands(4)
    assert trail.audit.status().head == Head(4, digest(lines(where)[-1]))
    assert trail.heard[-1]["hash"] == digest(lines(where)[-1])


def test_opening_looks_at_the_end_only(where):
    trail = Trail(where, 64 * 1_048_576)
    trail.commands(4000, reason="x" * 200)
    trail.end()
    path = where / "audit-000001.jsonl"
    assert path.stat().st_size > 4 * WINDOW
    octets = path.read_bytes()
    path.write_bytes(octets.replace(b'"number": 7,', b'"number": 8,'))
    trail = Trail(where)
    trail.record("start")
    assert "audit.broken" not in events(where)
    assert not whole(where)
