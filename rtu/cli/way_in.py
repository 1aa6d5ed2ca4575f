"""How a master gets to a station: address, plain or TLS with certificates, and in words why it did not get in."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from rtu.security.tls.context import TlsError, address_contradicts, client_context, describe_failure

from .master import ConnectionLost, Master

TLS_PORT = 19998
PLAIN_PORT = 2404
NOT_KNOWN = (
    "the station closed the connection: it does not know this address or certificate; its log says why"
)
NOT_KNOWN_PLAIN = "the station closed the connection: it does not know this address, or speaks TLS on this port; its log says why"


@dataclass(frozen=True, slots=True)
class WayIn:
    """Where the station is and, for TLS, the context and the name to expect."""

    host: str
    port: int
    context: ssl.SSLContext | None
    server_name: str | None

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


def add_way_in(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `way_in` reads."""
    parser.add_argument("host", metavar="HOST")
    parser.add_argument("--port", type=int, help=f"default {TLS_PORT} with TLS, {PLAIN_PORT} without")
    way = parser.add_argument_group("way in: --plain, or TLS with the three files")
    way.add_argument("--plain", action="store_true", help="no TLS; the station must have opened this port")
    way.add_argument("--tls", action="store_true", help="TLS; implied by the options below")
    way.add_argument("--ca", type=Path, metavar="FILE", help="certificate of the station's authority")
    way.add_argument("--cert", type=Path, metavar="FILE", help="certificate of this master")
    way.add_argument("--key", type=Path, metavar="FILE", help="private key of this master")
    way.add_argument("--server-name", metavar="NAME", help="name expected in the station's certificate")


def way_in(args: argparse.Namespace) -> WayIn:
    """Whom to connect to and how. Ends the program when the options do not say it."""
    files = (args.ca, args.cert, args.key)
    secured = args.tls or args.server_name is not None or any(file is not None for file in files)
    host = args.host
    if args.plain and secured:
        raise SystemExit("rtu: --plain and the options for TLS exclude each other: leave one out")
    if host == "demo":
        host = "127.0.0.1"
        if not args.plain:
            files = _demo_files()
            secured = True
    if args.plain:
        return WayIn(host, args.port or PLAIN_PORT, None, None)
    if not secured or any(file is None for file in files):
        raise SystemExit(
            "rtu: say how to connect: --ca FILE --cert FILE --key FILE for TLS, or --plain without"
        )
    ca, certificate, key = files
    names = args.server_name is not None or not _is_address(host)
    try:
        context = client_context([ca], certificate, key, names=names)
    except TlsError as error:
        raise SystemExit(f"rtu: {error}") from None
    return WayIn(host, args.port or TLS_PORT, context, args.server_name)


def _demo_files() -> tuple[Path, Path, Path]:
    from .demo import directory

    where = directory()
    if not (where / "ca.crt").exists():
        raise SystemExit("rtu: there is no demo of yours: start it with `rtu demo` in another terminal")
    return where / "ca.crt", where / "master.crt", where / "master.key"


async def open_master(way: WayIn, t0: float) -> Master:
    """Connect within `t0` seconds and start, or end the program with a line that says why not."""
    where = f"rtu: {way}: "
    not_known = NOT_KNOWN if way.context is not None else NOT_KNOWN_PLAIN
    try:
        master = await Master.connect(
            way.host, way.port, context=way.context, server_name=way.server_name, t0=t0
        )
    except TimeoutError:
        raise SystemExit(f"{where}no answer within {t0:g} s: is this the right address?") from None
    except ConnectionRefusedError:
        raise SystemExit(
            f"{where}connection refused: does the station run, and listen on this port?"
        ) from None
    except socket.gaierror:
        raise SystemExit(f"rtu: {way.host}: no such host: check the name, or give the address") from None
    except ssl.SSLError as error:
        raise SystemExit(f"{where}{_of_station(error)}") from None
    except ConnectionError:
        raise SystemExit(f"{where}{not_known}") from None
    except OSError as error:
        raise SystemExit(f"{where}cannot connect: {error.strerror or error}") from None
    secured = master.certificate
    if secured is not None and way.server_name is None and _is_address(way.host):
        shown = secured.getpeercert()
        if shown and address_contradicts(shown, way.host):
            await master.close()
            raise SystemExit(
                f"{where}the station's certificate is made out to other addresses: "
                "is this the right one? If so, say --server-name NAME"
            )
    try:
        await master.start()
    except ConnectionLost as lost:
        await master.close()
        # With TLS 1.3 a master's handshake is over before the station has judged its certificate.
        known = not lost.by_station or isinstance(lost.error, ssl.SSLError)
        raise SystemExit(f"{where}{in_words(lost) if known else not_known}") from None
    return master


def in_words(lost: ConnectionLost) -> str:
    """Why a connection is over."""
    if isinstance(lost.error, ssl.SSLError):
        return _of_station(lost.error)
    return str(lost)


def _of_station(error: Exception) -> str:
    return describe_failure(error).text.replace("the peer", "the station")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
