"""A station file while it is being checked: its sound parts, where they stand, what was wrong so far.

Checks across tables look at the sound parts as ordinary structs and complain of one of them; this
knows the line. What is broken has been complained of and is left out, but a name that was written is
a name others may refer to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import cached_property
from typing import Any, Literal, TypeVar

import msgspec

from hw.interface import Driver

from .mistakes import Mistake, Path, quoted
from .schema import Address, CommandAddress, FileAddress, Listen, Station, StationFile

_S = TypeVar("_S", bound=msgspec.Struct)

_NAMED = ("point", "command", "master", "record")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Draft:
    """`document` is what tomllib makes of `text`.

    `built` and `drivers` are what reading it has made, to be set when it is done.
    """

    def __init__(self, file: str, document: dict[str, Any], text: str) -> None:
        self.mistakes: list[Mistake] = []
        self.built: Mapping[Path, msgspec.Struct] = {}
        self.drivers: Mapping[str, Driver] = {}
        self._file = file
        self._document = document
        self._text = text

    # -- saying what is wrong

    def wrong_value(self, path: Path, text: str) -> None:
        """A mistake in the value at `path`, which is spelled out."""
        subject, rest = self._subject(path)
        where = ".".join(key if _BARE_KEY.fullmatch(key) else quoted(key) for key in rest)
        self._add(path, ": ".join(filter(None, (subject, where, text))), "error")

    def mistake(self, about: msgspec.Struct | Path, text: str, *key: str | int) -> None:
        """A mistake in a sound struct: on the line of its `key`, or its own; `text` says it all."""
        path = self._path(about, key)
        self._add(path, ": ".join(filter(None, (self._subject(path)[0], text))), "error")

    def warning(self, about: msgspec.Struct | Path, text: str, *key: str | int) -> None:
        """Something that works and is probably not meant."""
        path = self._path(about, key)
        self._add(path, ": ".join(filter(None, (self._subject(path)[0], text))), "warning")

    def _add(self, path: Path, text: str, severity: Literal["error", "warning"]) -> None:
        self.mistakes.append(Mistake(self._file, self.line(path), text, severity))

    def _subject(self, path: Path) -> tuple[str, list[str]]:
        """Whom a path is about, in the user's words, and the keys that lead on from there."""
        match path:
            case (str() as table, int() as index, *rest) if table in _NAMED:
                name = self._document[table][index]
                name = name.get("name") if isinstance(name, dict) else None
                subject = (
                    f"{table} {quoted(name)}" if isinstance(name, str) and name else f"{table} {index + 1}"
                )
            case ("device", str() as name, *rest):
                subject = f"device {quoted(name)}"
            case ("files", str() as key, *rest):
                subject = f"files.{key}"
            case _:
                subject, rest = "", list(path)
        return subject, [key for key in rest if isinstance(key, str)]

    def title(self, path: Path) -> str:
        """What a part of the file belongs to, for a mistake elsewhere."""
        return self._subject(path)[0].removeprefix("point ")

    # -- where things are

    def line(self, about: msgspec.Struct | Path, *key: str | int) -> int:
        """The line of a struct's key; of what it stands in, if it was not written."""
        path = self._path(about, key)
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        # Finding them takes as long as reading the file, and most files have no mistakes.
        from .lines import locate

        return locate(self._text)

    def written(self, about: msgspec.Struct | Path, *key: str | int) -> bool:
        """Whether the file has that key, sound or not."""
        found: Any = self._document
        try:
            for each in self._path(about, key):
                found = found[each]
        except (LookupError, TypeError):
            return False
        return True

    def _path(self, about: msgspec.Struct | Path, key: Path) -> Path:
        return (*(self._places[id(about)] if isinstance(about, msgspec.Struct) else about), *key)

    @cached_property
    def _places(self) -> dict[int, Path]:
        return {id(struct): path for path, struct in self.built.items()}

    def all(self, kind: type[_S]) -> list[tuple[Path, _S]]:
        """Every sound struct of a kind, also those in something broken."""
        return [(path, struct) for path, struct in self.built.items() if isinstance(struct, kind)]

    def addresses(self) -> list[tuple[Path, Address | CommandAddress | FileAddress]]:
        """The same for the addresses of points, commands and files together."""
        return [*self.all(Address), *self.all(CommandAddress), *self.all(FileAddress)]

    def names(self, table: str) -> Set[str]:
        """The names written in `[[point]]`, `[[command]]`, .., or of the devices, sound or not."""
        return self._names[table]

    @cached_property
    def _names(self) -> dict[str, Set[str]]:
        devices = self._document.get("device")
        names = {table: {name for path, name in self.rows() if path[0] == table} for table in _NAMED}
        return {**names, "device": set(devices) if isinstance(devices, dict) else set()}

    def rows(self) -> list[tuple[Path, str]]:
        """Everything that has a name of its own, sound or not."""
        return [
            ((table, index), row["name"])
            for table in _NAMED
            for index, row in enumerate(self._written_rows(table))
            if isinstance(row, dict) and isinstance(row.get("name"), str)
        ]

    def _written_rows(self, table: str) -> list[Any]:
        rows = self._document.get(table)
        return rows if isinstance(rows, list) else []

    def in_use(self, device: str) -> bool:
        """Whether a point or command names that device, sound or not."""
        rows = [
            row.get(key)
            for table, key in (("point", "input"), ("command", "output"))
            for row in self._written_rows(table)
            if isinstance(row, dict)
        ]
        return any(isinstance(row, dict) and row.get("device") == device for row in rows)

    # -- the sound parts

    def sound(self) -> StationFile:
        """A file of all that is sound; a broken station table is replaced by one that offends no check."""
        parts: dict[str, Any] = {
            str(path[0]): struct for path, struct in self.built.items() if len(path) == 1
        }
        parts.setdefault("station", Station(name="?", common_address=1))
        if self.written(("listen",)):
            parts.setdefault("listen", Listen(**self._below("listen")))
        parts |= {table: self._rows(table) for table in _NAMED}
        return StationFile(format=1, device=self._below("device"), **parts)

    def _members(self, table: str) -> list[tuple[str | int, msgspec.Struct]]:
        return [
            (path[1], struct) for path, struct in self.built.items() if len(path) == 2 and path[0] == table
        ]

    def _below(self, table: str) -> dict[str, Any]:
        return {str(key): struct for key, struct in self._members(table)}

    def _rows(self, table: str) -> list[Any]:
        return [struct for _, struct in sorted(self._members(table), key=lambda member: member[0])]
