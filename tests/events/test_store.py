"""What survives a restart, a kill, a damaged file and a full disk."""

# Fixtures come as arguments.

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from functools import partial
from itertools import pairwise

import pytest

from rtu.events.rows import STATES
from rtu.events.store import StoreInUse
from rtu.points.model import GOOD, IV, SPONTANEOUS, Reporting, Signal, Value

BREAKER = Signal(0, "q0.position", "single", ())
ENERGY = Signal(1, "energy", "counter", (), Reporting())


def add(log, points, octets, *numbers, at=0):
    for number in numbers:
        log.state(points.q[at], octets(number), SPONTANEOUS)


def drain(group):
    batches = []
    while (batch := group.next_states()) is not None:
        batches.append(batch)
    return batches


@pytest.fixture
def told(tell):
    def read(batches):
        return [octets for batch in batches for _, octets in tell(batch.asdu)]

    return read


@pytest.fixture
def reports():
    return []


@pytest.fixture
def start(make_log, open_store, reports):
    """Start the log of the one store of this test, as a restart of the station would."""

    def run(*groups, **options):
        return make_log(
            *groups,
            store=open_store(),
            report=lambda event, **details: reports.append((event, details)),
            **options,
        )

    return run


# Restart


def test_events_survive_a_restart_in_order_with_the_same_octets(start, points, octets, told):
    log = start()
    add(log, points, octets, *range(50))
    before = [batch.asdu for batch in drain(log.groups["main"])]
    log.close()
    again = start()
    assert [batch.asdu for batch in drain(again.groups["main"])] == before


def test_an_event_is_committed_within_50_ms_without_being_sent(start, points, octets, clock):
    log = start()
    add(log, points, octets, 1)
    clock.advance(0.03)
    assert log._store.drain(10)
    assert log.committed == 1
    assert log._store.window_last_ms <= 50
    log.close()


def test_events_of_one_moment_share_a_commit(start, points, octets, settle):
    log = start()
    settle(log._store)
    before = log._store.commits
    add(log, points, octets, *range(100))
    settle(log._store)
    assert log._store.commits == before + 1
    log.close()


def test_acknowledged_and_committed_rows_never_repeat(start, points, octets, told, settle):
    log = start()
    group = log.groups["main"]
    add(log, points, octets, *range(50))
    first, *_ = drain(group)
    group.acknowledge(first.token)
    settle(log._store)
    log._store.close()  # no orderly stop
    again = start()
    assert told(drain(again.groups["main"])) == [octets(n) for n in range(22, 50)]
    again.close()


def test_sequence_numbers_go_on_after_a_restart(start, points, octets):
    log = start()
    group = log.groups["main"]
    add(log, points, octets, 1, 2, 3)
    group.acknowledge(drain(group)[-1].token)
    log.close()
    again = start()
    assert again.head == 3
    assert again.groups["main"].passed(again.position)
    again.close()


def test_kept_measured_values_survive_and_newest_ones_do_not(start, points, measured_octets, told):
    log = start()
    log.measured(points.u[0], measured_octets(1), SPONTANEOUS, every=True)
    log.measured(points.u[1], measured_octets(2), SPONTANEOUS, every=False)
    log.close()
    again = start()
    assert told([again.groups["main"].next_measured()]) == [measured_octets(1)]
    assert again.groups["main"].next_measured() is None
    again.close()


def test_a_restored_event_is_in_the_way_of_a_present_value(start, points, octets):
    log = start()
    add(log, points, octets, 1)
    log.close()
    again = start()
    assert again.groups["main"].unsent([points.q[0].index])
    again.close()


def test_last_states_counters_and_remembered_values_survive(start):
    log = start()
    log.changed(BREAKER, Value(1, IV, 0))
    log.changed(ENERGY, Value(2**40 + 1, GOOD, 0))
    log.remember("restarts", 4)
    log.close()
    again = start()
    assert dict(again.last_states) == {"q0.position": (1, IV)}
    assert dict(again.counters) == {"energy": 2**40 + 1}
    assert dict(again.meta) == {"restarts": 4}
    again.close()


def test_a_last_state_and_its_event_share_a_transaction(start, points, octets, clock, settle):
    log = start()
    settle(log._store)
    seen = []
    log._store.submit = seen.append
    log.changed(BREAKER, Value(1, GOOD, 0))
    add(log, points, octets, 1)
    clock.advance(0.03)
    (changes,) = seen
    ((_, _, [(_, _, objects)]),) = changes.chunks
    assert [item[3:] for item in objects] == [octets(1)]
    assert changes.last_states == {"q0.position": (1, GOOD)}


def test_a_pulse_alone_forces_no_commit_within_a_minute(start, clock, settle):
    log = start()
    settle(log._store)
    before = log._store.commits
    for total in range(50):
        log.changed(ENERGY, Value(total, GOOD, 0))
        clock.advance(1)
        assert log._store.drain(10)
    assert log._store.commits == before
    clock.advance(11)
    assert log._store.drain(10)
    assert log._store.commits == before + 1
    log.close()


def test_a_freeze_commits_the_totals_at_once(start, clock, settle):
    log = start()
    settle(log._store)
    before = log._store.commits
    log.changed(ENERGY, Value(7, GOOD, 0))
    log.commit_soon()
    clock.advance(0.03)
    assert log._store.drain(10)
    assert log._store.commits == before + 1
    log.close()


def test_a_told_gap_repeats_unchanged_after_a_restart(start, points, octets, clock):
    log = start(capacity=5, overflow=[points.overflow])
    add(log, points, octets, *range(8))
    notice = log.groups["main"].next_states()
    log.close()
    clock.advance(60)
    again = start(capacity=5, overflow=[points.overflow])
    assert again.groups["main"].next_states().asdu == notice.asdu
    assert again.groups["main"].lost == 3
    again.close()


def test_resolved_time_tags_are_stored(start, points, octets, told, settle):
    log = start()
    add(log, points, octets, 1)
    settle(log._store)
    log.resolve(lambda type_id, old: octets(100))
    log.close()
    again = start()
    again.resolve(lambda type_id, old: octets(101))  # of an earlier boot: left alone
    assert told(drain(again.groups["main"])) == [octets(100)]
    again.close()


def test_resolving_costs_no_row_of_an_earlier_boot(start, points, octets, told, settle):
    """A removed address makes the start write everything anew: old rows and new ones side by side."""
    log = start()
    add(log, points, octets, 1, at=1)
    add(log, points, octets, 2)
    log.close()
    left = [address for address in points.all if address is not points.q[1]]
    again = start(addresses=left)
    add(again, points, octets, 3)
    settle(again._store)
    again.resolve(lambda type_id, old: octets(100))
    settle(again._store)
    again._store.close()  # no orderly stop
    last = start(addresses=left)
    assert told(drain(last.groups["main"])) == [octets(2), octets(100)]
    last.close()


# A changed configuration


def test_a_new_group_starts_at_the_end(start, points, octets, told):
    log = start("a")
    add(log, points, octets, 1)
    log.close()
    again = start("a", "b")
    add(again, points, octets, 2)
    assert told(drain(again.groups["a"])) == [octets(1), octets(2)]
    assert told(drain(again.groups["b"])) == [octets(2)]
    again.close()


def test_a_removed_group_loses_its_place_and_that_is_told(start, points, octets, reports):
    log = start("a", "b")
    add(log, points, octets, 1, 2)
    log.groups["a"].acknowledge(drain(log.groups["a"])[-1].token)
    log.close()
    start("a").close()
    assert reports == [("events.group_removed", {"group": "b", "rows": 2})]
    returned = start("a", "b")
    assert drain(returned.groups["b"]) == []
    assert len(returned._states.rows) == 0
    returned.close()


def test_rows_of_a_removed_address_count_as_lost_once(start, points, octets, told, reports, settle):
    log = start(overflow=[points.overflow])
    for number in range(6):
        add(log, points, octets, number, at=number % 2)
    log.close()
    left = [address for address in points.all if address is not points.q[1]]
    for _ in range(2):
        again = start(addresses=left, overflow=[points.overflow])
        assert again.groups["main"].lost == 3
        settle(again._store)
        again._store.close()  # no orderly stop
    assert reports == [("events.addresses_removed", {"rows": 3})]
    last = start(addresses=left, overflow=[points.overflow])
    first, notice, rest = drain(last.groups["main"])
    assert told([first]) == [octets(0)]
    assert told([notice])[0][:4] == (3).to_bytes(4, "little")
    assert told([rest]) == [octets(2), octets(4)]
    last.close()


def test_a_smaller_capacity_drops_the_oldest(start, points, octets, told):
    log = start()
    add(log, points, octets, *range(50))
    log.close()
    again = start(capacity=5)
    add(again, points, octets, *range(50, 60))
    assert told(drain(again.groups["main"])) == [octets(n) for n in range(55, 60)]
    again.close()


def test_rows_everybody_has_are_not_lost_with_their_address(start, points, octets, reports, settle):
    """They may still be in the file, next to rows that are owed."""
    log = start()
    add(log, points, octets, *range(30))
    settle(log._store)
    add(log, points, octets, 30, at=1)
    first, *_ = drain(log.groups["main"])
    log.groups["main"].acknowledge(first.token)
    log.close()
    left = [address for address in points.all if address is not points.q[0]]
    again = start(addresses=left)
    assert reports == [("events.addresses_removed", {"rows": 8})]
    assert (again.groups["main"].lost, again.groups["main"].pending) == (8, 1)
    again.close()


def test_what_a_start_tells_costs_no_row_that_survived_it(start, points, octets, told):
    """A full log, and a restart that finds every point unreadable."""
    log = start(capacity=100)
    add(log, points, octets, *range(100))
    log.close()
    for boot in range(2):  # the second has nothing new to tell: the points are as it left them
        again = start(capacity=100)
        if boot == 0:
            for at in range(4):
                add(again, points, octets, 200 + at, at=at)
        group = again.groups["main"]
        assert told(drain(group)) == [octets(n) for n in (*range(100), *range(200, 204))]
        assert group.lost == 0
        again.close()
    last = start(capacity=100)
    add(last, points, octets, *range(300, 310))  # ordinary events: the oldest go
    group = last.groups["main"]
    assert (group.pending, group.lost) == (100, 14)
    last.close()


# The file


def test_nobody_else_may_read_the_file(start, tmp_path, points, octets):
    log = start()
    add(log, points, octets, 1)
    log.close()
    directory = tmp_path / "state"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


def test_a_store_belongs_to_one_process(open_store):
    open_store()
    with pytest.raises(StoreInUse, match="stop it first"):
        open_store()


def test_deletions_reach_the_file(start, points, octets, tmp_path, clock):
    log = start()
    group = log.groups["main"]
    add(log, points, octets, *range(50))
    clock.advance(0.03)
    assert log._store.drain(10)
    group.acknowledge(drain(group)[-1].token)
    log.close()
    with sqlite3.connect(tmp_path / "state" / "events.db") as db:
        assert db.execute("SELECT count(*) FROM chunk").fetchone() == (0,)
    db.close()


def garbage(path):
    path.write_bytes(b"this is no database" * 1000)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def foreign(path):
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE something(else_ TEXT)")
    db.execute("PRAGMA user_version=1")
    db.close()


def newer(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()


@pytest.mark.parametrize("spoil", [garbage, truncated, foreign, newer])
def test_a_file_that_cannot_be_read_is_moved_aside_and_told(
    spoil, start, tmp_path, points, octets, told, reports
):
    log = start()
    add(log, points, octets, *range(200))
    log.close()
    path = tmp_path / "state" / "events.db"
    spoil(path)
    spoilt = path.read_bytes()
    again = start()
    aside = tmp_path / "state" / "events.db.corrupt-1"
    assert aside.read_bytes() == spoilt
    assert reports == [("store.set_aside", {"file": str(aside)})]
    add(again, points, octets, 7)
    again.close()
    third = start()
    assert told(drain(third.groups["main"])) == [octets(7)]
    third.close()


# A disk that fails


class Failing(sqlite3.Connection):
    """A connection whose commits fail while `broken`."""

    broken = False

    def execute(self, sql, *parameters):
        if sql == "COMMIT" and Failing.broken:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


@pytest.fixture
def failing():
    yield partial(sqlite3.connect, factory=Failing)
    Failing.broken = False


def test_a_failed_commit_is_told_and_the_whole_state_is_written_when_it_works_again(
    make_log, open_store, failing, points, octets, told, clock, reports, settle
):
    store = open_store(connect=failing)
    log = make_log(store=store, report=lambda event, **details: reports.append((event, details)))
    group = log.groups["main"]
    add(log, points, octets, *range(30))
    log.changed(BREAKER, Value(1, GOOD, 0))
    settle(store)
    Failing.broken = True
    add(log, points, octets, 30)
    settle(store)
    assert [event for event, _ in reports] == ["store.fault"]
    assert "disk I/O error" in store.fault
    first, *_ = drain(group)  # the station goes on from memory
    group.acknowledge(first.token)
    add(log, points, octets, 31)
    Failing.broken = False
    for _ in range(40):
        settle(store)
    assert [event for event, _ in reports] == ["store.fault", "store.recovered"]
    assert (store.fault, log.committed) == (None, 32)
    store.close()
    again = make_log(store=open_store())
    assert told(drain(again.groups["main"])) == [octets(n) for n in range(22, 32)]
    assert dict(again.last_states) == {"q0.position": (1, GOOD)}
    again.close()


def test_retries_back_off(make_log, open_store, failing, points, octets, clock, settle):
    store = open_store(connect=failing)
    log = make_log(store=store)
    settle(store)
    Failing.broken = True
    attempts = []
    submit = store.submit
    store.submit = lambda changes: (attempts.append(clock.now_ns() // 1_000_000_000), submit(changes))
    add(log, points, octets, 1)
    for _ in range(100):
        settle(store)
    waits = [later - earlier for earlier, later in pairwise(attempts)]
    assert waits == sorted(waits)
    assert 60 <= waits[-1] <= 62
    log.close()


def test_a_directory_that_cannot_be_made_is_a_fault_and_events_flow(
    make_log, open_store, tmp_path, points, octets, told
):
    (tmp_path / "file").write_text("in the way")
    store = open_store(tmp_path / "file" / "state")
    log = make_log(store=store)
    add(log, points, octets, 1)
    assert store.fault is not None
    assert told(drain(log.groups["main"])) == [octets(1)]
    log.close()


def test_a_file_unreadable_at_the_start_is_never_overwritten(
    start, make_log, open_store, tmp_path, points, octets, settle
):
    log = start()
    add(log, points, octets, 1)
    log.close()
    content = (tmp_path / "state" / "events.db").read_bytes()
    times = iter([True, True])  # the file itself, and a copy of it

    def connect(*arguments, **options):
        if next(times, False):
            raise sqlite3.OperationalError("disk I/O error")
        return sqlite3.connect(*arguments, **options)

    store = open_store(connect=connect)
    again = make_log(store=store)
    settle(store)
    assert store.fault is None
    assert (tmp_path / "state" / "events.db.corrupt-1").read_bytes() == content
    again.close()


def test_what_waits_in_a_file_that_can_only_be_read_is_served_and_kept(
    start, make_log, open_store, tmp_path, points, octets, told, settle
):
    log = start()
    add(log, points, octets, 1, 2)
    log.close()
    path = tmp_path / "state" / "events.db"
    read_only = [True]

    def connect(database, **options):
        if read_only and database == path:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        return sqlite3.connect(database, **options)

    store = open_store(connect=connect)
    assert store.fault is not None
    again = make_log(store=store)
    add(again, points, octets, 3)
    assert told(drain(again.groups["main"])) == [octets(1), octets(2), octets(3)]
    read_only.clear()
    again.groups["main"].release()
    settle(store)
    assert store.fault is None
    assert store.set_aside == []
    again.close()
    assert told(drain(start().groups["main"])) == [octets(1), octets(2), octets(3)]


CHILD = """
    import resource, sys
    from rtu.clock import VirtualClock
    from rtu.events.log import EventLog
    from rtu.events.store import Store
    from rtu.points.model import SPONTANEOUS, Address

    ADDRESS = Address(0, 0, 1, 1000, 1, 30, (), lambda value, quality: bytes([int(value)]))
    clock = VirtualClock()
    store = Store.open(sys.argv[1], clock)
    log = EventLog(["main"], clock, [ADDRESS], store=store)

    def append(number):
        log.state(ADDRESS, b"\\x01" + number.to_bytes(4, "little") + b"\\x01\\x01\\x1a", SPONTANEOUS)

    def settle():
        clock.advance(0.05)
        store.drain(10)
"""


def numbers(store):
    """Sequence number and own number of every row it holds."""
    for first, _, objects in store.restored.runs[STATES]:
        for seq, octets in enumerate(objects, first):
            yield seq, int.from_bytes(octets[4:8], "little")


def child(code, *arguments):
    script = textwrap.dedent(CHILD) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("after", [1, 40, 150])
def test_a_killed_process_loses_nothing_it_called_committed(after, tmp_path, open_store):
    process = child(
        """
        number = 0
        while True:
            for _ in range(7):
                number += 1
                append(number)
            settle()
            print(log.committed, flush=True)
        """,
        tmp_path / "state",
    )
    lines = [process.stdout.readline() for _ in range(after)]
    os.kill(process.pid, signal.SIGKILL)
    lines += process.stdout.readlines()
    process.stdout.close()
    process.wait(30)
    committed = max(int(line) for line in lines if line.endswith("\n"))
    store = open_store()
    kept = dict(numbers(store))
    assert committed > 0
    assert all(kept[seq] == seq for seq in range(1, committed + 1))
    assert list(kept) == list(range(1, len(kept) + 1))


def test_a_full_disk_is_survived(tmp_path, open_store):
    """RLIMIT_FSIZE stands in for the full disk: writes beyond it fail."""
    process = child(
        """
        settle()
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        number = 0
        while store.fault is None:
            number += 1
            append(number)
            settle()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for _ in range(5000):
            settle()
            if store.fault is None and log.committed == number:
                break
        print(number, store.fault)
        store.close()
        """,
        tmp_path / "state",
    )
    output, _ = process.communicate(timeout=120)
    number, fault = output.split(maxsplit=1)
    store = open_store()
    assert fault.strip() == "None"
    assert [seq for seq, _ in numbers(store)] == list(range(1, int(number) + 1))


def test_closing_without_anything_to_do_leaves_a_readable_store(start):
    start().close()
    log = start()
    assert log.head == 0
    log.close()


class Stuck(sqlite3.Connection):
    """A connection whose next commit fails, but not before it is told to."""

    on: threading.Event | None = None

    def execute(self, sql, *parameters):
        if sql == "COMMIT" and Stuck.on is not None:
            on, Stuck.on = Stuck.on, None
            on.wait(30)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


def test_a_disk_that_hangs_and_fails_while_the_station_stops_costs_nothing_if_it_comes_back(
    make_log, open_store, points, octets, told, clock, settle, monkeypatch
):
    store = open_store(connect=partial(sqlite3.connect, factory=Stuck))
    log = make_log(store=store)
    settle(store)
    Stuck.on = on = threading.Event()
    add(log, points, octets, 1)
    clock.advance(0.03)
    drained = store.drain
    # Patience ends while the first event is being written; the write fails later.
    monkeypatch.setattr(store, "drain", lambda timeout_s: (on.is_set() and drained(timeout_s)) or on.set())
    add(log, points, octets, 2)
    log.close()
    again = make_log(store=open_store())
    assert told(drain(again.groups["main"])) == [octets(1), octets(2)]
    again.close()


def test_a_disk_that_hangs_for_ever_does_not_keep_the_station_from_stopping(
    make_log, open_store, points, octets, clock, settle, monkeypatch
):
    monkeypatch.setattr("rtu.events.store.PATIENCE_S", 0.01)
    store = open_store(connect=partial(sqlite3.connect, factory=Stuck))
    log = make_log(store=store)
    settle(store)
    Stuck.on = on = threading.Event()
    monkeypatch.setattr(store, "drain", lambda timeout_s: False)
    add(log, points, octets, 1)
    clock.advance(0.03)
    log.close()
    on.set()
    store._thread.join(30)
    assert not store._thread.is_alive()
    assert store._db is None, "whoever opens the file next would find it in use"


def test_the_write_ahead_log_stays_bounded(start, points, octets, clock, tmp_path, monkeypatch):
    monkeypatch.setattr("rtu.events.store.CHECKPOINT_OCTETS", 50_000)
    log = start()
    wal = tmp_path / "state" / "events.db-wal"
    sizes = []
    for batch in range(20):
        add(log, points, octets, *range(200 * batch, 200 * batch + 200))
        clock.advance(0.03)
        assert log._store.drain(10)
        sizes.append(wal.stat().st_size)
    assert max(sizes) < 100_000
    log.close()


def test_while_one_commit_is_at_work_the_next_one_gathers(start, points, octets, clock, settle):
    log = start()
    settle(log._store)
    before = log._store.commits
    for number in range(100):
        add(log, points, octets, number)
        clock.advance(0.001)
        assert log._store.drain(10)
    assert log._store.commits <= before + 5
    log.close()


# States that go first, over restarts


def test_urgent_events_survive_a_restart(start, points, octets, told):
    log = start(first=[points.q[0]])
    add(log, points, octets, 1, at=1)
    add(log, points, octets, 2, at=0)
    log.close()
    again = start(first=[points.q[0]])
    assert told(drain(again.groups["main"])) == [octets(2), octets(1)]
    again.close()


@pytest.mark.parametrize(("before", "after"), [([], [0]), ([0], []), ([0], [1])])
def test_new_events_of_a_point_never_overtake_its_old_ones(
    before, after, start, points, octets, tell, settle
):
    """Whatever goes first before and after a restart, until every group has the old ones; the order outlives a kill."""
    log = start("a", "b", first=[points.q[at] for at in before])
    for number in range(60):
        add(log, points, octets, number, at=number % 2)
    log.close()
    again = start("a", "b", first=[points.q[at] for at in after])
    for number in range(60, 90):
        add(again, points, octets, number, at=number % 2)
    fast = again.groups["a"]
    batches = drain(fast)
    fast.acknowledge(batches[-1].token)
    for batch in batches:
        fast.acknowledge(batch.token)
    for number in range(90, 120):
        add(again, points, octets, number, at=number % 2)
    settle(again._store)
    again._store.close()  # no orderly stop
    last = start("a", "b", first=[points.q[at] for at in after])
    batches += drain(last.groups["a"])
    for batch in (told := drain(last.groups["b"])):
        last.groups["b"].acknowledge(batch.token)
    for batch in batches:
        last.groups["a"].acknowledge(batch.token)
    for received in (batches, told):
        items = [item for batch in received for item in tell(batch.asdu)]
        for at in (0, 1):
            ours = [item for ioa, item in items if ioa == points.q[at].ioa]
            assert ours == [octets(n) for n in range(at, 120, 2)]
    for batch in drain(last.groups["a"]):
        last.groups["a"].acknowledge(batch.token)
    # Everything was fetched: from now on the new configuration holds.
    add(last, points, octets, 200, at=1 - after[0] if after else 1)
    add(last, points, octets, 201, at=after[0] if after else 0)
    numbers = [item for batch in drain(last.groups["b"]) for _, item in tell(batch.asdu)]
    assert numbers == ([octets(201), octets(200)] if after else [octets(200), octets(201)])
    last.close()


def test_a_discard_outlives_a_kill(start, points, octets, told, settle):
    log = start()
    group = log.groups["main"]
    add(log, points, octets, *range(50))
    settle(log._store)
    assert group.discard() == 50
    settle(log._store)
    log._store.close()  # no orderly stop
    again = start()
    assert (drain(again.groups["main"]), again.groups["main"].lost) == ([], 0)
    again.close()


# Power cuts while it writes


def test_every_prefix_of_what_was_written_opens_with_whole_transactions(
    start, make_log, open_store, points, octets, tmp_path, clock, settle
):
    """The write-ahead log cut at every place: what opens is what some commit had made, in full."""
    log = start()
    settle(log._store)
    states = []  # after each commit: octets of the log, and the rows
    wal = tmp_path / "state" / "events.db-wal"
    group = log.groups["main"]
    made = 0
    for size in (1, 40, 3, 700, 2):
        add(log, points, octets, *range(made, made + size))
        made += size
        if size == 3:
            for batch in drain(group):
                group.acknowledge(batch.token)
        settle(log._store)
        states.append((wal.stat().st_size, made))
    octets_written = wal.read_bytes()
    database = (tmp_path / "state" / "events.db").read_bytes()
    for cut in sorted({*range(0, len(octets_written), 1777), *(size for size, _ in states)}):
        directory = tmp_path / f"cut-{cut}"
        directory.mkdir()
        (directory / "events.db").write_bytes(database)
        (directory / "events.db-wal").write_bytes(octets_written[:cut])
        store = open_store(directory)
        assert store.set_aside == []
        restored = store.restored
        head = restored.heads[STATES]
        acked = restored.cursors["main", STATES].acked if restored.cursors else 0
        assert head in {0, *(made for _, made in states)}
        assert head >= max((made for size, made in states if size <= cut), default=0)
        assert acked in ((44,) if head >= 44 else (0,))
        held = [seq for run in restored.runs[STATES] for seq in range(run[0], run[0] + len(run[2]))]
        assert [seq for seq in held if seq > acked] == list(range(acked + 1, head + 1))
        store.close()
