"""What makes a set of commands unsafe, found before anything is opened or operated.

`mistakes` needs the commands alone; `device_mistakes` also asks the opened devices what they promise. The station file
was checked before, in words for whoever wrote it; this is the last door before the relays, whatever the way here was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from hw.interface import AnalogOutputs, DigitalOutputs

from .commands import OVERLAP_S, Command, Line

MAX_PULSE_S = 60.0
"""The longest pulse a device times."""


class UnsafeCommands(Exception):
    """Commands that must not be operated as they are; one line for each reason."""


def require_safe(commands: Iterable[Command], devices: Mapping[str, object]) -> None:
    """Raises UnsafeCommands. `devices` are those that are open; the others are asked when they are used."""
    every = tuple(commands)
    found = mistakes(every) + device_mistakes(every, devices)
    if found:
        raise UnsafeCommands("\n".join(found))


def mistakes(commands: Iterable[Command]) -> list[str]:
    """One line for each mistake, naming its command."""
    every = tuple(commands)
    found = [f'command "{command.name}": {what}' for command in every for what in _alone(command)]
    return found + list(_shared_lines(every)) + list(_shared_addresses(every))


def device_mistakes(commands: Iterable[Command], devices: Mapping[str, object]) -> list[str]:
    """One line for each command whose devices cannot do what it needs.

    A pulse must end even if this program does not: in the device itself, or by an enable line in series with the coil.
    """
    return [f'command "{command.name}": {what}' for command in commands for what in _device(command, devices)]


def _alone(command: Command) -> Iterator[str]:
    setpoint = command.setpoint
    if setpoint is not None:
        if not setpoint.minimum < setpoint.maximum:
            yield "`min` must be less than `max`"
        if command.latched or command.enable is not None:
            yield "a set-point is not latched and has no enable line"
        if command.type == "bitstring" and command.selectable:
            yield "a bitstring cannot be selected: nothing in it says whether it is a select"
        return
    if not command.coils:
        yield "no output line is given"
    if command.latched and command.type != "single":
        yield "only single commands can be latched"
    if command.latched and command.enable is not None:
        yield "a latched output cannot have an enable line, which is energised for a pulse only"
    coils = tuple(command.coils.values())
    if command.latched and len(set(coils)) > 1:
        yield "a latched output has one line, `on`"
    if not command.latched and len(set(coils)) < len(coils):
        yield "two commanded states share one line"
    if command.enable in coils:
        yield f"line {command.enable} cannot be coil and enable line at once"
    longest = MAX_PULSE_S - (OVERLAP_S if command.enable is not None else 0)
    if max(command.pulses_s) > longest:
        yield f"pulses of this output must not be longer than {longest:g} s"


def _shared_lines(commands: Iterable[Command]) -> Iterator[str]:
    """A line belongs to one lock group, has one polarity and one enable line, and serves one purpose."""
    seen: dict[tuple[str, int], tuple[Command, Line]] = {}
    for command in commands:
        for line in command.lines:
            other, known = seen.setdefault((line.device, line.output), (command, line))
            if other is command:
                continue
            where = f'command "{command.name}": line {line} is used by "{other.name}", too'
            if other.lock_group != command.lock_group:
                yield f"{where}: put both in one lock_group"
            if known.rest != line.rest:
                yield f"{where}, with another `active_low`"
            if other.latched != command.latched or (known == other.enable) != (line == command.enable):
                yield f"{where}, for another purpose"
            elif command.enable not in (line, other.enable):
                yield f"{where}, with another enable line: it would be energised and move nothing"


def _shared_addresses(commands: Iterable[Command]) -> Iterator[str]:
    seen: dict[tuple[int, int], str] = {}
    for command in commands:
        for target in command.targets:
            other = seen.setdefault((target.ca, target.ioa), command.name)
            if other != command.name:
                yield f'command "{command.name}": ca {target.ca} ioa {target.ioa} is already used by "{other}"'


def _device(command: Command, devices: Mapping[str, object]) -> Iterator[str]:
    setpoint = command.setpoint
    if (
        setpoint is not None
        and setpoint.device in devices
        and not isinstance(devices[setpoint.device], AnalogOutputs)
    ):
        yield f'device "{setpoint.device}" has no analogue outputs'
    ending = {line.device for line in command.ending_lines}
    for name in dict.fromkeys(line.device for line in command.lines):
        if name not in devices:
            continue
        device = devices[name]
        if not isinstance(device, DigitalOutputs):
            yield f'device "{name}" has no digital outputs'
        elif name in ending and not device.self_timed:
            yield f'device "{name}" does not end a pulse by itself: use a device that does, for the `enable` line at least'
