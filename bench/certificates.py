"""An authority, the station's certificate and the master's, with keys of either common kind."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rtu.security.certificates.pki import Issued, issue, make_ca

Keys = Literal["P-256", "RSA-3072"]


def certificates(where: Path, keys: Keys = "P-256") -> None:
    """Write ca.crt, and .crt and .key of the station, of a master and of another one, the watcher."""
    ca = make_ca("Bench authority", days=2)
    ca.write(where / "ca.crt")
    for name, issued in {
        "station": issue(ca, "station", "station", ["ip:127.0.0.1"], days=2),
        "master": issue(ca, "master", "master", ["dns:master.bench"], days=2),
        "watcher": issue(ca, "watcher", "master", ["dns:watcher.bench"], days=2),
    }.items():
        if keys == "P-256":
            issued.write(where / f"{name}.crt", where / f"{name}.key")
        else:
            _write_with_rsa(issued, ca, where / f"{name}.crt", where / f"{name}.key")


def _write_with_rsa(issued: Issued, ca: Issued, certificate: Path, key: Path) -> None:
    """The same certificate for an RSA key, which the project itself never makes."""
    private = rsa.generate_private_key(65537, 3072)
    twin = issued.certificate
    builder = (
        x509.CertificateBuilder(twin.issuer, twin.subject, private.public_key(), twin.serial_number)
        .not_valid_before(twin.not_valid_before_utc)
        .not_valid_after(twin.not_valid_after_utc)
    )
    for extension in twin.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
        builder = builder.add_extension(value, extension.critical)
    certificate.write_bytes(builder.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)


def master_context(where: Path, name: str = "master") -> ssl.SSLContext:
    """What a master presents and accepts."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(where / "ca.crt"))
    context.check_hostname = False
    context.load_cert_chain(where / f"{name}.crt", where / f"{name}.key")
    return context


def station_context(where: Path) -> ssl.SSLContext:
    """What a server that does nothing but TLS presents and accepts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(where / "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(where / "station.crt", where / "station.key")
    return context
