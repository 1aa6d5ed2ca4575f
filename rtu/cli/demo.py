"""`rtu demo`: a simulated feeder bay on loopback, served for real, with throw-away certificates.

Needs no hardware, no root and no configuration. Everything it makes lies in one directory of the
user's own, which `rtu probe demo` knows, and is made anew at each start.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

TLS_PORT = 19998
PLAIN_PORT = 2404

WELCOME = """\
A simulated feeder bay is being served (IEC 60870-5-104, common address {ca}):

    TLS    127.0.0.1:{tls}   with certificates of both sides
    plain  127.0.0.1:{plain}    monitoring only

In a second terminal:

    {rtu} probe demo{at_tls}                              everything the station knows, then live events
    {rtu} probe demo{at_tls} --double 5001=off --select   open the breaker: select, execute, feedback, termination
    {rtu} probe demo{at_plain} --plain                      the same over plain TCP (commands are refused there)
    {rtu} points {station}

Your own control centre finds its certificate, key and authority in {directory}:
master.crt, master.key, ca.crt. Its log is there too. Ctrl-C ends the demo.
"""


def directory() -> Path:
    """Where the demo of this user keeps its station file, certificates and events."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
    return base / f"outstation-demo-{os.getuid()}"


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser("demo", help="serve a simulated feeder bay on this machine")
    parser.add_argument("--tls-port", type=int, default=TLS_PORT, metavar="PORT")
    parser.add_argument("--plain-port", type=int, default=PLAIN_PORT, metavar="PORT")
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
    station = prepare(where)
    if args.verbose:
        log_to_stderr()
    else:
        logging.basicConfig(filename=where / "log", level=logging.INFO, format=LINE)
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


def prepare(where: Path) -> Path:
    """The demo's directory made anew: certificates, keys and the station file, whose path is returned."""
    from rtu.security.certificates.pki import issue, make_ca

    if where.is_symlink() or (where.exists() and where.stat().st_uid != os.getuid()):
        raise SystemExit(f"rtu: {where} belongs to somebody else: remove it, or set XDG_RUNTIME_DIR")
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(mode=0o700)
    ca = make_ca("Demo authority", days=30)
    ca.write(where / "ca.crt", where / "ca.key")
    issue(ca, "demo-station", "station", ["dns:localhost", "ip:127.0.0.1"], days=30).write(
        where / "station.crt", where / "station.key"
    )
    issue(ca, "demo-master", "master", ["dns:master.demo"], days=30).write(
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
