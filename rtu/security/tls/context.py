"""TLS contexts for the station and for a master, and handshakes that fail told in words.

A context is made fresh for every connection and never changed: a changed live context can lose its key, and in a
context that has seen a session TLS 1.2 would resume it, which Python cannot switch off, so that nobody would show a
certificate again (IEC 62351-3, 7.4.4). TLS 1.2 and 1.3, both certificates required; suites are in `profiles`.
Revocation lists are not OpenSSL's business but that of `trust`.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rtu.config.schema import ListenTls
from rtu.security import files
from rtu.security.quote import quote

from .profiles import FFDHE2048, Profile, cipher_string

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_OTHERS_READ = 0o004
# Of OpenSSL, without names in Python.
_ALLOW_CLIENT_RENEGOTIATION = 1 << 8
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)

_HANDSHAKE, _CLIENT_HELLO = 22, 1
_TURNS = 6
"""More than any handshake takes."""
RENEGOTIATIONS = 10
"""How often a master may renegotiate on one connection."""


class StationContext(ssl.SSLContext):
    """The context of one connection. `too_many` is called when its master renegotiates more often than it may.

    That may be in the midst of reading: end the connection later.
    """

    too_many: Callable[[], object] | None = None
    _left = RENEGOTIATIONS + 1  # the first handshake is none

    def count_renegotiations(self) -> None:
        """From the first handshake on. A peer could keep the processor busy with nothing else."""
        self._msg_callback = _count

    def renegotiated(self) -> None:
        self._left -= 1
        if self._left < 0 and self.too_many is not None:
            self.too_many()


def _count(
    secured: ssl.SSLObject, direction: str, version: int, content: int, message: int, octets: bytes
) -> None:
    if (direction, content, message) == ("read", _HANDSHAKE, _CLIENT_HELLO):
        assert isinstance(secured.context, StationContext)
        secured.context.renegotiated()


class TlsError(Exception):
    """A file that TLS needs cannot be used; the message names it and says what to do."""


class Failure(NamedTuple):
    """A connection that did not come about: event id of IEC 62351-3 (or our own), and one safe line."""

    event: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The station's certificate, with those between it and the root, and its key: as they were read, in PEM."""

    certificate: bytes
    key: bytes
    names: tuple[str, str]
    """Of the files, to tell them."""


def read_pair(certificate: Path, key: Path) -> Pair:
    """The files of certificate and key, found to belong together. Raises TlsError."""
    octets = read(certificate), read(key)
    if os.stat(key).st_mode & _OTHERS_READ and not files.is_guarded(key):
        raise TlsError(f"{key}: everyone may read this private key: chmod 600 it")
    pair = Pair(*octets, (str(certificate), str(key)))
    _load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair)
    return pair


def prove_pair(pair: Pair) -> None:
    """Have the key sign: one that lies in a TPM can be there and not work. Raises TlsError.

    Blocks for some milliseconds, as long as the key takes.
    """
    station = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(station, pair)
    try:
        shake_hands(station, throw_away_client(ssl.TLSVersion.TLSv1_3))
    except ssl.SSLError as error:
        raise TlsError(f"{pair.names[1]}: the private key does not sign ({_reason(error)})") from None


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A handshake in memory. Raises the SSLError of whoever ends it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    waiting = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(_TURNS):
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    if waiting:
        raise ssl.SSLError("the handshake does not come to an end")


def read(path: Path) -> bytes:
    """What a file holds. Raises TlsError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(
            f"{path}: cannot be read ({error.strerror}): correct the name or its permissions"
        ) from None


def make_context(listen: ListenTls, base_dir: Path) -> ssl.SSLContext:
    """A context from the files as they are now, relative ones from `base_dir`: to find out whether they can be used.

    Each has to be in order. Raises TlsError.
    """
    pair = read_pair(files.resolve(listen.certificate, base_dir), files.resolve(listen.private_key, base_dir))
    context = assemble(listen, pair, (), partial=bool(listen.pinned))
    for name in (*listen.trusted, *listen.pinned):
        _load_authorities(context, files.resolve(name, base_dir))
    return context


def assemble(
    listen: ListenTls, pair: Pair, trusted: Sequence[bytes], *, partial: bool = False, time: bool = True
) -> ssl.SSLContext:
    """A context for one connection from a master, whose chain has to end in one of `trusted` (certificates in DER).

    `partial`: they need not be root authorities. Without `time` no date is looked at (`trust` does it). Blocks for a
    millisecond. Raises TlsError.
    """
    context = StationContext(ssl.PROTOCOL_TLS_SERVER)
    _settle(context, listen.min_version, listen.profile)
    # OP_NO_TICKET alone does not keep TLS 1.3 from resuming (stateful tickets), no tickets at all does.
    context.num_tickets = 0
    if listen.profile == "iec62351-3":
        context.load_dh_params(str(FFDHE2048))
    if partial:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if not time:
        context.verify_flags |= _NO_CHECK_TIME
    if listen.renegotiation:
        context.options |= _ALLOW_CLIENT_RENEGOTIATION
        context.count_renegotiations()
    _load_pair(context, pair)
    if trusted:
        context.load_verify_locations(cadata=b"".join(trusted))
    return context


def verified_chain(secured: ssl.SSLObject) -> tuple[bytes, ...]:
    """The certificates in DER that were verified, the peer's first, the authority we trust last."""
    public = getattr(secured, "get_verified_chain", None)
    if public is not None:  # Python 3.13
        return tuple(public())
    from _ssl import ENCODING_DER

    return tuple(each.public_bytes(ENCODING_DER) for each in secured._sslobj.get_verified_chain() or ())  # type: ignore[attr-defined]


def client_context(
    trusted: Sequence[Path],
    certificate: Path,
    private_key: Path,
    *,
    min_version: str = "1.2",
    names: bool = False,
) -> ssl.SSLContext:
    """A context for a master: the station's chain is always verified, its name too with `names`. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _settle(context, min_version, "recommended")
    context.check_hostname = names
    _load_pair(context, read_pair(certificate, private_key))
    for path in trusted:
        _load_authorities(context, path)
    return context


def throw_away_client(version: ssl.TLSVersion, pair: Pair | None = None) -> ssl.SSLContext:
    """A context for the self-test: of this version alone, believes every station."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _settle(context, "1.2", "recommended")
    context.minimum_version = context.maximum_version = version
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if pair is not None:
        _load_pair(context, pair)
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


def _settle(context: ssl.SSLContext, min_version: str, profile: Profile) -> None:
    # Not create_default_context(): its flags differ between Python versions, and it honours SSLKEYLOGFILE.
    context.minimum_version = _VERSIONS[min_version]
    context.set_ciphers(cipher_string(profile))
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_STRICT


def _load_pair(context: ssl.SSLContext, pair: Pair) -> None:
    certificate, key = pair.names

    def no_password() -> str:
        raise TlsError(f"{key}: the private key is encrypted: store it without a password, mode 600")

    try:
        with _in_memory(pair.certificate) as first, _in_memory(pair.key) as second:
            context.load_cert_chain(first, second, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsError(
                f"{key}: the key does not belong to {certificate}: install the pair together"
            ) from None
        raise TlsError(
            f"{certificate}, {key}: not a certificate and a private key in PEM form "
            f"that TLS can use ({_reason(error)})"
        ) from None
    except OSError as error:  # a key in a TPM or token that cannot be reached
        raise TlsError(
            f"{key}: the private key cannot be used ({error.strerror}): is its token there?"
        ) from None


@contextmanager
def _in_memory(octets: bytes) -> Iterator[str]:
    """The name of a file with these octets: Python takes keys from files only, and theirs may be gone by now."""
    handle = os.memfd_create("tls")
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(octets)
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def _load_authorities(context: ssl.SSLContext, path: Path) -> None:
    read(path)
    # A store of its own: a file that repeats one already loaded would add nothing to the count.
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        scratch.load_verify_locations(path)
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsError(
            f"{path}: not a certificate in PEM form ({_reason(error)}): install it again"
        ) from None
    if scratch.cert_store_stats()["x509"] == 0:
        raise TlsError(f"{path}: does not hold a certificate: name the right file")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "unreadable").replace("_", " ").lower()


_VENDOR = "outstation:3.1"
"""Refused for a reason that IEC 62351-3 has no event for."""

_VERDICTS: Mapping[int, tuple[str, str]] = {
    2: ("IEC62351-3:2.2", "was signed by an authority that is not trusted"),
    3: ("IEC62351-3:2.5", "cannot be checked: an authority of its chain has no revocation list"),
    7: ("IEC62351-3:2.10", "has a wrong signature"),
    9: ("outstation:3.9", "is not valid yet: is the clock right?"),
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
    "VERSION_TOO_LOW": ("IEC62351-3:1.4", "the peer offers only TLS versions that are not allowed"),
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
