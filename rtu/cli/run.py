"""`rtu run STATION.toml`: the station itself, in a terminal or under a service manager."""

from __future__ import annotations

import argparse
from contextlib import suppress
from functools import partial
from pathlib import Path

from .logs import log_to_stderr
from .reading import Reading


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "run",
        help="run the station",
        description="Runs the station in the foreground, under systemd too, until SIGTERM or Ctrl-C.",
        epilog="Exit code: 0 stopped in order, 1 something outside the station file is wrong (the log says what), 2 the "
        "station file has mistakes.",
    )
    parser.add_argument("station", type=Path, metavar="STATION.toml")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import gc

    from rtu.security.tls.libcrypto import configure

    configure()  # before anything loads OpenSSL
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
    After a restart the rest is also what the station was before.
    """
    import ctypes
    import gc

    gc.enable()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with suppress(AttributeError):  # a C library other than GNU's
        ctypes.CDLL(None).malloc_trim(0)
