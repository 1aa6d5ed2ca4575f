"""`rtu run STATION.toml`: the station itself, in a terminal or under a service manager."""

from __future__ import annotations

import argparse
import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

from .reading import Reading

LINE = "%(levelname).1s %(name)s: %(message)s"
"""How a log record is written."""


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser("run", help="run the station (in the foreground; under systemd too)")
    parser.add_argument("station", type=Path, metavar="STATION.toml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import gc

    gc.disable()  # until it is all made (`settle`): there is next to no garbage, and much to look through
    reading = Reading(args.station)  # while this process imports the rest
    import asyncio

    from rtu.app import serve
    from rtu.config.frozen import thaw
    from rtu.local.service import ServiceManager

    log_to_stderr()
    octets = reading.result()
    if octets is None:
        return 2
    base = args.station.resolve().parent
    return asyncio.run(serve(partial(thaw, octets), base, ServiceManager(), settle))


def settle() -> None:
    """What has been made by now stays: keep the garbage collector from looking through it, and give back the rest.

    A full collection looks at every object, tens of milliseconds in which nobody is served; frozen ones are left out.
    """
    import ctypes
    import gc

    gc.enable()
    gc.collect()
    gc.freeze()
    with suppress(AttributeError):  # a C library other than GNU's
        ctypes.CDLL(None).malloc_trim(0)


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
