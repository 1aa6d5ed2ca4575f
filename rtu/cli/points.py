"""`rtu points STATION.toml`: the signal list, for the control centre's database."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtu.config.schema import StationFile

COLUMNS = ("name", "kind", "type", "ca", "ioa", "type_ids", "groups", "unit")


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "points",
        help="list the points of a station file as table, CSV or JSON",
        description="Every information object of a station file: one row for each address of a point or command.",
    )
    parser.add_argument("station", type=Path, metavar="STATION.toml")
    parser.add_argument("--format", choices=sorted(_FORMATS), default="table", help="default: table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rtu.config.load import ConfigError, load

    try:
        file = load(args.station)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    print(_FORMATS[args.format](rows(file)))
    return 0


def rows(file: StationFile) -> list[dict[str, Any]]:
    """One row per address, points first, in the order of the file.

    `type_ids` of a point are those of interrogation and of spontaneous reports, where they differ;
    of a command, those it is accepted as. `groups` are interrogation groups, of counters counter groups.
    """
    from rtu.config.channels import ChannelMap
    from rtu.iec104.catalogue import TypeID
    from rtu.outputs.build import build_commands
    from rtu.points.build import build_signals

    def names(numbers: Sequence[int]) -> list[str]:
        return [TypeID(number).name for number in dict.fromkeys(numbers)]

    signals = build_signals(file)
    points = [
        {
            "name": point.name,
            "kind": "point",
            "type": point.type,
            "ca": address.ca,
            "ioa": address.ioa,
            "type_ids": names((address.type_id, address.event_type)),
            "groups": list(address.groups),
            "unit": point.unit,
        }
        for point, signal in zip(file.point, signals, strict=True)
        for address in signal.addresses
    ]
    commands = [
        {
            "name": command.name,
            "kind": "command",
            "type": command.type,
            "ca": target.ca,
            "ioa": target.ioa,
            "type_ids": names(sorted(command.type_ids)),
            "groups": [],
            "unit": "",
        }
        for command in build_commands(file, ChannelMap(file), signals)
        for target in command.targets
    ]
    return points + commands


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(list(rows), indent=2)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, rows))
    return out.getvalue().rstrip("\n")


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    from rtu.config.mistakes import printable

    values = (row[column] for column in COLUMNS)
    return tuple(
        printable(" ".join(map(str, value)) if isinstance(value, list) else str(value)) for value in values
    )


_FORMATS: Mapping[str, Callable[[Sequence[Mapping[str, Any]]], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
}
