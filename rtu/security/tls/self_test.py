"""Before anybody is let in over TLS: does it refuse whom it has to, and offer what it is meant to offer?

Which suites TLS 1.3 has is said in a file that OpenSSL reads once, and whether it was read nobody tells; a library may be
another one tomorrow. So contexts made as for real masters shake hands in memory, with throw-away certificates, some good
and some not. The station's own files play no part: they can be exchanged while it runs, this cannot.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial

from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

from rtu.config.schema import ListenTls
from rtu.security.certificates import pki

from .context import Pair, TlsError, assemble, shake_hands, throw_away_client
from .libcrypto import CONFIGURATION
from .profiles import TLS_1_3

_CODES = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "TLS_AES_128_CCM_SHA256": 0x1304,
    "TLS_AES_128_CCM_8_SHA256": 0x1305,
}
"""All suites of TLS 1.3 (RFC 8446, B.4)."""

_SESSION_ID_AT = 5 + 4 + 2 + 32
"""Of both hellos: after the headers of record and message, the version and the random octets (RFC 8446, 4.1)."""


def prove(listen: ListenTls) -> None:
    """Blocks for some ten milliseconds. Raises TlsError: nobody must be let in over TLS."""
    ca, stranger = pki.make_ca("Self-test", days=1), pki.make_ca("Self-test", days=1)
    station = pki.issue(ca, "station", "station", days=1)
    pair = Pair(station.certificate_pem, station.key_pem, ("self-test", "self-test"))
    trusted = [ca.certificate.public_bytes(Encoding.DER)]
    # The machine's clock may stand anywhere; dates are tested where they are judged.
    make = partial(assemble, replace(listen, min_version="1.2"), pair, trusted, time=False)
    offered = [name for name, code in _CODES.items() if _accepts(make, code)]
    if set(offered) != set(TLS_1_3):
        raise TlsError(
            f"self-test of TLS: the suites of TLS 1.3 are {', '.join(offered) or 'none'}, not {', '.join(TLS_1_3)}: "
            f"the file in OPENSSL_CONF has to include {CONFIGURATION}"
        )
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for who, issuer in (
            ("a good master", ca),
            ("a master of another authority", stranger),
            ("nobody", None),
        ):
            shown = None if issuer is None else pki.issue(issuer, "master", "master", days=1)
            if _admits(make, version, shown) is not (issuer is ca):
                raise TlsError(
                    f"self-test of TLS: {who} was {'refused' if issuer is ca else 'let in'}: report this"
                )


def _accepts(make: Callable[[], ssl.SSLContext], code: int) -> bool:
    """Whether the station answers a hello that has this suite and no other."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(_hello(code))
    try:
        make().wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        answer = outgoing.read()
        at = _SESSION_ID_AT + 1 + answer[_SESSION_ID_AT]
        return int.from_bytes(answer[at : at + 2], "big") == code
    except ssl.SSLError:
        return False
    return False


def _hello(code: int) -> bytes:
    """What a master says first, with one suite in the place of each."""
    said = ssl.MemoryBIO()
    try:
        throw_away_client(ssl.TLSVersion.TLSv1_3).wrap_bio(ssl.MemoryBIO(), said).do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = bytearray(said.read())
    at = _SESSION_ID_AT + 1 + hello[_SESSION_ID_AT]
    length = int.from_bytes(hello[at : at + 2], "big")
    hello[at + 2 : at + 2 + length] = code.to_bytes(2, "big") * (length // 2)
    return bytes(hello)


def _admits(make: Callable[[], ssl.SSLContext], version: ssl.TLSVersion, shown: pki.Issued | None) -> bool:
    pair = None if shown is None else Pair(shown.certificate_pem, shown.key_pem, ("self-test", "self-test"))
    try:
        shake_hands(make(), throw_away_client(version, pair))
    except ssl.SSLError:
        return False
    return True
