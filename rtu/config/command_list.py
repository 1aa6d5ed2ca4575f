"""Which commands a master's list means, such as `commands = ["lamp", "q0.*"]`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def means(patterns: Iterable[str], command: str) -> bool:
    """Whether the list means the command of that name: by the name itself, or by a pattern with `*`, `?` and `[...]`."""
    return any(pattern == command or fnmatchcase(command, pattern) for pattern in patterns)
