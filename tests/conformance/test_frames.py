"""A. Frames: what is none ends the connection, however it comes."""

from __future__ import annotations

import random

import pytest

from tests.conformance.wire import STARTDT_ACT, STARTDT_CON, TESTFR_ACT, TESTFR_CON, Wire, asdus, i_frame

TEST_COMMAND = bytes.fromhex("6b01060001000000005502d5dd220c0f071a")


def row(name: str) -> pytest.MarkDecorator:
    return pytest.mark.checklist(name)


def test_a01_a_test_is_confirmed_before_the_start(stopped: Wire, vectors: dict[str, bytes]) -> None:
    assert stopped.say(vectors["u.testfr_act"]) == [vectors["u.testfr_con"]]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("bad.start_byte", marks=row("A02")),
        pytest.param("bad.u_two_acts", marks=row("A07")),
        pytest.param("bad.u_act_and_con", marks=row("A08")),
        pytest.param("bad.u_no_function", marks=row("A09")),
        pytest.param("bad.u_with_payload", marks=row("A10")),
    ],
)
def test_a_malformed_frame_before_the_start(stopped: Wire, vectors: dict[str, bytes], name: str) -> None:
    assert stopped.say(vectors[name]) == []
    assert stopped.closed


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("bad.length_0", marks=row("A04")),
        pytest.param("bad.length_3", marks=row("A05")),
        pytest.param("bad.length_254", marks=row("A06")),
        pytest.param("bad.s_with_payload", marks=row("A11")),
        pytest.param("bad.i_without_asdu", marks=row("A13")),
    ],
)
def test_a_malformed_frame_after_the_start(started: Wire, vectors: dict[str, bytes], name: str) -> None:
    assert started.say(vectors[name]) == []
    assert started.closed


def test_a03_a_frame_before_a_violation_in_the_same_segment_still_counts(started: Wire) -> None:
    """Confirmed is what needs no later confirmation: a command there is not carried out (tests/station)."""
    assert started.say(TESTFR_ACT, b"\x69\x04\x07\x00\x00\x00") == [TESTFR_CON]
    assert started.closed


@pytest.mark.parametrize("octet", sorted(set(range(3, 256, 4)) - {0x07, 0x0B, 0x13, 0x23, 0x43, 0x83}))
def test_a12_an_undefined_function_is_not_confirmed(stopped: Wire, octet: int) -> None:
    assert stopped.say(bytes((0x68, 4, octet, 0, 0, 0))) == []
    assert stopped.closed


def test_a15_ten_requests_in_one_segment_are_answered_in_order(started: Wire) -> None:
    requests = [TEST_COMMAND[:9] + bytes((number,)) + TEST_COMMAND[10:] for number in range(10)]
    answers = asdus(started.say(*map(started.ask, requests)))
    assert answers == [octets[:2] + b"\x07" + octets[3:] for octets in requests]


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a16_a_request_may_be_cut_anywhere(started: Wire, cut: int) -> None:
    frame = started.ask(TEST_COMMAND)
    assert started.say(frame[:cut]) == []
    assert asdus(started.say(frame[cut:])) == [TEST_COMMAND[:2] + b"\x07" + TEST_COMMAND[3:]]


def test_a18_the_longest_frame_comes_back_as_long(started: Wire) -> None:
    longest = bytes.fromhex("c80106000100") + bytes(range(243))
    frame = started.ask(longest)
    assert frame[1] == 253
    assert asdus(started.say(frame)) == [longest[:2] + b"\x6c" + longest[3:]]
    assert not started.closed


def test_a19_after_noise_the_next_connection_is_served(started: Wire) -> None:
    assert started.say(random.Random(104).randbytes(65_536)) == []
    assert started.closed
    again = Wire(started.rig)
    assert again.say(STARTDT_ACT) == [STARTDT_CON]
    assert asdus(again.say(i_frame(0, 0, TEST_COMMAND))) == [TEST_COMMAND[:2] + b"\x07" + TEST_COMMAND[3:]]
