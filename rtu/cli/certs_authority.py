"""The actions of `rtu certs` at the authority: init, sign, revoke, crl."""

from __future__ import annotations

import argparse
import getpass
import stat
import sys
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from rtu.config.schema import Role
from rtu.disk import create_file
from rtu.security.certificates import documents, keys
from rtu.security.certificates.keys import CertificateError
from rtu.security.enrolment import authority, register, request
from rtu.security.enrolment.authority import Authority, Wanted

SHORTEST_PASSPHRASE = 12


def init(args: argparse.Namespace, now: datetime) -> int:
    authority.refuse_second(args.ca)
    name = request.checked_name(args.name)
    if args.no_passphrase:
        print("warning: whoever reads ca.key can make certificates for every station", file=sys.stderr)
    passphrase = None if args.no_passphrase else _new_passphrase(args.passphrase_file)
    if args.dry_run:
        print(f'would make the authority "{name}" in {args.ca}')
        return 0
    made = authority.create(args.ca, name, args.kind, args.days, passphrase, now)
    certificate = made.issued.certificate
    _tell(
        ("authority", f'"{name}", {args.kind}, until {documents.day(certificate.not_valid_after_utc)}'),
        ("fingerprint", keys.spoken(certificate.fingerprint(hashes.SHA256()).hex())),
        ("ca.crt", "goes to every station and master; let them compare the fingerprint"),
        (
            "ca.key",
            "stays here; without it and its pass phrase nothing can be signed or revoked: keep a copy",
        ),
    )
    return 0


def sign(args: argparse.Namespace, now: datetime) -> int:
    if args.role is not None and args.profile != "master":
        raise CertificateError("--role limits a master: leave it out for a station")
    out: Path = args.out or args.request.with_suffix(".crt")
    if out.exists():
        raise CertificateError(f"{out}: exists already: take it away, or name another file with --out")
    asked = request.judge(documents.request(args.request))
    role: Role | None = args.role
    names = request.checked_names(args.name or asked.names)
    if not names:
        raise CertificateError(
            "the request has no alternative name: give one, --name dns:... or --name ip:..."
        )
    wanted = Wanted(
        asked.key, request.checked_name(args.common_name or asked.name), names, args.profile, role, args.days
    )
    ours = _open(args)
    draft = ours.draft(wanted, now)
    _tell(
        ("key", f"{keys.kind(wanted.key)}, {keys.spoken(keys.digest(wanted.key))}"),
        ("name", wanted.name),
        ("names", ", ".join(names)),
        ("profile", wanted.profile + (f", at most {role}" if role is not None else "")),
        ("until", documents.day(draft.not_valid_after_utc)),
        *((("left out", ", ".join(asked.left_out)),) if asked.left_out else ()),
    )
    if args.dry_run:
        return 0
    if not args.yes:
        _confirm("Is this the key you were told, and are these the names? Type yes to sign: ")
    made = ours.sign(wanted, now)
    create_file(out, documents.pem([made]), 0o644)
    print(f"signed: {out}, serial {register.serial_text(made.serial_number)}")
    return 0


def revoke(args: argparse.Namespace, now: datetime) -> int:
    entry = authority.find(args.ca, args.which)
    print(f"{entry.serial_text}: {entry.profile} {entry.name}, {' '.join(entry.names)}")
    if args.dry_run:
        return 0
    authority.revoke(args.ca, entry.serial, args.reason, now)
    print("revoked in the register; stations learn it from a new list: rtu certs crl")
    return 0


def crl(args: argparse.Namespace, now: datetime) -> int:
    ours = _open(args)
    if args.dry_run:
        made = ours.draft_list(ours.last_number() + 1, args.days, now)
    else:
        made = ours.make_list(args.days, now)
    due = made.next_update_utc
    assert due is not None
    _tell(
        ("list", f"{args.ca / 'ca.crl'}, number {documents.list_number(made)}, revokes {len(made)}"),
        ("next", f"make a new one before {documents.day(due)}, whether anything was revoked or not"),
    )
    return 0


def _open(args: argparse.Namespace) -> Authority:
    return authority.open_authority(args.ca, lambda: _passphrase(args.passphrase_file, args.ca / "ca.key"))


def _passphrase(file: Path | None, key: Path) -> bytes:
    if file is not None:
        return _from_file(file)
    return _ask(f"Pass phrase of {key}: ")


def _new_passphrase(file: Path | None) -> bytes:
    passphrase = _from_file(file) if file is not None else _ask("Pass phrase for the authority's key: ")
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise CertificateError(f"the pass phrase is too short: {SHORTEST_PASSPHRASE} characters at least")
    if file is None and _ask("The same again: ") != passphrase:
        raise CertificateError("these are two pass phrases: begin again")
    return passphrase


def _from_file(path: Path) -> bytes:
    """Its first line."""
    with path.open("rb") as file:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_mode & 0o077:
            raise CertificateError(f"{path}: others may read this pass phrase: chmod 600 it")
        line = file.readline().rstrip(b"\r\n")
    if not line:
        raise CertificateError(f"{path}: there is no pass phrase in its first line")
    return line


def _ask(prompt: str) -> bytes:
    if not sys.stdin.isatty():
        raise CertificateError("there is no terminal to ask for the pass phrase: use --passphrase-file")
    return getpass.getpass(prompt).encode()


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise CertificateError("there is nobody to confirm the names: check them, then say --yes")
    if input(question).strip().lower() != "yes":
        raise CertificateError("not signed")


def _tell(*lines: tuple[str, str]) -> None:
    for title, text in lines:
        print(f"{title:<12}{text}")


__all__ = ["crl", "init", "revoke", "sign"]
