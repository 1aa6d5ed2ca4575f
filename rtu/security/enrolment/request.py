"""Requests: made where the key is made, and judged where they are signed.

Of a request an authority takes the public key, the subject's common name and the alternative names, the names only
after a human has confirmed them. Whatever else it asks for, to be an authority for example, is named and left out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID, NameOID

from rtu.security.certificates import alternative_name, keys
from rtu.security.certificates.keys import CertificateError, PrivateKey, PublicKey
from rtu.security.quote import quote

LONGEST_NAME = 64
"""Characters of a common name (X.520)."""

MOST_NAMES = 32
"""Alternative names in a certificate that is made here."""

# Nothing a terminal, a spreadsheet or a log could mistake for something else.
_COMMON_NAME = re.compile(r"\w[\w .:/()_-]*")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
_PRINTABLE = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to be signed; `left_out` names what is not granted."""

    key: PublicKey
    name: str
    names: tuple[str, ...]
    left_out: tuple[str, ...]


def make(key: PrivateKey, name: str, names: Sequence[str]) -> bytes:
    """A request in PEM for the owner of `key`, with names as `checked_names` returns them. Raises CertificateError."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, checked_name(name))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        alternatives = [alternative_name.parse(each) for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, keys.signature_hash(key)).public_bytes(serialization.Encoding.PEM)


def judge(csr: x509.CertificateSigningRequest) -> Request:
    """What can be taken of a request. Raises CertificateError when it is not sound or its key is not taken.

    The names are as they are asked for: see `checked_name` and `checked_names`.
    """
    # Made by strangers: whatever the parser raises means that the request is of no use.
    try:
        sound = csr.is_signature_valid
        key = csr.public_key()
        extensions = csr.extensions
        names = alternative_name.texts(extensions)
        left_out = _left_out(extensions)
    except Exception as error:  # see above
        raise CertificateError(f"the request cannot be read: {quote(str(error))}") from None
    if not sound:
        raise CertificateError("the request is not signed with its own key: make a new one")
    return Request(keys.taken(key), common_name(csr.subject), names, left_out)


def common_name(subject: x509.Name) -> str:
    """The first common name, or nothing."""
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def checked_name(name: str) -> str:
    """The same common name. Raises CertificateError when it is not fit to be shown and kept."""
    if len(name) <= LONGEST_NAME and _COMMON_NAME.fullmatch(name):
        return name
    raise CertificateError(
        f"common name {quote(name)}: give one of 1 to {LONGEST_NAME} letters, digits, spaces and . : / ( ) _ - "
        "with --common-name"
    )


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """Alternative names as a certificate shall have them: each once, no wildcards. Raises CertificateError."""
    checked = tuple(dict.fromkeys(_checked(name) for name in names))
    if len(checked) > MOST_NAMES:
        raise CertificateError(f"{len(checked)} alternative names: {MOST_NAMES} are the most, give fewer")
    return checked


def _checked(name: str) -> str:
    try:
        parsed = alternative_name.parse(name)
    except ValueError as error:
        raise CertificateError(f"name: {error}") from None
    kind, _, value = name.partition(":")
    form = _HOST if kind == "dns" else _PRINTABLE
    if isinstance(parsed, x509.IPAddress):
        if isinstance(parsed.value, ipaddress.IPv4Network | ipaddress.IPv6Network):
            raise CertificateError(f"name {quote(name)}: a certificate names addresses, not networks")
    elif not form.fullmatch(value.lower() if kind == "dns" else value):
        raise CertificateError(f"name {quote(name)}: not a name a certificate may have; give the right ones")
    written = alternative_name.text(parsed)
    assert written is not None
    return written


def _left_out(extensions: x509.Extensions) -> tuple[str, ...]:
    out = []
    for extension in extensions:
        if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            others = [name for name in extension.value if alternative_name.text(name) is None]
            out += ["alternative names of other kinds"] if others else []
        elif isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            out.append("to be an authority (CA:TRUE)")
        else:
            out.append(
                extension.oid._name if extension.oid._name != "Unknown OID" else extension.oid.dotted_string
            )
    return tuple(out)
