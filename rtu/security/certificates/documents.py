"""What lies in a file: certificates, a request to be signed, or revocation lists, in PEM or DER.

Files come from other people, on sticks and by mail. Whatever the parser cannot make sense of is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .keys import CertificateError

LARGEST = 2_000_000
"""Octets that are read of a file; a list of 20,000 entries has 555,000."""

Certificates = tuple[x509.Certificate, ...]
Lists = tuple[x509.CertificateRevocationList, ...]
Document = Certificates | x509.CertificateSigningRequest | Lists

_LINE = re.compile(rb"-----(BEGIN|END) ([A-Z0-9 ]+)-----")
_REQUESTS = (b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")


def read(path: Path) -> Document:
    """What the file holds. Raises CertificateError; OSError when it cannot be read."""
    with path.open("rb") as file:
        octets = file.read(LARGEST + 1)
    if len(octets) > LARGEST:
        raise CertificateError(f"{path}: larger than {LARGEST:,} octets: name a certificate, request or list")
    try:
        found = _pem(path, octets) if b"-----BEGIN " in octets else _der(octets)
        for one in found if isinstance(found, tuple) else (found,):
            look_through(one)
        return found
    except CertificateError:
        raise
    except Exception:  # made by strangers: whatever the parser raises means that it is of no use
        raise CertificateError(
            f"{path}: not a certificate, request or revocation list in PEM or DER form"
        ) from None


def certificates(path: Path) -> Certificates:
    """The certificates in a file, at least one. Raises CertificateError, OSError."""
    found = read(path)
    if isinstance(found, tuple) and isinstance(found[0], x509.Certificate):
        return tuple(one for one in found if isinstance(one, x509.Certificate))
    raise CertificateError(f"{path}: holds {named(found)}, not a certificate: name the right file")


def request(path: Path) -> x509.CertificateSigningRequest:
    """The request in a file. Raises CertificateError, OSError."""
    found = read(path)
    if isinstance(found, x509.CertificateSigningRequest):
        return found
    raise CertificateError(
        f"{path}: holds {named(found)}, not a request: name the file `rtu certs request` made"
    )


def lists(path: Path) -> Lists:
    """The revocation lists in a file, at least one. Raises CertificateError, OSError."""
    found = read(path)
    if isinstance(found, tuple) and isinstance(found[0], x509.CertificateRevocationList):
        return tuple(one for one in found if isinstance(one, x509.CertificateRevocationList))
    raise CertificateError(f"{path}: holds {named(found)}, not a revocation list: name the right file")


def refuse_key(path: Path) -> None:
    """Raises CertificateError when there is a private key in a file that came from somewhere else; OSError."""
    if b"PRIVATE KEY-----" in path.read_bytes():
        raise CertificateError(
            f"{path}: holds a private key, which never leaves its machine: have a request signed instead"
        )


def named(document: Document) -> str:
    """What it is, in words."""
    if isinstance(document, x509.CertificateSigningRequest):
        return "a request"
    return "a certificate" if isinstance(document[0], x509.Certificate) else "a revocation list"


def pem(parts: Sequence[x509.Certificate | x509.CertificateRevocationList]) -> bytes:
    return b"".join(part.public_bytes(serialization.Encoding.PEM) for part in parts)


def list_number(revoked: x509.CertificateRevocationList) -> int | None:
    """The CRL number (RFC 5280, 5.2.3), which only ever grows."""
    try:
        return revoked.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def look_through(
    one: x509.Certificate | x509.CertificateSigningRequest | x509.CertificateRevocationList,
) -> None:
    """Have everything parsed now that the parser leaves for later. Raises whatever it raises."""
    _ = one.extensions
    if isinstance(one, x509.CertificateRevocationList):
        _ = one.issuer, one.last_update_utc, one.next_update_utc
        return
    _ = one.subject, one.public_key()
    if isinstance(one, x509.Certificate):
        _ = one.issuer, one.not_valid_before_utc, one.not_valid_after_utc


def _blocks(octets: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Label and text of each block of PEM. Looks at each octet once, for nobody else runs meanwhile."""
    begun: re.Match[bytes] | None = None
    for line in _LINE.finditer(octets):
        if line[1] == b"BEGIN":
            begun = line
        elif begun is not None and begun[2] == line[2]:
            yield line[2], octets[begun.start() : line.end()]
            begun = None


def _pem(path: Path, octets: bytes) -> Document:
    blocks = list(_blocks(octets))
    for label, block in blocks:
        if label in _REQUESTS:
            return x509.load_pem_x509_csr(block)
    revoked = tuple(x509.load_pem_x509_crl(block) for label, block in blocks if label == b"X509 CRL")
    signed = tuple(
        x509.load_pem_x509_certificate(block) for label, block in blocks if label == b"CERTIFICATE"
    )
    if not signed and not revoked:
        raise ValueError("nothing of use in it")
    return signed or revoked


def _der(octets: bytes) -> Document:
    try:
        return (x509.load_der_x509_certificate(octets),)
    except ValueError:
        pass
    try:
        return (x509.load_der_x509_crl(octets),)
    except ValueError:
        return x509.load_der_x509_csr(octets)
