"""Kinds of keys: those that are made, those that are taken, and the digest a key is known by.

Taken is what TLS on this station can use (security level 2, signatures with SHA-256 and SHA-384): curves P-256 and
P-384, and RSA from 2048 bits. RSA beyond 4096 bits would hold up a small board at every handshake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

_EXPONENT = 65537
_CURVES: Mapping[str, str] = {"secp256r1": "P-256", "secp384r1": "P-384"}

KINDS: Mapping[str, Callable[[], PrivateKey]] = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "RSA-2048": lambda: rsa.generate_private_key(_EXPONENT, 2048),
    "RSA-3072": lambda: rsa.generate_private_key(_EXPONENT, 3072),
}
"""What can be made. P-256 is the one to take, RSA for masters that know nothing else."""


class CertificateError(Exception):
    """A certificate, key, request or list that cannot be used for what is wanted: one line that says what to do."""


def kind(key: object) -> str:
    """In words what a public key is, whether it is taken or not: "P-256", "RSA-2048"."""
    match key:
        case ec.EllipticCurvePublicKey():
            return _CURVES.get(key.curve.name, key.curve.name)
        case rsa.RSAPublicKey():
            return f"RSA-{key.key_size}"
        case _:
            return type(key).__name__.lstrip("_").removesuffix("PublicKey")


def taken(key: object) -> PublicKey:
    """The same key, if it is of a kind that is taken. Raises CertificateError."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return key
        case rsa.RSAPublicKey() if 2048 <= key.key_size <= 4096 and key.public_numbers().e >= _EXPONENT:
            return key
    raise CertificateError(
        f"its key ({kind(key)}) is not taken: use P-256, P-384 or RSA of 2048 to 4096 bits"
    )


def digest(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of the subject public key info, 64 lower-case hexadecimal digits."""
    made = hashes.Hash(hashes.SHA256())
    made.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return made.finalize().hex()


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    """What this key signs with: as strong as the key."""
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1"
    return hashes.SHA384() if strong else hashes.SHA256()


def spoken(digits: str) -> str:
    """Hexadecimal digits in groups of four, as one reads them out over the telephone."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))
