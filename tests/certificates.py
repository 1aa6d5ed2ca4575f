"""Certificates of every kind, also such as no authority should make: for what has to be refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rtu.security.certificates import alternative_name, keys, pki

CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
PRIVATE = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")


def make(
    ca: pki.Issued | None,
    *extensions: x509.ExtensionType,
    name: str = "m",
    sans: Sequence[str] = ("dns:m.example",),
    days: tuple[float, float] = (-1, 30),
    rsa_bits: int = 0,
    key: keys.PrivateKey | None = None,
    authority: bool = False,
    critical: x509.ExtensionType | None = None,
    names_its_authority: bool = True,
) -> pki.Issued:
    """Signed by `ca`, or by itself, valid in these days from now, with these extensions besides the usual ones."""
    now = dt.datetime.now(dt.UTC)
    if key is None:
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else keys.KINDS["P-256"]()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = key if ca is None else ca.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if ca is None else ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False),
            critical=True,
        )
    )
    if names_its_authority:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    if sans and not authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([alternative_name.parse(san) for san in sans]), critical=False
        )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    if critical is not None:
        builder = builder.add_extension(critical, critical=True)
    return pki.Issued(builder.sign(signer, hashes.SHA256()), key)


def of_size(ca: pki.Issued, octets: int) -> pki.Issued:
    """A master's certificate of exactly so many octets in DER; the signature's length is not always the same."""
    padding = octets - 600
    for _ in range(100):
        issued = make(ca, CLIENT, x509.UnrecognizedExtension(PRIVATE, bytes(padding)))
        lacking = octets - len(issued.certificate.public_bytes(Encoding.DER))
        if lacking == 0:
            return issued
        padding += lacking
    raise AssertionError("no such size")


def renamed(issued: pki.Issued, signer: pki.Issued, names: dict[bytes, bytes]) -> pki.Issued:
    """The same with other octets in its names, signed anew (P-256): also such as our parser cannot read."""
    octets = issued.certificate.tbs_certificate_bytes
    for before, after in names.items():
        assert len(before) == len(after)
        octets = octets.replace(before, after)
    assert isinstance(signer.key, ec.EllipticCurvePrivateKey)
    signature = b"\0" + signer.key.sign(octets, ec.ECDSA(hashes.SHA256()))
    octets += bytes.fromhex("300a06082a8648ce3d040302 03") + bytes([len(signature)]) + signature
    whole = b"\x30\x82" + len(octets).to_bytes(2, "big") + octets
    return pki.Issued(x509.load_der_x509_certificate(whole), issued.key)


def self_signed_authority(name: str, days: tuple[float, float] = (-1, 3650)) -> pki.Issued:
    """A root that, unlike those of `pki`, may sign other authorities."""
    return make(None, name=name, authority=True, days=days)
