"""`rtu run STATION.toml`: the station itself, in a terminal or under a service manager."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

LINE = "%(levelname).1s %(name)s: %(message)s"
"""How a log record is written."""


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser("run", help="run the station (in the foreground; under systemd too)")
    parser.add_argument("station", type=Path, metavar="STATION.toml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import asyncio

    from rtu.app import serve
    from rtu.config.load import examine
    from rtu.local.service import ServiceManager

    log_to_stderr()
    found = examine(args.station)
    for mistake in found.mistakes:
        print(mistake, file=sys.stderr)
    if found.file is None or found.errors:
        return 2
    return asyncio.run(serve(found.file, args.station.resolve().parent, ServiceManager()))


def log_to_stderr() -> None:
    """One line per record; a service manager adds the time."""
    from rtu.security.audit import TrailHandler

    handler, trail = logging.StreamHandler(), TrailHandler()
    handler.setFormatter(logging.Formatter(LINE))
    trail.setFormatter(logging.Formatter(LINE))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    audit = logging.getLogger("rtu.audit")
    audit.addHandler(trail)
    audit.propagate = False  # the trail's own handler says when a record could not be written
