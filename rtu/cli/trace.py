"""`rtu trace`: what goes between the running station and its masters, live or as a capture for Wireshark."""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

USAGE = """rtu trace [--master NAME] [--hex] [STATION.toml]
       rtu trace on|off [STATION.toml]
       rtu trace save FILE.pcap [STATION.toml]"""


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "trace",
        help="show the traffic of the running station live, or record it",
        usage=USAGE,
        description="Shows every APDU between the running station and its masters, one line each, until Ctrl-C. "
        "`on` and `off` switch the recording in the station, `save` writes what was recorded to a file for Wireshark.",
        epilog="STATION.toml is /etc/outstation/station.toml when absent.",
    )
    parser.add_argument("--master", metavar="NAME", help="only the connections of this master")
    parser.add_argument("--hex", action="store_true", help="the octets of each APDU too")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=run, fail=parser.error)


def run(args: argparse.Namespace) -> int:
    from rtu.local.ask import NotRunning, Refused, socket_of

    work, rest = _understood(args)
    if len(rest) > 1:
        args.fail(f"too much: {' '.join(rest[1:])}")
    try:
        return work(socket_of(Path(rest[0]) if rest else None))
    except (NotRunning, Refused, ValueError) as error:
        raise SystemExit(f"rtu: {error}") from None


def _understood(args: argparse.Namespace) -> tuple[Callable[[Path], int], list[str]]:
    """What to do with the station's socket, and the words that are left."""
    match args.words:
        case ["on" | "off" as what, *rest]:
            return lambda socket: _switch(socket, what), rest
        case ["save", file, *rest]:
            return lambda socket: _save(socket, Path(file)), rest
        case ["save"]:
            args.fail("save needs the name of a file")
    return lambda socket: _follow(socket, args.master, args.hex), args.words


def _follow(socket: Path, master: str | None, octets: bool) -> int:
    from rtu.local.ask import follow

    from .telegrams import line

    print("rtu: listening; Ctrl-C ends it", file=sys.stderr, flush=True)
    with suppress(KeyboardInterrupt):  # which is how it ends
        for item in follow(socket, "trace", **({} if master is None else {"master": master})):
            print(line(item, octets=octets), flush=True)
    return 0


def _switch(socket: Path, what: str) -> int:
    from rtu.local.ask import ask

    told = ask(socket, f"trace.{what}")
    lost = f", {told['lost']} left out: the disk is too slow" if told["lost"] else ""
    print(f"recording is {what}; {told['kept']} telegrams{lost}")
    return 0


def _save(socket: Path, path: Path) -> int:
    from rtu.local.ask import follow

    from .joined import Joined

    parts = follow(socket, "trace.save")
    first = next(parts, None)
    if first is None:
        raise SystemExit("rtu: nothing was recorded: `rtu trace on` begins")
    # Nobody else's to read, and no file of anybody's is written over.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        joined = Joined(file)
        for part in (first, *parts):
            joined.take(part["file"], base64.b64decode(part["octets"]))
    print(f"{joined.packets} packets to {path}")
    return 0
