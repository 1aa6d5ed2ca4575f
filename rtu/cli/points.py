"""`rtu points STATION.toml`: the signal list, for the control centre's database."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtu.config.schema import FileAddress, Point, StationFile
    from rtu.points.model import Address

COLUMNS = ("name", "kind", "type", "ca", "ioa", "type_ids", "groups", "unit")


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "points",
        help="list the points of a station file as table, CSV or JSON",
        description="Every information object of a station file: one row for each address of a point, command or file.",
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
    """One row per address: points, commands, files, each in the order of the station file.

    `type_ids` of a point are those of interrogation and of spontaneous reports, where they differ; of a command, those
    it is accepted as; of a file, those of its transfer. `groups` are interrogation groups, of counters counter groups.
    """
    from rtu.config.channels import ChannelMap
    from rtu.iec104.catalogue import TypeID
    from rtu.outputs.build import build_commands
    from rtu.points.build import build_signals

    def names(numbers: Sequence[int]) -> list[str]:
        return [TypeID(number).name for number in dict.fromkeys(numbers)]

    signals = build_signals(file)
    told_as: dict[int, list[int]] = defaultdict(list)
    for signal in signals:
        for report in signal.reports:
            told_as[report.index].append(report.event_type)
    points = [
        {
            "name": point.name,
            "kind": "point",
            "type": point.type,
            "ca": address.ca,
            "ioa": address.ioa,
            "type_ids": names(_types_of(address, point, told_as[address.index])),
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
    files = [
        {
            "name": name,
            "kind": "file",
            "type": kind,
            "ca": at.ca or file.station.common_address,
            "ioa": at.ioa + place,
            "type_ids": names(_FILE_TYPES[kind]),
            "groups": [],
            "unit": "",
        }
        for name, kind, at, count in _files(file)
        for place in range(count)
    ]
    return points + commands + files


def _types_of(address: Address, point: Point, told_as: Sequence[int]) -> Sequence[int]:
    """A total is told as one type whenever it is asked for: with its time, unless that is left out."""
    if point.type != "counter":
        return (address.type_id, *told_as)
    at_once = point.freeze is not None and point.freeze.tell
    return (address.event_type, *(told_as if at_once else ()))


def _files(file: StationFile) -> Iterator[tuple[str, str, FileAddress, int]]:
    """Name, kind, first address and how many of them."""
    if file.files is not None:
        if file.files.event_log is not None:
            yield "event log", "event_log", file.files.event_log, 1
        for inbox in file.files.inbox:
            yield inbox.file, "inbox", inbox, 1
    for record in file.record:
        yield record.name, "record", record.address, record.keep


_TRANSFER = (120, 121, 122, 123, 124, 125, 126)
_FILE_TYPES: Mapping[str, Sequence[int]] = {
    "event_log": (*_TRANSFER, 127),
    "inbox": _TRANSFER,
    "record": _TRANSFER,
}
"""What is sent about a file, either way."""


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
