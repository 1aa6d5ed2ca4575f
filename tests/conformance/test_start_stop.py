"""B. Start, stop, test: which side may say what, and what is waited for how long."""

from __future__ import annotations

import pytest

from tests.conformance.wire import (
    STARTDT_ACT,
    STARTDT_CON,
    STOPDT_ACT,
    STOPDT_CON,
    TESTFR_ACT,
    TESTFR_CON,
    Wire,
    asdus,
    is_i,
    numbers,
    s_frame,
)

END_OF_INITIALISATION = 70
TEST_COMMAND = bytes.fromhex("6b01060001000000005502d5dd220c0f071a")
INTERROGATION = bytes.fromhex("64010600010000000014")


@pytest.fixture
def pending(started: Wire) -> Wire:
    """Three events unacknowledged, half a second apart, and the stop is wanted."""
    for _ in range(3):
        assert len(started.events(1)) == 1
        started.wait(0.5)
    assert started.say(STOPDT_ACT) == []
    return started


def test_b01_before_the_start_events_are_kept_and_nothing_is_sent(stopped: Wire) -> None:
    assert stopped.events(3) == []
    assert stopped.wait(3.9) == []


def test_b02_the_confirmation_comes_first_then_what_waits(stopped: Wire) -> None:
    stopped.events(2)
    first, *rest = stopped.say(STARTDT_ACT)
    assert first == STARTDT_CON
    assert numbers(rest) == [(number, 0) for number in range(len(rest))]
    assert [octets[0] for octets in asdus(rest)] == [END_OF_INITIALISATION] * 2 + [32, 31]


def test_b03_a_second_start_is_confirmed_and_the_numbers_go_on(started: Wire) -> None:
    started.say(started.ask(TEST_COMMAND))
    sent = started.received
    assert started.say(STARTDT_ACT) == [STARTDT_CON]
    assert numbers(started.events(1)) == [(sent, 1)]


def test_b04_a_stop_before_the_start_is_confirmed(stopped: Wire) -> None:
    assert stopped.say(STOPDT_ACT) == [STOPDT_CON]


def test_b05_an_interrogation_before_the_start_closes(stopped: Wire) -> None:
    assert stopped.say(stopped.ask(INTERROGATION)) == []
    assert stopped.closed


def test_b06_an_acknowledgement_before_the_start_closes(stopped: Wire) -> None:
    assert stopped.say(s_frame(0)) == []
    assert stopped.closed


def test_b07_a_stop_with_nothing_to_wait_for_is_confirmed_and_nothing_else(started: Wire) -> None:
    assert started.say(STOPDT_ACT) == [STOPDT_CON]


def test_b08_a_request_is_acknowledged_before_the_stop_is_confirmed(started: Wire) -> None:
    unknown = bytes.fromhex("2d016f000100d0070001")  # an "unknown" of the master, which nobody answers
    assert started.say(started.ask(unknown)) == []
    assert started.say(STOPDT_ACT) == [s_frame(1), STOPDT_CON]


def test_b09_a_stop_waits_for_the_acknowledgement_of_every_event(pending: Wire) -> None:
    assert pending.say(s_frame(pending.received - 1)) == []
    assert pending.acknowledge() == [STOPDT_CON]
    assert not pending.closed


def test_b10_a_stop_with_one_event_unacknowledged_ends_at_t1(pending: Wire) -> None:
    assert pending.say(s_frame(pending.received - 1)) == []
    assert pending.wait(2.4) == []  # the third was sent half a second before the stop
    assert not pending.closed
    assert pending.wait(0.2) == []
    assert pending.closed


def test_b11_a_stop_without_any_acknowledgement_ends_at_t1_of_the_oldest(pending: Wire) -> None:
    assert pending.wait(1.4) == []  # the first was sent one and a half before the stop
    assert not pending.closed
    assert pending.wait(0.2) == []
    assert pending.closed


def test_b12_a_request_while_the_stop_waits_closes(pending: Wire) -> None:
    assert pending.say(pending.ask(TEST_COMMAND)) == []
    assert pending.closed


def test_b13_a_test_is_confirmed_while_the_stop_waits(pending: Wire) -> None:
    assert pending.say(TESTFR_ACT) == [TESTFR_CON]
    assert not pending.closed


def test_b14_an_event_while_stopped_is_told_after_the_next_start_and_the_numbers_go_on(started: Wire) -> None:
    sent = started.received
    started.say(STOPDT_ACT)
    assert started.events(1) == []
    first, event = started.say(STARTDT_ACT)
    assert first == STARTDT_CON
    assert numbers([event]) == [(sent, 0)]
    assert event[6] == 32


def test_b15_a_request_after_the_stop_closes(started: Wire) -> None:
    started.say(STOPDT_ACT)
    assert started.say(started.ask(TEST_COMMAND)) == []
    assert started.closed


def test_b16_an_event_while_the_stop_waits_is_told_after_the_next_start(pending: Wire) -> None:
    pending.rig.set("tap", 40)
    assert pending.hear() == []
    assert pending.acknowledge() == [STOPDT_CON]
    first, event = pending.say(STARTDT_ACT)
    assert first == STARTDT_CON
    assert event[15] == 40


def test_b17_silence_is_tested_after_t3(stopped: Wire) -> None:
    assert stopped.wait(5) == [(4.0, TESTFR_ACT)]


def test_b18_a_test_nobody_confirms_closes_after_t1(stopped: Wire) -> None:
    assert stopped.wait(6.9) == [(4.0, TESTFR_ACT)]
    assert not stopped.closed
    assert stopped.wait(0.2) == []
    assert stopped.closed


def test_b19_a_test_that_is_confirmed_comes_again_after_t3(stopped: Wire) -> None:
    for _ in range(3):
        assert stopped.wait(4) == [(4.0, TESTFR_ACT)]
        assert stopped.say(TESTFR_CON) == []
    assert not stopped.closed


def test_b20_a_master_that_talks_is_not_tested(started: Wire) -> None:
    for _ in range(10):
        assert TESTFR_ACT not in [frame for _, frame in started.wait(1.95)]
        assert started.acknowledge() == []
    assert not started.closed


def test_b21_a_master_that_only_acknowledges_is_not_tested(started: Wire) -> None:
    for _ in range(20):
        assert len(started.events(1)) == 1
        started.acknowledge()
        assert TESTFR_ACT not in [frame for _, frame in started.wait(1)]
        started.acknowledge()
    assert not started.closed


def test_b22_confirmations_nobody_asked_for_are_ignored(stopped: Wire) -> None:
    assert stopped.say(STARTDT_CON, STOPDT_CON, TESTFR_CON) == []
    assert stopped.events(1) == []
    assert stopped.say(STARTDT_ACT)[0] == STARTDT_CON


def test_b23_every_test_is_confirmed(started: Wire) -> None:
    assert started.say(*[TESTFR_ACT] * 100) == [TESTFR_CON] * 100
    assert not any(map(is_i, started.hear()))
