"""A command that names its time is carried out then, or not at all; and is answered as the station was told to."""

import pytest

from rtu.clock import MILLISECOND, SECOND
from rtu.config.schema import Protocol
from rtu.outputs.request import Issued

Q0, HORN = 5001, 5004
ON = 2
TAGGED = {Q0: 59, HORN: 58}
REFUSE = Protocol(late_command="refuse")


def issued(bench, age_s=0.0):
    now = bench.clock.wall(bench.clock.now_ns()).unix_ns
    return Issued(now - round(age_s * SECOND))


def tell(bench, ioa, value, tag, **more):
    return bench.ask(ioa, value, type_id=TAGGED[ioa], issued=tag, **more)


def was_discarded(reply):
    return (reply.verdicts, len(reply.discarded)) == ((None, None), 1)


@pytest.mark.parametrize("age_s", [10, 9.999, 0, -9.999, -10])
def test_a_tag_within_the_greatest_delay_is_believed(bench, age_s):
    bench.clock.advance(10)
    assert tell(bench, HORN, 1, issued(bench, age_s)).verdicts == (True, None)
    assert bench.relays.on == {bench.line("horn")}
    assert bench.outputs.late == 0


@pytest.mark.parametrize(
    ("age_s", "reason"),
    [
        (10.001, "its time tag is 10.0 s old"),
        (3600, "its time tag is 3600.0 s old"),
        (-10.001, "its time tag is 10.0 s ahead"),
        (-1e9, "its time tag is 1000000000.0 s ahead"),
    ],
)
def test_what_is_too_old_or_ahead_moves_nothing_gets_no_answer_and_is_on_record(bench, age_s, reason):
    reply = tell(bench, HORN, 1, issued(bench, age_s))
    assert was_discarded(reply)
    assert reply.discarded == [reason]
    assert bench.audits == ["command.refuse"]
    (record,) = (entry[2] for entry in bench.timeline if entry[0] == "audit")
    assert (record["reason"], record["answered"]) == (reason, False)
    assert bench.outputs.late == 1
    bench.clock.advance(100)
    assert bench.energised == []


def test_what_was_given_before_the_start_may_have_been_carried_out_then_and_moves_nothing(bench):
    given = issued(bench, 0.001)
    reply = tell(bench, HORN, 1, given)
    assert reply.discarded == ["its time tag is from before the start of this station"]
    bench.clock.advance(9)
    assert was_discarded(tell(bench, HORN, 1, given))
    assert bench.energised == []


def test_a_tag_is_from_before_the_start_if_any_time_that_counts_says_so(bench):
    given = issued(bench, 1)
    bench.outputs.clock_set(bench.clock.wall(bench.clock.now_ns()))
    bench.clock.offset_ns -= 4 * SECOND  # by the new time it is ahead, by more than it was old
    assert was_discarded(tell(bench, HORN, 1, given))
    assert bench.energised == []


def test_what_was_given_since_the_start_is_believed_as_soon_as_it_runs(bench):
    given = issued(bench)
    bench.clock.advance(2)
    assert tell(bench, HORN, 1, given).verdicts == (True, None)


def test_a_defect_of_the_tag_is_the_reason(bench):
    reply = tell(bench, HORN, 1, Issued(defect="its time tag is marked invalid"))
    assert reply.discarded == ["its time tag is marked invalid"]
    assert bench.energised == []


def test_no_tag_is_believed_while_the_station_does_not_know_the_time(bench):
    bench.clock.valid = False
    assert tell(bench, HORN, 1, issued(bench)).discarded == ["the clock of this station is not synchronised"]
    assert bench.ask(HORN, 1).verdicts == (True, None)  # without a tag there is nothing to judge


def test_a_late_command_is_refused_where_masters_want_an_answer(make_bench):
    bench = make_bench(protocol=REFUSE)
    reply = tell(bench, HORN, 1, issued(bench, 11))
    assert reply.verdicts == (False, None)
    assert reply.reasons == ["its time tag is 11.0 s old"]
    assert bench.audits == ["command.refuse"]
    assert [entry[2]["answered"] for entry in bench.timeline if entry[0] == "audit"] == [True]
    assert bench.outputs.late == 1
    assert bench.energised == []


def test_the_greatest_delay_is_the_configured_one(make_bench):
    bench = make_bench(protocol=Protocol(max_command_age_s=60))
    bench.clock.advance(60)
    assert tell(bench, HORN, 1, issued(bench, 60)).verdicts == (True, None)
    bench.clock.advance(1)
    assert was_discarded(tell(bench, HORN, 1, issued(bench, 60.001)))


def test_a_late_select_reserves_nothing(bench):
    assert was_discarded(tell(bench, Q0, ON, issued(bench, 11), select=True))
    assert bench.state_of("q0") == "idle"


def test_a_late_execute_moves_nothing_and_uses_its_selection_up(bench):
    assert tell(bench, Q0, ON, issued(bench), select=True).verdicts == (True, None)
    assert was_discarded(tell(bench, Q0, ON, issued(bench, 11)))
    assert bench.state_of("q0") == "idle"
    assert tell(bench, Q0, ON, issued(bench)).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize("stranger", [{"owner": "b"}, {"originator": 4}])
def test_a_late_execute_of_somebody_else_leaves_a_selection_alone(bench, stranger):
    tell(bench, Q0, ON, issued(bench), select=True)
    assert was_discarded(tell(bench, Q0, ON, issued(bench, 11), **stranger))
    assert bench.state_of("q0") == "selected"


def test_a_deactivation_is_believed_whatever_its_tag(bench):
    tell(bench, Q0, ON, issued(bench), select=True)
    assert tell(bench, Q0, ON, issued(bench, 11), deactivate=True).verdicts == (True, None)
    assert bench.state_of("q0") == "idle"
    assert bench.outputs.late == 0


def test_select_and_execute_have_their_own_times(bench):
    assert tell(bench, Q0, ON, issued(bench), select=True).verdicts == (True, None)
    bench.clock.advance(15)
    assert tell(bench, Q0, ON, issued(bench)).verdicts == (True, None)


def test_an_execute_without_the_tag_its_select_had_is_another_command(bench):
    tell(bench, Q0, ON, issued(bench), select=True)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []


def test_lateness_comes_before_any_other_reason_and_is_never_answered(bench):
    running = bench.ask(HORN, 1)
    assert tell(bench, HORN, 1, issued(bench, 11)).discarded == ["its time tag is 11.0 s old"]
    assert was_discarded(tell(bench, HORN, 1, issued(bench, 11), qualifier=9))
    bench.clock.advance(1)
    assert running.verdicts == (True, True)


def test_a_late_test_is_not_answered_either_and_changes_nothing(bench):
    tell(bench, Q0, ON, issued(bench), select=True)
    assert was_discarded(tell(bench, Q0, ON, issued(bench, 11), test=True))
    assert bench.state_of("q0") == "selected"
    assert bench.energised == []


def test_a_type_that_carries_a_tag_is_nothing_without_it(bench):
    assert bench.ask(HORN, 1, type_id=58).reasons == ["type 58 is given with a time tag"]
    assert bench.energised == []


def test_what_is_fresh_by_its_tag_is_still_refused_after_a_stall(bench):
    bench.clock.advance(1)
    bench.clock.stall(5)
    assert tell(bench, HORN, 1, issued(bench)).verdicts == (False, None)
    assert bench.energised == []


def test_a_clock_that_was_set_judges_by_its_new_time(bench):
    bench.clock.advance(10)
    tag = issued(bench)
    bench.clock.offset_ns += 11 * SECOND
    assert was_discarded(tell(bench, HORN, 1, tag))
    bench.clock.offset_ns -= 11 * SECOND - MILLISECOND
    assert tell(bench, HORN, 1, tag).verdicts == (True, None)
