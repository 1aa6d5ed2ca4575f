"""`rtu unlock LOCK_GROUP`: take a lock away in the running station, on record."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "unlock",
        help="take the lock of a lock group away",
        description="A lock group is locked when one of its lines was on that should be off. Find out why and mend it first. "
        "The lock stays unless every line is read back at rest; who took it away is on record.",
    )
    parser.add_argument("lock_group", metavar="LOCK_GROUP", help="as `rtu status` names it")
    parser.add_argument(
        "station",
        type=Path,
        nargs="?",
        metavar="STATION.toml",
        help="default: /etc/outstation/station.toml",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rtu.config.mistakes import printable, quoted
    from rtu.local.ask import NotRunning, Refused, ask, socket_of

    try:
        ask(socket_of(args.station), "unlock", lock_group=args.lock_group)
    except Refused as refusal:
        raise SystemExit(f"rtu: not unlocked: {printable(str(refusal))}") from None
    except (NotRunning, ValueError) as error:
        raise SystemExit(f"rtu: {error}") from None
    print(f"{quoted(args.lock_group)} is unlocked")
    return 0
