"""The whole select/execute table driven from outside, by octets, against a table of its own.

Two masters ask for anything in any order while time passes, connections come and go, the bay is switched to local, tags
are too old and relays fail. Each answer must be the one the table below gives, and the relays must have moved exactly
when it says so, each time after a line of the audit trail that says what is going to move.
"""

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from rtu.iec104.elements import DCO, SCO
from rtu.points.model import BL, IV, NT, SB
from tests.scale import scale

from .bay import HORN, LAMP, Q0, SPRING, begin, line, start, tag

NAMES = {Q0: "q0.operate", SPRING: "q0.spring", HORN: "horn", LAMP: "lamp"}
GROUPS = {Q0: "q0", SPRING: "q0", HORN: "horn", LAMP: "lamp"}
SELECTABLE, SELECT_REQUIRED, INTERLOCKED = {Q0, SPRING}, {Q0}, {Q0}
VALUES = {Q0: (1, 2), SPRING: (1,), HORN: (1,), LAMP: (0, 1)}
QUALIFIERS = {Q0: (0, 1, 2), SPRING: (0, 1, 2), HORN: (0, 1, 2), LAMP: (0, 3)}
COILS = {
    (Q0, 1): ("q0.operate", "off"),
    (Q0, 2): ("q0.operate", "on"),
    (SPRING, 1): ("q0.spring", "on"),
    (HORN, 1): ("horn", "on"),
    (LAMP, 1): ("lamp", "on"),
}
TAGGED = {Q0, HORN}
TIMEOUT_S, MAX_AGE_S = 10, 10


@dataclass(frozen=True)
class Asked:
    """What a master asks for, as it is asked."""

    ioa: int
    value: int
    qualifier: int
    kind: str  # select, execute, deactivate
    test: bool
    age_s: int | None  # None: without a tag

    @property
    def fingerprint(self):
        return self.ioa, self.value, self.qualifier, self.age_s is None


class Table:
    """What a lock group does by the book; `answer` is True, False, or None for silence."""

    def __init__(self):
        self.selection = None  # claimant, fingerprint, until
        self.busy = False
        self.locked = False

    def answer(self, claimant, asked, now, *, hindered):
        late = asked.age_s is not None and abs(asked.age_s) > MAX_AGE_S
        before = self.selection, self.busy
        answer, operates = self._answer(claimant, asked, now, hindered=hindered or late)
        if asked.test:
            (self.selection, self.busy), operates = before, False
        if late and asked.kind != "deactivate":
            assert not answer
            answer = None
        return answer, operates

    def _answer(self, claimant, asked, now, *, hindered):
        if self.busy or self.locked:
            return False, False
        mine = self.selection is not None and self.selection[0] == claimant
        if asked.kind == "deactivate":
            taken_back = mine and self.selection[1][0] == asked.ioa
            if taken_back:
                self.selection = None
            return taken_back, False
        if asked.kind == "select":
            if asked.ioa not in SELECTABLE or self.selection is not None or hindered:
                return False, False
            self.selection = (claimant, asked.fingerprint, now + TIMEOUT_S)
            return True, False
        if self.selection is not None and not mine:
            return False, False
        if self.selection is None and asked.ioa in SELECT_REQUIRED:
            return False, False
        matches = self.selection is None or self.selection[1] == asked.fingerprint
        self.selection = None
        self.busy = matches and not hindered
        return self.busy, self.busy


class Commands(RuleBasedStateMachine):
    make_rig = None

    def __init__(self):
        super().__init__()
        self.rig = rig = begin(type(self).make_rig)
        rig.advance(10)  # or what is fresh by its tag would be from before the start
        self.timeline = []
        record, put = rig.audit.record, rig.relays._put

        def recorded(event, **fields):
            self.timeline.append((event, fields))
            return record(event, **fields)

        def moved(output, level):
            self.timeline.append((output, level))
            put(output, level)

        rig.audit.record, rig.relays._put = recorded, moved
        self.walked = 0
        self.stood_still_s = 0.0  # since a timer last ran
        self.permitted = []  # coils an audit line has announced and that have not moved yet
        self.masters = {group: start(rig, group=group) for group in ("main", "other")}
        self.tables = {group: Table() for group in GROUPS.values()}
        self.conditions = {"remote": (1, 0), "q8.position": (1, 0)}

    # What masters do

    @rule(
        who=st.sampled_from(["main", "main", "main", "other"]),
        originator=st.sampled_from([1, 1, 1, 2]),
        what=st.sampled_from(
            [(Q0, 2), (Q0, 2), (Q0, 2), (Q0, 1), (Q0, 3), (SPRING, 1), (HORN, 1), (LAMP, 1), (LAMP, 0)]
        ),
        qualifier=st.sampled_from([0, 0, 0, 0, 1, 3, 31]),
        kind=st.sampled_from(["select", "select", "execute", "execute", "execute", "deactivate"]),
        test=st.sampled_from([False, False, False, False, True]),
        age_s=st.sampled_from([None, None, None, 0, 9, -9, 11, -11]),
    )
    def ask(self, who, originator, what, qualifier, kind, test, age_s):
        ioa, value = what
        self._ask(who, originator, Asked(ioa, value, qualifier, kind, test, age_s if ioa in TAGGED else None))

    @rule(
        value=st.sampled_from([1, 2]),
        age_s=st.sampled_from([None, 0]),
        between=st.sampled_from(
            ["", "", "", "time", "break", "take over", "stop", "local", "stall", "again"]
        ),
        kind=st.sampled_from(["execute", "execute", "execute", "select", "deactivate"]),
        who=st.sampled_from(["main", "main", "other"]),
        originator=st.sampled_from([1, 1, 1, 2]),
        other_value=st.sampled_from([False, False, False, True]),
        qualifier=st.sampled_from([0, 0, 0, 1]),
        other_age_s=st.sampled_from(["", "", "", None, 0, 11, -11]),
        test=st.sampled_from([False, False, False, True]),
    )
    def select_and_then(
        self, value, age_s, between, kind, who, originator, other_value, qualifier, other_age_s, test
    ):
        """All is well, the breaker is selected, something happens, somebody asks for it; then it is executed."""
        self.the_bay_permits_again()
        self.the_relay_board("")
        self.time_passes(10)
        self._ask("main", 1, Asked(Q0, value, 0, "select", False, age_s))
        match between:
            case "time":
                self.time_passes(10)
            case "break":
                self.a_connection_breaks_and_comes_back("main")
            case "take over":
                self.another_connection_takes_over("main")
            case "stop":
                self.a_connection_is_stopped_and_started("main")
            case "local":
                self.an_interlock_changes("remote", 0, 0)
                self.the_bay_permits_again()
            case "stall":
                self.the_loop_stands_still(3)
            case "again":
                self._ask("main", 1, Asked(Q0, value, 0, "select", False, age_s))
        asked = Asked(
            Q0,
            3 - value if other_value else value,
            qualifier,
            kind,
            test,
            age_s if other_age_s == "" else other_age_s,
        )
        self._ask(who, originator, asked)
        self._ask("main", 1, Asked(Q0, value, 0, "execute", False, age_s))

    def _ask(self, who, originator, asked):
        rig, master = self.rig, self.masters[who]
        master.take()
        element = DCO if asked.ioa == Q0 else SCO
        value = asked.value if asked.ioa == Q0 else bool(asked.value)
        elements = [element(value, qu=asked.qualifier, select=asked.kind == "select")]
        if asked.age_s is not None:
            elements.append(tag(rig, asked.age_s))
        type_id = (46 if asked.ioa == Q0 else 45) + (13 if asked.age_s is not None else 0)
        self._selections_end()
        expected, operates = self.tables[GROUPS[asked.ioa]].answer(
            (id(master.session), originator), asked, rig.now, hindered=self._hindered(asked)
        )
        if rig.relays.fault and operates:
            expected, operates = False, False
            table = self.tables[GROUPS[asked.ioa]]
            table.busy, table.locked = False, asked.ioa == LAMP and self._lamp_is_on
        before = len(rig.relays.history)
        cause = 8 if asked.kind == "deactivate" else 6
        master.send(type_id, cause, asked.ioa, *elements, originator=originator, test=asked.test)
        answers = [
            not asdu.negative for asdu in master.take() if asdu.type_id == type_id and asdu.cause != 10
        ]
        assert answers == ([] if expected is None else [expected])
        moved = [output for _, output, level in rig.relays.history[before:] if level]
        coil = COILS.get((asked.ioa, asked.value))
        assert moved == ([line(rig, *coil)] if operates and coil else [])
        self._walk()

    @rule(who=st.sampled_from(["main", "other"]))
    def a_connection_breaks_and_comes_back(self, who):
        self._forget(who)
        self.masters[who].disconnect()
        self.masters[who] = start(self.rig, group=who)

    @rule(who=st.sampled_from(["main", "other"]))
    def another_connection_takes_over(self, who):
        self._forget(who)
        old, self.masters[who] = self.masters[who], start(self.rig, group=who)
        self.rig.masters.remove(old)

    @rule(who=st.sampled_from(["main", "other"]))
    def a_connection_is_stopped_and_started(self, who):
        self._forget(who)
        self.masters[who].stop()
        self.masters[who].start()

    # What the world does

    @rule(seconds=st.sampled_from([0.1, 0.8, 5.5, 10.0]))
    def time_passes(self, seconds):
        before = len(self.rig.relays.history)
        self.stood_still_s = 0.0
        self.rig.advance(seconds)
        assert not any(level for _, _, level in self.rig.relays.history[before:])
        self._walk()

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def the_loop_stands_still(self, seconds):
        if self.stood_still_s < 5:  # for longer, and t1 would end the connections
            self.stood_still_s += seconds
            self.rig.clock.stall(seconds)

    @rule(
        name=st.sampled_from(["remote", "q8.position"]),
        value=st.sampled_from([1, 1, 1, 0, 2, 3]),
        quality=st.sampled_from([0, 0, 0, IV, NT, BL, SB]),
    )
    def an_interlock_changes(self, name, value, quality):
        value = min(value, 1) if name == "remote" else value
        self.conditions[name] = (value, quality)
        self.rig.set(name, value, quality)
        self._selections_end()

    @rule()
    def the_bay_permits_again(self):
        for name in self.conditions:
            self.an_interlock_changes(name, 1, 0)

    @rule(value=st.sampled_from([1, 2, 0]))
    def the_breaker_moves(self, value):
        self.rig.set("q0.position", value)
        self._walk()

    @rule(fault=st.sampled_from(["", "", "the board does not answer"]))
    def the_relay_board(self, fault):
        """While it fails, a lamp that is on cannot be proven to go out: its group locks until a fitter has been there."""
        self.rig.relays.fault = fault
        lamp = self.tables["lamp"]
        if lamp.locked and not fault:
            said: list[str] = []
            self.rig.outputs.unlock("lamp", "fitter", said.append)
            lamp.locked = said != [""]

    # What must hold

    def _hindered(self, asked):
        unsound = asked.value not in VALUES[asked.ioa] or asked.qualifier not in QUALIFIERS[asked.ioa]
        return unsound or self.rig.outputs.stalled or (asked.ioa in INTERLOCKED and not self._permitted)

    @property
    def _lamp_is_on(self):
        return bool(self.rig.relays.levels[line(self.rig, "lamp", "on")])

    @property
    def _permitted(self):
        return all(state == (1, 0) for state in self.conditions.values())

    def _selections_end(self):
        """By their time, and by the plant."""
        for table in self.tables.values():
            if table.selection is not None:
                _, (ioa, *_), until = table.selection
                if self.rig.now >= until or (ioa in INTERLOCKED and not self._permitted):
                    table.selection = None

    def _forget(self, who):
        for table in self.tables.values():
            if table.selection is not None and table.selection[0][0] == id(self.masters[who].session):
                table.selection = None

    def _walk(self):
        """Nothing moves without its line in the audit trail, and nothing but what the line says."""
        for entry in self.timeline[self.walked :]:
            match entry:
                case ("command.execute", fields):
                    self.permitted.append(COILS.get((fields["ioa"], fields["value"])))
                case ("command.result", fields):
                    announced = COILS.get((fields["ioa"], fields["value"]))
                    if announced in self.permitted:  # it has not moved
                        assert announced is None or not fields["positive"]
                        self.permitted.remove(announced)
                    self.tables[GROUPS[fields["ioa"]]].busy = False
                case (int(output), 1):
                    (coil,) = [each for each in self.permitted if each and line(self.rig, *each) == output]
                    self.permitted.remove(coil)
        self.walked = len(self.timeline)

    def teardown(self):
        self.the_relay_board("")
        self.rig.advance(12)
        self._walk()
        assert self.permitted == []
        assert not any(table.busy for table in self.tables.values())
        assert {status.state.value for status in self.rig.outputs.status()} == {"idle"}
        lamp = line(self.rig, "lamp", "on")
        assert not any(level for output, level in enumerate(self.rig.relays.levels) if output != lamp)


def test_every_answer_is_by_the_book_and_the_relays_did_what_the_audit_trail_says(make_rig):
    """200 sequences of 40 steps each, 5000 in a soak."""
    Commands.make_rig = staticmethod(make_rig)
    run_state_machine_as_test(
        Commands,
        settings=settings(
            max_examples=scale(200, 5_000),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
