"""May this be done? Pure questions about a request and about the plant; an answer is a reason, or "" for yes.

Interlocks are three-valued: satisfied, not satisfied, not known; and what is not known is not satisfied. Only quality 0
is knowledge. That leaves out substituted values too: what an operator typed in says what should be reported, not where
the isolator stands.
"""

from __future__ import annotations

import math
from typing import Protocol

from rtu.iec104 import catalogue
from rtu.iec104.asdu import GLOBAL_CA
from rtu.points.model import BL, FAULTY, INTERMEDIATE, IV, NT, OV, SB, Cause, Value

from .commands import PERSISTENT, PULSES, Command, Condition
from .request import Request

_TROUBLES = (
    (IV, "invalid"),
    (NT, "not topical"),
    (BL, "blocked"),
    (SB, "substituted"),
    (OV, "overflowing"),
)


class Values(Protocol):
    """Where the state of the plant is looked up: the point table."""

    def value(self, index: int) -> Value: ...


def form(command: Command, request: Request) -> str:
    """Why the request itself is not permitted, whatever the plant is like (IEC 60870-5-101, 7.2.6.13..18, 26, 39)."""
    if request.ca == GLOBAL_CA:
        return "commands are not given to all stations at once"
    if request.type_id not in command.type_ids:
        return f"type {request.type_id} is not for a {command.type} command"
    if request.type_id in catalogue.UNTAGGED and request.issued is None:
        return f"type {request.type_id} is given with a time tag"
    if command.setpoint is not None:
        return _setpoint_form(command, request)
    permitted = PERSISTENT if command.latched else PULSES
    if request.qualifier not in permitted:
        return f"QU {request.qualifier} is not supported by this output"
    if request.value not in command.coils:
        return f"{request.value} is not a state this command can bring about"
    return ""


def _setpoint_form(command: Command, request: Request) -> str:
    assert command.setpoint is not None
    if request.qualifier != 0:
        return f"QL {request.qualifier} is not supported"
    if not math.isfinite(request.value):
        return "the set-point is not a number"
    value = command.engineering(request.ca, request.ioa, request.value)
    if not command.setpoint.accepts(value):
        return f"{value:.10g} is outside {command.setpoint.minimum:.10g} to {command.setpoint.maximum:.10g}"
    return ""


def plant(command: Command, values: Values) -> str:
    """Why the state of the plant forbids this command now."""
    for condition in command.conditions:
        if objection := _unsatisfied(condition, values.value(condition.point)):
            return objection
    feedback = command.feedback
    if feedback is None or not feedback.relative:
        return ""
    # One step from where? Without a start there is no telling whether it arrived.
    trouble = _trouble(values.value(feedback.point))
    return f"{feedback.name} is {trouble}" if trouble else ""


def seen(command: Command, values: Values) -> str:
    """What the conditions of a command look like now, for the audit trail."""
    return ", ".join(
        f"{condition.name}={_shown(condition, values.value(condition.point))}"
        for condition in command.conditions
    )


def cause(request: Request) -> Cause:
    """Return information: caused by a remote (11) or a local command (12) (IEC 60870-5-101, 7.2.3)."""
    number = catalogue.Cause.RETLOC if request.local else catalogue.Cause.RETREM
    return Cause(number, request.originator, request.group)


def _unsatisfied(condition: Condition, value: Value) -> str:
    if value.quality == 0 and value.value == condition.wanted:
        return ""
    return f"{condition.name} is {_shown(condition, value)}, must be {condition.word}"


def _shown(condition: Condition, value: Value) -> str:
    if trouble := _trouble(value):
        return trouble
    if condition.double and value.value in (INTERMEDIATE, FAULTY):
        return "in between" if value.value == INTERMEDIATE else "contradicting itself"
    return condition.word if value.value == condition.wanted else f"not {condition.word}"


def _trouble(value: Value) -> str:
    if value.quality == 0:
        return ""
    known = [name for bit, name in _TROUBLES if value.quality & bit]
    return " and ".join(known) or f"of quality {value.quality:#04x}"
