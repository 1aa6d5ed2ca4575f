"""How the wall time of a stamp is worked out, who is trusted with it, and what is done until then."""

import asyncio
import itertools
import time
import weakref
from collections.abc import Iterator

import pytest

from rtu.clock import (
    EARLIEST_NS,
    SECOND,
    Discipline,
    FreeDiscipline,
    KernelDiscipline,
    MasterDiscipline,
    SystemClock,
    VirtualClock,
)

WALL_MINUS_MONOTONIC = 1_700_000_000_000_000_000
MS = 1_000_000


@pytest.fixture(params=["ntp", "master", "none"])
def discipline(request: pytest.FixtureRequest) -> Discipline:
    if request.param == "ntp":
        return KernelDiscipline(1500 * MS)
    return MasterDiscipline(3600_000 * MS) if request.param == "master" else FreeDiscipline()


def test_a_pause_between_reading_two_clocks_does_not_move_the_wall_time(
    discipline: Discipline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program ran for 10 ms between two readings of a clock, wherever that was."""
    for paused in range(3):
        readings = itertools.count()
        now = 5_000 * MS

        def tick(readings: Iterator[int] = readings, paused: int = paused) -> int:
            nonlocal now
            now += 10 * MS if next(readings) == paused else 500
            return now

        monkeypatch.setattr(time, "monotonic_ns", tick)
        monkeypatch.setattr(time, "time_ns", lambda tick=tick: tick() + WALL_MINUS_MONOTONIC)
        assert abs(discipline.offset(paused * SECOND) - WALL_MINUS_MONOTONIC) < 1000


def test_the_quickest_of_some_readings_counts_when_none_is_quick(
    discipline: Discipline, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = itertools.chain([4 * MS] * 3, [1 * MS] * 3, itertools.repeat(4 * MS))
    now = 5_000 * MS

    def tick() -> int:
        nonlocal now
        now += next(steps)
        return now

    monkeypatch.setattr(time, "monotonic_ns", tick)
    monkeypatch.setattr(time, "time_ns", lambda: tick() + WALL_MINUS_MONOTONIC)
    assert abs(discipline.offset(0) - WALL_MINUS_MONOTONIC) <= 1 * MS


# The kernel's word, by adjtimex(2)

OK, INS, DEL, OOP, WAIT, ERROR = range(6)


class Kernel:
    """What adjtimex says."""

    def __init__(self) -> None:
        self.state = OK
        self.maxerror_us = 1000
        self.asked = 0
        self.discipline = KernelDiscipline(1500 * MS)
        self.discipline._adjtimex = self
        self.now_ns = 0

    def __call__(self, _: object) -> int:
        self.asked += 1
        self.discipline._timex.maxerror = self.maxerror_us
        return self.state

    def synchronised(self, after_ns: int = SECOND) -> bool:
        self.now_ns += after_ns
        return self.discipline.synchronised(self.now_ns)


@pytest.mark.parametrize(
    ("state", "good"),
    [(OK, True), (INS, True), (DEL, True), (OOP, False), (WAIT, True), (ERROR, False), (-1, False)],
)
def test_the_kernel_says_whether_its_clock_is_synchronised(state: int, good: bool) -> None:
    kernel = Kernel()
    kernel.state = state
    assert kernel.synchronised() is good


def test_a_clock_whose_error_may_be_too_large_is_not_trusted() -> None:
    kernel = Kernel()
    kernel.maxerror_us = 1_499_999
    assert kernel.synchronised()
    kernel.maxerror_us = 1_500_000
    assert not kernel.synchronised()


def test_the_kernel_is_not_asked_for_every_event() -> None:
    kernel = Kernel()
    for _ in range(1000):
        assert kernel.synchronised(after_ns=1000)
    assert kernel.asked == 1


def test_a_burst_of_events_shares_one_reading_of_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = itertools.count()
    monkeypatch.setattr("rtu.clock.system_offset_ns", lambda: next(readings))
    discipline = KernelDiscipline(1500 * MS)
    assert [discipline.offset(at) for at in (0, 1 * MS, 5 * MS - 1)] == [0, 0, 0]
    assert discipline.offset(5 * MS) == 1


def test_the_inserted_second_is_invalid_from_its_beginning_to_its_end() -> None:
    """23:59:60 is 23:59:59 again: no millisecond of it may look like the true one."""
    kernel = Kernel()
    kernel.state = INS
    assert kernel.synchronised()
    kernel.state = OOP
    assert not kernel.synchronised(after_ns=1)
    kernel.state = WAIT
    assert kernel.synchronised(after_ns=1)


def test_a_master_is_trusted_for_a_time() -> None:
    discipline = MasterDiscipline(60 * SECOND)
    assert not discipline.synchronised(0)
    discipline.set(1_784_116_800 * SECOND, 5 * SECOND)
    assert discipline.offset(0) == 1_784_116_795 * SECOND
    assert discipline.synchronised(65 * SECOND - 1)
    assert not discipline.synchronised(65 * SECOND)
    assert discipline.offset(0) == 1_784_116_795 * SECOND


# Before the first synchronisation

NOON = 1_784_116_800 * SECOND


def unset(unix_ns: int) -> VirtualClock:
    """A clock that shows `unix_ns`, and nobody said yet that this is right."""
    clock = VirtualClock(unix_ns=unix_ns)
    clock.valid = False
    return clock


def test_until_it_is_synchronised_a_step_moves_no_stamp_and_then_the_correction_is_told_once() -> None:
    clock = unset(NOON)
    clock.hold(0)
    clock.offset_ns += 3600 * SECOND
    assert clock.wall(clock.now_ns()) == (NOON, False)
    assert clock.settle() is None
    clock.valid = True
    assert clock.wall(clock.now_ns()) == (NOON, False), "what is not settled has the provisional offset"
    assert clock.settle() == 3600 * SECOND
    assert clock.wall(clock.now_ns()) == (NOON + 3600 * SECOND, True)
    clock.offset_ns += 7 * SECOND
    assert clock.settle() is None


def test_a_clock_that_is_no_more_trusted_is_followed_all_the_same() -> None:
    clock = unset(NOON)
    clock.hold(0)
    clock.valid = True
    clock.settle()
    clock.valid = False
    clock.offset_ns += SECOND
    assert clock.wall(clock.now_ns()) == (NOON + SECOND, False)


@pytest.mark.parametrize(
    ("machine", "told", "begins"),
    [
        (NOON, 0, NOON),
        (NOON, NOON - SECOND, NOON),
        (
            NOON,
            NOON + SECOND,
            NOON + SECOND,
        ),  # without a battery the machine does not know how long it was off
        (0, NOON, NOON),
        (0, 0, EARLIEST_NS),  # a tag of 1970 would be read as 2070
        (5_000_000_000 * SECOND, NOON, NOON),  # and one of 2128 as 2028
        (0, 5_000_000_000 * SECOND, EARLIEST_NS),
    ],
)
def test_the_provisional_time_is_the_later_of_the_machine_and_what_was_told(
    machine: int, told: int, begins: int
) -> None:
    clock = unset(machine)
    clock.hold(told)
    assert clock.wall(clock.now_ns()) == (begins, False)


def test_a_clock_that_is_stopped_keeps_nothing_in_memory_for_its_timers() -> None:
    class Station:
        def look(self) -> None: ...

    async def main() -> None:
        clock = SystemClock(FreeDiscipline(), asyncio.get_running_loop())
        station = Station()
        clock.call_at(clock.now_ns() + 3600 * SECOND, station.look)
        here = weakref.ref(station)
        del station
        clock.stop()
        assert here() is None

    asyncio.run(main())


def test_a_clock_that_is_stopped_runs_no_timer_any_more() -> None:
    ran = []

    async def main() -> None:
        clock = SystemClock(FreeDiscipline(), asyncio.get_running_loop())
        before, later = asyncio.Event(), asyncio.Event()
        clock.call_at(clock.now_ns(), before.set)
        await before.wait()
        clock.call_at(clock.now_ns(), lambda: ran.append("after"))
        asyncio.get_running_loop().call_at((clock.now_ns() + MS) / SECOND, later.set)
        clock.stop()
        await later.wait()

    asyncio.run(main())
    assert ran == []
