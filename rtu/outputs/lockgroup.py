"""A lock group at work: carries out what the table in `rtu.outputs.states` says.

The table decides, the methods named after its actions do. A group does not know how lines are switched (`operation`)
nor how a feedback is judged (`supervision`); it knows who asked, and answers once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rtu.clock import SECOND, Clock, Timer
from rtu.points.model import Signal, Value

from . import checks
from .commands import Command, Line
from .lines import differing, read_lines, release, unread
from .operation import Operation, switchings
from .ports import Ports
from .request import Fingerprint, Issued, Reply, Request
from .states import OBLIGING, TABLE, Action, Event, State, classify
from .supervision import Points, Supervision
from .trail import Trail

_log = logging.getLogger(__name__)

RELEASE_MARGIN_S = 0.2
"""A contact has opened, and a read-back shows it, this long after its pulse ended."""

REMEMBERED = 1000
"""Commands with a time tag that a group knows it carried out. What came before them is too old by its tag as a rule."""

Alarm = Callable[[str, str], None]
"""Told of a lock group that locked, and why; "" when it was unlocked."""


class Ask(NamedTuple):
    """A request, what it is for, and who waits for the answer."""

    command: Command
    request: Request
    reply: Reply
    late: str = ""  # why its time tag forbids it; said before anything else
    answered: bool = True  # whether the reply gets as far as the master


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all lock groups of a station share."""

    ports: Ports
    points: Points
    clock: Clock
    trail: Trail
    alarm: Alarm


class Selection:
    """A reservation, with everything that ends it by itself."""

    def __init__(self, ask: Ask, around: Surroundings, drop: Callable[[str], None]) -> None:
        self.ask = ask
        self._around = around
        self._drop = drop
        timeout_s = ask.command.select_timeout_s
        self._until_ns = around.clock.now_ns() + round(timeout_s * SECOND)
        self._timer = around.clock.call_at(self._until_ns, self._time_out)
        self._unwatch = [
            around.points.watch(condition.point, self._condition_changed)
            for condition in ask.command.conditions
        ]

    def check_time(self) -> None:
        """A timer may run late; a selection does not live longer for that."""
        if self._around.clock.now_ns() >= self._until_ns:
            self._time_out()

    def end(self) -> None:
        self._timer.cancel()
        for unwatch in self._unwatch:
            unwatch()

    def _time_out(self) -> None:
        self._drop(f"not executed within {self.ask.command.select_timeout_s:g} s")

    def _condition_changed(self, signal: Signal, value: Value) -> None:
        if objection := checks.plant(self.ask.command, self._around.points):
            self._drop(objection)


@dataclass(slots=True)
class Run:
    """An execution underway."""

    ask: Ask
    operation: Operation
    supervision: Supervision | None = None
    timer: Timer | None = None


class LockGroup:
    """One command at a time, from its selection to its termination.

    `locked` is why it is locked from the start, which another run of the program left to this one, or "".
    """

    def __init__(
        self, name: str, commands: Sequence[Command], around: Surroundings, locked: str = ""
    ) -> None:
        self.name = name
        self.state = State.LOCKED if locked else State.IDLE
        self.reason = locked  # why it is locked
        self._around = around
        pulsed = {line: None for command in commands for line in command.pulsed_lines}
        self._pulsed: tuple[Line, ...] = tuple(pulsed)
        # Every start brings every line to rest.
        self._released = tuple({line: None for command in commands for line in command.lines})
        """What must be at rest while it is locked."""
        self._selection: Selection | None = None
        self._run: Run | None = None
        self._carried_out: deque[tuple[Fingerprint, Issued]] = deque(maxlen=REMEMBERED)
        self._answers: Mapping[Action, Callable[[Ask, str], None]] = {
            Action.SELECT: self._select,
            Action.ARM: self._arm,
            Action.REFUSE: self._refuse,
            Action.REFUSE_AND_DROP: self._refuse_and_drop,
            Action.CANCEL: self._cancel,
        }
        self._acts: Mapping[Action, Callable[[str], None]] = {
            Action.DROP: self._drop,
            Action.ABANDON: self._abandon,
            Action.CONFIRM: self._confirm,
            Action.DECLINE: self._decline,
            Action.DECLINE_AND_LOCK: self._decline_and_lock,
            Action.SUPERVISE: self._supervise,
            Action.SUCCEED: self._succeed,
            Action.FAIL: self._fail,
            Action.FAIL_AND_LOCK: self._fail_and_lock,
            Action.UNLOCK: self._unlock,
            Action.IGNORE: lambda reason: None,
        }

    @property
    def current(self) -> Ask | None:
        """What is selected or running."""
        if self._run is not None:
            return self._run.ask
        return self._selection.ask if self._selection is not None else None

    # What others want

    def ask(self, ask: Ask, objection: str) -> None:
        """Answer a request; `objection` is what the checks found, or ""."""
        if self._selection is not None:
            self._selection.check_time()
        selected = self._selection.ask.request if self._selection is not None else None
        objection = objection or self._repeated(ask.request)
        event, reason = classify(ask.command, ask.request, selected, objection)
        if ask.request.test:
            self._answer_test(ask, event, reason)
            return
        if TABLE[self.state, event].action in (Action.SELECT, Action.ARM) and not self._recorded(ask, event):
            event, reason = Event.SPOIL, "the audit trail cannot be written"
        cell = TABLE[self.state, event]
        reason = ask.late or self._busy() or reason
        self.state = cell.next
        self._answers[cell.action](ask, reason)

    def forget(self, owner: Hashable, reason: str) -> None:
        """The owner is gone: its selection ends, and what has not switched yet does not switch."""
        current = self.current
        if current is not None and current.request.owner == owner:
            self.retire(reason)

    def retire(self, reason: str) -> None:
        """Whoever owns it: a selection ends, and what has not switched yet does not switch."""
        self._fire(Event.DROP, reason)

    def unlock(self, by: str, done: Callable[[str], None]) -> None:
        """Take the lock away for `by`, if all lines are read back at rest and it is on record. `done` is told why not, or ""."""
        if self.state is not State.LOCKED:
            done(f"{self.name} is not locked")
            return
        resting = {line: line.rest for line in self._released}

        def found_out(found: Mapping[Line, int | None]) -> None:
            done(self._taken_away(by, differing(resting, found) or unread(found)))

        read_lines(self._around.ports, resting, found_out)

    def _taken_away(self, by: str, objection: str) -> str:
        if self.state is not State.LOCKED:
            return f"{self.name} is not locked any more"
        write, said = self._around.trail.write, {"by": by, "lock_group": self.name, "reason": self.reason}
        if objection:
            write("command.unlock_refuse", **said, objection=objection)
        elif not write("command.unlock", **said):
            objection = "the audit trail cannot be written"
        else:
            self._fire(Event.UNLOCK)
        return objection

    def stop(self) -> None:
        self._fire(Event.STOP, "the station stops")

    # Requests

    def _answer_test(self, ask: Ask, event: Event, reason: str) -> None:
        """As the real thing would be answered; nothing is reserved, cancelled or switched (T bit)."""
        reason = ask.late or self._busy() or reason
        positive = TABLE[self.state, event].action in OBLIGING
        self._record("command.test", ask, reason, positive=positive, answered=ask.answered)
        self._tell(ask.reply.confirm, positive, reason)

    def _busy(self) -> str:
        if self.state is State.LOCKED:
            return f"{self.name} is locked: {self.reason}"
        if self._run is not None:
            return f"{self.name} is busy with {self._run.ask.command.name}"
        return ""

    def _select(self, ask: Ask, reason: str) -> None:
        self._selection = Selection(ask, self._around, lambda why: self._fire(Event.DROP, why))
        self._tell(ask.reply.confirm, True, reason)

    def _repeated(self, request: Request) -> str:
        """A command that names its time is given once: the same again came twice, by two ways or from a recording."""
        issued = request.issued
        if not request.select and issued is not None and (request.fingerprint, issued) in self._carried_out:
            return "the same command with the same time tag was carried out already"
        return ""

    def _arm(self, ask: Ask, reason: str) -> None:
        if ask.request.issued is not None:
            self._carried_out.append((ask.request.fingerprint, ask.request.issued))
        self._end_selection()
        around = self._around
        operation = Operation(
            ask.command,
            ask.request,
            self._pulsed,
            ports=around.ports,
            clock=around.clock,
            permit=self._permit,
            outcome=self._fire,
        )
        self._run = Run(ask, operation)
        operation.start()

    def _refuse(self, ask: Ask, reason: str) -> None:
        self._record("command.refuse", ask, reason, answered=ask.answered)
        self._tell(ask.reply.confirm, False, reason)

    def _refuse_and_drop(self, ask: Ask, reason: str) -> None:
        self._end_selection()
        self._refuse(ask, f"{reason}; the selection is cancelled")

    def _cancel(self, ask: Ask, reason: str) -> None:
        self._end_selection()
        self._record("command.cancel", ask, "deactivated")
        self._tell(ask.reply.confirm, True, reason)

    # What happens by itself

    def _fire(self, event: Event, reason: str = "") -> None:
        cell = TABLE[self.state, event]
        self.state = cell.next
        self._acts[cell.action](reason)

    def _drop(self, reason: str) -> None:
        assert self._selection is not None
        ask = self._selection.ask
        self._end_selection()
        self._record("command.cancel", ask, reason)

    def _abandon(self, reason: str) -> None:
        self._running.operation.abandon(reason)

    def _permit(self) -> str:
        """The last word before a line is switched; from the first one on the feedback is watched."""
        run, around = self._running, self._around
        command, request = run.ask.command, run.ask.request
        objection = checks.plant(command, around.points)
        if not objection and run.supervision is None and command.feedback is not None:
            run.supervision = Supervision(
                command.feedback,
                int(request.value),
                checks.cause(request),
                points=around.points,
                clock=around.clock,
                verdict=self._judged,
            )
        return objection

    def _confirm(self, reason: str) -> None:
        run = self._running
        if run.supervision is not None:
            run.supervision.energised()
        pulses = [each.seconds for each in switchings(run.ask.command, run.ask.request)]
        longest_s = max((seconds for seconds in pulses if seconds is not None), default=0.0)
        if longest_s:
            end_ns = self._around.clock.now_ns() + round((longest_s + RELEASE_MARGIN_S) * SECOND)
            run.timer = self._around.clock.call_at(end_ns, self._pulse_over)
        self._tell(run.ask.reply.confirm, True, reason)
        if not longest_s:
            self._fire(Event.SETTLED)

    def _pulse_over(self) -> None:
        resting = {line: line.rest for line in self._pulsed}

        def proven(found: Mapping[Line, int | None]) -> None:
            if trouble := differing(resting, found) or unread(found):
                release(self._around.ports, resting)
                self._fire(Event.WRONG, f"after the pulse {trouble}")
            else:
                self._fire(Event.SETTLED)

        read_lines(self._around.ports, resting, proven)

    def _supervise(self, reason: str) -> None:
        supervision = self._running.supervision
        if supervision is None:
            self._fire(Event.REACHED)
        else:
            supervision.settle()

    def _judged(self, reached: bool, reason: str) -> None:
        self._fire(Event.REACHED if reached else Event.MISSED, reason)

    def _decline(self, reason: str) -> None:
        self._running.operation.abandon(reason)
        ask = self._finish(False, reason)
        self._tell(ask.reply.confirm, False, reason)

    def _decline_and_lock(self, reason: str) -> None:
        self._lock(reason)
        self._decline(reason)

    def _succeed(self, reason: str) -> None:
        self._terminate(True, reason)

    def _fail(self, reason: str) -> None:
        self._terminate(False, reason)

    def _fail_and_lock(self, reason: str) -> None:
        self._lock(reason)
        self._fail(reason)

    def _lock(self, reason: str) -> None:
        self.reason = reason
        self._released = tuple(dict.fromkeys((*self._pulsed, *self._running.operation.touched)))
        self._around.alarm(self.name, reason)

    def _unlock(self, reason: str) -> None:
        self.reason = ""
        self._around.alarm(self.name, "")

    # The ends of things

    def _terminate(self, positive: bool, reason: str) -> None:
        ask = self._finish(positive, reason)
        if ask.command.termination:
            self._tell(ask.reply.terminate, positive, reason)

    def _finish(self, positive: bool, reason: str) -> Ask:
        run = self._running
        self._run = None
        if run.timer is not None:
            run.timer.cancel()
        if run.supervision is not None:
            run.supervision.close()
        self._record("command.result", run.ask, reason, positive=positive, locked=self.state is State.LOCKED)
        return run.ask

    def _end_selection(self) -> None:
        if self._selection is not None:
            self._selection.end()
            self._selection = None

    @property
    def _running(self) -> Run:
        assert self._run is not None, f"{self.name} is {self.state.value} without an execution"
        return self._run

    # Telling

    def _recorded(self, ask: Ask, event: Event) -> bool:
        name = "command.select" if event is Event.SELECT else "command.execute"
        return self._record(name, ask, "")

    def _record(self, event: str, ask: Ask, reason: str, **more: object) -> bool:
        seen = checks.seen(ask.command, self._around.points)
        return self._around.trail.record(event, ask.command.name, ask.request, reason, checks=seen, **more)

    def _tell(self, answer: Callable[[bool, str], None], positive: bool, reason: str) -> None:
        """A session that cannot be told must not disturb an output underway."""
        try:
            answer(positive, reason)
        except Exception:  # whatever the session's trouble is
            _log.exception("%s: an answer could not be delivered", self.name)
