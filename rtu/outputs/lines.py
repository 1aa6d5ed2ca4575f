"""The lines of a lock group as one: read back together, compared, brought to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from .commands import Line
from .ports import Levels, Ports


def read_lines(
    ports: Ports, lines: Iterable[Line], done: Callable[[Mapping[Line, int | None]], None]
) -> None:
    """Ask every device concerned once; None for a line that cannot be read."""
    wanted = tuple(lines)
    waiting = {line.device for line in wanted}
    if not waiting:
        done({})
        return
    answers: dict[str, Levels] = {}

    def answered(device: str, levels: Levels) -> None:
        answers[device] = levels
        if len(answers) == len(waiting):
            done({line: _level(answers[line.device], line.output) for line in wanted})

    for device in sorted(waiting):
        ports.digital[device].read_back(partial(answered, device))


def _level(levels: Levels, output: int) -> int | None:
    return levels[output] if output < len(levels) else None


def differing(expected: Mapping[Line, int], found: Mapping[Line, int | None]) -> str:
    """The lines that are surely not as expected, in one text; "" if there are none."""
    wrong = [line for line, level in expected.items() if found[line] not in (level, None)]
    return ", ".join(f"{line} is {'off' if found[line] == line.rest else 'on'}" for line in wrong)


def unread(found: Mapping[Line, int | None]) -> str:
    """The lines that could not be read back, in one text; "" if all could."""
    return ", ".join(f"{line} cannot be read back" for line, level in found.items() if level is None)


def release(ports: Ports, lines: Iterable[Line]) -> None:
    """Bring lines to rest, in this order, as well as it goes: whoever needs to know reads them back.

    Line by line and not with the device's `safe`, which would drop what other lock groups hold.
    """
    for line in lines:
        ports.digital[line.device].write(line.output, line.rest, lambda fault: None)
