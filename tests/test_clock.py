"""How the wall time of a stamp is worked out on a machine that does other things, too."""

import itertools
import time
from collections.abc import Iterator

import pytest

from rtu.clock import Discipline, FreeDiscipline, KernelDiscipline, MasterDiscipline

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
        assert abs(discipline.offset_ns() - WALL_MINUS_MONOTONIC) < 1000


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
    assert abs(discipline.offset_ns() - WALL_MINUS_MONOTONIC) <= 1 * MS
