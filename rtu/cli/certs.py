"""`rtu certs ...`: keys, certificates and revocation lists, from the first key to the last revocation.

At the authority: init, sign, revoke, crl. At the station, and at whoever needs a key: request, install, rollback.
Anywhere: show, pin. What the actions do is in `certs_authority`, `certs_device` and `certs_show`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

STATION = Path("/etc/outstation/station.toml")

_KINDS = ("P-256", "P-384", "RSA-2048", "RSA-3072")
_REASONS = ("unspecified", "key-compromise", "superseded", "cessation", "privilege-withdrawn")


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "certs",
        help="make, sign, install, revoke and show certificates",
        description="Keys and certificates. The walk-through is certs/README.md of the documentation.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    init = _authority_action(actions, "init", "make a small authority, once")
    init.add_argument(
        "--name", required=True, help='its common name, such as "Example telecontrol authority"'
    )
    init.add_argument("--kind", choices=_KINDS[:2], default="P-256", help="of its key (P-256)")
    _days(init, 3650)
    _passphrase(init)
    init.add_argument(
        "--no-passphrase", action="store_true", help="leave the key unprotected: for trials only"
    )

    request = _action(actions, "request", "make a key on this machine, and the request to be signed")
    request.add_argument("--station", type=Path, metavar="STATION.toml", help=f"whose key ({STATION})")
    request.add_argument("--key", type=Path, metavar="FILE", help="make this key instead: for a master")
    request.add_argument("--common-name", metavar="NAME", help="default: the station's name")
    _names(request, "in addition to the address the station listens on")
    request.add_argument("--kind", choices=_KINDS, default="P-256", help="of the key (P-256)")
    request.add_argument("--renew", action="store_true", help="there is a key: make a new one beside it")
    request.add_argument("--out", type=Path, metavar="FILE", help="the request; default: NAME.csr, here")

    sign = _authority_action(actions, "sign", "sign a request, whatever else it asks for")
    sign.add_argument("request", type=Path, metavar="REQUEST")
    sign.add_argument("--profile", required=True, choices=("station", "master"))
    sign.add_argument("--role", choices=("viewer", "operator", "engineer"), help="the most a master may be")
    sign.add_argument("--common-name", metavar="NAME", help="instead of the requested one")
    _names(sign, "instead of the requested ones")
    _days(sign, 730)
    sign.add_argument("--yes", action="store_true", help="the names are right: do not ask")
    sign.add_argument("--out", type=Path, metavar="FILE", help="default: the request's name with .crt")
    _passphrase(sign)

    install = _action(actions, "install", "take a certificate or a revocation list into use, if it fits")
    install.add_argument("file", type=Path, metavar="FILE", help="the signed certificate, or the list")
    _station(install)
    install.add_argument("--authority", type=Path, action="append", default=[], metavar="FILE",
                         help="who signed it, if that is none of `trusted`")  # fmt: skip
    install.add_argument("--other-names", action="store_true", help="it may lack names the present one has")

    rollback = _action(actions, "rollback", "take the pair that was in use before into use again")
    _station(rollback)

    revoke = _authority_action(actions, "revoke", "mark a certificate as not to be taken any more")
    revoke.add_argument("which", metavar="SERIAL|NAME")
    revoke.add_argument("--reason", choices=_REASONS, default="unspecified")

    crl = _authority_action(actions, "crl", "make a new revocation list")
    _days(crl, 30)
    _passphrase(crl)

    show = _action(
        actions, "show", "say what is in a file, or how a station's certificates are", changes=False
    )
    show.add_argument(
        "file", type=Path, nargs="?", default=STATION, metavar="FILE|STATION.toml", help=f"default: {STATION}"
    )
    show.add_argument("--json", action="store_true", help="as a JSON document")
    show.epilog = (
        "Exit code: 0 fine, 1 wants attention (expires within 30 days, a list is late) or is not there, "
        "2 cannot be used."
    )

    pin = _action(actions, "pin", "print the line that makes a key the identity of a master", changes=False)
    pin.add_argument("file", type=Path, metavar="CERTIFICATE")


_WHERE = {
    "init": "authority", "sign": "authority", "revoke": "authority", "crl": "authority",
    "request": "device", "install": "device", "rollback": "device",
    "show": "show", "pin": "show",
}  # fmt: skip
"""Each action and the module that has a function of its name."""


def _run(args: argparse.Namespace) -> int:
    from rtu.security.tls.libcrypto import configure

    configure()  # so that what is tried here is what the station will do
    from rtu.security.certificates.keys import CertificateError

    action: Callable[[argparse.Namespace, datetime], int] = getattr(
        import_module(f"rtu.cli.certs_{_WHERE[args.action]}"), args.action
    )
    try:
        return action(args, datetime.now(UTC).replace(microsecond=0))
    except CertificateError as error:
        raise SystemExit(f"rtu: {error}") from None


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    words: str,
    *,
    changes: bool = True,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    if changes:
        parser.add_argument("--dry-run", action="store_true", help="check everything, change nothing")
    parser.set_defaults(run=_run, action=name)
    return parser


def _authority_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str
) -> argparse.ArgumentParser:
    parser = _action(actions, name, words)
    parser.add_argument(
        "--ca", type=Path, default=Path(), metavar="DIRECTORY", help="the authority's (this one)"
    )
    return parser


def _station(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--station", type=Path, default=STATION, metavar="STATION.toml", help=f"whose files ({STATION})"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="the key, if a credential of systemd")


def _names(parser: argparse.ArgumentParser, words: str) -> None:
    parser.add_argument("--name", action="extend", nargs="+", default=[], metavar="KIND:NAME",
                        help=f"dns:HOST, ip:ADDRESS, uri:URI or email:ADDRESS, {words}")  # fmt: skip


def _days(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--days", type=_number_of_days, default=default, metavar="N", help=f"how long it is valid ({default})"
    )


def _number_of_days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 36_500:
        raise ValueError
    return days


def _passphrase(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="instead of asking for it")
