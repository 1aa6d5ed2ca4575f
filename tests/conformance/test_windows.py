"""C. Sequence numbers, windows, timers: what is counted, what is waited for, and what a wrong number ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rtu.config.load import load
from rtu.config.mistakes import ConfigError
from tests.conformance.wire import Wire, asdus, i_frame, is_i, numbers, s_frame
from tests.station.conftest import Rig

COMMAND = bytes.fromhex("2d0106000100d0070001")
UNANSWERED = bytes.fromhex("2d016f000100d0070001")  # says "unknown" itself
INTERROGATION = bytes.fromhex("64010600010000000014")
NOBODY = bytes.fromhex("2d01060001000f270001")  # a command to an object nobody has


@pytest.fixture
def full(started: Wire) -> Wire:
    """Twenty events, of which twelve were sent and none acknowledged."""
    frames = started.events(20)
    assert len(frames) == 12
    assert all(map(is_i, frames))
    return started


def test_c01_k_frames_then_silence_until_t1(full: Wire) -> None:
    assert full.wait(2.9) == []
    assert not full.closed
    assert full.wait(0.2) == []
    assert full.closed


def test_c02_an_acknowledgement_of_all_brings_the_rest(full: Wire) -> None:
    assert len(full.acknowledge()) == 8


def test_c03_an_acknowledgement_of_two_brings_two_more(full: Wire) -> None:
    assert len(full.say(s_frame(full.received - 10))) == 2


def test_c04_an_old_acknowledgement_again_changes_nothing(full: Wire) -> None:
    assert full.say(s_frame(full.received - 12)) == []
    assert not full.closed


def test_c05_w_frames_are_acknowledged_with_the_last(started: Wire) -> None:
    assert started.say(*(started.ask(UNANSWERED) for _ in range(7))) == []
    assert started.say(started.ask(UNANSWERED)) == [s_frame(8)]


def test_c06_one_frame_that_is_not_answered_is_acknowledged_within_t2(started: Wire) -> None:
    assert started.say(started.ask(UNANSWERED)) == []
    assert started.wait(1.5) == [(1.0, s_frame(1))]


def test_c07_t2_counts_from_the_first_of_them(started: Wire) -> None:
    started.say(started.ask(UNANSWERED))
    assert started.wait(0.8) == []
    started.say(started.ask(UNANSWERED))
    assert started.wait(1.5) == [(0.2, s_frame(2))]


@pytest.mark.parametrize(
    ("ns", "nr"),
    [
        pytest.param(1, 0, marks=pytest.mark.checklist("C08"), id="one number missing"),
        pytest.param(-1, 0, marks=pytest.mark.checklist("C09"), id="a number again"),
        pytest.param(0, 1, marks=pytest.mark.checklist("C10"), id="acknowledges what was not sent"),
    ],
)
def test_a_command_with_a_wrong_number_closes_and_moves_nothing(started: Wire, ns: int, nr: int) -> None:
    started.say(started.ask(UNANSWERED))
    assert started.say(i_frame(started.sent + ns, started.received + nr, COMMAND)) == []
    assert started.closed
    started.rig.advance(5)
    assert started.rig.relays.history == []


@pytest.mark.parametrize(
    "ahead",
    [
        pytest.param(1, marks=pytest.mark.checklist("C11"), id="what was not sent"),
        pytest.param(-1, marks=pytest.mark.checklist("C12"), id="what was acknowledged before"),
    ],
)
def test_an_acknowledgement_of_the_wrong_number_closes(started: Wire, ahead: int) -> None:
    started.say(s_frame(started.received + ahead))
    assert started.closed


def test_c13_an_event_nobody_acknowledges_closes_at_t1(started: Wire) -> None:
    assert len(started.events(1)) == 1
    started.wait(2.9)
    assert not started.closed
    started.wait(0.2)
    assert started.closed


def test_c14_t1_is_that_of_the_oldest_unacknowledged_event(started: Wire) -> None:
    for _ in range(3):
        assert len(started.events(1)) == 1
        started.wait(0.9)
    started.say(s_frame(started.received - 2))  # the first, after 2.7 s; the second was sent after 0.9 s
    started.wait(1.15)
    assert not started.closed
    started.wait(0.1)
    assert started.closed


def test_c15_numbers_go_from_32767_to_0_both_ways(started: Wire) -> None:
    for _ in range(32_770):
        before = started.sent, started.received
        answer = started.say(started.ask(NOBODY))
        assert numbers(answer) == [(before[1] % 32_768, started.sent % 32_768)]
    assert not started.closed


def test_c16_frames_on_both_sides_of_the_wrap_are_acknowledged_together(started: Wire) -> None:
    while started.received < 32_766:
        started.say(started.ask(NOBODY))
    started.acknowledge()
    assert [ns for ns, _ in numbers(started.events(3))] == [32_766, 32_767, 0]
    assert started.say(s_frame(1)) == []
    assert len(started.events(20)) == 12


def test_c17_what_the_station_sends_acknowledges_what_it_received(started: Wire) -> None:
    for _ in range(3):
        started.say(started.ask(UNANSWERED))
    assert [nr for _, nr in numbers(started.events(1))] == [3]
    assert started.wait(2) == []


def test_c18_windows_of_one_make_both_sides_take_turns(make_rig: Callable[..., Rig]) -> None:
    wire = Wire(make_rig(k=1, w=1)).start()
    wire.say(wire.ask(INTERROGATION))
    causes = []
    for _ in range(30):
        frames = wire.acknowledge()
        assert len(frames) <= 1
        causes += [octets[2] for octets in asdus(frames)]
    assert causes[-1] == 10
    for _ in range(3):
        frames = wire.say(wire.ask(UNANSWERED))
        assert frames == [s_frame(wire.sent)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [("t1 = 10\nt2 = 10", "t2 .* must be less than t1"), ("k = 8\nw = 9", "w .* must not be more than k")],
    ids=["t2 = t1", "w > k"],
)
def test_c19_parameters_that_cannot_work_are_refused(tmp_path: Path, lines: str, words: str) -> None:
    file = tmp_path / "station.toml"
    file.write_text(f'format = 1\n[station]\nname = "x"\ncommon_address = 1\n[protocol]\n{lines}\n')
    with pytest.raises(ConfigError, match=words):
        load(file)
