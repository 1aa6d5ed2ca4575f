"""Tables, what a series of measurements comes to, and what the machine was."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Spread:
    """The median of a series, and its ends: on a shared machine the ends are mostly the neighbours."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))


Cell = str | int | float | Spread | None
Row = Mapping[str, Cell]


@dataclass
class Table:
    """What one benchmark found; `note` says what was measured and how, and what it is to be."""

    name: str
    note: str
    rows: list[Row] = field(default_factory=list)

    def add_ratio(self, column: str) -> None:
        """How every row compares with the first in this column."""
        first = number(self.rows[0][column])
        self.rows = [
            {**row, f"{column} / ours": number(row[column]) / first if row.get(column) is not None else None}
            for row in self.rows
        ]

    def __str__(self) -> str:
        """As Markdown, numbers to three significant digits."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        lines = [columns, *([shown(row.get(column)) for column in columns] for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        text = [
            "| "
            + " | ".join(
                _align(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            + " |"
            for line in lines
        ]
        rule = (
            "|"
            + "|".join(("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":") for i, w in enumerate(widths))
            + "|"
        )
        return "\n".join([f"### {self.name}", "", self.note, "", text[0], rule, *text[1:]])


def _align(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)


def number(cell: Cell) -> float:
    """What a cell is compared by."""
    match cell:
        case Spread():
            return cell.median
        case int() | float():
            return cell
    raise TypeError(f"not a number: {cell!r}")


def shown(cell: Cell) -> str:
    """A number as a person reads it."""
    match cell:
        case None:
            return "-"
        case Spread():
            return f"{shown(cell.median)} ({shown(cell.least)}..{shown(cell.most)})"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return cell


def percentile(ordered: Sequence[int], share: float) -> int:
    """Of sorted samples, the nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> dict[str, Cell]:
    """What the figures depend on."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load average (1 min) at the start": round(os.getloadavg()[0], 2),
        "command": "python -m bench " + " ".join(sys.argv[1:]),
    }
