"""Disturbance records: what starts one, what is in it, how it is written and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtu.clock import SECOND, VirtualClock, WallTime
from rtu.points import recorder as module
from rtu.points.comtrade import Recorded, Recording, Sample, comtrade
from rtu.points.model import IV, NEVER_READ, NT, Address, Cause, Signal, Value
from rtu.points.recorder import Recorder
from rtu.points.records import Records, read
from rtu.points.table import PointTable

BREAKER, CURRENT, DOOR = range(3)
SIGNALS = (
    Signal(0, "q0", "double", ()),
    Signal(1, "current", "measured", (), unit="A"),
    Signal(2, "door", "single", ()),
)
SLOTS = 2


class Nobody:
    """Takes the reports."""

    def changed(self, signal: Signal, value: Value) -> None: ...

    def state(self, address: Address, octets: bytes, cause: Cause) -> None: ...

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None: ...


class Bench:
    """A table, a clock and a recorder: a second before, two seconds after the breaker opens."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.table = PointTable(SIGNALS, self.clock, Nobody())
        self.recordings: list[Recording] = []
        self.recorder = Recorder(
            "trip",
            "Feeder 12",
            self.table,
            self.clock,
            trigger={BREAKER: 1},
            points=(BREAKER, CURRENT),
            before_s=1.0,
            after_s=2.0,
            made=self.recordings.append,
        )
        self.table.finish_start()

    def set(self, index: int, value: float, quality: int = 0) -> None:
        self.table.update(index, Value(value, quality, self.clock.now_ns()))

    def trip(self) -> None:
        self.set(BREAKER, 2)
        self.set(BREAKER, 1)

    @property
    def recording(self) -> Recording:
        (one,) = self.recordings
        return one


@pytest.fixture
def bench() -> Bench:
    return Bench()


def values(recording: Recording, point: int) -> list[float]:
    return [sample.value for sample in recording.samples if sample.point == point]


# What starts a record, and what is in it


def test_a_record_holds_what_was_before_and_what_came_after(bench: Bench) -> None:
    bench.set(BREAKER, 2)
    for current in range(10):
        bench.set(CURRENT, current)
        bench.clock.advance(0.25)
    bench.set(BREAKER, 1)
    trigger = bench.clock.now_ns()
    bench.clock.advance(1)
    bench.set(CURRENT, 99)
    bench.clock.advance(0.99)
    assert bench.recordings == []
    bench.clock.advance(0.01)
    recording = bench.recording
    assert recording.trigger_ns == trigger
    assert recording.start_ns == trigger - SECOND
    assert recording.end_ns == trigger + 2 * SECOND
    assert [value.value for value in recording.start] == [2, 5]
    assert values(recording, 1) == [6, 7, 8, 9, 99]
    assert values(recording, 0) == [1]
    assert bench.clock.wall(trigger) == WallTime(recording.unix_ns, recording.valid)


def test_what_is_there_already_triggers_nothing(bench: Bench) -> None:
    bench.set(BREAKER, 1)
    bench.clock.advance(1)
    bench.set(BREAKER, 1, NT)
    bench.set(BREAKER, 1)
    bench.clock.advance(10)
    assert bench.recordings == []


@pytest.mark.parametrize("quality", [IV, NT, IV | NT])
def test_what_nobody_knows_triggers_nothing(bench: Bench, quality: int) -> None:
    bench.set(BREAKER, 2)
    bench.set(BREAKER, 1, quality)
    bench.clock.advance(10)
    assert bench.recordings == []


def test_what_happened_while_nobody_could_see_triggers_when_it_is_seen(bench: Bench) -> None:
    bench.set(BREAKER, 2)
    bench.set(BREAKER, 2, IV)
    bench.clock.advance(5)
    bench.set(BREAKER, 1)
    bench.clock.advance(2)
    assert bench.recording.start[0] == Value(2, IV, bench.recording.start[0].mono_ns)


def test_a_second_trigger_is_part_of_the_record(bench: Bench) -> None:
    bench.trip()
    bench.clock.advance(1)
    bench.trip()
    bench.clock.advance(5)
    assert values(bench.recording, 0) == [2, 1, 2, 1]


def test_the_next_record_begins_where_the_one_before_ended(bench: Bench) -> None:
    bench.trip()
    bench.clock.advance(1.5)
    bench.set(CURRENT, 7)
    bench.clock.advance(0.6)
    bench.trip()
    bench.clock.advance(2)
    assert values(bench.recordings[1], 1) == [7]
    assert bench.recordings[1].start_ns == bench.recordings[1].trigger_ns - SECOND


def test_soon_after_the_start_there_is_less_before(bench: Bench) -> None:
    began = bench.clock.now_ns()
    bench.clock.advance(0.25)
    bench.trip()
    bench.clock.advance(2)
    assert bench.recording.start_ns == began
    assert bench.recording.start[1] == NEVER_READ


def test_memory_is_bounded_before_the_trigger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES", 10)
    for current in range(100):
        bench.clock.advance(0.001)
        bench.set(CURRENT, current)
    bench.trip()
    bench.clock.advance(2)
    recording = bench.recording
    assert len(recording.samples) == 5
    assert recording.start[1].value == 96
    assert recording.start_ns == recording.start[1].mono_ns


def test_however_much_happened_before_the_trigger_what_happens_after_it_is_recorded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES", 10)
    for current in range(100):
        bench.clock.advance(0.001)
        bench.set(CURRENT, current)
    bench.trip()
    for current in range(200, 204):
        bench.clock.advance(0.1)
        bench.set(CURRENT, current)
    bench.clock.advance(2)
    assert values(bench.recording, 1)[-4:] == [200, 201, 202, 203]
    assert bench.recording.end_ns == bench.recording.trigger_ns + 2 * SECOND


def test_a_chattering_trigger_does_not_make_a_record_of_each_change(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES", 10)
    for change in range(100):
        bench.clock.advance(0.001)
        bench.set(BREAKER, 1 + change % 2)
    assert len(bench.recordings) <= 100 // 5


def test_memory_is_bounded_after_the_trigger(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHANGES", 10)
    bench.trip()
    for current in range(1, 21):
        bench.clock.advance(0.01)
        bench.set(CURRENT, current)
    recording = bench.recording
    assert recording.end_ns < recording.trigger_ns + SECOND
    assert values(recording, 1) == list(range(1, 10))
    bench.clock.advance(10)
    bench.trip()
    bench.clock.advance(2)
    assert len(bench.recordings) == 2


# How it is written


def recording(*samples: Sample, **changed: Any) -> Recording:
    points = (Recorded("q0, bay 1", "double"), Recorded("Ström", "measured", "A"))
    start = (Value(2, 0, 0), Value(100.0, 0, 0))
    times = {"start_ns": 5 * SECOND, "end_ns": 9 * SECOND, "trigger_ns": 6 * SECOND}
    wall = {"unix_ns": 1_784_116_800 * SECOND, "valid": True}
    return Recording("Feeder 12", "trip", points, start, samples, **{**times, **wall, **changed})


def test_the_files_are_comtrade_of_1999() -> None:
    cfg, dat = comtrade(
        recording(
            Sample(6 * SECOND, 0, 1, 0),
            Sample(6 * SECOND + 500, 1, 300.0, 0),  # within the same microsecond
            Sample(6 * SECOND + 2_000_000, 1, 200.0, NT),
            Sample(8 * SECOND, 1, 200.0, 0),
        )
    )
    assert cfg.decode("ascii").split("\r\n") == [
        "Feeder 12,trip,1999",
        "5,1A,4D",
        "1,Str?m,,,A,0.00200004,100,0,0,99998,1,1,P",
        "1,q0  bay 1 open,,,0",
        "2,q0  bay 1 closed,,,0",
        "3,q0  bay 1 invalid,,,0",
        "4,Str?m invalid,,,0",
        "0",
        "0",
        "0,5",
        "15/07/2026,11:59:59.000000",
        "15/07/2026,12:00:00.000000",
        "ASCII",
        "1",
        "",
    ]
    assert dat.decode("ascii").split("\r\n") == [
        "1,0,0,0,1,0,0",
        "2,1000000,99998,1,0,0,0",
        "3,1002000,49999,1,0,0,1",
        "4,3000000,49999,1,0,0,0",
        "5,4000000,49999,1,0,0,0",
        "",
    ]


def test_nothing_at_all_is_two_lines() -> None:
    _, dat = comtrade(recording())
    assert dat == b"1,0,0,0,1,0,0\r\n2,4000000,0,0,1,0,0\r\n"


@pytest.mark.parametrize(
    ("kind", "value", "bits"),
    [
        ("single", 1, "1"),
        ("double", 3, "11"),
        ("bitstring", 0x80000001, "1" + "0" * 30 + "1"),
        ("packed", 0xFFFF_0005, "101" + "0" * 13),
        ("protection", 300 * 256 + 0b10, "01000000"),
    ],
)
def test_states_are_status_channels(kind: Any, value: int, bits: str) -> None:
    one = Recording("s", "r", (Recorded("p", kind),), (Value(value, 0, 0),), (), 0, 0, 0, 0, True)
    _, dat = comtrade(one)
    assert dat.decode() == "1,0," + ",".join(bits) + ",0\r\n"


@given(
    told=st.lists(
        st.tuples(st.floats(-1e9, 1e9, width=32), st.integers(0, 4_000_000_000)), min_size=1, max_size=30
    )
)
def test_a_value_is_within_a_99998th_of_the_span(told: list[tuple[float, int]]) -> None:
    samples = [Sample(5 * SECOND + at // 1000 * 1000, 1, value, 0) for value, at in told]
    cfg, dat = comtrade(recording(*samples))
    a, b = map(float, cfg.split(b"\r\n")[2].split(b",")[5:7])
    lines = [list(map(int, line.split(b","))) for line in dat.split(b"\r\n")[:-1]]
    last = {0: 100.0} | {sample.mono_ns // 1000 - 5_000_000: sample.value for sample in samples}
    all_values = [100.0, *(value for value, _ in told)]
    step = (max(all_values) - min(all_values)) / 99_998
    by_time = {line[1]: line[2] for line in lines}
    assert sorted(by_time) == [line[1] for line in lines]
    for at, value in last.items():
        assert 0 <= by_time[at] <= 99_998
        assert abs(by_time[at] * a + b - value) <= step + max(map(abs, all_values)) * 1e-8
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1))


# How it is kept


class AtOnce:
    """Background work, done at once; or kept, to be done later."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] | None = None

    def submit(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        def do() -> None:
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)

        if self.held is None:
            do()
        else:
            self.held.append(do)


class Shelf:
    """Records on a disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.background = AtOnce()
        self.stored: list[int] = []
        self.warnings: list[str] = []
        self.reopen()

    def reopen(self) -> None:
        self.records = Records(
            self.directory, SLOTS, self.background, stored=self.stored.append, log=self.warnings.append
        )

    def add(self, second: int) -> None:
        self.records.add(recording(unix_ns=second * SECOND))

    @property
    def times(self) -> list[int | None]:
        return [slot.kept.created.unix_ns // SECOND if slot.kept else None for slot in self.records.slots]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "records" / "trip")


def test_a_record_can_be_read_after_a_restart(shelf: Shelf) -> None:
    written = recording(Sample(6 * SECOND, 0, 1, 0), valid=False)
    shelf.records.add(written)
    shelf.reopen()
    (slot, empty) = shelf.records.slots
    assert read(slot.path) == comtrade(written)
    assert slot.kept is not None
    assert slot.kept.created == WallTime(written.unix_ns, False)
    assert slot.kept.lengths == tuple(map(len, comtrade(written)))
    assert empty.kept is None
    assert slot.path.read_bytes().startswith(b"--- file type: CFG ---\r\nFeeder 12,trip,1999\r\n")


def test_the_oldest_gives_way(shelf: Shelf) -> None:
    for second in (1000, 2000, 3000):
        shelf.add(second)
    assert shelf.times == [3000, 2000]
    assert shelf.stored == [0, 1, 0]
    shelf.reopen()
    shelf.add(4000)
    assert shelf.times == [3000, 4000]


def test_one_in_use_does_not(shelf: Shelf) -> None:
    shelf.add(1000)
    shelf.add(2000)
    shelf.records.slots[0].used += 1
    shelf.add(3000)
    assert shelf.times == [1000, 3000]
    shelf.records.slots[1].used += 1
    shelf.add(4000)
    assert shelf.times == [1000, 3000]
    assert "is lost" in shelf.warnings[0]


def test_what_the_disk_has_not_taken_yet_is_bounded(shelf: Shelf) -> None:
    shelf.background.held = []
    for second in range(10):
        shelf.add(second)
    assert len(shelf.background.held) == SLOTS
    for job in shelf.background.held:
        job()
    assert shelf.times == [0, 1]


def test_a_record_is_deleted(shelf: Shelf) -> None:
    said: list[bool] = []
    shelf.add(1000)
    slot = shelf.records.slots[0]
    slot.used += 1
    shelf.records.delete(slot, said.append)
    slot.used -= 1
    shelf.records.delete(slot, said.append)
    shelf.records.delete(slot, said.append)
    assert said == [False, True, False]
    shelf.reopen()
    assert shelf.times == [None, None]


def test_a_damaged_record_is_set_aside(shelf: Shelf) -> None:
    shelf.add(1000)
    shelf.add(2000)
    path = shelf.records.slots[0].path
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 3] ^= 1
    path.write_bytes(octets)
    shelf.reopen()
    assert shelf.times == [None, 2000]
    assert path.with_name("0.cff.damaged").exists()
    assert "is set aside" in shelf.warnings[0]


@pytest.mark.parametrize(
    "octets", [b"", b"--- file type: CFG ---\r\n", b"x" * 1000, b"--- file type: HDR ---\r\n[]"]
)
def test_anything_may_be_found_there(shelf: Shelf, octets: bytes) -> None:
    path = shelf.records.slots[1].path
    path.parent.mkdir(parents=True)
    path.write_bytes(octets)
    shelf.reopen()
    assert shelf.times == [None, None]
    assert len(shelf.warnings) == 1


def test_a_full_disk_leaves_the_record_before(shelf: Shelf) -> None:
    shelf.add(1000)
    shelf.add(2000)
    shelf.records.slots[0].path.with_name("0.cff.new").mkdir()
    shelf.add(3000)
    assert shelf.times == [1000, 2000]
    assert len(shelf.warnings) == 1
    shelf.reopen()
    assert shelf.times == [1000, 2000]
