"""Keys and certificates for stations and masters, all P-256.

One authority signs both; a station certificate says serverAuth, a master's clientAuth. Every certificate carries what
strict verification asks for (RFC 5280): key identifiers, critical basic constraints and critical key usage.
"""

import ipaddress
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import alternative_name

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
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """PKCS #8, not encrypted."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def spki_sha256(self) -> str:
        """SHA-256 of the public key, as `identity = { spki_sha256 = ... }` wants it: 64 hexadecimal digits."""
        return spki_sha256(self.certificate)

    def write(self, certificate: Path, key: Path | None = None) -> None:
        """Write PEM files: the certificate for all to read, the key for nobody but the owner. Raises OSError."""
        write_file(certificate, self.certificate_pem, 0o644)
        if key is not None:
            write_file(key, self.key_pem, 0o600)


def make_ca(name: str, days: int = 3650) -> Issued:
    """A new authority that may sign stations and masters, but no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        _builder(subject, subject, key.public_key(), key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)


def issue(ca: Issued, name: str, profile: Profile, sans: Sequence[str] = (), days: int = 730) -> Issued:
    """A key and a certificate signed by `ca`; `sans` are written as in a station file ("dns:...", "ip:...").

    Raises ValueError when an alternative name is no name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), ca.certificate.subject, key.public_key(), ca.key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSE[profile]]), critical=False)
    )
    if sans:
        names = x509.SubjectAlternativeName([alternative_name.parse(san) for san in sans])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(ca.key, hashes.SHA256()), key)


def revocation_list(ca: Issued, serials: Iterable[int], *, number: int = 1, days: int = 7) -> bytes:
    """A CRL in PEM that revokes the certificates with these serial numbers; `number` must only ever grow."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.certificate.subject)
        .last_update(now - _BACKDATED)
        .next_update(now + timedelta(days=days))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key(ca.key.public_key()), critical=False)
    )
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - _BACKDATED)
        builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def spki_sha256(certificate: x509.Certificate) -> str:
    """SHA-256 of the subject public key info, 64 lower-case hexadecimal digits."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return digest.finalize().hex()


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
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_authority_key(issuer_key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority_key(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
