"""`rtu demo`: a simulated feeder bay on loopback, served for real, with throw-away certificates.

Needs no hardware, no root and no configuration. Everything it makes lies in one directory of the
user's own, which `rtu probe demo` knows, and is made anew at each start. One at a time may run.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

TLS_PORT = 19998
PLAIN_PORT = 2404
DAYS = 730
"""So long its certificates are valid: nothing in it is about to expire."""
LOCK = "running"
"""A file in the directory, locked while a demo runs."""

WELCOME = """\
A simulated feeder bay is being served (IEC 60870-5-104, common address {ca}):

    TLS    127.0.0.1:{tls:<5}   with certificates of both sides
    plain  127.0.0.1:{plain:<5}   monitoring only

In a second terminal:

    {rtu} probe demo{at_tls}                              everything the station knows, then live events
    {rtu} probe demo{at_tls} --double 5001=off --select   open the breaker: select, execute, feedback, termination
    {rtu} probe demo{at_plain} --plain                      the same over plain TCP (commands are refused there)
    {rtu} points {station}
    {rtu} status {station}

The same with `trace` shows the traffic live, with `audit show` what is on record. Your own control centre finds its
certificate, key and authority in {directory}: master.crt, master.key, ca.crt.
The log is there too. Ctrl-C ends the demo.
"""


def directory() -> Path:
    """Where the demo of this user keeps its station file, certificates and events."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"outstation-demo-{os.getuid()}"


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "demo",
        help="serve a simulated feeder bay on this machine",
        description="Serves a simulated feeder bay, with certificates made for it, and says what to type in a second terminal.",
    )
    parser.add_argument("--tls-port", type=int, default=TLS_PORT, metavar="PORT", help=f"default {TLS_PORT}")
    parser.add_argument(
        "--plain-port", type=int, default=PLAIN_PORT, metavar="PORT", help=f"default {PLAIN_PORT}"
    )
    parser.add_argument("--verbose", action="store_true", help="show the log on the terminal")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rtu.security.tls.libcrypto import configure

    configure()  # before anything loads OpenSSL
    import asyncio

    from msgspec.structs import replace

    from rtu.app import serve
    from rtu.config.load import load
    from rtu.local.service import ServiceManager

    from .logs import LINE, log_to_stderr

    where = directory()
    claim(where)
    station = prepare(where)
    if args.verbose:
        log_to_stderr()
    else:
        logging.basicConfig(filename=where / "log", level=logging.INFO, format=LINE)
        told = logging.StreamHandler()  # why it ends, if it cannot serve
        told.setLevel(logging.ERROR)
        told.setFormatter(logging.Formatter(LINE))
        logging.getLogger().addHandler(told)
    file = load(station)
    tls, plain = file.listen.tls, file.listen.plain
    assert tls is not None
    assert plain is not None
    listen = replace(
        file.listen, tls=replace(tls, port=args.tls_port), plain=replace(plain, port=args.plain_port)
    )
    welcome = WELCOME.format(
        ca=file.station.common_address,
        tls=args.tls_port,
        plain=args.plain_port,
        at_tls="" if args.tls_port == TLS_PORT else f" --port {args.tls_port}",
        at_plain="" if args.plain_port == PLAIN_PORT else f" --port {args.plain_port}",
        rtu=_how_rtu_was_called(),
        station=station,
        directory=where,
    )
    return asyncio.run(
        serve(
            lambda: replace(file, listen=listen), where, ServiceManager(), lambda: print(welcome, flush=True)
        )
    )


def claim(where: Path) -> None:
    """Make the demo's directory, or take it over from one that has ended; it is ours until this process ends."""
    if where.is_symlink() or (where.exists() and where.stat().st_uid != os.getuid()):
        raise SystemExit(f"rtu: {where} belongs to somebody else: remove it, or set XDG_RUNTIME_DIR")
    where.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(where / LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("rtu: a demo of yours is running already: end it with Ctrl-C first") from None


def prepare(where: Path) -> Path:
    """What the directory holds made anew: certificates, keys and the station file, whose path is returned."""
    from rtu.security.certificates.pki import issue, make_ca

    for left in where.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        elif left.name != LOCK:
            left.unlink()
    ca = make_ca("Demo authority", days=DAYS)
    ca.write(where / "ca.crt", where / "ca.key")
    issue(ca, "demo-station", "station", ["dns:localhost", "ip:127.0.0.1"], days=DAYS).write(
        where / "station.crt", where / "station.key"
    )
    issue(ca, "demo-master", "master", ["dns:master.demo"], days=DAYS).write(
        where / "master.crt", where / "master.key"
    )
    station = where / "station.toml"
    shutil.copyfile(_station_file(), station)
    return station


def _how_rtu_was_called() -> str:
    """What the reader types to run this program again."""
    called = Path(sys.argv[0])
    if called.name != "rtu":
        return "python -m rtu"
    found = shutil.which("rtu")
    return "rtu" if found is not None and Path(found).samefile(called) else os.path.relpath(called)


def _station_file() -> Path:
    """`demo.toml`: beside this file when installed, in `config/` of a checkout."""
    here = Path(__file__).resolve()
    for path in (here.with_name("demo.toml"), here.parents[2] / "config" / "demo.toml"):
        if path.exists():
            return path
    raise SystemExit("rtu: this installation lacks demo.toml: install it again")
