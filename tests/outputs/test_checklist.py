"""The commands of the conformance checklist, as far as this layer answers for them; ids in the names."""

import math

import pytest

Q0, SPRING, LAMP, HORN, TAP, POWER, VOLTAGE, FREQUENCY, FAN, WORD = range(5001, 5011)
OFF, ON = 1, 2


def test_i01_a_direct_command_is_confirmed_then_terminated_when_its_pulse_has_ended(bench):
    reply = bench.ask(HORN, 1)
    assert reply.verdicts == (True, None)
    assert bench.relays.on == {bench.line("horn")}
    bench.clock.advance(0.6)
    assert bench.relays.on == set()
    assert reply.verdicts == (True, None)
    bench.clock.advance(0.1)
    assert reply.verdicts == (True, True)
    assert bench.audits == ["command.execute", "command.result"]


def test_i01_confirmation_then_return_information_then_termination(bench):
    reply = bench.ask(TAP, 2)
    bench.clock.advance(0.3)
    bench.see("tap", 4)
    bench.clock.advance(1)
    order = [entry for entry in bench.timeline if entry[0] in ("confirm", "report", "terminate")]
    assert [entry[0] for entry in order] == ["confirm", "report", "terminate"]
    assert order[1][2] == (11, 3, "main")
    assert reply.verdicts == (True, True)
    bench.see("tap", 5)
    assert bench.timeline[-1][2].cot == 3


@pytest.mark.parametrize(("value", "role"), [(OFF, 1), (ON, 2)])
def test_i02_a_double_command_drives_the_coil_of_its_state_and_no_other(bench, value, role):
    bench.select(Q0, value)
    reply = bench.ask(Q0, value)
    assert bench.relays.on == {bench.line("q0.operate", role), bench.line("q0.operate", "enable")}
    bench.see("q0.position", value)
    bench.clock.advance(2)
    assert reply.verdicts == (True, True)


@pytest.mark.parametrize("value", [0, 3])
@pytest.mark.parametrize("select", [True, False])
def test_i03_dcs_0_and_3_are_refused(bench, value, select):
    assert bench.ask(Q0, value, select=select).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize(("value", "coil", "lands"), [(1, 1, 2), (2, 2, 4)])
def test_i04_a_step_command_moves_one_step(bench, value, coil, lands):
    reply = bench.ask(TAP, value)
    assert bench.relays.on == {bench.line("tap.step", coil)}
    bench.see("tap", lands)
    bench.clock.advance(1)
    assert reply.verdicts == (True, True)


@pytest.mark.parametrize("value", [0, 3])
def test_i04_rcs_0_and_3_are_refused(bench, value):
    assert bench.ask(TAP, value).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize(
    ("ioa", "raw", "units"), [(POWER, 0.0625, 0.0625), (VOLTAGE, -50, -5.0), (FREQUENCY, -16384, -50.0)]
)
def test_i05_a_set_point_reaches_the_device_in_engineering_units(bench, ioa, raw, units):
    reply = bench.ask(ioa, raw)
    assert bench.energised[0][3] == pytest.approx(units)
    # ACTTERM of set-points is an interoperability option; "voltage" does without.
    assert reply.verdicts == (True, None if ioa == VOLTAGE else True)


@pytest.mark.parametrize(
    ("ioa", "raw"),
    [
        (POWER, -1e-9),
        (POWER, 0.11),
        (VOLTAGE, 4),
        (VOLTAGE, -101),
        (POWER, math.nan),
        (POWER, math.inf),
        (POWER, -math.inf),
    ],
)
def test_i06_a_set_point_out_of_range_or_no_number_is_refused_not_clamped(bench, ioa, raw):
    assert bench.ask(ioa, raw).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
def test_i06_the_reason_names_what_is_no_number(bench, raw):
    assert bench.ask(POWER, raw).reasons == ["the set-point is not a number"]


def test_i06_the_limits_themselves_are_accepted_as_the_wire_says_them(bench):
    assert bench.ask(POWER, 0.10000000149011612).verdicts == (True, True)  # R32 of 0.1
    assert bench.ask(VOLTAGE, 3).verdicts == (True, None)  # 3 * 0.1 > 0.3 in binary
    assert bench.ask(POWER, 0.10000000894069672).verdicts == (False, None)  # the next R32


@pytest.mark.parametrize("word", [0, 0xA5F0, 4_000_000_000])
def test_i07_a_bitstring_is_written_as_it_is(bench, word):
    assert bench.ask(WORD, word).verdicts == (True, True)
    assert bench.energised == [("drive", "set", bench.command("word").setpoint.output, word)]


@pytest.mark.parametrize("word", [4_000_000_001, 0xFFFFFFFF])
def test_i07_a_bitstring_beyond_its_limit_is_refused_to_the_bit(bench, word):
    assert bench.ask(WORD, word).verdicts == (False, None)
    assert bench.ask(WORD, word).reasons == [f"{word} is outside 0 to 4000000000"]
    assert bench.energised == []


def test_i07_a_bitstring_cannot_be_selected(bench):
    assert bench.select(WORD, 1).verdicts == (False, None)


def test_i08_select_execute_return_information_termination(bench):
    select = bench.select(Q0, ON)
    assert select.verdicts == (True, None)
    execute = bench.ask(Q0, ON)
    assert execute.verdicts == (True, None)
    bench.see("q0.position", 0)
    bench.see("q0.position", ON)
    bench.clock.advance(2)
    assert execute.verdicts == (True, True)
    assert select.verdicts == (True, None)
    assert [entry[2].cot for entry in bench.timeline if entry[0] == "report"] == [11, 11]
    assert bench.audits == ["command.select", "command.execute", "command.result"]


def test_a_select_alone_moves_nothing(bench):
    bench.select(Q0, ON)
    bench.clock.advance(100)
    assert [entry for entry in bench.timeline if entry[0] == "drive"] == []


def test_i09_execute_without_select_is_refused(bench):
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []
    assert bench.audits == ["command.refuse"]


def test_i10_a_selection_ends_after_its_time(bench):
    bench.select(Q0, ON)
    bench.clock.advance(20)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []
    assert bench.audits == ["command.select", "command.cancel", "command.refuse"]


def test_i10_a_selection_is_good_until_its_time(bench):
    bench.select(Q0, ON)
    bench.clock.advance(19.9)
    assert bench.ask(Q0, ON).verdicts == (True, None)


@pytest.mark.parametrize(
    "other",
    [
        {"value": OFF},
        {"qualifier": 1},
        {"type_id": 59},
        {"ioa": SPRING, "value": 1, "type_id": 45},
    ],
)
def test_i11_an_execute_that_is_not_what_was_selected_cancels_the_selection(bench, other):
    bench.select(Q0, ON)
    assert bench.ask(**{"ioa": Q0, "value": ON, **other}).verdicts == (False, None)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []
    assert bench.audits == ["command.select", "command.refuse", "command.refuse"]


def test_i12_a_deactivated_selection_cannot_be_executed(bench):
    bench.select(Q0, ON)
    assert bench.select(Q0, ON, deactivate=True).verdicts == (True, None)
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []


def test_i12_a_deactivation_without_selection_is_refused(bench):
    assert bench.select(Q0, ON, deactivate=True).verdicts == (False, None)


def test_i12_nobody_deactivates_the_selection_of_another(bench):
    bench.select(Q0, ON)
    assert bench.select(Q0, ON, deactivate=True, owner="b").verdicts == (False, None)
    assert bench.select(Q0, ON, deactivate=True, originator=4).verdicts == (False, None)
    assert bench.ask(Q0, ON).verdicts == (True, None)


def test_i12_what_is_running_cannot_be_deactivated(bench):
    reply = bench.ask(HORN, 1)
    assert bench.ask(HORN, 1, deactivate=True).verdicts == (False, None)
    bench.clock.advance(1)
    assert reply.verdicts == (True, True)


@pytest.mark.parametrize("owner", ["a", "b"])
def test_i13_a_second_select_is_refused_and_the_first_goes_on(bench, owner):
    bench.select(Q0, ON)
    bench.clock.advance(15)
    assert bench.select(Q0, ON, owner=owner).verdicts == (False, None)
    bench.clock.advance(4)
    assert bench.ask(Q0, ON).verdicts == (True, None)


def test_i13_the_second_select_does_not_prolong_the_first(bench):
    bench.select(Q0, ON)
    bench.clock.advance(15)
    bench.select(Q0, ON)
    bench.clock.advance(5)
    assert bench.ask(Q0, ON).verdicts == (False, None)


def test_i14_a_direct_command_cannot_be_selected(bench):
    assert bench.select(HORN, 1).verdicts == (False, None)


@pytest.mark.parametrize("select", [True, False])
@pytest.mark.parametrize(("ioa", "value"), [(Q0, ON), (Q0, OFF), (SPRING, 1)])
@pytest.mark.parametrize("owner", ["a", "b"])
def test_i15_a_busy_lock_group_takes_nothing_else(bench, select, ioa, value, owner):
    bench.select(Q0, ON)
    running = bench.ask(Q0, ON)
    before = len(bench.energised)
    for _ in range(3):  # during the pulse, and while the feedback is awaited
        assert bench.ask(ioa, value, select=select, owner=owner).verdicts == (False, None)
        bench.clock.advance(1)
    assert len(bench.energised) == before
    bench.see("q0.position", ON)
    assert running.verdicts == (True, True)


def test_i15_another_lock_group_is_not_disturbed(bench):
    assert bench.ask(SPRING, 1).verdicts == (True, None)
    assert bench.ask(HORN, 1).verdicts == (True, None)


@pytest.mark.parametrize("select", [True, False])
def test_i16_in_local_mode_nothing_is_operated_from_afar(bench, select):
    if not select:
        bench.select(Q0, ON)
    bench.see("bay.remote", 0)
    reply = bench.ask(Q0, ON, select=select)
    assert reply.verdicts == (False, None)
    assert bench.energised == []


def test_i16_switching_to_local_cancels_a_selection(bench):
    bench.select(Q0, ON)
    bench.see("bay.remote", 0)
    bench.see("bay.remote", 1)
    assert bench.ask(Q0, ON).reasons == ["not selected"]


def test_i17_return_information_of_a_local_command_has_cause_12(bench):
    bench.ask(TAP, 2, local=True)
    bench.see("tap", 4)
    assert next(entry[2].cot for entry in bench.timeline if entry[0] == "report") == 12


@pytest.mark.parametrize(("qualifier", "seconds"), [(0, 0.5), (1, 0.2), (2, 2.0)])
def test_i18_qu_chooses_the_pulse_and_the_termination_follows_its_end(bench, qualifier, seconds):
    reply = bench.ask(HORN, 1, qualifier=qualifier)
    assert bench.energised[0][4] == seconds
    bench.clock.advance(seconds - 0.01)
    assert bench.relays.on == {bench.line("horn")}
    bench.clock.advance(0.02)
    assert bench.relays.on == set()
    assert reply.verdicts == (True, None)
    bench.clock.advance(0.3)
    assert reply.verdicts == (True, True)


@pytest.mark.parametrize("qualifier", [0, 3])
def test_i18_a_latched_output_stays(bench, qualifier):
    reply = bench.ask(LAMP, 1, qualifier=qualifier)
    assert reply.verdicts == (True, True)
    bench.clock.advance(1000)
    assert bench.relays.on == {bench.line("lamp")}
    assert bench.ask(LAMP, 0, qualifier=qualifier).verdicts == (True, True)
    assert bench.relays.on == set()


def test_i18_persistent_is_only_for_latched_outputs_and_pulses_only_for_the_others(bench):
    assert bench.ask(HORN, 1, qualifier=3).verdicts == (False, None)
    assert bench.ask(LAMP, 1, qualifier=1).verdicts == (False, None)
    assert bench.ask(LAMP, 1, qualifier=2).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize("qualifier", range(4, 32))
@pytest.mark.parametrize("ioa", [HORN, LAMP])
def test_i19_reserved_qu_are_refused(bench, qualifier, ioa):
    assert bench.ask(ioa, 1, qualifier=qualifier).verdicts == (False, None)
    assert bench.energised == []


@pytest.mark.parametrize("qualifier", [1, 63, 64, 127])
def test_i20_reserved_ql_are_refused(bench, qualifier):
    assert bench.ask(POWER, 0.05, qualifier=qualifier).verdicts == (False, None)
    assert bench.energised == []


def test_i26_an_output_that_does_not_follow_is_terminated_negatively(bench):
    bench.select(Q0, ON)
    reply = bench.ask(Q0, ON)
    bench.clock.advance(9.9)
    assert reply.verdicts == (True, None)
    bench.clock.advance(0.1)
    assert reply.verdicts == (True, False)
    assert bench.state_of("q0") == "idle"


def test_i28_a_pulse_ends_normally_when_its_connection_is_gone(bench):
    reply = bench.ask(HORN, 1, qualifier=2)
    bench.clock.advance(0.5)
    bench.outputs.forget("a")
    bench.clock.advance(1.4)
    assert bench.relays.on == {bench.line("horn")}
    bench.clock.advance(1)
    assert bench.relays.on == set()
    assert reply.verdicts == (True, True)
    assert bench.state_of("horn") == "idle"


def test_i28_a_selection_goes_with_its_connection(bench):
    bench.select(Q0, ON)
    bench.outputs.forget("b")
    assert bench.state_of("q0") == "selected"
    bench.outputs.forget("a")
    assert bench.ask(Q0, ON).verdicts == (False, None)
    assert bench.energised == []
