"""The drivers installed on this machine: entry points of the group `outstation.drivers`.

What `importlib.metadata.entry_points` finds, without its import (parsers of mail, CSV and ZIP files): that takes longer
than reading a station file, and 3 MiB for as long as the station runs.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

ENTRY_POINTS = "outstation.drivers"


def installed() -> Mapping[str, str]:
    """Every driver's name, and `module:attribute`; none is loaded. Of two of one name the first on the path counts."""
    found: dict[str, str] = {}
    for directory in dict.fromkeys(sys.path):
        for kind in ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt"):
            for file in sorted(Path(directory).glob(kind)):
                for name, value in _group(file):
                    found.setdefault(name, value)
    return found


def _group(file: Path) -> list[tuple[str, str]]:
    text = file.read_text(encoding="utf-8")
    _, _, rest = text.partition(f"[{ENTRY_POINTS}]")
    lines = rest.partition("\n[")[0].splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith(("#", ";"))]
    return [(name.strip(), value.partition("[")[0].strip()) for name, value in pairs]


def load(value: str) -> Any:
    """What `module:attribute` names. Raises ImportError."""
    module, _, attribute = value.partition(":")
    try:
        return attrgetter(attribute)(import_module(module))
    except AttributeError as error:
        raise ImportError(str(error)) from error
