"""The actions of `rtu certs` where a key lives: request, install, rollback."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from rtu.config.load import examine
from rtu.config.schema import ListenTls, StationFile
from rtu.disk import create_file, replace_file
from rtu.security.certificates import alternative_name, documents, keys, pki
from rtu.security.certificates.keys import CertificateError
from rtu.security.enrolment import fitness, new_list
from rtu.security.enrolment.pair import Pair, waiting
from rtu.security.enrolment.request import checked_name, checked_names, make
from rtu.security.files import is_credential

from .certs import STATION


def request(args: argparse.Namespace, now: datetime) -> int:
    wanted: list[str] = list(args.name)
    if args.key is not None and args.station is None:
        key, common_name = args.key, args.common_name or args.key.stem
    else:
        file, listen, base = station(args.station or STATION)
        key = _pair(listen, base, args.key).key
        common_name = args.common_name or file.station.name
        wanted += _address(listen)
    if not wanted:
        raise CertificateError(
            "no name to be known by: give at least one, --name dns:HOST or --name ip:ADDRESS"
        )
    name, names = checked_name(common_name), checked_names(wanted)
    if key.exists():
        if not args.renew:
            raise CertificateError(f"{key}: exists; to make a new one beside it, say --renew")
        key = waiting(key)
        if key.exists():
            raise CertificateError(f"{key}: waits for its certificate already; delete it to begin anew")
    out: Path = args.out or Path(f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'request'}.csr")
    made = keys.KINDS[args.kind]()
    if not args.dry_run:
        create_file(key, pki.private_pem(made), 0o600)
        try:
            replace_file(out, make(made, name, names), 0o644)
        except OSError:
            key.unlink()  # nobody has seen it: the next try begins anew
            raise
    told = (
        ("key", f"{key}, {args.kind}: it stays here"),
        ("request", f"{out}, to be signed: {name}, {', '.join(names)}"),
        ("fingerprint", f"{keys.spoken(keys.digest(made.public_key()))}, for the one who signs to compare"),
    )
    for title, text in told[: 2 if args.dry_run else 3]:
        print(f"{title:<12}{text}")
    return 0


def install(args: argparse.Namespace, now: datetime) -> int:
    _, listen, base = station(args.station)
    documents.refuse_key(args.file)
    found = documents.read(args.file)
    if isinstance(found, x509.CertificateSigningRequest):
        raise CertificateError(f"{args.file}: is the request; install the certificate that was made of it")
    lists = [one for one in found if isinstance(one, x509.CertificateRevocationList)]
    if lists:
        return _install_lists(lists, args, listen, base, now)
    chain = [one for one in found if isinstance(one, x509.Certificate)]
    pair = _pair(listen, base, args.key)
    wanted = None if args.other_names else [*_address(listen), *_present_names(pair.certificate)]
    fit = fitness.judge(
        chain,
        [pair.waiting_key, pair.key],
        listen,
        base,
        authorities=args.authority,
        names=wanted,
        now=now,
    )
    names = alternative_name.texts(fit.leaf.extensions)
    print(
        f"fits        key {fit.key}; {', '.join(names)}; until {documents.day(fit.leaf.not_valid_after_utc)}"
    )
    print(f"tried       handshakes with {' and '.join(fit.versions)}")
    if args.dry_run:
        return 0
    pair.install(fit.pem, fit.key.read_bytes())
    if fit.key == pair.waiting_key:
        fit.key.unlink()
    print(f"installed   {pair.certificate}; {_from_now_on(listen)}")
    return 0


def rollback(args: argparse.Namespace, now: datetime) -> int:
    _, listen, base = station(args.station)
    pair = _pair(listen, base, args.key)
    before = pair.before()
    if before is None:
        raise CertificateError(f"{pair.certificate}: there is no pair before this one")
    chain = documents.certificates(before[0])
    # Who issued it was known when it was installed.
    fitness.check(chain, None, now)
    if not args.dry_run:
        pair.rollback()
    print(f"{pair.certificate}: back to serial {chain[0].serial_number:X}; {_from_now_on(listen)}")
    return 0


def station(path: Path) -> tuple[StationFile, ListenTls, Path]:
    """A station file, its TLS listener and where its names start. Raises CertificateError, OSError."""
    found = examine(path)
    if found.file is None:
        first, count = found.errors[0], len(found.errors)
        more = f" (and {count - 1} more: rtu check {path})" if count > 1 else ""
        raise CertificateError(f"{first}{more}")
    if found.file.listen.tls is None:
        raise CertificateError(f"{path}: no [listen.tls]: this station needs no certificate")
    return found.file, found.file.listen.tls, path.resolve().parent


def _install_lists(
    lists: Sequence[x509.CertificateRevocationList],
    args: argparse.Namespace,
    listen: ListenTls,
    base: Path,
    now: datetime,
) -> int:
    if len(lists) > 1:
        raise CertificateError(f"{args.file}: holds {len(lists)} lists: install one at a time")
    (new,) = lists
    new_list.judge(new, listen, base, now)
    path, octets = new_list.place(new, listen, base)
    due = new.next_update_utc
    assert due is not None
    print(
        f"fits        list number {documents.list_number(new)}, revokes {len(new)}, until {documents.day(due)}"
    )
    if not args.dry_run:
        replace_file(path, octets, 0o644)
        print(f"installed   {path}; the running station reads it by itself")
    return 0


def _pair(listen: ListenTls, base: Path, key: Path | None) -> Pair:
    if key is None and is_credential(listen.private_key):
        raise CertificateError(
            f"the key is {listen.private_key} of the service manager: "
            "name the file it is made of (LoadCredential= of the unit) with --key"
        )
    return Pair(base / listen.certificate, key if key is not None else base / listen.private_key)


def _from_now_on(listen: ListenTls) -> str:
    if is_credential(listen.private_key):
        return "restart the station: a credential is handed over when it starts"
    return "new connections use it, open ones go on"


def _address(listen: ListenTls) -> list[str]:
    """What masters connect to, if the file says it."""
    if not listen.address or ip_address(listen.address).is_unspecified:
        return []
    return [f"ip:{ip_address(listen.address)}"]


def _present_names(certificate: Path) -> tuple[str, ...]:
    try:
        return alternative_name.texts(documents.certificates(certificate)[0].extensions)
    except (OSError, CertificateError, ValueError):
        return ()


__all__ = ["install", "request", "rollback", "station"]
