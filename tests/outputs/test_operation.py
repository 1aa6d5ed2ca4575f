"""Switching: what is read back, in which order lines move, and what a fault leads to."""

import pytest

from hw.interface import DeviceFault

Q0, SPRING, LAMP, HORN, TAP, POWER, VOLTAGE, FREQUENCY, FAN = range(5001, 5010)
OFF, ON = 1, 2
FAULT = DeviceFault("field: the relay board does not answer")


def operate(bench):
    bench.select(Q0, ON)
    return bench.ask(Q0, ON)


def test_the_enable_line_closes_last_and_opens_first(bench):
    operate(bench)
    coil, enable = bench.line("q0.operate", ON), bench.line("q0.operate", "enable")
    assert [entry[2] for entry in bench.energised] == [coil, enable]
    bench.clock.advance(0.51)
    assert bench.relays.on == {coil}
    bench.clock.advance(0.5)
    assert bench.relays.on == set()


def test_a_second_coil_found_before_the_enable_line_moves_nothing_in_the_plant(bench):
    bench.relays.ganged[bench.line("q0.operate", ON)] = bench.line("q0.operate", OFF)
    reply = operate(bench)
    assert reply.verdicts == (False, None)
    assert bench.line("q0.operate", "enable") not in [entry[2] for entry in bench.energised]
    assert bench.state_of("q0") == "locked"


@pytest.mark.parametrize("line", [ON, OFF, "enable"])
def test_a_line_of_the_group_that_is_on_before_switching_locks(bench, line):
    stuck = bench.line("q0.operate", line)
    bench.relays.levels[stuck] = 1
    reply = operate(bench)
    assert reply.verdicts == (False, None)
    assert bench.energised == []
    assert bench.state_of("q0") == "locked"
    assert [group for group, reason in bench.alarms] == ["q0"]
    assert bench.audits[-1] == "command.result"


def test_another_group_is_operated_although_this_one_is_locked(bench):
    bench.relays.levels[bench.line("q0.operate", ON)] = 1
    operate(bench)
    assert bench.ask(HORN, 1).verdicts == (True, None)


def test_lines_that_cannot_be_read_back_beforehand_refuse_without_locking(bench):
    bench.relays.lies[bench.line("q0.operate", OFF)] = None
    assert operate(bench).verdicts == (False, None)
    bench.relays.lies.clear()
    bench.relays.faults["read_back"] = FAULT
    assert operate(bench).verdicts == (False, None)
    assert bench.energised == []
    assert bench.state_of("q0") == "idle"


def test_a_relay_that_does_not_switch_locks_and_everything_is_released(bench):
    bench.relays.dead.add(bench.line("q0.operate", "enable"))
    reply = operate(bench)
    assert reply.verdicts == (False, None)
    assert bench.relays.on == set()
    assert bench.state_of("q0") == "locked"


def test_a_level_that_cannot_be_read_back_afterwards_is_no_success(bench):
    pulse = bench.relays.pulse

    def silences(output, level, seconds):
        pulse(output, level, seconds)
        bench.relays.lies[output] = None

    bench.relays.pulse = silences
    assert bench.ask(HORN, 1).verdicts == (False, None)
    assert bench.relays.on == set()
    assert bench.state_of("horn") == "locked"


@pytest.mark.parametrize("error", [FAULT, RuntimeError("a bug in the driver"), ZeroDivisionError()])
def test_a_driver_that_fails_is_a_negative_confirmation(bench, error):
    bench.relays.faults["pulse"] = error
    reply = operate(bench)
    assert reply.verdicts == (False, None)
    assert reply.reasons[0]
    assert bench.state_of("q0") == "idle"  # every line was proven to be off
    bench.relays.faults.clear()
    assert operate(bench).verdicts == (True, None)


def test_a_driver_that_fails_half_way_and_does_not_release_locks(bench):
    coil = bench.line("q0.operate", ON)
    pulse = bench.relays.pulse

    def fails_after_switching(output, level, seconds):
        pulse(output, level, seconds)
        bench.relays.welded.add(output)
        raise FAULT

    bench.relays.pulse = fails_after_switching
    assert operate(bench).verdicts == (False, None)
    assert bench.relays.on == {coil}
    assert bench.state_of("q0") == "locked"


def test_a_welded_contact_is_found_after_the_pulse(bench):
    bench.relays.welded.add(bench.line("horn"))
    reply = bench.ask(HORN, 1)
    bench.clock.advance(1)
    assert reply.verdicts == (True, False)
    assert bench.state_of("horn") == "locked"
    assert bench.alarms == [("horn", "after the pulse field 27 is on")]


def test_a_pulse_the_device_did_not_end_is_ended_and_locks(bench):
    bench.relays._over = lambda output: None
    reply = bench.ask(HORN, 1)
    bench.clock.advance(1)
    assert bench.relays.on == set()
    assert reply.verdicts == (True, False)
    assert bench.state_of("horn") == "locked"


def test_a_pulse_whose_end_cannot_be_proven_is_no_success(bench):
    reply = bench.ask(HORN, 1)
    bench.relays.faults["read_back"] = FAULT
    bench.clock.advance(1)
    assert reply.verdicts == (True, False)
    assert bench.state_of("horn") == "locked"


def test_a_contact_that_does_not_open_is_no_success_although_the_feedback_came(bench):
    bench.relays.welded.add(bench.line("q0.operate", "enable"))
    reply = operate(bench)
    bench.see("q0.position", ON)
    bench.clock.advance(2)
    assert reply.verdicts == (True, False)
    assert bench.state_of("q0") == "locked"


def test_a_lock_is_left_by_an_audited_unlock_only_and_comes_back_with_its_cause(bench):
    bench.relays.dead.add(bench.line("horn"))
    bench.ask(HORN, 1)
    bench.clock.advance(10_000)
    assert bench.ask(HORN, 1).verdicts == (False, None)
    assert bench.ask(HORN, 1, deactivate=True).verdicts == (False, None)
    bench.audit_fails = True
    assert bench.unlock("horn") == "the audit trail cannot be written"
    assert bench.state_of("horn") == "locked"
    bench.audit_fails = False
    assert bench.unlock("horn") == ""
    name, fields = next((e[1], e[2]) for e in reversed(bench.timeline) if e[0] == "audit")
    assert (name, fields["by"], fields["lock_group"]) == ("command.unlock", "fitter", "horn")
    assert "after switching" in fields["reason"]
    assert bench.alarms[-1] == ("horn", "")
    assert bench.ask(HORN, 1).verdicts == (False, None)
    assert bench.state_of("horn") == "locked"
    bench.relays.dead.clear()
    assert bench.unlock("horn") == ""
    assert bench.ask(HORN, 1).verdicts == (True, None)


def test_a_lock_stays_while_its_line_is_still_on_or_cannot_be_read_and_that_is_on_record(bench):
    horn = bench.line("horn")
    bench.relays.welded.add(horn)
    bench.ask(HORN, 1)
    bench.clock.advance(2)
    assert bench.unlock("horn") == "field 27 is on"
    assert bench.audits[-1] == "command.unlock_refuse"
    bench.relays.faults["read_back"] = DeviceFault("no answer")
    assert bench.unlock("horn") == "field 27 cannot be read back"
    assert bench.state_of("horn") == "locked"
    bench.relays.faults.clear()
    bench.relays.welded.clear()
    bench.relays.levels[horn] = bench.relays.rests[horn]
    assert bench.unlock("horn") == ""
    assert bench.state_of("horn") == "idle"


def test_a_latched_line_that_did_not_let_go_keeps_its_lock_until_it_has(bench):
    lamp = bench.line("lamp")
    bench.ask(LAMP, 1)
    bench.relays.welded.add(lamp)
    bench.ask(LAMP, 0)
    assert bench.unlock("lamp") == "field 26 is on"
    bench.relays.levels[lamp] = bench.relays.rests[lamp]
    assert bench.unlock("lamp") == ""


def test_of_two_who_unlock_at_once_over_a_slow_bus_one_does(slow_bench):
    bench = slow_bench
    bench.relays.dead.add(bench.line("horn"))
    bench.ask(HORN, 1)
    bench.bus.run()
    assert bench.state_of("horn") == "locked"
    said = []
    for by in ("fitter", "other"):
        bench.outputs.unlock("horn", by, said.append)
    assert said == []
    bench.bus.run()
    assert said == ["", "horn is not locked any more"]
    assert bench.audits.count("command.unlock") == 1


def test_a_lock_of_an_earlier_run_stands_from_the_start(make_bench):
    bench = make_bench(locked={"horn": "after the pulse field 27 is on", "gone": "whatever"})
    assert bench.alarms == [("horn", "after the pulse field 27 is on")]
    assert bench.outputs.locked
    reply = bench.ask(HORN, 1)
    assert (reply.verdicts, reply.reasons) == (
        (False, None),
        ["horn is locked: after the pulse field 27 is on"],
    )
    assert bench.energised == []
    bench.relays.levels[bench.line("horn")] = 1
    assert bench.unlock("horn") == "field 27 is on"
    bench.relays.levels[bench.line("horn")] = 0
    assert bench.unlock("horn") == ""
    assert not bench.outputs.locked


def test_what_is_not_locked_cannot_be_unlocked(bench):
    assert bench.unlock("horn") == "horn is not locked"
    with pytest.raises(KeyError):
        bench.unlock("no such group")


def test_a_latched_output_that_does_not_switch_is_a_negative_confirmation(bench):
    bench.relays.dead.add(bench.line("lamp"))
    assert bench.ask(LAMP, 1).verdicts == (False, None)
    assert bench.state_of("lamp") == "locked"


def test_a_latched_output_that_reads_back_wrong_is_released(bench):
    bench.relays.lies[bench.line("lamp")] = 1  # its rest
    assert bench.ask(LAMP, 1).verdicts == (False, None)
    assert bench.relays.on == set()
    assert bench.state_of("lamp") == "locked"


def test_a_latched_output_that_does_not_let_go_locks(bench):
    bench.ask(LAMP, 1)
    bench.relays.welded.add(bench.line("lamp"))
    assert bench.ask(LAMP, 0).verdicts == (False, None)
    assert bench.state_of("lamp") == "locked"


def test_a_fault_of_one_group_does_not_drop_what_another_holds(bench):
    bench.ask(LAMP, 1)
    bench.relays.dead.add(bench.line("horn"))
    bench.ask(HORN, 1)
    assert bench.state_of("horn") == "locked"
    assert bench.relays.on == {bench.line("lamp")}


def test_an_interlock_is_asked_again_before_every_line(bench):
    """The isolator begins to move when the coil picks up: the enable line does not follow."""
    pulse = bench.relays.pulse

    def moves(output, level, seconds):
        pulse(output, level, seconds)
        bench.see("q8.position", 0)

    bench.relays.pulse = moves
    assert operate(bench).verdicts == (False, None)
    assert len(bench.energised) == 1
    assert bench.relays.on == set()
    assert bench.state_of("q0") == "idle"


def test_a_set_point_that_is_not_written_is_a_negative_confirmation(bench):
    bench.converter.fault = FAULT
    assert bench.ask(POWER, 0.05).verdicts == (False, None)
    assert bench.state_of("power") == "idle"


def test_safe_brings_everything_to_rest_and_lets_nothing_start(bench):
    bench.select(Q0, ON)
    horn, fan = bench.ask(HORN, 1), bench.ask(FAN, 1)
    bench.ask(LAMP, 1)
    bench.outputs.safe()
    assert bench.relays.on == set()
    assert horn.verdicts == (True, False)
    assert fan.verdicts == (True, False)
    assert {each.state.value for each in bench.outputs.status()} == {"idle"}
    before = len(bench.energised)
    for reply in (bench.ask(HORN, 1), bench.ask(Q0, ON), bench.select(Q0, ON), bench.ask(POWER, 0.05)):
        assert reply.verdicts == (False, None)
    bench.clock.advance(100)
    assert len(bench.energised) == before


# On a bus


def test_confirmation_waits_for_the_bus(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    assert reply.verdicts == (None, None)
    assert bench.audits == ["command.execute"]
    bench.bus.run(1)  # read back
    assert bench.energised == []
    bench.bus.run(1)  # switch
    assert bench.relays.on == {bench.line("horn")}
    assert reply.verdicts == (None, None)
    bench.bus.run(1)  # read back
    assert reply.verdicts == (True, None)
    bench.clock.advance(0.7)
    bench.bus.run()
    assert reply.verdicts == (True, True)


def test_while_the_bus_works_the_group_is_busy(slow_bench):
    slow_bench.ask(HORN, 1)
    assert slow_bench.ask(HORN, 1, owner="b").verdicts == (False, None)


def test_an_owner_that_leaves_before_switching_leaves_nothing_behind(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.outputs.forget("a")
    bench.bus.run()
    assert bench.energised == []
    assert reply.verdicts == (False, None)
    assert bench.state_of("horn") == "idle"


@pytest.mark.parametrize("end", ["forget", "safe"])
@pytest.mark.parametrize(("ioa", "value"), [(HORN, 1), (FAN, 1), (POWER, 0.05)])
def test_what_still_waits_for_its_bus_is_not_switched_once_it_is_given_up(slow_bench, ioa, value, end):
    bench = slow_bench
    reply = bench.ask(ioa, value)
    bench.bus.run(ioa == HORN)  # the read-back of a pulsed line; its switching is in the queue now
    (bench.outputs.safe if end == "safe" else lambda: bench.outputs.forget("a"))()
    bench.bus.run()
    assert bench.energised == []
    assert reply.verdicts == (False, None)
    assert bench.relays.on == set()


def test_a_bus_that_comes_back_late_energises_nothing(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.bus.run(1)
    bench.clock.advance(3)
    bench.bus.run()
    assert bench.energised == []
    assert reply.verdicts == (False, None)
    assert bench.state_of("horn") == "idle"


def test_a_bus_that_never_answers_is_no_success_and_nothing_moves_when_it_does(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.bus.run(1)
    bench.clock.advance(60)
    assert reply.verdicts == (False, None)
    assert bench.state_of("horn") == "locked"  # whether the relay is off cannot be proven
    bench.bus.run()
    assert bench.energised == []
    assert ("drive", "write", bench.line("horn"), 0) in bench.timeline  # releasing is never too late


def test_a_read_back_that_never_answers_refuses(slow_bench):
    reply = slow_bench.ask(HORN, 1)
    slow_bench.clock.advance(60)
    assert reply.verdicts == (False, None)
    slow_bench.bus.run()
    assert slow_bench.energised == []


def test_a_full_bus_refuses(slow_bench):
    slow_bench.bus.full = True
    assert slow_bench.ask(HORN, 1).verdicts == (False, None)
    assert slow_bench.ask(POWER, 0.05).verdicts == (False, None)
    assert slow_bench.energised == []


def test_an_enable_line_that_cannot_follow_in_time_takes_the_coil_back(slow_bench):
    bench = slow_bench
    reply = operate(bench)
    bench.bus.run(3)  # read, coil, read
    assert bench.relays.on == {bench.line("q0.operate", ON)}
    bench.clock.advance(0.45)
    bench.bus.run()
    assert bench.relays.on == set()
    assert reply.verdicts == (False, None)
    assert bench.state_of("q0") == "idle"


def test_a_set_point_on_a_bus_is_confirmed_when_it_is_written(slow_bench):
    reply = slow_bench.ask(POWER, 0.05)
    assert reply.verdicts == (None, None)
    slow_bench.bus.run()
    assert reply.verdicts == (True, True)


def test_stopping_before_the_bus_switched_switches_nothing(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.outputs.safe()
    bench.bus.run()
    bench.clock.advance(60)
    bench.bus.run()
    assert bench.energised == []
    assert reply.verdicts == (False, None)


def test_stopping_while_a_pulse_is_being_proven_over_is_a_negative_termination(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.bus.run()
    bench.clock.advance(1)
    bench.outputs.safe()
    bench.bus.run()
    assert reply.verdicts == (True, False)
    assert bench.state_of("horn") == "idle"


def test_stopping_while_the_bus_works_is_never_a_success(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    bench.bus.run(1)
    bench.outputs.safe()
    bench.bus.run()
    bench.clock.advance(60)
    assert reply.verdicts == (False, None)
    assert bench.relays.on == set()
    assert bench.state_of("horn") == "idle"


# Before the end


def test_a_station_about_to_stop_ends_selections_starts_nothing_and_lets_a_pulse_end_as_it_should(bench):
    bench.select(Q0, ON)
    horn = bench.ask(HORN, 1)
    assert bench.outputs.operating
    bench.outputs.retire("the station is about to restart")
    refused = [bench.ask(FAN, 1), bench.ask(Q0, ON), bench.select(Q0, ON), bench.ask(POWER, 0.05)]
    assert [reply.verdicts for reply in refused] == [(False, None)] * 4
    assert refused[0].reasons == ["the station is about to restart"]
    bench.clock.advance(0.499)
    assert bench.relays.on == {bench.line("horn")}
    bench.clock.advance(1)
    assert horn.verdicts == (True, True)
    assert not bench.outputs.operating


def test_a_station_about_to_stop_does_not_switch_what_still_waits_for_its_bus(slow_bench):
    bench = slow_bench
    reply = bench.ask(HORN, 1)
    assert bench.outputs.operating
    bench.outputs.retire("the station is about to restart")
    bench.bus.run()
    assert bench.energised == []
    assert reply.verdicts == (False, None)
    assert reply.reasons == ["the station is about to restart"]
