"""A small authority in a directory, for those who have none: signs stations and masters, revokes, makes lists.

ca.crt      its certificate, for everybody
ca.key      its key, encrypted with a pass phrase
issued.csv  the register of what it has issued
crl-number  the number of its newest list: written first, so that none is ever used twice
ca.crl      the newest list
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rtu.config.schema import Role
from rtu.disk import create_file, exclusive, replace_file
from rtu.security.certificates import documents, keys, pki
from rtu.security.certificates.keys import CertificateError, PublicKey
from rtu.security.certificates.pki import Issued, Profile
from rtu.security.identity import MAX_CERTIFICATE

from . import register
from .register import Entry

REASONS: Mapping[str, x509.ReasonFlags] = {
    "unspecified": x509.ReasonFlags.unspecified,
    "key-compromise": x509.ReasonFlags.key_compromise,
    "superseded": x509.ReasonFlags.superseded,
    "cessation": x509.ReasonFlags.cessation_of_operation,
    "privilege-withdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Why a certificate is revoked, as it is typed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate that is to be made, as a human confirms it."""

    key: PublicKey
    name: str
    names: tuple[str, ...]
    profile: Profile
    role: Role | None
    days: int


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority whose key is at hand."""

    directory: Path
    issued: Issued

    def sign(self, wanted: Wanted, now: datetime) -> x509.Certificate:
        """A certificate, entered in the register. Raises CertificateError, OSError."""
        made = self.draft(wanted, now)
        with exclusive(self.directory):
            entries = self.register()
            register.save(self._register, [*entries, _entry(wanted, made)])
        return made

    def draft(self, wanted: Wanted, now: datetime) -> x509.Certificate:
        """What `sign` would make, but not entered: nobody may be given it. Raises CertificateError."""
        if self.issued.certificate.not_valid_after_utc <= now:
            raise CertificateError("the authority itself has expired: make a new one with `rtu certs init`")
        self._refuse_revoked(wanted.key)
        made = pki.sign(
            self.issued,
            wanted.key,
            wanted.name,
            wanted.profile,
            wanted.names,
            wanted.days,
            role=wanted.role,
            now=now,
        )
        size = len(made.public_bytes(serialization.Encoding.DER))
        if size > MAX_CERTIFICATE:
            raise CertificateError(
                f"the certificate would have {size} octets, {MAX_CERTIFICATE} are the most: give fewer names"
            )
        return made

    def make_list(self, days: int, now: datetime) -> x509.CertificateRevocationList:
        """A new list, which lies in `ca.crl` then. Raises CertificateError, OSError."""
        with exclusive(self.directory):
            number = self.last_number() + 1
            replace_file(self.directory / "crl-number", f"{number}\n".encode())
            made = self.draft_list(number, days, now)
            replace_file(self.directory / "ca.crl", documents.pem([made]))
        return made

    def draft_list(self, number: int, days: int, now: datetime) -> x509.CertificateRevocationList:
        # Expired ones stay in the list: a station whose clock is slow would take them.
        marked = [
            pki.Revocation(entry.serial, entry.revoked, x509.ReasonFlags(entry.reason))
            for entry in self.register()
            if entry.revoked is not None
        ]
        # Nobody is taken back: the register may have been lost, or begun after the first certificates.
        known = {each.serial for each in marked}
        older = [each for each in self._listed() if each.serial not in known]
        return pki.make_list(self.issued, [*older, *marked], number=number, days=days, now=now)

    def last_number(self) -> int:
        """The number of the newest list, 0 before the first. Raises CertificateError, OSError."""
        path = self.directory / "crl-number"
        try:
            return int(path.read_text())
        except FileNotFoundError:
            pass
        except ValueError:
            raise CertificateError(
                f"{path}: not a number: write into it that of the newest list, see `rtu certs show ca.crl`"
            ) from None
        # An authority that was not begun with `rtu certs init`.
        newest = self._newest_list()
        return 0 if newest is None else documents.list_number(newest) or 0

    def register(self) -> list[Entry]:
        return entries(self.directory)

    @property
    def _register(self) -> Path:
        return self.directory / "issued.csv"

    def _newest_list(self) -> x509.CertificateRevocationList | None:
        path = self.directory / "ca.crl"
        return documents.lists(path)[0] if path.exists() else None

    def _listed(self) -> list[pki.Revocation]:
        return [
            pki.Revocation(each.serial_number, each.revocation_date_utc, _reason(each))
            for each in self._newest_list() or ()
        ]

    def _refuse_revoked(self, key: PublicKey) -> None:
        known = keys.digest(key)
        for entry in self.register():
            if entry.key_sha256 == known and entry.revoked is not None and entry.reason != "superseded":
                raise CertificateError(
                    f"this key belongs to certificate {entry.serial_text}, which is revoked: make a new key"
                )


def create(
    directory: Path, name: str, kind: str, days: int, passphrase: bytes | None, now: datetime
) -> Authority:
    """A new authority in a directory that has none. Raises CertificateError, OSError."""
    refuse_second(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    issued = pki.make_ca(name, days, kind=kind, now=now)
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(passphrase)
    key = issued.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    create_file(directory / "ca.key", key, 0o600)
    register.save(directory / "issued.csv", ())
    create_file(directory / "ca.crt", issued.certificate_pem, 0o644)
    return Authority(directory, issued)


def refuse_second(directory: Path) -> None:
    """Raises CertificateError when there is an authority in the directory already."""
    for name in ("ca.key", "ca.crt", "issued.csv"):
        if (directory / name).exists():
            raise CertificateError(f"{directory / name} exists: an authority is made once; name another --ca")


def open_authority(directory: Path, passphrase: Callable[[], bytes]) -> Authority:
    """The authority in a directory; `passphrase` is asked if its key is encrypted. Raises CertificateError, OSError."""
    certificate = documents.certificates(directory / "ca.crt")[0]
    path = directory / "ca.key"
    key = _load_key(path, path.read_bytes(), passphrase)
    if not isinstance(key, keys.PrivateKey):
        raise CertificateError(f"{path}: a key of this kind does not sign here: make a new authority")
    if key.public_key() != certificate.public_key():
        raise CertificateError(
            f"{path}: not the key of {directory / 'ca.crt'}: put the files of one authority together"
        )
    return Authority(directory, Issued(certificate, key))


def entries(directory: Path) -> list[Entry]:
    """The register; empty for an authority that has none yet. Raises CertificateError, OSError."""
    path = directory / "issued.csv"
    return register.load(path) if path.exists() else []


def find(directory: Path, which: str) -> Entry:
    """The one entry with this serial number, or of this name that is not revoked. Raises CertificateError."""
    known = entries(directory)
    digits = which.replace(":", "").upper().lstrip("0")
    by_serial = [entry for entry in known if entry.serial_text.lstrip("0") == digits]
    by_name = [entry for entry in known if which == entry.name or which in entry.names]
    found = by_serial or [entry for entry in by_name if entry.revoked is None] or by_name
    if not found:
        raise CertificateError(f'"{which}": the register has no certificate of that serial number or name')
    if found[0].revoked is not None:
        raise CertificateError(f'"{which}" has been revoked on {documents.day(found[0].revoked)} already')
    if len(found) > 1:
        serials = ", ".join(entry.serial_text for entry in found)
        raise CertificateError(f'"{which}" is the name of several certificates: give a serial: {serials}')
    return found[0]


def revoke(directory: Path, serial: int, reason: str, now: datetime) -> None:
    """Mark a certificate in the register; stations learn it from the next list. Raises CertificateError, OSError."""
    flag = REASONS[reason]
    with exclusive(directory):
        known = entries(directory)
        marked = [
            changed(entry, revoked=now, reason=flag.value) if entry.serial == serial else entry
            for entry in known
        ]
        register.save(directory / "issued.csv", marked)


def _load_key(path: Path, octets: bytes, passphrase: Callable[[], bytes]) -> object:
    try:
        return serialization.load_pem_private_key(octets, None)
    except TypeError:  # encrypted
        pass
    except ValueError:
        raise CertificateError(f"{path}: not a private key in PEM form") from None
    try:
        return serialization.load_pem_private_key(octets, passphrase())
    except ValueError:
        raise CertificateError(f"{path}: this is not its pass phrase") from None


def _reason(revoked: x509.RevokedCertificate) -> x509.ReasonFlags:
    try:
        return revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return x509.ReasonFlags.unspecified


def _entry(wanted: Wanted, made: x509.Certificate) -> Entry:
    return Entry(
        made.serial_number,
        wanted.name,
        wanted.profile,
        wanted.role or "",
        wanted.names,
        keys.digest(wanted.key),
        made.not_valid_before_utc,
        made.not_valid_after_utc,
    )


__all__: Sequence[str] = [
    "REASONS",
    "Authority",
    "Wanted",
    "create",
    "entries",
    "find",
    "open_authority",
    "refuse_second",
    "revoke",
]
