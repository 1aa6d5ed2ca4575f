"""From a station file to a `StationFile`, or to everything that is wrong with it.

    text -> tomllib -> values (the lines of their paths only for mistakes)
         -> reader  -> structs of what is sound, mistakes for the rest
         -> checks  -> mistakes across tables

Nothing is opened and no hardware is touched: a file can be checked on any machine that has the drivers.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hw.interface
from hw.installed import installed

from .checks import check
from .devices import DeviceTables, FindDriver
from .draft import Draft
from .mistakes import ConfigError, Mistake, printable
from .schema import StationFile

LARGEST_FILE = 10_000_000
"""Octets; some 50,000 points."""

_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

_IN_OTHER_WORDS = {
    "Cannot overwrite a value": "this key is given twice",
    "Cannot declare": "this table is given twice",
    "Invalid value": "not a value (text goes in quotes)",
    "Unescaped '\\' in a string": "a backslash in text is written twice, or the text in single quotes",
}


class _TooLarge(Exception):
    """More octets than any station needs."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What became of a file: `file` is None if there is an error among the `mistakes`."""

    file: StationFile | None
    mistakes: tuple[Mistake, ...]

    @property
    def errors(self) -> tuple[Mistake, ...]:
        return tuple(mistake for mistake in self.mistakes if mistake.severity == "error")

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        return tuple(mistake for mistake in self.mistakes if mistake.severity == "warning")


def load(
    path: Path, *, find_driver: FindDriver = hw.interface.driver, check_files: bool = False
) -> StationFile:
    """The station `path` describes. Raises ConfigError with all mistakes.

    `check_files`: whether certificates and keys must exist, relative to the file's directory.
    """
    found = examine(path, find_driver=find_driver, check_files=check_files)
    if found.file is None:
        raise ConfigError(found.mistakes)
    return found.file


def examine(
    path: Path,
    *,
    find_driver: FindDriver = hw.interface.driver,
    driver_names: Callable[[], Iterable[str]] = installed,
    check_files: bool = False,
) -> Examination:
    """The same without raising, warnings included. Mistakes are in the order of their lines."""
    name = str(path)
    try:
        text = _read_octets(path).decode("utf-8-sig")
        document = tomllib.loads(text)
    except OSError as error:
        return _unusable(name, 0, f"cannot be read: {error.strerror}")
    except _TooLarge:
        return _unusable(
            name, 0, f"cannot be read: larger than {LARGEST_FILE:,} octets, no station needs that"
        )
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return _unusable(name, line, "not UTF-8 text: save the file with that encoding")
    except tomllib.TOMLDecodeError as error:
        return _unusable(name, *_syntax(str(error), text))
    except (RecursionError, ValueError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return _unusable(name, 0, f"not usable TOML: {printable(what)}")
    draft = Draft(name, document, text)
    file = _read(draft, document, find_driver, driver_names)
    check(draft, path.absolute().parent if check_files else None)
    mistakes = tuple(sorted(draft.mistakes, key=lambda mistake: mistake.line))
    sound = not any(mistake.severity == "error" for mistake in mistakes)
    return Examination(file if sound else None, mistakes)


def _read(
    draft: Draft,
    document: dict[str, Any],
    find_driver: FindDriver,
    driver_names: Callable[[], Iterable[str]],
) -> StationFile | None:
    tables = DeviceTables(draft.wrong_value, find_driver, driver_names)
    # Devices first, whatever their place in the file: inputs and outputs are read with their drivers.
    first = {key: document[key] for key in ("device",) if key in document}
    file = tables.reader.struct(StationFile, first | document, ())
    draft.built = tables.reader.built
    draft.drivers = tables.drivers
    return file if isinstance(file, StationFile) else None


def _read_octets(path: Path) -> bytes:
    with path.open("rb") as stream:
        octets = stream.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise _TooLarge
    return octets


def _unusable(name: str, line: int, text: str) -> Examination:
    return Examination(None, (Mistake(name, line, text),))


def _syntax(message: str, text: str) -> tuple[int, str]:
    """tomllib's complaint as a line and words."""
    line, column = text.count("\n") + 1, ""
    if match := _WHERE.search(message):
        message = message[: match.start()]
        if match[1]:
            line, column = int(match[1]), f" (column {match[2]})"
    for theirs, ours in _IN_OTHER_WORDS.items():
        if message.startswith(theirs):
            message = ours
    return line, f"not valid TOML: {printable(message[:1].lower() + message[1:])}{column}"


__all__ = ["ConfigError", "Examination", "Mistake", "examine", "load"]
