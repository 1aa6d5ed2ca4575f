"""`rtu lift-clock`: forward to what the station has seen, never back, never over a time service."""

from __future__ import annotations

import os

import pytest

from rtu.cli.lift_clock import LONGEST_LIFE_S, lift, seen
from rtu.cli.main import main
from rtu.config.load import load

BUILT = 1_790_000_000.0
STATION = """\
format = 1
station = { name = "s", common_address = 1 }
events = { directory = "events" }
"""


class Machine:
    """A clock that remembers what it was set to."""

    def __init__(self, now: float) -> None:
        self.time = now
        self.settings: list[float] = []

    def now(self) -> float:
        return self.time

    def set(self, to: float) -> None:
        self.settings.append(to)


def lifted(now: float, times: list[float], *, synchronised: bool = False) -> tuple[list[float], str]:
    machine = Machine(now)
    said = lift(BUILT, times, synchronised, machine.now, machine.set)
    return machine.settings, said


@pytest.mark.parametrize(
    ("now", "times", "to"),
    [
        (0.0, [], [BUILT]),
        (1_609_459_200.0, [BUILT + 5e6], [BUILT + 5e6]),
        (BUILT, [BUILT + 5.0, BUILT + 9.0, BUILT - 100.0], [BUILT + 9.0]),
        (BUILT + 10, [BUILT + 9.0], []),
        (BUILT + 9, [BUILT + 9.0], []),
        (4e9, [BUILT + 9.0], []),
    ],
    ids=["1970", "2021", "the newest counts", "ahead", "equal", "far ahead"],
)
def test_a_clock_is_set_forward_to_the_newest_and_never_back(now, times, to):
    assert lifted(now, times)[0] == to


def test_a_clock_that_a_time_service_has_set_is_left_alone():
    assert lifted(0.0, [BUILT], synchronised=True)[0] == []


def test_a_time_no_station_reaches_was_wrong_when_it_was_written():
    assert lifted(0.0, [BUILT + LONGEST_LIFE_S + 1, BUILT + 7.0])[0] == [BUILT + 7.0]


def test_it_says_what_it_did():
    _, said = lifted(1_609_459_200.0, [1_795_000_000.0])
    assert said == (
        "the clock was at 2021-01-01T00:00:00Z and is set forward to 2026-11-18T11:06:40Z,"
        " the newest time the station has seen"
    )


@pytest.mark.parametrize("directory", ["", "trail"], ids=["beside the events", "elsewhere"])
def test_the_station_has_seen_when_its_log_and_its_trail_were_written(tmp_path, directory):
    path = tmp_path / "station.toml"
    path.write_text(STATION + (f'audit = {{ directory = "{directory}" }}\n' if directory else ""))
    trail = tmp_path / (directory or "events/audit")
    for folder, name, when in ((tmp_path / "events", "events.db", 1e9), (trail, "audit-1.log", 2e9)):
        folder.mkdir(exist_ok=True)
        (folder / name).touch()
        os.utime(folder / name, (when, when))
    assert sorted(seen(load(path), tmp_path)) == [1e9, 2e9]


def test_a_station_that_has_seen_nothing_is_no_error(tmp_path):
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    assert list(seen(load(path), tmp_path)) == []


def test_a_clock_that_is_right_is_left_as_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.delattr("time.clock_settime")  # whatever happens, this machine's is not touched
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    assert main(["lift-clock", str(path)]) == 0
    assert "left as it is" in capsys.readouterr().out


def test_a_file_with_mistakes_is_told(tmp_path, capsys):
    path = tmp_path / "station.toml"
    path.write_text(STATION.replace("format = 1", "format = 9"))
    assert main(["lift-clock", str(path)]) == 2
    assert "station.toml:1" in capsys.readouterr().err
