"""The door: who is let in, what is put on record, and what a test bit or a stalled loop may not do."""

import pytest

Q0, SPRING, LAMP, HORN, TAP, POWER, VOLTAGE, FREQUENCY, FAN = range(5001, 5010)
OFF, ON = 1, 2


def test_a_command_is_found_by_its_address(bench):
    assert bench.outputs.find(1, HORN).name == "horn"
    assert bench.outputs.find(1, 4999) is None
    assert bench.outputs.find(2, HORN) is None


def test_no_command_is_given_to_all_stations(bench):
    assert bench.outputs.find(65535, HORN) is None
    assert bench.ask(HORN, 1, ca=65535).verdicts == (False, None)
    assert bench.energised == []


def test_a_type_that_is_not_the_commands_own_is_refused(bench):
    assert bench.ask(HORN, 1, type_id=46).verdicts == (False, None)
    assert bench.ask(POWER, 0, type_id=48).verdicts == (False, None)


def test_a_state_without_an_output_is_refused(bench):
    assert bench.ask(HORN, 0).verdicts == (False, None)
    assert bench.energised == []


# Selections belong to somebody


@pytest.mark.parametrize("stranger", [{"owner": "b"}, {"originator": 4}])
@pytest.mark.parametrize("value", [OFF, ON])
def test_nobody_executes_the_selection_of_another_and_it_stays(bench, stranger, value):
    bench.select(Q0, ON)
    assert bench.ask(Q0, value, **stranger).verdicts == (False, None)
    assert bench.energised == []
    assert bench.ask(Q0, ON).verdicts == (True, None)


def test_a_direct_command_does_not_pass_a_selection_of_its_group(bench):
    bench.select(Q0, ON)
    assert bench.ask(SPRING, 1, owner="b").verdicts == (False, None)
    assert bench.state_of("q0") == "selected"


def test_a_selection_serves_once(bench):
    bench.select(Q0, ON)
    bench.ask(Q0, ON)
    bench.see("q0.position", ON)
    bench.clock.advance(2)
    assert bench.ask(Q0, ON).verdicts == (False, None)


def test_where_a_select_is_optional_both_ways_work(bench):
    assert bench.ask(POWER, 0.05).verdicts == (True, True)
    assert bench.select(POWER, 0.06).verdicts == (True, None)
    assert bench.ask(POWER, 0.06).verdicts == (True, True)
    assert bench.select(POWER, 0.07).verdicts == (True, None)
    assert bench.ask(POWER, 0.06).verdicts == (False, None)


def test_a_selection_does_not_outlive_its_time_because_a_timer_is_late(bench):
    bench.select(Q0, ON)
    bench.clock.advance(19.5)
    bench.clock.stall(0.9)  # too short to be called a stall
    assert bench.ask(Q0, ON).reasons == ["not selected"]


# The test bit


def test_a_test_is_answered_like_the_real_thing_and_does_nothing(bench):
    assert bench.ask(HORN, 1, test=True).verdicts == (True, None)
    assert bench.select(Q0, ON, test=True).verdicts == (True, None)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.ask(HORN, 1, qualifier=9, test=True).verdicts == (False, None)
    bench.see("bay.remote", 0)
    assert bench.select(Q0, ON, test=True).verdicts == (False, None)
    bench.clock.advance(10)
    assert [entry for entry in bench.timeline if entry[0] == "drive"] == []


@pytest.mark.parametrize("kind", [{}, {"deactivate": True}, {"qualifier": 1}, {"select": True}])
def test_a_test_leaves_a_selection_as_it_is(bench, kind):
    bench.select(Q0, ON)
    bench.ask(Q0, ON, test=True, **kind)
    assert bench.energised == []
    assert bench.ask(Q0, ON).verdicts == (True, None)


# The record


def test_nothing_moves_that_cannot_be_put_on_record(bench):
    bench.audit_fails = True
    assert bench.ask(HORN, 1).verdicts == (False, None)
    assert bench.ask(LAMP, 1).verdicts == (False, None)
    assert bench.ask(POWER, 0.05).verdicts == (False, None)
    assert bench.select(Q0, ON).verdicts == (False, None)
    assert bench.energised == []
    assert {each.state.value for each in bench.outputs.status()} == {"idle"}


def test_a_selection_is_used_up_by_an_execute_that_could_not_be_put_on_record(bench):
    bench.select(Q0, ON)
    bench.audit_fails = True
    assert bench.ask(Q0, ON).verdicts == (False, None)
    bench.audit_fails = False
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []


def test_the_record_is_written_before_the_driver_is_called(bench):
    bench.ask(HORN, 1)
    assert [entry[:2] for entry in bench.timeline[1:]] == [
        ("audit", "command.execute"),
        ("drive", "pulse"),
        ("confirm", 0),
    ]


def test_each_operation_and_each_refusal_leaves_one_record(bench):
    bench.ask(4999, 1)
    bench.ask(HORN, 1)
    bench.ask(HORN, 1)
    bench.clock.advance(1)
    bench.select(Q0, ON)
    bench.outputs.forget("a")
    bench.ask(LAMP, 1, test=True)
    assert bench.audits == [
        "command.refuse",
        "command.execute",
        "command.refuse",
        "command.result",
        "command.select",
        "command.cancel",
        "command.test",
    ]


def test_a_result_tells_whether_it_succeeded(bench):
    bench.ask(FAN, 1)
    bench.clock.advance(3)
    fields = bench.timeline[-2][2]
    assert fields["positive"] is False
    assert fields["reason"] == "fan.running did not follow within 2 s"


def test_a_session_that_cannot_be_told_disturbs_nothing(bench, caplog):
    def gone(positive, reason):
        raise ConnectionResetError

    reply = bench.ask(HORN, 1)
    reply.terminate = gone
    bench.clock.advance(1)
    assert bench.state_of("horn") == "idle"
    assert "could not be delivered" in caplog.text
    assert bench.ask(HORN, 1).verdicts == (True, None)


# Time


def test_what_was_buffered_while_the_loop_stood_still_does_not_operate(bench):
    reply = bench.ask(HORN, 1, qualifier=2)
    bench.clock.advance(0.5)
    bench.clock.stall(5)
    late = bench.ask(LAMP, 1)  # sockets are served before timers
    assert late.verdicts == (False, None)
    bench.clock.advance()
    later = bench.ask(LAMP, 1)  # the rest of the backlog, a turn later
    assert later.verdicts == (False, None)
    bench.clock.advance(1)
    assert bench.ask(LAMP, 1).verdicts == (True, True)
    assert reply.verdicts == (True, True)


def test_a_selected_command_buffered_through_a_stall_does_not_operate_and_is_used_up(bench):
    bench.select(Q0, ON)
    bench.clock.stall(5)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    bench.clock.advance(1)
    assert bench.ask(Q0, ON).reasons == ["not selected"]


def test_a_selection_may_be_taken_back_at_any_time(bench):
    bench.select(Q0, ON)
    bench.clock.stall(5)
    assert bench.ask(Q0, ON, deactivate=True).verdicts == (True, None)


def test_a_loop_that_is_a_little_late_is_not_stalled(bench):
    for _ in range(20):
        bench.clock.stall(0.3)
        bench.clock.advance()
        assert bench.ask(POWER, 0.05).verdicts == (True, True)


def test_status_names_what_is_underway(bench):
    bench.select(Q0, ON, who="scada-a")
    q0 = next(each for each in bench.outputs.status() if each.name == "q0")
    assert (q0.state.value, q0.command, q0.who, q0.reason) == ("selected", "q0.operate", "scada-a", "")


def test_a_device_that_is_not_open_refuses_until_it_is(bench):
    relays = bench.devices.pop("field")
    assert bench.ask(HORN, 1).verdicts == (False, None)
    bench.devices["field"] = relays
    assert bench.ask(HORN, 1).verdicts == (True, None)


def test_a_pulse_that_nothing_would_end_is_not_begun(make_bench):
    bench = make_bench(self_timed=False)
    assert bench.ask(HORN, 1).verdicts == (False, None)
    assert not bench.relays.commanded


def test_an_enable_line_that_nothing_would_end_either_does_not_help(make_bench):
    bench = make_bench(self_timed=False)
    assert bench.select(Q0, ON).verdicts == (False, None)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert not bench.relays.commanded


def test_the_longest_stall_is_remembered(bench):
    bench.clock.advance(2)
    assert bench.outputs.longest_stall_s == 0
    bench.clock.stall(3)
    bench.clock.advance(2)
    assert 2.5 <= bench.outputs.longest_stall_s <= 3
