"""`rtu audit verify|show|send`: the audit trail checked, read, and sent to log servers.

Needs no running station; `verify` and `show` take the directory of a trail as well, such as a copy of one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtu.config.schema import StationFile
    from rtu.security.audit.chain import Head
    from rtu.security.audit.chain_check import Verdict

STATION = Path("/etc/outstation/station.toml")
POLL_S = 0.5
CHUNK = 1000
"""Lines read at a time."""

_HIDDEN = {"seq", "prev", "time", "time_valid", "event", "id", "severity"}


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "audit",
        help="check, show or send the audit trail",
        description="Checks, shows or sends the audit trail. TRAIL is the station file, or the directory of a trail.",
    )
    what = parser.add_subparsers(metavar="WHAT", required=True)

    verify = what.add_parser(
        "verify",
        help="check that nothing in it was changed, removed, added or exchanged",
        epilog="Exit code: 0 the chain is whole, 1 it is not, or cannot be read, 2 the station file cannot be read.",
    )
    _add_trail(verify)
    verify.add_argument(
        "--head",
        type=_head,
        metavar="SEQ:HASH",
        help="a record's number and hash, kept elsewhere: proves that the end was not cut off and nothing made anew",
    )
    verify.add_argument("--json", action="store_true", help="one JSON document on stdout")
    verify.set_defaults(run=_verify)

    show = what.add_parser("show", help="print it readably, the oldest record first")
    _add_trail(show)
    show.add_argument("--event", default="", metavar="PREFIX", help='such as "command." or "tls.refuse"')
    show.add_argument(
        "--since",
        type=_moment,
        metavar="TIME",
        help='UTC, "2026-11-22" or "2026-11-22T17:06", or "90m", "12h", "7d" ago',
    )
    show.add_argument("--follow", action="store_true", help="wait for further records")
    show.add_argument("--json", action="store_true", help="the lines as they are")
    show.set_defaults(run=_show)

    send = what.add_parser(
        "send",
        help="send it to the log servers of a station file, until it is stopped",
        description="Sends the trail to each [[audit.server]] of a station file, as RFC 5424 over TLS (RFC 5425).",
        epilog="Exit code: 0 stopped in order, or there is no server to send to; with --once 1 if one does not get all.",
    )
    send.add_argument(
        "station", type=Path, nargs="?", default=STATION, metavar="STATION.toml", help=f"default: {STATION}"
    )
    send.add_argument("--once", action="store_true", help="end when everything there is has been sent")
    send.set_defaults(run=_send)


def _add_trail(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "trail", type=Path, nargs="?", default=STATION, metavar="TRAIL", help=f"default: {STATION}"
    )


def _verify(args: argparse.Namespace) -> int:
    from rtu.security.audit.chain_check import check

    verdict = check(_directory(args.trail), args.head)
    if args.json:
        print(json.dumps(_document(verdict), indent=2))
    else:
        print(_summary(verdict, args.head is not None))
    return 1 if verdict.breaks else 0


def _summary(verdict: Verdict, compared: bool) -> str:
    if verdict.breaks:
        return "\n".join(map(str, verdict.breaks))
    if not verdict.records:
        return "no records"
    head = verdict.head
    missing = (
        f"\n{verdict.missing} records are missing where the trail says so (audit.gap)"
        if verdict.missing
        else ""
    )
    hint = (
        ""
        if compared
        else "\ncompare the head with the journal or a log server: the end of a chain can be cut off"
    )
    return (
        f"whole: {verdict.records} records, {verdict.first} to {head.seq}{missing}"
        f"\nhead {head.seq}:{head.hash}{hint}"
    )


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "whole": not verdict.breaks,
        "files": verdict.files,
        "records": verdict.records,
        "first": verdict.first,
        "head": {"seq": verdict.head.seq, "hash": verdict.head.hash},
        "missing": verdict.missing,
        "breaks": [{"file": str(each.file), "line": each.line, "text": each.text} for each in verdict.breaks],
    }


def _show(args: argparse.Namespace) -> int:
    since = args.since.strftime("%Y-%m-%dT%H:%M:%S") if args.since is not None else ""
    for line in _lines(_directory(args.trail), args.follow):
        try:
            record = json.loads(line)
            event, at = str(record["event"]), str(record["time"])
        except (ValueError, KeyError, TypeError):
            print("(a line that is no record)")
            continue
        if event.startswith(args.event) and at >= since:
            print(
                line.decode("ascii", "backslashreplace") if args.json else readable(record), flush=args.follow
            )
    return 0


def _lines(directory: Path, follow: bool) -> Iterator[bytes]:
    from rtu.security.audit.follow import Follower

    follower = Follower(directory)
    while True:
        steps = follower.read(CHUNK)
        yield from (step.line for step in steps)
        if not steps:
            if not follow:
                return
            time.sleep(POLL_S)


def readable(record: dict[str, Any]) -> str:
    """A record on one line, safe to show: number, time ("?" when the clock was not known), event, fields."""
    from rtu.config.mistakes import printable

    doubt = "" if record.get("time_valid") else "?"
    fields = (f"{name}={_value(value)}" for name, value in record.items() if name not in _HIDDEN)
    text = f"{record.get('seq', '')} {record.get('time', '')}{doubt} {record.get('event', '')} {' '.join(fields)}"
    return printable(text.rstrip())


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value) if not value or " " in value or '"' in value else value
    return json.dumps(value)


def _send(args: argparse.Namespace) -> int:
    import logging
    import signal
    import socket
    import threading

    from rtu.security.audit.chain import directory_of
    from rtu.security.audit.sender import Sender, client_context

    from .logs import log_to_stderr

    log_to_stderr()
    file, base = _station(args.station), args.station.resolve().parent
    servers, directory = file.audit.server, directory_of(file, base)
    if not servers:
        print(f"rtu: {args.station} has no [[audit.server]]: nothing is sent", file=sys.stderr)
        return 0
    for server in servers:
        client_context(server, base)  # a name that leads nowhere is told at once
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    worked: list[bool] = []
    threads = []
    for server in servers:
        sender = Sender(server, base, directory, socket.gethostname())
        work = threading.Thread(
            target=lambda sender=sender: worked.append(sender.run(stop, once=args.once)),
            name=sender.name,
            daemon=True,
        )
        work.start()
        threads.append(work)
    logging.getLogger("rtu.cli.audit").info("sending %s", directory)
    for work in threads:
        work.join()
    return 0 if len(worked) == len(servers) and (all(worked) or not args.once) else 1


def _directory(trail: Path) -> Path:
    """The directory of a trail: given itself, or named by its station file."""
    if trail.is_dir():
        return trail
    from rtu.security.audit.chain import directory_of

    return directory_of(_station(trail), trail.resolve().parent)


def _station(path: Path) -> StationFile:
    from rtu.config.load import ConfigError, load

    try:
        return load(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _head(text: str) -> Head:
    from rtu.security.audit.chain import Head

    seq, _, digest = text.partition(":")
    if not seq.isdecimal() or len(digest) != 64 or not set(digest.lower()) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("write SEQ:HASH, as `rtu audit verify` prints it")
    return Head(int(seq), digest.lower())


def _moment(text: str) -> datetime:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units:
            return datetime.now(UTC) - timedelta(**{units[text[-1]]: float(text[:-1])})
        moment = datetime.fromisoformat(text.removesuffix("Z"))
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError('write "2026-11-22", "2026-11-22T17:06" (UTC) or "12h"') from None
