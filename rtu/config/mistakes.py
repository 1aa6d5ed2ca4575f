"""What is wrong with a station file, in words for its author.

Whatever is quoted from the file is shown escaped: a file from elsewhere must not be able to move the
cursor, ring the bell or turn the reading direction of the terminal it is checked on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

LONGEST_QUOTE = 60

Path = tuple[str | int, ...]
"""Where something stands in the document: keys of tables and indexes of arrays, from the root."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend, or with severity "warning" to think about. `line` counts from 1, 0 is the file."""

    file: str
    line: int
    text: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{printable(self.file)}:{self.line}" if self.line else printable(self.file)
        return f"{where}: {'warning: ' if self.severity == 'warning' else ''}{self.text}"


class ConfigError(Exception):
    """A station file that cannot be used. `mistakes` holds all of them in order of their lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


def printable(text: str) -> str:
    """`text` with everything a terminal could act upon escaped as Python does it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: str) -> str:
    """`text` between double quotes, safe to show and of a bearable length."""
    if len(text) > LONGEST_QUOTE:
        text = text[: LONGEST_QUOTE - 3] + "..."
    return f'"{printable(text)}"'


def listed(items: Iterable[str], last: str = "or") -> str:
    """ "a", "a or b", "a, b or c"."""
    words = list(items)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def suggestion(word: str, known: Iterable[str]) -> str:
    """', did you mean "x"?', or nothing when no known word is close."""
    candidates = list(known)
    # Letter case is the likeliest slip (from_ma for from_mA) and would count as a whole other letter.
    folded = {candidate.lower(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word[:LONGEST_QUOTE].lower(), folded, n=1, cutoff=0.6)
    return f", did you mean {quoted(folded[close[0]])}?" if close else ""
