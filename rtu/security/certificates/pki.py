"""Certificates for stations and masters, and the lists that revoke them.

One authority signs both; a station certificate says serverAuth, a master's clientAuth. Every certificate carries what
strict verification asks for (RFC 5280): key identifiers, critical basic constraints and critical key usage.
"""

import ipaddress
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rtu.config.schema import Role

from . import alternative_name, keys
from .keys import PrivateKey, PublicKey
from .role import role_extension

Profile = Literal["station", "master"]

_PURPOSE: Mapping[Profile, x509.ObjectIdentifier] = {
    "station": ExtendedKeyUsageOID.SERVER_AUTH,
    "master": ExtendedKeyUsageOID.CLIENT_AUTH,
}
# Peers whose clock is a little behind must not find a new certificate "not yet valid".
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key; with `make_ca`, an authority that can sign others."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """PKCS #8, not encrypted."""
        return private_pem(self.key)

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of the public key, as `identity = { spki_sha256 = ... }` wants it: 64 hexadecimal digits."""
        return spki_sha256(self.certificate)

    def write(self, certificate: Path, key: Path | None = None) -> None:
        """Write PEM files: the certificate for all to read, the key for nobody but the owner. Raises OSError."""
        write_file(certificate, self.certificate_pem, 0o644)
        if key is not None:
            write_file(key, self.key_pem, 0o600)


class Revocation(NamedTuple):
    """A certificate that is not to be taken any more, since when, and why (RFC 5280, 5.3.1)."""

    serial: int
    since: datetime
    reason: x509.ReasonFlags = x509.ReasonFlags.unspecified


def make_ca(name: str, days: int = 3650, *, kind: str = "P-256", now: datetime | None = None) -> Issued:
    """A new authority that may sign stations and masters, but no further authority. `kind` is one of `keys.KINDS`."""
    key = keys.KINDS[kind]()
    now = now or datetime.now(UTC)
    builder = (
        _builder(
            _name(name), _name(name), key.public_key(), key.public_key(), now, now + timedelta(days=days)
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
    )
    return Issued(builder.sign(key, keys.signature_hash(key)), key)


def issue(
    ca: Issued,
    name: str,
    profile: Profile,
    sans: Sequence[str] = (),
    days: int = 730,
    *,
    role: Role | None = None,
    kind: str = "P-256",
    now: datetime | None = None,
) -> Issued:
    """A new key and its certificate: see `sign`."""
    key = keys.KINDS[kind]()
    return Issued(sign(ca, key.public_key(), name, profile, sans, days, role=role, now=now), key)


def sign(
    ca: Issued,
    key: PublicKey,
    name: str,
    profile: Profile,
    sans: Sequence[str] = (),
    days: int = 730,
    *,
    role: Role | None = None,
    now: datetime | None = None,
) -> x509.Certificate:
    """A certificate for somebody else's key, never valid for longer than the authority itself.

    `sans` are written as in a station file ("dns:...", "ip:..."), `role` is what a master's certificate limits it to
    (IEC 62351-8). Raises ValueError when an alternative name is no name.
    """
    now = now or datetime.now(UTC)
    end = min(now + timedelta(days=days), ca.certificate.not_valid_after_utc)
    # Suites with RSA key exchange, which the full profile of IEC 62351-3 has, encipher with the station's key.
    enciphers = profile == "station" and isinstance(key, rsa.RSAPublicKey)
    builder = (
        _builder(_name(name), ca.certificate.subject, key, ca.key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(enciphers=enciphers), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSE[profile]]), critical=False)
    )
    if sans:
        names = x509.SubjectAlternativeName([alternative_name.parse(san) for san in sans])
        builder = builder.add_extension(names, critical=False)
    if role is not None:
        builder = builder.add_extension(role_extension(role), critical=False)
    return builder.sign(ca.key, keys.signature_hash(ca.key))


def revocation_list(
    ca: Issued, serials: Iterable[int], *, number: int = 1, days: int = 7, now: datetime | None = None
) -> bytes:
    """A CRL in PEM that revokes the certificates with these serial numbers; `number` must only ever grow."""
    now = now or datetime.now(UTC)
    revoked = [Revocation(serial, now - _BACKDATED) for serial in serials]
    return make_list(ca, revoked, number=number, days=days, now=now).public_bytes(serialization.Encoding.PEM)


def make_list(
    ca: Issued, revoked: Iterable[Revocation], *, number: int, days: int, now: datetime
) -> x509.CertificateRevocationList:
    """A CRL; `number` must only ever grow, a new list is due after `days`."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now - _BACKDATED)
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(ca.key.public_key()), critical=False)
    )
    for serial, since, reason in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
        if reason is not x509.ReasonFlags.unspecified:  # which is told by saying nothing (RFC 5280, 5.3.1)
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca.key, keys.signature_hash(ca.key))


def spki_sha256(certificate: x509.Certificate) -> str:
    """SHA-256 of the subject public key info, 64 lower-case hexadecimal digits."""
    return keys.digest(certificate.public_key())


def private_pem(key: PrivateKey) -> bytes:
    """PKCS #8 in PEM, not encrypted: a station reads it when nobody is there to type a pass phrase."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def own_addresses(*addresses: str) -> list[str]:
    """Alternative names for host names and IP addresses, as `issue` wants them."""
    return [f"ip:{address}" if _is_ip(address) else f"dns:{address}" for address in addresses]


def write_file(path: Path, octets: bytes, mode: int) -> None:
    """Write `octets` to a file that has `mode` before the first octet is in it. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(octets)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    issuer_key: PublicKey,
    now: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_authority_key(issuer_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_key(key: PublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _key_usage(*, signs: bool = False, enciphers: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
