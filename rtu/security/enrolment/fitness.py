"""Whether a certificate fits this station: judged before it is installed, by what TLS will ask of it.

Each check says in its own words what is wrong; the last one is a handshake with the station's own settings against a
peer that verifies strictly, so that nothing is found out only when a master connects.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from rtu.config.schema import ListenTls
from rtu.security.certificates import alternative_name, documents, keys
from rtu.security.certificates.keys import CertificateError
from rtu.security.identity import MAX_CERTIFICATE
from rtu.security.quote import quote
from rtu.security.tls.context import Pair, TlsError, assemble, describe_failure, shake_hands

_UNKNOWN_AUTHORITY = (2, 18, 19, 20)
"""X509_V_ERR codes: the chain leads to nobody who is trusted."""


class UnknownAuthority(CertificateError):
    """Nobody who is known here has signed it."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A certificate that fits: in PEM with its intermediates as it is to be installed, and the key it belongs to."""

    leaf: x509.Certificate
    pem: bytes
    key: Path
    versions: tuple[str, ...]
    """TLS versions of the handshakes it was proved with."""


def judge(
    chain: Sequence[x509.Certificate],
    candidates: Sequence[Path],
    listen: ListenTls,
    base_dir: Path,
    *,
    authorities: Sequence[Path] = (),
    names: Sequence[str] | None = None,
    now: datetime,
) -> Fit:
    """The station's certificate first in `chain`, intermediates behind it.

    `candidates` are the keys it may belong to, `authorities` may have issued it besides the trusted ones. It must bear
    all `names`, and at least one; None is for any or none. Raises CertificateError, OSError.
    """
    check(chain, names, now)
    leaf = chain[0]
    # Masters have the root, or would not believe it.
    sent = [leaf, *(one for one in chain[1:] if one.subject != one.issuer)]
    pem = documents.pem(sent)
    key = _own_key(pem, candidates, listen)
    anchors = [
        one
        for path in (*(base_dir / name for name in listen.trusted), *authorities)
        for one in documents.certificates(path)
    ]
    return Fit(leaf, pem, key, _prove(Pair(pem, key.read_bytes(), _names_of(key)), listen, anchors))


def check(chain: Sequence[x509.Certificate], names: Sequence[str] | None, now: datetime) -> None:
    """What can be told from the certificates alone. Raises CertificateError."""
    leaf = chain[0]
    _dates(leaf, now)
    _purpose(leaf)
    _size(chain)
    keys.taken(leaf.public_key())
    if names is not None:
        _names(leaf, names)


def _dates(leaf: x509.Certificate, now: datetime) -> None:
    if leaf.not_valid_after_utc <= now:
        raise CertificateError(
            f"the certificate has expired on {documents.day(leaf.not_valid_after_utc)}: have a new one signed"
        )
    if leaf.not_valid_before_utc > now:
        raise CertificateError(
            f"the certificate begins on {documents.day(leaf.not_valid_before_utc)}, and the clock says "
            f"{documents.day(now)}: set the clock (timedatectl)"
        )


def _purpose(leaf: x509.Certificate) -> None:
    try:
        if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise CertificateError(
                "this is the certificate of an authority: it goes where `trusted` of the station file says"
            )
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = []
    if ExtendedKeyUsageOID.SERVER_AUTH not in purposes:
        raise CertificateError(
            "the certificate is not made for a station: extended key usage serverAuth is missing, "
            "have it signed with the profile of a station"
        )


def _size(sent: Sequence[x509.Certificate]) -> None:
    for one in sent:
        size = len(one.public_bytes(serialization.Encoding.DER))
        if size > MAX_CERTIFICATE:
            raise CertificateError(
                f"a certificate of {size} octets is too large for masters, {MAX_CERTIFICATE} are the most"
            )


def _names(leaf: x509.Certificate, wanted: Sequence[str]) -> None:
    has = alternative_name.texts(leaf.extensions)
    if not has:
        raise CertificateError(
            "the certificate has no alternative name, by which masters may know the station: have it signed with the "
            "names of the request, or say --other-names"
        )
    missing = [name for name in wanted if name not in has]
    if missing:
        raise CertificateError(
            f"the certificate lacks the name {', '.join(map(quote, missing))}, by which masters may know the "
            "station: have it signed with the names of the request, or say --other-names"
        )


def _own_key(pem: bytes, candidates: Sequence[Path], listen: ListenTls) -> Path:
    """The key that belongs to the certificate. OpenSSL tells: a key may lie in a token it alone can use."""
    existing = [path for path in candidates if path.exists()]
    if not existing:
        raise CertificateError(f"{candidates[-1]}: there is no key: begin with `rtu certs request`")
    reasons = []
    for path in existing:
        try:
            assemble(listen, Pair(pem, path.read_bytes(), _names_of(path)), ())
        except TlsError as error:
            reasons.append(str(error))
        else:
            return path
    raise CertificateError("; ".join(reasons))


def _names_of(key: Path) -> tuple[str, str]:
    return ("this certificate", str(key))


def _prove(pair: Pair, listen: ListenTls, anchors: Sequence[x509.Certificate]) -> tuple[str, ...]:
    versions = [ssl.TLSVersion.TLSv1_3]
    if listen.min_version == "1.2":
        versions.append(ssl.TLSVersion.TLSv1_2)
    for version in versions:
        server = assemble(listen, pair, ())
        server.verify_mode = ssl.CERT_NONE  # it is the station's certificate that is judged, not the peer's
        peer = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        peer.check_hostname = False
        peer.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT
        peer.minimum_version = peer.maximum_version = version
        if anchors:
            peer.load_verify_locations(cadata=documents.pem(anchors).decode())
        try:
            shake_hands(server, peer)
        except ssl.SSLError as error:
            words = describe_failure(error).text.replace("the peer's certificate", "the certificate")
            if getattr(error, "verify_code", 0) in _UNKNOWN_AUTHORITY:
                raise UnknownAuthority(f"{words}: name its certificate with --authority") from None
            raise CertificateError(words) from None
    return tuple(version.name.replace("TLSv", "TLS ").replace("_", ".") for version in versions)
