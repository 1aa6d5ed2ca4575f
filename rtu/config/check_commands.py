"""What a command must have for its type, what it may refer to, and which lines commands may share.

The safety of outputs starts here: a line belongs to one lock group, in which one command runs at a
time, and means one thing there.
"""

from __future__ import annotations

from collections.abc import Mapping

from hw.interface import Kind

from .channels import OUTPUT_ROLES, named, output_kind
from .check_points import MEASURED, form_of, only_for, shown, uses
from .draft import Draft
from .mistakes import listed, quoted
from .references import check_states, point_named
from .schema import Command, Output, Point, StationFile

_SWITCHES = ("single", "double", "step")
_SET = (*MEASURED, "bitstring")

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "single": ("on",),
    "double": ("on", "off"),
    "step": ("higher", "lower"),
    **dict.fromkeys(MEASURED, ("channel", "min", "max")),
    "bitstring": ("channel",),
}
_OUTPUT_KEYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("on", "off"), ("single", "double")),
    **dict.fromkeys(("higher", "lower"), ("step",)),
    **dict.fromkeys(("channel", "min", "max"), _SET),
    **dict.fromkeys(("enable", "active_low", "pulse_ms"), _SWITCHES),
    "latched": ("single",),
}
_WITH_LATCHED = {
    "off": "a latched output is one line, `on`",
    "enable": "a latched output cannot have an enable line, which is energised for a pulse only",
    "pulse_ms": "a latched output has no pulse",
}
_FEEDBACK: Mapping[str, tuple[str, ...]] = {
    "single": ("single", "double"),
    "double": ("single", "double"),
    "step": ("step",),
}
"""Types of points that can show what a command has done."""

LONGEST_PULSE_MS = 60000.0
LARGEST_WORD = 2**32 - 1
ENABLED_MS = 500.0  # a coil is energised so much longer than the enable line in series with it


def check_commands(draft: Draft, file: StationFile) -> None:
    points = {point.name: point for point in file.point}
    for command in file.command:
        output = command.output
        only_for(draft, output, _OUTPUT_KEYS, command.type, "command")
        _channels(draft, command, output)
        kinds: set[Kind | None] = {output_kind(role) for role in named(output, OUTPUT_ROLES)}
        uses(draft, output, f"a {command.type} command", kinds)
        if command.type in _SET:
            _limits(draft, command)
        if command.type == "bitstring" and command.select is not None:
            draft.mistake(command, "a bitstring has no select: the telegram has no place for it", "select")
        for address in command.address:
            form_of(draft, address, command.type)
        if command.time_tag != "no" and file.clock.source == "none":
            draft.warning(
                command, 'with clock.source = "none" no time-tagged command is carried out', "time_tag"
            )
        _feedback(draft, command, points)
        check_states(draft, command, command.require, points, "require")
    _sharing(draft, file)


def _channels(draft: Draft, command: Command, output: Output) -> None:
    for role in _REQUIRED[command.type]:
        if getattr(output, role) is None:
            noun = "set-point" if command.type in MEASURED else "command"
            draft.mistake(output, f'a {command.type} {noun} needs "{role}" in its output')
    if output.latched and command.type == "single":
        for key, text in _WITH_LATCHED.items():
            if draft.written(output, key):
                draft.mistake(output, text, key)
    first: dict[int | str, str] = {}
    for role, ref in named(output, OUTPUT_ROLES).items():
        if ref in first:
            draft.mistake(output, f"{first[ref]} and {role} are the same line {shown(ref)}", role)
        first.setdefault(ref, role)
    if output.enable is not None:
        for key in ("default", "short", "long"):
            if getattr(output.pulse_ms, key) > LONGEST_PULSE_MS - ENABLED_MS:
                draft.mistake(
                    output,
                    f"with an enable line a pulse is at most {LONGEST_PULSE_MS - ENABLED_MS:g} ms",
                    "pulse_ms",
                    key,
                )


def _limits(draft: Draft, command: Command) -> None:
    least, most = command.output.min, command.output.max
    if command.type == "bitstring":
        for key, limit in (("min", least), ("max", most)):
            if limit is not None and not (0 <= limit <= LARGEST_WORD and limit % 1 == 0):
                draft.mistake(
                    command.output, f"{key} of a bitstring is a whole number from 0 to {LARGEST_WORD}", key
                )
                return
        least, most = least or 0, LARGEST_WORD if most is None else most
    if least is not None and most is not None and least >= most:
        draft.mistake(command.output, f"min ({least:.10g}) must be less than max ({most:.10g})", "max")


def _feedback(draft: Draft, command: Command, points: Mapping[str, Point]) -> None:
    if command.feedback is None:
        return
    if command.type in _SET:
        noun = "bitstring" if command.type == "bitstring" else "set-point"
        draft.mistake(command, f"a {noun} has no feedback", "feedback")
        return
    point = point_named(draft, command, command.feedback.point, points, "feedback", "point")
    fitting = _FEEDBACK[command.type]
    if point is not None and point.type not in fitting:
        text = f"feedback of a {command.type} command is a {listed(fitting)} point, {quoted(point.name)} is {point.type}"
        draft.mistake(command, text, "feedback", "point")


def _sharing(draft: Draft, file: StationFile) -> None:
    """A line belongs to one lock group, and has one purpose, one polarity, one enable line and one set of options there."""
    seen: dict[tuple[str, Kind, int | str], tuple[Command, str]] = {}
    for command in file.command:
        output = command.output
        for role, ref in named(output, OUTPUT_ROLES).items():
            first, role_there = seen.setdefault((output.device, output_kind(role), ref), (command, role))
            if first is command:
                continue
            line = draft.line(first.output, role_there)
            where = f"line {shown(ref)} of device {quoted(output.device)} is used by {quoted(first.name)} (line {line}) too"
            if (first.lock_group or first.name) != (command.lock_group or command.name):
                draft.mistake(output, f"{where}: put both commands into one lock_group", role)
            elif (role == "enable") != (role_there == "enable") or output.latched != first.output.latched:
                draft.mistake(output, f"{where}, for another purpose", role)
            elif output.active_low != first.output.active_low:
                draft.mistake(output, f"{where}, with another active_low", role)
            elif output.options != first.output.options:
                draft.mistake(output, f"{where}, with other options of its device", role)
            elif role != "enable" and output.enable != first.output.enable:
                draft.mistake(output, f"{where}, with another enable line", role)
