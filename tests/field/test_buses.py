"""One thread per bus: commands first, bounded, and never hung on stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hw.interface import DeviceFault
from rtu.clock import SECOND, VirtualClock
from rtu.field.buses import MAX_JOBS, Bus, Buses, Poll

LONG = 20.0  # seconds until a test that waits on a thread gives up


class Bench:
    """A bus whose turns are taken by hand."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.log: list[object] = []
        self.posted: list[Callable[[], None]] = []
        self.bus = Bus("i2c-1", self.clock, self.posted.append)

    def poll(self, name: str, period_s: float = 1) -> Poll:
        def scan() -> object:
            self.log.append(name)
            return name

        poll = Poll(round(period_s * SECOND), scan, lambda batch: self.log.append(("took", batch)))
        self.bus.add(poll)
        return poll

    def run_loop(self) -> None:
        while self.posted:
            self.posted.pop(0)()


def test_jobs_run_before_what_is_due() -> None:
    bench = Bench()
    bench.poll("adc")
    for name in ("first", "second"):
        bench.bus.submit(lambda name=name: bench.log.append(name), lambda result, fault: None)  # type: ignore[misc]
    bench.bus.turn()
    assert bench.log == ["first", "second", "adc"]


def test_each_turn_takes_one_poll_so_that_jobs_wait_for_one_at_most() -> None:
    bench = Bench()
    bench.poll("a")
    bench.poll("b")
    bench.bus.turn()
    bench.bus.submit(lambda: bench.log.append("job"), lambda result, fault: None)
    bench.bus.turn()
    assert bench.log == ["a", "job", "b"]


def test_a_turn_says_when_to_come_back() -> None:
    bench = Bench()
    assert bench.bus.turn() is None
    start = bench.clock.now_ns()
    bench.poll("a", 2)
    bench.poll("b", 3)
    for _ in range(2):
        assert bench.bus.turn() == start
    assert bench.bus.turn() == start + 2 * SECOND


def test_results_and_errors_of_jobs_reach_the_loop() -> None:
    bench = Bench()
    outcomes: list[tuple[object, object]] = []
    fault = OSError("no answer")

    def fail() -> object:
        raise fault

    bench.bus.submit(lambda: 42, lambda result, fault: outcomes.append((result, fault)))
    bench.bus.submit(fail, lambda result, fault: outcomes.append((result, fault)))
    bench.bus.turn()
    assert outcomes == []
    bench.run_loop()
    assert outcomes == [(42, None), (None, fault)]


def test_a_full_queue_refuses() -> None:
    bench = Bench()
    taken = [bench.bus.submit(lambda: None, lambda result, fault: None) for _ in range(MAX_JOBS + 1)]
    assert taken == [True] * MAX_JOBS + [False]


def test_a_loop_that_stands_still_is_not_buried_in_batches() -> None:
    bench = Bench()
    poll = bench.poll("adc")
    for _ in range(5):
        bench.bus.turn()
        bench.clock.advance(1)
    assert len(bench.posted) == 1
    assert poll.skipped == 4
    bench.run_loop()
    bench.bus.turn()
    bench.run_loop()
    assert bench.log == ["adc", ("took", "adc"), "adc", ("took", "adc")]


def test_polls_keep_their_rhythm_but_do_not_catch_up() -> None:
    bench = Bench()
    poll = bench.poll("adc")
    start = bench.clock.now_ns()
    bench.bus.turn()
    bench.run_loop()
    bench.clock.advance(1.2)
    bench.bus.turn()
    bench.run_loop()
    assert poll.due_ns == start + 2 * SECOND
    bench.clock.advance(60)
    bench.bus.turn()
    assert poll.due_ns == bench.clock.now_ns()


def test_a_scan_that_raises_leaves_the_bus_to_the_others() -> None:
    bench = Bench()

    def fail() -> object:
        raise OSError("no answer")

    broken = Poll(SECOND, fail, bench.log.append)
    bench.bus.add(broken)
    bench.poll("b")
    bench.bus.turn()
    bench.bus.turn()
    assert broken.failed == 1
    assert bench.log == ["b"]


def test_a_removed_poll_is_not_scanned() -> None:
    bench = Bench()
    bench.bus.remove(bench.poll("adc"))
    assert bench.bus.turn() is None
    assert bench.log == []


def test_stopping_takes_no_more_but_finishes_what_waits() -> None:
    bench = Bench()
    bench.poll("adc")
    bench.bus.submit(lambda: bench.log.append("to rest"), lambda result, fault: None)
    bench.bus.stop()
    assert not bench.bus.submit(lambda: bench.log.append("late"), lambda result, fault: None)
    assert bench.bus.turn() is None
    assert bench.log == ["to rest"]


def test_a_bus_with_a_full_queue_is_a_fault_for_outputs() -> None:
    buses = Buses(VirtualClock(), lambda callback: callback())
    entered, let_go, told = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        let_go.wait(LONG)

    buses.submit("i2c-1", hang, told.set)
    assert entered.wait(LONG)
    for _ in range(MAX_JOBS):
        buses.submit("i2c-1", lambda: None, lambda: None)
    with pytest.raises(DeviceFault, match="too many commands"):
        buses.submit("i2c-1", lambda: None, lambda: None)
    let_go.set()
    assert told.wait(LONG)
    assert buses.stop(LONG) == []


def test_a_thread_scans_what_is_added_and_runs_what_is_submitted() -> None:
    buses = Buses(VirtualClock(), lambda callback: callback())
    bus = buses.get("i2c-1")
    scanned, ran = threading.Event(), threading.Event()
    names: list[str] = []

    def scan() -> object:
        names.append(threading.current_thread().name)
        return None

    bus.add(Poll(SECOND, scan, lambda batch: scanned.set()))
    assert scanned.wait(LONG)
    assert bus.submit(ran.set, lambda result, fault: None)
    assert ran.wait(LONG)
    assert names == ["bus i2c-1"]
    assert buses.get("i2c-1") is bus
    assert buses.stop(LONG) == []


def test_stopping_does_not_wait_for_a_driver_that_hangs() -> None:
    buses = Buses(VirtualClock(), lambda callback: callback())
    entered, let_go = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        let_go.wait(LONG)

    bus = buses.get("rs485")
    bus.submit(hang, lambda result, fault: None)
    assert entered.wait(LONG)
    assert buses.stop(0.0) == ["rs485"]
    let_go.set()
    assert bus.join(LONG)


def test_a_loop_that_has_ended_does_not_end_the_bus() -> None:
    def closed(callback: Callable[[], None]) -> None:
        raise RuntimeError("Event loop is closed")

    bus = Bus("i2c-1", VirtualClock(), closed)
    ran: list[int] = []
    bus.submit(lambda: ran.append(1), lambda result, fault: None)
    bus.submit(lambda: ran.append(2), lambda result, fault: None)
    bus.turn()
    assert ran == [1, 2]
