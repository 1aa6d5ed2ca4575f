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
from .mistakes import listed, quoted, suggestion
from .schema import Command, Output, Point, StationFile

_SWITCHES = ("single", "double", "step")

_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "single": ("on",),
    "double": ("on", "off"),
    "step": ("higher", "lower"),
    **dict.fromkeys(MEASURED, ("channel", "min", "max")),
}
_OUTPUT_KEYS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("on", "off"), ("single", "double")),
    **dict.fromkeys(("higher", "lower"), ("step",)),
    **dict.fromkeys(("channel", "min", "max"), MEASURED),
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

_WORDS: Mapping[str, tuple[str, ...]] = {"single": ("on", "off"), "double": ("open", "closed", "on", "off")}

LONGEST_PULSE_MS = 60000.0
ENABLED_MS = 500.0  # a coil is energised so much longer than the enable line in series with it


def check_commands(draft: Draft, file: StationFile) -> None:
    points = {point.name: point for point in file.point}
    for command in file.command:
        output = command.output
        only_for(draft, output, _OUTPUT_KEYS, command.type, "command")
        _channels(draft, command, output)
        kinds: set[Kind | None] = {output_kind(role) for role in named(output, OUTPUT_ROLES)}
        uses(draft, output, f"a {command.type} command", kinds)
        if command.type in MEASURED:
            _setpoint(draft, command)
        for address in command.address:
            form_of(draft, address, command.type)
        _feedback(draft, command, points)
        _require(draft, command, points)
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


def _setpoint(draft: Draft, command: Command) -> None:
    least, most = command.output.min, command.output.max
    if least is not None and most is not None and least >= most:
        draft.mistake(command.output, f"min ({least:g}) must be less than max ({most:g})", "max")


def _feedback(draft: Draft, command: Command, points: Mapping[str, Point]) -> None:
    if command.feedback is None:
        return
    if command.type in MEASURED:
        draft.mistake(command, "a set-point has no feedback", "feedback")
        return
    point = _point(draft, command, command.feedback.point, points, "feedback", "point")
    fitting = _FEEDBACK[command.type]
    if point is not None and point.type not in fitting:
        text = f"feedback of a {command.type} command is a {listed(fitting)} point, {quoted(point.name)} is {point.type}"
        draft.mistake(command, text, "feedback", "point")


def _require(draft: Draft, command: Command, points: Mapping[str, Point]) -> None:
    for name, word in command.require.items():
        point = _point(draft, command, name, points, "require", name)
        if point is None:
            continue
        if point.type not in _WORDS:
            text = f"require takes single and double points, {quoted(name)} is {point.type}"
            draft.mistake(command, text, "require", name)
        elif word not in _WORDS[point.type]:
            text = f'{quoted(name)} is a {point.type} point: require {listed(map(quoted, _WORDS[point.type]))}, not "{word}"'
            draft.mistake(command, text, "require", name)


def _point(draft: Draft, command: Command, name: str, points: Mapping[str, Point], *key: str) -> Point | None:
    """The point of that name, if it is sound."""
    written = draft.names("point")
    if name not in written:
        draft.mistake(command, f"{key[0]}: no point {quoted(name)}{suggestion(name, written)}", *key)
    return points.get(name)


def _sharing(draft: Draft, file: StationFile) -> None:
    """A line belongs to one lock group, and has one purpose, one polarity and one set of options there."""
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
