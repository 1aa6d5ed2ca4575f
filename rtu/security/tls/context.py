"""TLS contexts for the station and for a master, and handshakes that fail told in words.

A context is made fresh from the files for every connection and never changed: a changed live context can lose its
key, and a session of TLS 1.2 resumed in the same context is never checked against the revocation list again
(IEC 62351-3), which Python cannot switch off. So that nobody waits for it, the next one is made ahead.
TLS 1.2 and 1.3, both certificates required, no resumption; suites of TLS 1.2 are ECDHE with AES-GCM.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rtu.config.schema import ListenTls

from .quote import quote

_CIPHERS = "ECDHE+AESGCM:@SECLEVEL=2"
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_OTHERS_READ = 0o004


class TlsError(Exception):
    """A file that TLS needs cannot be used; the message names it and says what to do."""


class Failure(NamedTuple):
    """A connection that did not come about: event id of IEC 62351-3 (or our own), and one safe line."""

    event: str
    text: str


def make_context(listen: ListenTls, base_dir: Path) -> ssl.SSLContext:
    """A context for one connection from a master. Relative file names start at `base_dir`.

    Blocks for some milliseconds. Raises TlsError; the caller refuses the connection, or keeps what it had.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, listen.min_version)
    # OP_NO_TICKET alone does not keep TLS 1.3 from resuming (stateful tickets), no tickets at all does.
    context.num_tickets = 0
    _load_pair(context, base_dir / listen.certificate, base_dir / listen.private_key)
    _trust(
        context, [base_dir / name for name in listen.trusted], [base_dir / name for name in listen.revoked]
    )
    return context


class Contexts:
    """A context for each connection of a listener, the next one made ahead from files that have not changed since.

    `soon` runs a callable when nobody waits. What was made ahead of a change of any file is never used.
    """

    def __init__(
        self, listen: ListenTls, base_dir: Path, soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._listen = listen
        self._base_dir = base_dir
        self._soon = soon
        names = (listen.certificate, listen.private_key, *listen.trusted, *listen.revoked)
        self._paths = [base_dir / name for name in names]
        self._next: tuple[list[_Stamp], ssl.SSLContext] | None = None

    def take(self) -> ssl.SSLContext:
        """For one connection. Raises TlsError while a file cannot be used."""
        ahead, self._next = self._next, None
        context = ahead[1] if ahead is not None and ahead[0] == self._stamps() else self._make()
        self._soon(self._ahead)
        return context

    def prepare(self) -> None:
        """Have one ready. Raises TlsError."""
        stamps = self._stamps()  # before: what is written while it is read then counts as a change
        self._next = stamps, self._make()

    def _ahead(self) -> None:
        if self._next is None:
            try:
                self.prepare()
            except TlsError:  # whoever comes next is told
                pass

    def _make(self) -> ssl.SSLContext:
        return make_context(self._listen, self._base_dir)

    def _stamps(self) -> list[_Stamp]:
        """What changes when a file does: replaced, written, or given other permissions."""
        return [_stamp(path) for path in self._paths]


_Stamp = tuple[int, ...]


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def client_context(
    trusted: Sequence[Path],
    certificate: Path,
    private_key: Path,
    *,
    min_version: str = "1.2",
    names: bool = False,
) -> ssl.SSLContext:
    """A context for a master: the station's chain is always verified, its name too with `names`. Raises TlsError."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, min_version)
    context.check_hostname = names
    _load_pair(context, certificate, private_key)
    _trust(context, trusted, ())
    return context


def address_contradicts(certificate: Mapping[str, object], address: str) -> bool:
    """Whether a certificate (`getpeercert()`) names IP addresses, and not this one."""
    names = certificate.get("subjectAltName", ())
    assert isinstance(names, tuple)
    named = {ipaddress.ip_address(value.strip()) for kind, value in names if kind == "IP Address"}
    return bool(named) and ipaddress.ip_address(address) not in named


def describe_failure(error: BaseException) -> Failure:
    """The event and the words for whatever a TLS handshake, or the reading after it, raised."""
    match error:
        case ssl.SSLCertVerificationError():
            event, words = _VERDICTS.get(
                error.verify_code, (_VENDOR, f"is refused: {quote(error.verify_message)}")
            )
            return Failure(event, f"the peer's certificate {words}")
        case ssl.SSLEOFError() | EOFError() | ssl.SSLZeroReturnError():
            return Failure(_VENDOR, "the peer closed the connection during the handshake")
        case ssl.SSLError():
            return _describe_reason(error.reason or "")
        case TimeoutError() | ConnectionAbortedError():
            return Failure(_VENDOR, "the peer did not finish the handshake in time")
        case ConnectionError():
            return Failure(_VENDOR, "the peer closed the connection during the handshake")
        case TlsError():
            return Failure("IEC62351-3:1.7", str(error))
        case _:
            return Failure(_VENDOR, f"the handshake failed: {quote(str(error) or type(error).__name__)}")


def _describe_reason(reason: str) -> Failure:
    if (known := _REASONS.get(reason)) is not None:
        return Failure(*known)
    words = reason.replace("_", " ").lower()
    if "_ALERT_" in reason:
        return Failure(_VENDOR, f"the peer refused the handshake: {words.partition(' alert ')[2]}")
    return Failure(_VENDOR, f"the handshake failed: {words or 'no reason given'}")


def _context(protocol: int, min_version: str) -> ssl.SSLContext:
    # Not create_default_context(): its flags differ between Python versions, and it honours SSLKEYLOGFILE.
    context = ssl.SSLContext(protocol)
    context.minimum_version = _VERSIONS[min_version]
    context.set_ciphers(_CIPHERS)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT
    return context


def _load_pair(context: ssl.SSLContext, certificate: Path, private_key: Path) -> None:
    _readable(certificate)
    _readable(private_key)
    if os.stat(private_key).st_mode & _OTHERS_READ:
        raise TlsError(f"{private_key}: everyone may read this private key: chmod 600 it")

    def no_password() -> str:
        raise TlsError(f"{private_key}: the private key is encrypted: store it without a password, mode 600")

    try:
        context.load_cert_chain(certificate, private_key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(
                f"{private_key}: the key does not belong to {certificate}: install the pair together"
            ) from None
        raise TlsError(
            f"{certificate}, {private_key}: not a certificate and a private key in PEM form "
            f"that TLS can use ({_reason(error)})"
        ) from None


def _trust(context: ssl.SSLContext, authorities: Sequence[Path], revoked: Sequence[Path]) -> None:
    for path in authorities:
        _load(context, path, "x509_ca", "a certificate of an authority")
    for path in revoked:
        _load(context, path, "crl", "a revocation list")
    if revoked:
        # Every authority of the chain then needs a list, the root too.
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _load(context: ssl.SSLContext, path: Path, kind: str, wanted: str) -> None:
    _readable(path)
    # A store of its own: a file that repeats one already loaded would add nothing to the count.
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        scratch.load_verify_locations(path)
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsError(f"{path}: not {wanted} in PEM form ({_reason(error)}): install it again") from None
    if scratch.cert_store_stats()[kind] == 0:
        raise TlsError(f"{path}: does not hold {wanted}: name the right file")


def _readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise TlsError(
            f"{path}: cannot be read ({error.strerror}): correct the name or its permissions"
        ) from None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unreadable").replace("_", " ").lower()


_VENDOR = "outstation:2.1"

_VERDICTS: Mapping[int, tuple[str, str]] = {
    2: ("IEC62351-3:2.2", "was signed by an authority that is not trusted"),
    3: ("IEC62351-3:2.5", "cannot be checked: an authority of its chain has no revocation list"),
    7: ("IEC62351-3:2.10", "has a wrong signature"),
    9: (_VENDOR, "is not valid yet: is the clock right?"),
    10: ("IEC62351-3:2.8", "has expired"),
    11: ("IEC62351-3:2.6", "cannot be checked: the revocation list is not valid yet"),
    12: ("IEC62351-3:2.6", "cannot be checked: the revocation list has expired"),
    18: ("IEC62351-3:2.2", "is signed by itself and not trusted"),
    19: ("IEC62351-3:2.2", "leads to a root authority that is not trusted"),
    20: ("IEC62351-3:2.2", "was signed by an authority that is not trusted"),
    23: ("IEC62351-3:2.4", "is revoked"),
    26: (_VENDOR, "was made for another purpose: see its extended key usage"),
    34: (_VENDOR, "has an unknown critical extension"),
    62: (_VENDOR, "is made out to another host name"),
    64: (_VENDOR, "is made out to another IP address"),
    66: ("IEC62351-3:2.11", "has a key that is too short"),
    85: (_VENDOR, "does not name the key of its authority (authority key identifier)"),
    92: (_VENDOR, "leads to an authority without key usage"),
}
"""By X509_V_ERR code: event and words after "the peer's certificate"."""

_REASONS: Mapping[str, tuple[str, str]] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": ("IEC62351-3:1.6", "the peer showed no certificate"),
    "UNSUPPORTED_PROTOCOL": ("IEC62351-3:1.4", "the peer offers only TLS versions that are not allowed"),
    "NO_SHARED_CIPHER": ("IEC62351-3:1.9", "the peer offers no cipher suite that is allowed"),
    "NO_SUITABLE_SIGNATURE_ALGORITHM": (
        "IEC62351-3:1.9",
        "the peer offers no signature algorithm that is allowed",
    ),
    "NO_SUITABLE_KEY_SHARE": ("IEC62351-3:1.9", "the peer offers no key exchange group that is allowed"),
    "WRONG_VERSION_NUMBER": (_VENDOR, "the peer does not speak TLS: plain 104 on the TLS port?"),
    "HTTP_REQUEST": (_VENDOR, "the peer does not speak TLS: HTTP on the TLS port?"),
    "EXCESSIVE_MESSAGE_SIZE": ("IEC62351-3:2.1", "the peer's certificate is too large"),
    "UNEXPECTED_EOF_WHILE_READING": (_VENDOR, "the peer closed the connection during the handshake"),
    "TLSV1_ALERT_UNKNOWN_CA": (_VENDOR, "the peer refused the handshake: it does not trust our authority"),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        _VENDOR,
        "the peer refused the handshake: it asks for a certificate",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": (
        _VENDOR,
        "the peer refused the handshake: our certificate has expired",
    ),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": (
        _VENDOR,
        "the peer refused the handshake: our certificate is revoked",
    ),
}
"""By SSLError.reason."""
