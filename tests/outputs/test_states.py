"""Every cell of the lock group's table, written down a second time: state by state, event by event."""

import pytest

from rtu.outputs.states import OBLIGING, REQUESTS, TABLE, Action, Cell, Event, State

A = Action
EXPECTED = {
    State.IDLE: {
        Event.SELECT: (A.SELECT, State.SELECTED),
        Event.EXECUTE: (A.ARM, State.ARMING),
        Event.SPOIL: (A.REFUSE, State.IDLE),
        Event.OBJECT: (A.REFUSE, State.IDLE),
        Event.CANCEL: (A.REFUSE, State.IDLE),
        Event.DROP: (A.IGNORE, State.IDLE),
        Event.ENERGISED: (A.IGNORE, State.IDLE),
        Event.FAILED: (A.IGNORE, State.IDLE),
        Event.WRONG: (A.IGNORE, State.IDLE),
        Event.SETTLED: (A.IGNORE, State.IDLE),
        Event.REACHED: (A.IGNORE, State.IDLE),
        Event.MISSED: (A.IGNORE, State.IDLE),
        Event.UNLOCK: (A.IGNORE, State.IDLE),
        Event.STOP: (A.IGNORE, State.IDLE),
    },
    State.SELECTED: {
        Event.SELECT: (A.REFUSE, State.SELECTED),
        Event.EXECUTE: (A.ARM, State.ARMING),
        Event.SPOIL: (A.REFUSE_AND_DROP, State.IDLE),
        Event.OBJECT: (A.REFUSE, State.SELECTED),
        Event.CANCEL: (A.CANCEL, State.IDLE),
        Event.DROP: (A.DROP, State.IDLE),
        Event.ENERGISED: (A.IGNORE, State.SELECTED),
        Event.FAILED: (A.IGNORE, State.SELECTED),
        Event.WRONG: (A.IGNORE, State.SELECTED),
        Event.SETTLED: (A.IGNORE, State.SELECTED),
        Event.REACHED: (A.IGNORE, State.SELECTED),
        Event.MISSED: (A.IGNORE, State.SELECTED),
        Event.UNLOCK: (A.IGNORE, State.SELECTED),
        Event.STOP: (A.DROP, State.IDLE),
    },
    State.ARMING: {
        Event.SELECT: (A.REFUSE, State.ARMING),
        Event.EXECUTE: (A.REFUSE, State.ARMING),
        Event.SPOIL: (A.REFUSE, State.ARMING),
        Event.OBJECT: (A.REFUSE, State.ARMING),
        Event.CANCEL: (A.REFUSE, State.ARMING),
        Event.DROP: (A.ABANDON, State.ARMING),
        Event.ENERGISED: (A.CONFIRM, State.ACTIVE),
        Event.FAILED: (A.DECLINE, State.IDLE),
        Event.WRONG: (A.DECLINE_AND_LOCK, State.LOCKED),
        Event.SETTLED: (A.IGNORE, State.ARMING),
        Event.REACHED: (A.IGNORE, State.ARMING),
        Event.MISSED: (A.IGNORE, State.ARMING),
        Event.UNLOCK: (A.IGNORE, State.ARMING),
        Event.STOP: (A.DECLINE, State.IDLE),
    },
    State.ACTIVE: {
        Event.SELECT: (A.REFUSE, State.ACTIVE),
        Event.EXECUTE: (A.REFUSE, State.ACTIVE),
        Event.SPOIL: (A.REFUSE, State.ACTIVE),
        Event.OBJECT: (A.REFUSE, State.ACTIVE),
        Event.CANCEL: (A.REFUSE, State.ACTIVE),
        Event.DROP: (A.IGNORE, State.ACTIVE),
        Event.ENERGISED: (A.IGNORE, State.ACTIVE),
        Event.FAILED: (A.IGNORE, State.ACTIVE),
        Event.WRONG: (A.FAIL_AND_LOCK, State.LOCKED),
        Event.SETTLED: (A.SUPERVISE, State.SUPERVISING),
        Event.REACHED: (A.IGNORE, State.ACTIVE),
        Event.MISSED: (A.IGNORE, State.ACTIVE),
        Event.UNLOCK: (A.IGNORE, State.ACTIVE),
        Event.STOP: (A.FAIL, State.IDLE),
    },
    State.SUPERVISING: {
        Event.SELECT: (A.REFUSE, State.SUPERVISING),
        Event.EXECUTE: (A.REFUSE, State.SUPERVISING),
        Event.SPOIL: (A.REFUSE, State.SUPERVISING),
        Event.OBJECT: (A.REFUSE, State.SUPERVISING),
        Event.CANCEL: (A.REFUSE, State.SUPERVISING),
        Event.DROP: (A.IGNORE, State.SUPERVISING),
        Event.ENERGISED: (A.IGNORE, State.SUPERVISING),
        Event.FAILED: (A.IGNORE, State.SUPERVISING),
        Event.WRONG: (A.IGNORE, State.SUPERVISING),
        Event.SETTLED: (A.IGNORE, State.SUPERVISING),
        Event.REACHED: (A.SUCCEED, State.IDLE),
        Event.MISSED: (A.FAIL, State.IDLE),
        Event.UNLOCK: (A.IGNORE, State.SUPERVISING),
        Event.STOP: (A.FAIL, State.IDLE),
    },
    State.LOCKED: {
        Event.SELECT: (A.REFUSE, State.LOCKED),
        Event.EXECUTE: (A.REFUSE, State.LOCKED),
        Event.SPOIL: (A.REFUSE, State.LOCKED),
        Event.OBJECT: (A.REFUSE, State.LOCKED),
        Event.CANCEL: (A.REFUSE, State.LOCKED),
        Event.DROP: (A.IGNORE, State.LOCKED),
        Event.ENERGISED: (A.IGNORE, State.LOCKED),
        Event.FAILED: (A.IGNORE, State.LOCKED),
        Event.WRONG: (A.IGNORE, State.LOCKED),
        Event.SETTLED: (A.IGNORE, State.LOCKED),
        Event.REACHED: (A.IGNORE, State.LOCKED),
        Event.MISSED: (A.IGNORE, State.LOCKED),
        Event.UNLOCK: (A.UNLOCK, State.IDLE),
        Event.STOP: (A.IGNORE, State.LOCKED),
    },
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_cell(state, event):
    assert TABLE[state, event] == Cell(*EXPECTED[state][event])


def test_no_two_actions_are_one_by_accident():
    """Enum members of equal value are aliases."""
    assert len(Action.__members__) == len(list(Action))
    assert len(Event.__members__) == len(list(Event))


def test_only_an_execute_arms_and_only_from_rest():
    arming = {pair for pair, cell in TABLE.items() if cell.action is Action.ARM}
    assert arming == {(State.IDLE, Event.EXECUTE), (State.SELECTED, Event.EXECUTE)}


def test_only_an_unlock_leaves_locked():
    ways = {
        event for (state, event), cell in TABLE.items() if state is State.LOCKED and cell.next is not state
    }
    assert ways == {Event.UNLOCK}


def test_every_request_is_answered_in_every_state():
    answering = OBLIGING | {Action.REFUSE, Action.REFUSE_AND_DROP}
    assert {TABLE[state, event].action for state in State for event in REQUESTS} == answering
