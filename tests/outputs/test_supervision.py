"""The verdict on the plant: reached, missed, or not yet."""

import pytest

from rtu.points.model import BL, IV, NT, SB

Q0, FAN = 5001, 5009
BETWEEN, OFF, ON, FAULTY = range(4)


@pytest.fixture
def closing(bench):
    """A breaker was told to close, and its pulse is over."""
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    bench.clock.advance(2)
    assert reply.verdicts == (True, None)
    return reply


def test_reached_during_the_pulse_counts_when_the_pulse_is_over(bench):
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    bench.see("q0.position", ON)
    bench.clock.advance(0.5)
    assert reply.verdicts == (True, None)
    bench.clock.advance(1)
    assert reply.verdicts == (True, True)


def test_a_plant_that_follows_while_the_driver_is_being_called_is_judged_after_the_pulse(bench):
    pulse = bench.relays.pulse

    def follows(output, level, seconds):
        pulse(output, level, seconds)
        bench.see("q0.position", ON)

    bench.relays.pulse = follows
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    assert reply.verdicts == (True, None)
    bench.clock.advance(2)
    assert reply.verdicts == (True, True)


def test_reached_during_the_pulse_and_lost_again_is_not_reached(bench):
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    bench.see("q0.position", ON)
    bench.see("q0.position", OFF)
    bench.clock.advance(9)
    assert reply.verdicts == (True, None)
    bench.clock.advance(1)
    assert reply.verdicts == (True, False)


def test_travelling_through_the_middle_is_awaited(bench, closing):
    bench.see("q0.position", BETWEEN)
    bench.clock.advance(5)
    assert closing.verdicts == (True, None)
    bench.see("q0.position", ON)
    assert closing.verdicts == (True, True)


def test_a_faulty_position_is_missed_at_once(bench, closing):
    bench.see("q0.position", FAULTY)
    assert closing.verdicts == (True, False)


def test_remaining_in_between_is_missed(bench, closing):
    bench.see("q0.position", BETWEEN)
    bench.clock.advance(8)
    assert closing.verdicts == (True, False)


@pytest.mark.parametrize("quality", [IV, NT, BL, SB, IV | NT])
def test_the_commanded_state_without_good_quality_is_not_reached(bench, closing, quality):
    bench.see("q0.position", ON, quality)
    bench.clock.advance(7)
    assert closing.verdicts == (True, None)
    bench.clock.advance(1)
    assert closing.verdicts == (True, False)


def test_a_position_that_becomes_known_again_unmoved_is_still_awaited(bench, closing):
    bench.see("q0.position", OFF, IV)
    bench.see("q0.position", OFF)
    assert closing.verdicts == (True, None)
    bench.see("q0.position", ON)
    assert closing.verdicts == (True, True)


def test_a_breaker_that_stands_right_already_is_operated_and_judged_at_the_end(bench):
    bench.see("q0.position", ON)
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    assert len(bench.energised) == 2
    assert reply.verdicts == (True, None)
    bench.clock.advance(2)
    assert reply.verdicts == (True, True)


def test_a_breaker_that_stood_right_and_trips_is_missed(bench):
    bench.see("q0.position", ON)
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    bench.see("q0.position", OFF)
    bench.clock.advance(9.9)
    assert reply.verdicts == (True, None)
    bench.clock.advance(0.2)
    assert reply.verdicts == (True, False)


def test_a_step_in_the_wrong_direction_is_missed(bench):
    reply = bench.ask(5005, 2)
    bench.clock.advance(1)
    bench.see("tap", 2)
    assert reply.verdicts == (True, False)


def test_a_step_from_an_unknown_position_is_refused(bench):
    bench.see("tap", 3, IV)
    assert bench.ask(5005, 2).reasons == ["tap is invalid"]
    assert bench.energised == []


def test_a_latched_output_is_judged_by_its_feedback(bench):
    reply = bench.ask(FAN, 1)
    assert reply.verdicts == (True, None)
    bench.see("fan.running", 1)
    assert reply.verdicts == (True, True)


def test_time_is_judged_by_the_stamp_when_the_loop_was_late(bench):
    """The change came in time, the loop came to look at it late."""
    reply = bench.ask(FAN, 1)
    at = bench.clock.now_ns() + 1_900_000_000
    bench.clock.stall(2.5)
    bench.table.update(bench.table.index("fan.running"), type(bench.table.value(4))(1, 0, at))
    assert reply.verdicts == (True, True)


def test_a_change_after_the_time_is_late_even_if_the_loop_was(bench):
    reply = bench.ask(FAN, 1)
    bench.clock.stall(2.5)
    bench.see("fan.running", 1)
    assert reply.verdicts == (True, None)
    bench.clock.advance()
    assert reply.verdicts == (True, False)


def test_return_information_ends_with_the_supervision(bench, closing):
    bench.see("q0.position", ON)
    bench.see("q0.position", OFF)
    causes = [entry[2].cot for entry in bench.timeline if entry[0] == "report" and entry[1] == 1001]
    assert causes == [11, 3]
