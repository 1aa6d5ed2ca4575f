"""`rtu status`: how the running station is, on one screen, as JSON or as metrics."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

WELL, ATTENTION, UNUSABLE, NOT_RUNNING = 0, 1, 2, 3
"""Exit codes."""
WATCH_S = 2.0

_TITLE = 10
_BOLD, _PLAIN, _CLEAR = "\033[1m", "\033[0m", "\033[H\033[2J"


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "status",
        help="show how the running station is",
        description="Shows how the running station is: who is connected, what waits, what is locked or faulty.",
        epilog="Exit code: 0 all is well, 1 something needs attention, 2 the station file cannot be read, 3 the station is "
        "not running. With --metrics 0 whatever they say.",
    )
    parser.add_argument(
        "station",
        type=Path,
        nargs="?",
        metavar="STATION.toml",
        help="default: /etc/outstation/station.toml",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for programs")
    form.add_argument("--metrics", action="store_true", help="OpenMetrics text, for a collector")
    form.add_argument("--watch", action="store_true", help=f"again every {WATCH_S:g} s, until Ctrl-C")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rtu.local.ask import NotRunning, Refused, ask, socket_of

    try:
        socket = socket_of(args.station)
    except ValueError as error:
        print(f"rtu: {error}", file=sys.stderr)
        return UNUSABLE
    try:
        status = ask(socket, "status")
        while args.watch:
            print(_CLEAR + screen(status, bold=sys.stdout.isatty()), flush=True)
            time.sleep(WATCH_S)
            status = ask(socket, "status")
    except NotRunning as error:
        print(f"rtu: {error}", file=sys.stderr)
        return NOT_RUNNING
    except Refused as refusal:
        raise SystemExit(f"rtu: {refusal}") from None
    if args.metrics:
        from rtu.local.metrics import render

        print(render(status), end="")
        return WELL  # a collector takes another code for a failure
    print(json.dumps(status, indent=2) if args.json else screen(status, bold=sys.stdout.isatty()))
    return ATTENTION if status["warnings"] else WELL


def screen(status: Mapping[str, Any], *, bold: bool = False) -> str:
    """What is told, loudest first, what needs attention last."""
    from rtu.config.mistakes import printable

    lines = [(title, printable(text)) for title, text in _lines(status)]
    loud = (_BOLD, _PLAIN) if bold else ("", "")
    return "\n".join(
        f"{loud[0]}{title}{loud[1]} {text}" if title.isupper() else f"{title:<{_TITLE}} {text}".rstrip()
        for title, text in lines
    )


def _lines(s: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Title and text of each line; a title in capitals is shouted."""
    for listener in s["listeners"]:
        if listener["name"] == "plain":
            yield "PLAIN OPEN:", _plain(listener, s["masters"])
    addresses = ", ".join(map(str, s["common_addresses"]))
    yield "station", f"{s['station']}, common address {addresses}, {_counted(s['points'], 'point')}"
    yield "running", f"outstation {s['version']}, for {_lasting(s['up_s'])}, since {_when(s['started'])}"
    clock = s["clock"]
    known = "synchronised" if clock["synchronised"] else "NOT synchronised"
    yield "clock", f"{_when(clock['time'])}, source {clock['source']}, {known}"
    yield from _titled("listens", map(_listener, s["listeners"]))
    if s["tls"] is not None:
        yield from _titled("tls", _tls(s["tls"]))
    yield from _titled("masters", _masters(s["masters"]))
    yield from _titled("events", map(_group, s["groups"]))
    yield "", _events(s["events"])
    yield from _titled("outputs", _table(map(_lock_group, s["lock_groups"])))
    if s["late_commands"]:
        yield "", f"{_counted(s['late_commands'], 'command')} came too late by the time tag"
    yield from _titled("devices", _table(map(_device, s["devices"])))
    audit = s["audit"]
    trail = f"NOT KEPT: {audit['reason']}" if audit["failed"] else "kept"
    yield "audit", f"{trail}, {_counted(audit['seq'], 'record')}, newest {audit['seq']}:{audit['hash']}"
    if s["recording"]:
        yield "trace", "the traffic is being recorded"
    if s["warnings"]:
        yield from (("ATTENTION:", warning) for warning in s["warnings"])
    else:
        yield "all well", ""


def _plain(listener: Mapping[str, Any], masters: Iterable[Mapping[str, Any]]) -> str:
    names = ", ".join(each["name"] for each in masters if each["over"] == "plain")
    where = f"{listener['address']}:{listener['port']}"
    commands = "COMMANDS INCLUDED" if listener["commands"] else "no commands"
    return f"TCP {where}, nothing protects it, for {names or 'nobody'}, {commands}"


def _listener(listener: Mapping[str, Any]) -> str:
    return (
        f"{listener['name']} on {listener['address'] or '*'}:{listener['port']}, "
        f"{listener['connections']} of {listener['max_connections']} connections"
    )


def _tls(tls: Mapping[str, Any]) -> Iterator[str]:
    if not tls["usable"]:
        yield f"NOBODY CAN CONNECT: {tls['reason']}"
    elif tls["reason"]:
        yield tls["reason"]
    if tls["not_after"] is not None:
        yield f"certificate valid until {_when(tls['not_after'])}, {_counted(tls['days_left'], 'day')} left"
    for each in tls["lists"]:
        until = "" if each["next_update"] is None else f", next update {_when(each['next_update'])}"
        yield f"revocation list of {each['issuer']}: {each['state']}{until}"


def _masters(masters: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for master in masters:
        who = (master["name"], master["role"], f"group {master['group']}")
        if not master["connections"]:
            rows.append((*who, "not connected", f"(over {master['over']})"))
        for each in master["connections"]:
            rows.append(
                (
                    *who,
                    each["state"] + (f" as {each['role']}" if each["role"] != master["role"] else ""),
                    f"{each['listener']} from {each['address']}:{each['port']}",
                    f"for {_lasting(each['since_s'])}",
                    f"{each['received']} APDUs in, {each['sent']} out",
                    f"heard {_lasting(each['heard_s'])} ago",
                )
            )
    return _table(rows)


def _group(group: Mapping[str, Any]) -> str:
    lost = f", {group['lost']} LOST since it exists" if group["lost"] else ""
    served = "" if group["started"] else ", no connection started"
    return f"group {group['name']}: {group['waiting']} waiting{lost}{served}"


def _events(events: Mapping[str, Any]) -> str:
    if events["fault"] is not None:
        return f"IN MEMORY ONLY: {events['fault']}"
    return f"on disk within {events['longest_commit_ms']:.0f} ms at the longest"


def _lock_group(group: Mapping[str, Any]) -> tuple[str, ...]:
    state = {"idle": "free", "locked": "LOCKED"}.get(group["state"], group["state"])
    told = group["reason"] or (f"{group['command']}, {group['who']}" if group["command"] else "")
    return (group["name"], state, told)


def _device(device: Mapping[str, Any]) -> tuple[str, ...]:
    return (device["name"], device["driver"], f"FAULTY: {device['error']}" if device["error"] else "ok")


def _titled(title: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The title before the first only."""
    for place, text in enumerate([*texts] or ["none"]):
        yield ("" if place else title), text


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they must be."""
    cells = [tuple(row) for row in rows]
    columns = max(map(len, cells), default=0)
    widths = [max(len(row[at]) if at < len(row) else 0 for row in cells) for at in range(columns)]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()


def _when(moment: str) -> str:
    return moment.replace("T", " ").replace("Z", " UTC")


def _lasting(seconds: float) -> str:
    """In the two largest units."""
    left, parts = int(seconds), list[str]()
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
