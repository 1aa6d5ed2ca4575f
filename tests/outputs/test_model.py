"""Anything can be asked, in any order, while anything fails; what must never happen never does.

The plant changes only in rules of its own, so what holds after a rule held when a verdict was given in it.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hw.interface import DeviceFault
from rtu.clock import SECOND
from rtu.outputs.operation import switchings
from rtu.outputs.request import Issued
from tests.scale import scale

DOUBLE = [(5001, 1), (5001, 2), (5001, 2), (5001, 3)]
OTHERS = [(5002, 1), (5003, 0), (5003, 1), (5004, 1), (5005, 1), (5005, 2), (5009, 0), (5009, 1), (4999, 1)]
SETPOINTS = [(5006, 0.05), (5006, 7.0), (5007, 2), (5010, 0xF0), (5010, 0xFFFFFFFF)]
TAGGED = {5001: 59, 5004: 58}
COMMANDS = st.sampled_from([*DOUBLE, *OTHERS, *SETPOINTS])
OUTPUTS = st.integers(0, 8)
FEEDBACKS = {"q0.operate": "q0.position", "fan": "fan.running"}


def is_no_execute(request):
    return request.select or request.deactivate or request.test


def is_late(request, bench):
    """By a tag that was of this very moment, or eleven seconds off."""
    if request.issued is None:
        return False
    return abs(request.issued.unix_ns - bench.clock.wall(bench.clock.now_ns()).unix_ns) > 10 * SECOND


def machine(make_bench, bus):
    class Bay(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.bench = make_bench(bus=bus)
            self.relays = self.bench.relays
            self.walked = 0
            self.asked = None
            self.executing = {}  # lock group -> (request, switchings still to come)
            self.judged = set()

        # What may happen

        @rule(
            what=COMMANDS,
            kind=st.sampled_from(["select", "execute", "execute", "deactivate"]),
            owner=st.sampled_from("aab"),
            originator=st.sampled_from([3, 3, 3, 4]),
            qualifier=st.sampled_from([0, 0, 0, 0, 1, 3, 9]),
            test=st.sampled_from([False, False, False, True]),
            age_s=st.sampled_from([None, None, None, 0, 11, -11]),
        )
        def ask(self, *, what, kind, owner, originator, qualifier, test, age_s):
            tag = {}
            if age_s is not None and what[0] in TAGGED:
                now = self.bench.clock.wall(self.bench.clock.now_ns()).unix_ns
                tag = {"type_id": TAGGED[what[0]], "issued": Issued(now - age_s * SECOND)}
            self.bench.ask(
                *what,
                **tag,
                qualifier=qualifier,
                owner=owner,
                originator=originator,
                select=kind == "select",
                deactivate=kind == "deactivate",
                test=test,
            )

        @rule(value=st.sampled_from([1, 2]))
        def operate_as_one_should(self, value):
            self.bench.select(5001, value)
            self.bench.ask(5001, value)

        @rule(seconds=st.sampled_from([0.05, 0.3, 1.1, 6.0, 21.0]))
        def time_passes(self, seconds):
            self.bench.clock.advance(seconds)

        @rule(seconds=st.sampled_from([0.5, 3.0]))
        def the_loop_stands_still(self, seconds):
            self.bench.clock.stall(seconds)

        @rule(value=st.integers(0, 3), quality=st.sampled_from([0, 0, 0, 0x80]))
        def the_breaker_moves(self, value, quality):
            self.bench.see("q0.position", value, quality)

        @rule(value=st.integers(0, 1))
        def the_fan_changes(self, value):
            self.bench.see("fan.running", value)

        @rule(
            name=st.sampled_from(["bay.remote", "q8.position"]),
            value=st.sampled_from([1, 1, 2, 0]),
            quality=st.sampled_from([0, 0, 0x40]),
        )
        def the_bay_changes(self, name, value, quality):
            self.bench.see(name, min(value, 1) if name == "bay.remote" else value, quality)

        @rule(operation=st.sampled_from(["pulse", "write", "read_back", "release"]))
        def the_driver_fails(self, operation):
            self.relays.faults[operation] = DeviceFault("field: no answer")

        @rule(
            output=OUTPUTS, other=OUTPUTS, how=st.sampled_from(["dead", "welded", "lie", "silent", "ganged"])
        )
        def a_relay_fails(self, output, other, how):
            match how:
                case "dead":
                    self.relays.dead.add(output)
                case "welded":
                    self.relays.welded.add(output)
                case "lie":
                    self.relays.lies[output] = 1
                case "silent":
                    self.relays.lies[output] = None
                case "ganged" if other != output:
                    self.relays.ganged[output] = other

        @rule()
        def everything_is_repaired(self):
            for trouble in ("faults", "dead", "welded", "lies", "ganged"):
                getattr(self.relays, trouble).clear()
            self.bench.audit_fails = self.bench.bus.full = False

        @rule(group=st.sampled_from(["q0", "horn", "lamp", "fan", "tap.step"]))
        def somebody_unlocks(self, group):
            self.bench.outputs.unlock(group, "fitter", lambda objection: None)

        @rule()
        def the_record_cannot_be_kept(self):
            self.bench.audit_fails = True

        @rule(owner=st.sampled_from("ab"))
        def a_session_ends(self, owner):
            self.bench.outputs.forget(owner)

        @rule(count=st.sampled_from([1, 2, 50]))
        def the_bus_works(self, count):
            self.bench.bus.run(count)

        @rule()
        def the_bus_is_full(self):
            self.bench.bus.full = True

        # What must hold

        @invariant()
        def nothing_energises_without_its_record_and_nothing_but_an_execute_is_recorded_as_one(self):
            timeline = self.bench.timeline
            for entry in timeline[self.walked :]:
                match entry:
                    case ("ask", request):
                        self.asked = request
                    case ("audit", "command.execute", fields):
                        request = self.asked
                        assert not is_no_execute(request)
                        assert not is_late(request, self.bench)
                        assert (fields["ioa"], fields["value"]) == (request.ioa, request.value)
                        command = self.bench.outputs.find(request.ca, request.ioa)
                        assert command.lock_group not in self.executing
                        steps = [
                            (each.line.output, each.level)
                            for each in switchings(command, request)
                            if each.level != each.line.rest
                        ]
                        if command.setpoint is not None:
                            steps = [(command.setpoint.output, "set")]
                        self.executing[command.lock_group] = (request, steps)
                    case ("confirm", number, positive):
                        self._confirmed(self.bench.replies[number].request, positive)
                    case ("drive", "set", output, _):
                        self._belongs(output, "set")
                    case ("drive", "pulse" | "write", output, level, *_) if (
                        level != self.relays.rests[output]
                    ):
                        self._belongs(output, level)
            self.walked = len(timeline)

        def _belongs(self, output, level):
            owners = [steps for _, steps in self.executing.values() if steps[:1] == [(output, level)]]
            assert owners, f"output {output} was energised without a record, or out of order"
            owners[0].pop(0)

        def _confirmed(self, confirmed, positive):
            for group, (request, steps) in list(self.executing.items()):
                if request is confirmed:
                    assert not (positive and steps), "confirmed before everything was switched"
                    del self.executing[group]

        @invariant()
        def one_out_of_n(self):
            coils = {
                line.output for value in (1, 2) for line in [self.bench.command("q0.operate").coils[value]]
            }
            coils.add(self.bench.line("q0.spring"))
            enable = self.bench.line("q0.operate", "enable")
            on = self.relays.commanded & (coils | {enable})
            assert len(on - {enable}) <= 1
            both = {self.bench.line("tap.step", 1), self.bench.line("tap.step", 2)}
            assert not both <= self.relays.commanded

        @invariant()
        def verdicts_come_once_and_in_order(self):
            for reply in self.bench.replies:
                assert len(reply.confirmed) <= 1
                assert len(reply.terminated) <= len([each for each in reply.confirmed if each])
                if is_no_execute(reply.request):
                    assert reply.terminated == []

        @invariant()
        def no_success_is_false(self):
            for reply in self.bench.replies:
                if reply.terminated == [True] and reply.number not in self.judged:
                    command = self.bench.outputs.find(1, reply.request.ioa)
                    if command.name in FEEDBACKS:
                        value = self.bench.table.value(self.bench.table.index(FEEDBACKS[command.name]))
                        assert (value.value, value.quality) == (reply.request.value, 0)
                    self.judged.add(reply.number)

        def teardown(self):
            self.everything_is_repaired()
            self.bench.bus.run()
            self.bench.bus.automatic = True
            for _ in range(20):
                self.bench.clock.advance(10)
            self.nothing_energises_without_its_record_and_nothing_but_an_execute_is_recorded_as_one()
            self.no_success_is_false()
            assert {each.state.value for each in self.bench.outputs.status()} <= {"idle", "locked"}
            pulsed = {line.output for command in self.bench.commands for line in command.pulsed_lines}
            assert not pulsed & self.relays.commanded
            for reply in self.bench.replies:
                command = self.bench.outputs.find(1, reply.request.ioa)
                assert len(reply.confirmed) + len(reply.discarded) == 1
                if not is_no_execute(reply.request) and reply.confirmed == [True] and command.termination:
                    assert len(reply.terminated) == 1

    return Bay


@pytest.mark.parametrize("bus", ["", "i2c-1"])
def test_whatever_is_asked_and_whatever_fails(make_bench, bus):
    """150 sequences of 40 steps each, 5000 in a soak."""
    run_state_machine_as_test(
        machine(make_bench, bus),
        settings=settings(
            max_examples=scale(150, 5_000),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
