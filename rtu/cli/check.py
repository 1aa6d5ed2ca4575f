"""`rtu check STATION.toml`: every mistake of a station file, or a summary of what it describes."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtu.config.load import Examination
    from rtu.config.mistakes import Mistake
    from rtu.config.schema import Files, StationFile


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "check",
        help="validate a station file and summarise it",
        description="Validates a station file without touching the hardware. "
        "Mistakes go to stderr, one per line with the line they are on.",
        epilog="Exit code: 0 the file can be used (there may be warnings), 2 it cannot.",
    )
    parser.add_argument("station", type=Path, metavar="STATION.toml")
    parser.add_argument(
        "--no-files",
        action="store_true",
        help="do not look for certificates and keys: the file is for another machine",
    )
    parser.add_argument(
        "--json", action="store_true", help="mistakes and summary as one JSON document on stdout"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rtu.config.load import examine

    found = examine(args.station, check_files=not args.no_files)
    if args.json:
        print(json.dumps(_document(found), indent=2))
    else:
        for mistake in found.mistakes:
            print(mistake, file=sys.stderr)
        if found.file is not None:
            print(_summary(found.file, len(found.warnings)))
        else:
            print(_counted(len(found.errors), "mistake"), file=sys.stderr)
    return 0 if found.file is not None else 2


def _document(found: Examination) -> dict[str, Any]:
    return {
        "valid": found.file is not None,
        "mistakes": [_fields(mistake) for mistake in found.errors],
        "warnings": [_fields(mistake) for mistake in found.warnings],
        "station": None if found.file is None else _station(found.file),
    }


def _fields(mistake: Mistake) -> dict[str, Any]:
    return {"file": mistake.file, "line": mistake.line, "text": mistake.text}


def _station(file: StationFile) -> dict[str, Any]:
    listeners = {"tls": file.listen.tls, "plain": file.listen.plain}
    return {
        "name": file.station.name,
        "common_address": file.station.common_address,
        "points": dict(Counter(point.type for point in file.point)),
        "commands": dict(Counter(command.type for command in file.command)),
        "files": [] if file.files is None else _files(file.files),
        "records": [record.name for record in file.record],
        "devices": {name: device.driver for name, device in file.device.items()},
        "listeners": {
            name: {"address": listener.address, "port": listener.port, "commands": listener.commands}
            for name, listener in listeners.items()
            if listener is not None
        },
        "masters": [
            {
                "name": master.name,
                "role": master.role,
                "commands": master.commands,
                "group": master.group or master.name,
                "over": "plain" if master.identity is None else "tls",
                "from": list(master.from_),
            }
            for master in file.master
        ],
    }


def _files(files: Files) -> list[str]:
    return [*(["event log"] if files.event_log is not None else []), *(inbox.file for inbox in files.inbox)]


def _summary(file: StationFile, warnings: int) -> str:
    from rtu.config.mistakes import printable

    told = _station(file)
    lines = [
        ("station", f"{told['name']}, common address {told['common_address']}"),
        ("devices", _listed(f"{name} ({driver})" for name, driver in told["devices"].items())),
        ("points", _types(told["points"])),
        ("commands", _types(told["commands"])),
        *([("files", _listed(told["files"]))] if file.files is not None else []),
        *([("records", _listed(told["records"]))] if file.record else []),
        *_each("listens", [_listener(name, **listener) for name, listener in told["listeners"].items()]),
        *_each("masters", [_master(master) for master in told["masters"]]),
        ("verdict", f"can be used, {_counted(warnings, 'warning')}" if warnings else "can be used"),
    ]
    return "\n".join(f"{title:<10}{printable(text)}" for title, text in lines)


def _each(title: str, texts: list[str]) -> list[tuple[str, str]]:
    """One line for each, the title before the first only."""
    return [("" if place else title, text) for place, text in enumerate(texts or ["none"])]


def _listener(name: str, address: str, port: int, commands: bool) -> str:
    return (
        f"{name}, {address or 'every address'} port {port}, {'commands too' if commands else 'no commands'}"
    )


def _master(master: dict[str, Any]) -> str:
    sources = f", from {', '.join(master['from'])}" if master["from"] else ""
    named = "" if master["commands"] is None else f" of {_listed(master['commands'])}"
    return (
        f"{master['name']}: {master['role']}{named}, group {master['group']}, over {master['over']}{sources}"
    )


def _types(counts: dict[str, int]) -> str:
    if not counts:
        return "none"
    return f"{sum(counts.values())}: " + ", ".join(
        f"{count} {kind}" for kind, count in sorted(counts.items())
    )


def _listed(texts: Any) -> str:
    return ", ".join(texts) or "none"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
