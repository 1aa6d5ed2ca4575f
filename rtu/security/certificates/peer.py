"""A peer's certificate, read once, and what of it proves to be which master.

Only what is about certificates is here, so that a station without TLS need not load the library that reads them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtu.config import schema
from rtu.security.quote import quote

from . import alternative_name
from .pki import spki_sha256
from .role import certificate_role

_DIGEST_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Credential:
    """What is worth remembering of an admitted certificate: to show it, and to judge it again later.

    `subject` is already escaped; `fingerprint` is the SHA-256 of the certificate in hexadecimal digits.
    """

    subject: str
    issuer: str
    serial: int
    fingerprint: str
    not_after: datetime


class PeerCertificate:
    """A peer's certificate in DER form. Raises ValueError when it is not fit to be anyone's."""

    def __init__(self, octets: bytes) -> None:
        # The octets were made by strangers: whatever the parser raises means that they are of no use.
        try:
            self.x509 = x509.load_der_x509_certificate(octets)
            self.subject = quote(self.x509.subject.rfc4514_string())
            self.key_hash = spki_sha256(self.x509)
            self.names = frozenset(_names(self.x509))
            purposes = _purposes(self.x509)
            self.role = certificate_role(self.x509)
            self.credential = _credential(self.x509, self.subject)
        except Exception as error:  # see above
            raise ValueError(f"cannot be used: {quote(str(error))}") from None
        if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
            raise ValueError(
                f"of {self.subject} is not made for a master: extended key usage clientAuth is missing"
            )


@dataclass(frozen=True, slots=True)
class Proof:
    """The `identity` of a master, ready to be compared. Equal ones take the same certificates."""

    issuer: x509.Certificate | None = None
    name: x509.GeneralName | None = None
    key_hash: str | None = None

    @classmethod
    def read(cls, identity: schema.Identity, base_dir: Path, issuers: dict[str, x509.Certificate]) -> Self:
        """`issuers` keeps the files that were read. Raises ValueError: one line that says what to correct."""
        if identity.spki_sha256 is None and (identity.issuer is None or identity.san is None):
            raise ValueError("`identity` needs `issuer` and `san`, or `spki_sha256`")
        issuer = name = key_hash = None
        if identity.issuer is not None:
            if identity.issuer not in issuers:
                issuers[identity.issuer] = _load_issuer(base_dir / identity.issuer)
            issuer = issuers[identity.issuer]
        if identity.san is not None:
            try:
                name = alternative_name.parse(identity.san)
            except ValueError as error:
                raise ValueError(f"`san`: {error}") from None
        if identity.spki_sha256 is not None:
            key_hash = identity.spki_sha256.replace(":", "").lower()
            if len(key_hash) != _DIGEST_DIGITS or not set(key_hash) <= set("0123456789abcdef"):
                raise ValueError(f"`spki_sha256` must be {_DIGEST_DIGITS} hexadecimal digits")
        return cls(issuer, name, key_hash)

    def holds_for(self, certificate: PeerCertificate) -> bool:
        if self.key_hash is not None and self.key_hash != certificate.key_hash:
            return False
        if self.name is not None and self.name not in certificate.names:
            return False
        return self.issuer is None or _signed_by(certificate.x509, self.issuer)


def _credential(certificate: x509.Certificate, subject: str) -> Credential:
    return Credential(
        subject=subject,
        issuer=quote(certificate.issuer.rfc4514_string()),
        serial=certificate.serial_number,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=certificate.not_valid_after_utc,
    )


def _names(certificate: x509.Certificate) -> Iterable[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return [alternative_name.comparable(name) for name in extension.value]


def _purposes(certificate: x509.Certificate) -> Iterable[x509.ObjectIdentifier]:
    try:
        return certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return ()


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Name and key of the issuer: another authority may bear the same name."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _load_issuer(path: Path) -> x509.Certificate:
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ValueError(f"`issuer`: cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"`issuer`: {path} is no certificate in PEM form") from None
    if len(certificates) != 1:
        raise ValueError(
            f"`issuer`: {path} holds {len(certificates)} certificates; name a file with the one that signs"
        )
    return certificates[0]
