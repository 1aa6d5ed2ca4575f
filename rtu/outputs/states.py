"""The theory of a lock group: its states, what can happen, and the table that says what follows.

One lock group does one thing at a time. It is

    IDLE         nothing selected, nothing moving
    SELECTED     reserved by one claimant (session and originator) for one fingerprint
    ARMING       lines are read back, then switched, then read back again
    ACTIVE       switched and confirmed; a pulse runs
    SUPERVISING  every line is proven to be at rest again; the plant has still to follow
    LOCKED       a line was on that should be off: nothing moves until somebody takes the lock away, on record

Every pair of state and event has a cell, also those that only a late call-back can meet: they are ignored by name.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from .commands import Command
from .request import Request


class State(Enum):
    IDLE = "idle"
    SELECTED = "selected"
    ARMING = "arming"
    ACTIVE = "active"
    SUPERVISING = "supervising"
    LOCKED = "locked"


class Event(Enum):
    """The first five are requests, as `classify` understands them."""

    SELECT = "a select that passed its checks"
    EXECUTE = "an execute that passed its checks and matches the selection, if one is needed"
    SPOIL = "an execute of whoever selected that does not match or pass: it uses the selection up"
    OBJECT = "any other request that must not be"
    CANCEL = "a deactivation of one's own selection"

    DROP = "time-out, owner gone, or a condition no longer met"
    ENERGISED = "switched, and read back as intended"
    FAILED = "not switched, and nothing is on"
    WRONG = "a read-back is not what it must be"
    SETTLED = "the output action is complete and verified"
    REACHED = "the feedback is there, or none is expected"
    MISSED = "the feedback is late or contrary"
    UNLOCK = "somebody takes responsibility"
    STOP = "the station stops"


class Action(Enum):
    SELECT = "reserve, confirm"
    ARM = "start the operation"
    REFUSE = "negative confirmation"
    REFUSE_AND_DROP = "negative confirmation, end the selection"
    CANCEL = "end the selection, positive confirmation of the deactivation"
    DROP = "end the selection, silently"
    ABANDON = "no further switching"
    CONFIRM = "positive confirmation, time the pulse"
    DECLINE = "negative confirmation, no further switching"
    DECLINE_AND_LOCK = "negative confirmation, no further switching, alarm"
    SUPERVISE = "wait for the feedback"
    SUCCEED = "positive termination"
    FAIL = "negative termination"
    FAIL_AND_LOCK = "negative termination, alarm"
    UNLOCK = "end the alarm"
    IGNORE = "nothing"


REQUESTS = (Event.SELECT, Event.EXECUTE, Event.SPOIL, Event.OBJECT, Event.CANCEL)
OBLIGING = frozenset((Action.SELECT, Action.ARM, Action.CANCEL))
"""What a positive confirmation promises."""


class Cell(NamedTuple):
    action: Action
    next: State


def _row(
    state: State, default: tuple[Action, State], cells: dict[Event, tuple[Action, State]]
) -> dict[tuple[State, Event], Cell]:
    """One state: `cells` as given, `default` for requests without one, and nothing for anything else."""
    return {
        (state, event): Cell(*cells.get(event, default if event in REQUESTS else (Action.IGNORE, state)))
        for event in Event
    }


TABLE: dict[tuple[State, Event], Cell] = (
    _row(
        State.IDLE,
        (Action.REFUSE, State.IDLE),
        {
            Event.SELECT: (Action.SELECT, State.SELECTED),
            Event.EXECUTE: (Action.ARM, State.ARMING),
        },
    )
    | _row(
        State.SELECTED,
        (Action.REFUSE, State.SELECTED),
        {
            Event.EXECUTE: (Action.ARM, State.ARMING),
            Event.SPOIL: (Action.REFUSE_AND_DROP, State.IDLE),
            Event.CANCEL: (Action.CANCEL, State.IDLE),
            Event.DROP: (Action.DROP, State.IDLE),
            Event.STOP: (Action.DROP, State.IDLE),
        },
    )
    | _row(
        State.ARMING,
        (Action.REFUSE, State.ARMING),
        {
            Event.DROP: (Action.ABANDON, State.ARMING),
            Event.STOP: (Action.DECLINE, State.IDLE),
            Event.ENERGISED: (Action.CONFIRM, State.ACTIVE),
            Event.FAILED: (Action.DECLINE, State.IDLE),
            Event.WRONG: (Action.DECLINE_AND_LOCK, State.LOCKED),
        },
    )
    | _row(
        State.ACTIVE,
        (Action.REFUSE, State.ACTIVE),
        {
            Event.SETTLED: (Action.SUPERVISE, State.SUPERVISING),
            Event.WRONG: (Action.FAIL_AND_LOCK, State.LOCKED),
            Event.STOP: (Action.FAIL, State.IDLE),
        },
    )
    | _row(
        State.SUPERVISING,
        (Action.REFUSE, State.SUPERVISING),
        {
            Event.REACHED: (Action.SUCCEED, State.IDLE),
            Event.MISSED: (Action.FAIL, State.IDLE),
            Event.STOP: (Action.FAIL, State.IDLE),
        },
    )
    | _row(
        State.LOCKED,
        (Action.REFUSE, State.LOCKED),
        {Event.UNLOCK: (Action.UNLOCK, State.IDLE)},
    )
)


def classify(
    command: Command, request: Request, selected: Request | None, objection: str
) -> tuple[Event, str]:
    """What a request is to a group that `selected` reserved (None: nobody); `objection` is what the checks found.

    A deactivation is believed if it comes from the claimant and names the object: taking back is always safe.
    """
    mine = selected is not None and selected.claimant == request.claimant
    if request.deactivate:
        if selected is not None and mine and (selected.ca, selected.ioa) == (request.ca, request.ioa):
            return Event.CANCEL, ""
        return Event.OBJECT, "there is no selection to cancel"
    if request.select:
        if not command.selectable:
            return Event.OBJECT, "this command is given directly, without a select"
        if selected is not None:
            return Event.OBJECT, "selected already" if mine else "selected by somebody else"
        return (Event.OBJECT, objection) if objection else (Event.SELECT, "")
    if selected is not None and not mine:
        return Event.OBJECT, "selected by somebody else"
    if selected is not None and selected.fingerprint != request.fingerprint:
        return Event.SPOIL, "not what was selected"
    if selected is None and command.select_required:
        return Event.OBJECT, "not selected"
    if objection:
        return (Event.SPOIL if mine else Event.OBJECT), objection
    return Event.EXECUTE, ""
