"""On which line of a TOML document every key and every array element stands.

`tomllib` keeps no positions. This walks a text that `tomllib` has already accepted, so it looks only
for where things begin and end and need not judge them: a valid document has few surprises left
(TOML 1.0; the newlines and comments TOML 1.1 allows inside inline tables are walked over too).
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

from .mistakes import Path

_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]+|\\.|"(?!""))*"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''(?:[^']+|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]+|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_VALUE = re.compile(r"[^,\]}#\r\n]*")  # numbers, booleans, dates (which may hold a blank)


def locate(text: str) -> dict[Path, int]:
    """Line (from 1) of every table, key and array element of a valid document, by its path.

    A table's line is its header's; one that is only implied (`a` in `[a.b]`) has the line that first
    implies it. The root is the empty path, on line 1.
    """
    return _Walk(text).lines


class _Walk:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._counts: dict[Path, int] = {}  # elements so far of each array of tables
        table: Path = ()
        while self._skip(_GAP) < len(text):
            if text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _line(self) -> int:
        return bisect_right(self._breaks, self.at - 1) + 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        if match := pattern.match(self.text, self.at):
            self.at = match.end()
        return self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        begin = self.at
        return self.text[begin : self._skip(pattern)]

    def _header(self) -> Path:
        line = self._line()
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        path: Path = ()
        keys = self._keys()
        for key in keys[:-1]:
            path = self._newest((*path, key))
            self.lines.setdefault(path, line)
        path = (*path, keys[-1])
        if is_array:
            count = self._counts[path] = self._counts.get(path, 0) + 1
            self.lines.setdefault(path, line)
            path = (*path, count - 1)
        self.lines[path] = line
        self.at += 2 if is_array else 1
        return path

    def _newest(self, path: Path) -> Path:
        """Below an array of tables a header means its last element."""
        if path not in self._counts:
            return path
        return (*path, self._counts[path] - 1)

    def _keys(self) -> list[str]:
        """A key, dotted or not, with the blanks around it."""
        keys = []
        while True:
            self._skip(_BLANK)
            if self.text[self.at] in "\"'":
                # Escapes are tomllib's business.
                keys.append(next(iter(tomllib.loads(f"{self._take(_STRING)}=0"))))
            else:
                keys.append(self._take(_BARE_KEY))
            self._skip(_BLANK)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _value(self, path: Path) -> None:
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_STRING if first in "\"'" else _BARE_VALUE)

    def _array(self, path: Path) -> None:
        self.at += 1
        count = 0
        while self.text[self._skip(_GAP)] != "]":
            if self.text[self.at] == ",":
                self.at += 1
                continue
            element = (*path, count)
            self.lines[element] = self._line()
            self._value(element)
            count += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self._skip(_GAP)] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._pair(path)
        self.at += 1
