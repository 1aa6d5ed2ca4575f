"""Who shows what, and what becomes of it: certificates, lists, clocks and versions of TLS against a listener.

Real sockets, a real listener, masters played by Python or, where suites of TLS 1.3 count, by `openssl s_client`. Every row
says how it ends: let in, or the words and the event that are on record.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from rtu.security.certificates import pki
from tests.server.tls_world import (
    STARTDT_ACT,
    STARTDT_CON,
    House,
    OpenSsl,
    PythonMaster,
    Raw,
    World,
    suites,
    version,
)
from tests.tls_parts import Now

YEAR_S = 365.25 * 86400
DAY_S = 86400.0
ORDINARY = PythonMaster()

# The table

IN = ""
REQUIRE: Mapping[str, object] = {"revoked": ["ca.crl"], "crl_policy": "require"}
WARN: Mapping[str, object] = {"revoked": ["ca.crl"], "crl_policy": "warn"}
OF_SUB: Mapping[str, object] = {
    "trusted": ["root.crt", "sub.crt"],
    "revoked": ["root.crl", "sub.crl"],
    "crl_policy": "require",
}
RSA: Mapping[str, object] = {"certificate": "rsa.crt", "private_key": "rsa.key"}
FULL: Mapping[str, object] = {**RSA, "profile": "iec62351-3"}
FIVE: Mapping[str, object] = {"trusted": [f"ca{number}.crt" for number in range(5)]}

NO_CA = "IEC62351-3:2.2"
NO_MATCH = "IEC62351-3:2.3"
REVOKED = "IEC62351-3:2.4"
NO_CRL = "IEC62351-3:2.5"
CRL_EXP = "IEC62351-3:2.6"
EXPIRED = "IEC62351-3:2.8"
CIPHER = "IEC62351-3:1.9"
VERSION = "IEC62351-3:1.4"
OWN = "outstation:3.1"


@dataclass(frozen=True)
class Case:
    """`reason` is part of what is on record; IN for who is let in. `also` are other events on record afterwards."""

    who: str
    reason: str
    id: str = ""
    listen: Mapping[str, object] = field(default_factory=dict)
    how: Callable[[House, str], Any] = ORDINARY
    before: Callable[[World], None] = lambda world: None
    ahead_s: float = 0.0
    synchronised: bool = True
    also: Sequence[str] = ()


def gone(name: str) -> Callable[[World], None]:
    return lambda world: (world.where / name).unlink()


CASES: dict[str, Case] = {
    # Who has signed it
    "a known master": Case("good", IN),
    "over TLS 1.2": Case("good", IN, how=PythonMaster(version(ssl.TLSVersion.TLSv1_2))),
    "another authority": Case("foreign", "not trusted", NO_CA),
    "another authority of the same name": Case("namesake", "not trusted", NO_CA),
    "signed by itself": Case("self-signed", "signed by itself", NO_CA),
    "the station trusts five authorities: the first": Case("of CA 0", IN, listen=FIVE),
    "the station trusts five authorities: the third": Case("of CA 2", IN, listen=FIVE),
    "the station trusts five authorities: the last": Case("of CA 4", IN, listen=FIVE),
    "an authority that has expired": Case(
        "of a dead authority", "has expired", EXPIRED, {"trusted": ["ca.crt", "dead.crt"]}
    ),
    "an intermediate authority": Case("of the sub with all", IN, listen=OF_SUB),
    "an intermediate authority that is not sent": Case(
        "of the sub", "not trusted", NO_CA, {"trusted": ["root.crt"]}
    ),
    "an intermediate authority that the station knows": Case(
        "of the sub", IN, listen={"trusted": ["root.crt", "sub.crt"]}
    ),
    "an intermediate authority without its root": Case(
        "of the sub with all", "not trusted", NO_CA, {"trusted": ["sub.crt"]}
    ),
    "an intermediate authority that is revoked": Case(
        "of the sub with all",
        "the certificate of an authority in the peer's chain is revoked",
        REVOKED,
        {**OF_SUB, "crl_policy": "warn"},
        before=lambda world: world.put(
            "root.crl", pki.revocation_list(world.root, [world.sub.certificate.serial_number], number=6)
        ),
    ),
    "an intermediate authority with a name that cannot be read": Case(
        "of the sub crossed", "its chain cannot be used", "outstation:3.7", {"trusted": ["root.crt"]}
    ),
    # Time
    "expired": Case("expired", "has expired", EXPIRED),
    "expired, and the clock not known": Case("expired", "has expired", EXPIRED, synchronised=False),
    "not yet valid": Case("tomorrow", "is not valid yet: is the clock right?", "outstation:3.9"),
    "not yet valid, and the clock not known": Case("tomorrow", IN, synchronised=False),
    "the station believes it is 1970": Case("good", IN, ahead_s=-56 * YEAR_S, synchronised=False),
    "the station believes it is 2021": Case("good", IN, ahead_s=-5 * YEAR_S, synchronised=False),
    "the station believes it is 2099": Case(
        "good", "has expired", EXPIRED, ahead_s=73 * YEAR_S, synchronised=False
    ),
    "the station knows it is 2099": Case("good", "has expired", EXPIRED, ahead_s=73 * YEAR_S),
    "the station knows it is 2021": Case("good", "not valid yet", "outstation:3.9", ahead_s=-5 * YEAR_S),
    "revoked, and the clock not known": Case(
        "good", "is revoked", REVOKED, WARN, before=lambda world: world.revoke("good"), synchronised=False
    ),
    # Lists
    "lists in order": Case("good", IN, listen=REQUIRE),
    "revoked": Case(
        "good", "the peer's certificate is revoked", REVOKED, WARN, before=lambda world: world.revoke("good")
    ),
    "revoked, lists required": Case(
        "good", "is revoked", REVOKED, REQUIRE, before=lambda world: world.revoke("good")
    ),
    "somebody else is revoked": Case("good", IN, listen=REQUIRE, before=lambda world: world.revoke("other")),
    "no list": Case("good", IN, listen=WARN, before=gone("ca.crl"), also=["revocation.stale", "tls.fault"]),
    "no list, lists required": Case(
        "good", "has no revocation list", NO_CRL, REQUIRE, before=gone("ca.crl"), also=["revocation.stale"]
    ),
    "no list of the root, lists required": Case(
        "of the sub with all", "has no revocation list", NO_CRL, OF_SUB, before=gone("root.crl")
    ),
    "an expired list": Case("good", IN, listen=WARN, ahead_s=10 * DAY_S, also=["revocation.stale"]),
    "an expired list that revokes": Case(
        "good", "is revoked", REVOKED, WARN, before=lambda world: world.revoke("good"), ahead_s=10 * DAY_S
    ),
    "an expired list, lists required": Case(
        "good",
        "revocation list that has expired",
        CRL_EXP,
        REQUIRE,
        ahead_s=10 * DAY_S,
        also=["revocation.stale"],
    ),
    "a list of the future": Case(
        "good", IN, listen=WARN, before=World.of_the_future, also=["revocation.stale"]
    ),
    "a list of the future, lists required": Case(
        "good", "not valid yet", CRL_EXP, REQUIRE, before=World.of_the_future
    ),
    "a list of the future, and the clock not known": Case(
        "good", IN, listen=REQUIRE, before=World.of_the_future, synchronised=False
    ),
    "a forged list": Case(
        "good", IN, listen=WARN, before=lambda world: world.forge("good"), also=["tls.fault"]
    ),
    "a forged list, lists required": Case(
        "good",
        "has no revocation list",
        NO_CRL,
        REQUIRE,
        before=lambda world: world.forge("good"),
        also=["tls.fault"],
    ),
    # What the certificate says
    "no purpose": Case("without purpose", "clientAuth is missing", "outstation:3.7"),
    "a station's certificate": Case("station", "made for another purpose", OWN),
    "8192 octets": Case("8192", IN),
    "8193 octets": Case("8193", "8193 octets is too large", "IEC62351-3:2.1"),
    "RSA 1024": Case("RSA-1024", "key that is too short", "IEC62351-3:2.11"),
    "RSA 2048": Case("RSA-2048", IN),
    "RSA 3072": Case("RSA-3072", IN),
    "an unknown critical extension": Case("critical", "unknown critical extension", OWN),
    "no authority key identifier": Case("without authority key", "authority key identifier", OWN),
    "a hundred names": Case("100 names", IN),
    "line feeds and escapes in the name": Case("hostile", IN),
    "line feeds and escapes in the name of nobody": Case("hostile unknown", "belongs to no master", NO_MATCH),
    "the role of a viewer": Case("viewer", IN),
    "a role that cannot be read": Case("no role", "IECUserRoles", "outstation:3.7"),
    # Whose it is
    "nobody we know": Case("nobody", "belongs to no master", NO_MATCH),
    "the name in the subject only": Case("name in the subject only", "belongs to no master", NO_MATCH),
    "the master of another address": Case("elsewhere", "may not connect from", "outstation:3.6"),
    "two masters in one certificate": Case("both", "several masters", "outstation:3.8"),
    # Pinned
    "pinned": Case("foreign", IN, listen={"trusted": [], "pinned": ["foreign.crt"]}),
    "pinned, over TLS 1.2": Case(
        "foreign",
        IN,
        listen={"trusted": [], "pinned": ["foreign.crt"]},
        how=PythonMaster(version(ssl.TLSVersion.TLSv1_2)),
    ),
    "not pinned itself but its sibling is": Case(
        "sibling", "not trusted", NO_CA, {"trusted": [], "pinned": ["foreign.crt"]}
    ),
    "others are pinned": Case("good", IN, listen={"pinned": ["foreign.crt"]}),
    "others are pinned, an intermediate authority without its root": Case(
        "of the sub with all", "not trusted", NO_CA, {"trusted": ["sub.crt"], "pinned": ["foreign.crt"]}
    ),
    "pinned and expired": Case("expired", "has expired", EXPIRED, {"trusted": [], "pinned": ["expired.crt"]}),
    "pinned and revoked": Case(
        "good",
        "is revoked",
        REVOKED,
        {**WARN, "pinned": ["good.crt"]},
        before=lambda world: world.revoke("good"),
    ),
    "pinned, lists required": Case("foreign", IN, listen={**REQUIRE, "pinned": ["foreign.crt"]}),
    "an authority in the place of a pinned master": Case(
        "foreign",
        "name it in `trusted`",
        "IEC62351-3:1.7",
        {"trusted": [], "pinned": ["stranger.crt"]},
        also=["tls.fault"],
    ),
    # How it is said
    "no certificate": Case("", "showed no certificate", "IEC62351-3:1.6"),
    "no certificate over TLS 1.2": Case(
        "", "showed no certificate", "IEC62351-3:1.6", how=PythonMaster(version(ssl.TLSVersion.TLSv1_2))
    ),
    "plain 104": Case("", "does not speak TLS", OWN, how=Raw(STARTDT_ACT)),
    "HTTP": Case("", "HTTP on the TLS port", OWN, how=Raw(b"GET / HTTP/1.1\r\n\r\n")),
    "TLS 1.0": Case(
        "good", "TLS versions that are not allowed", VERSION, how=PythonMaster(version(ssl.TLSVersion.TLSv1))
    ),
    "TLS 1.1": Case(
        "good",
        "TLS versions that are not allowed",
        VERSION,
        how=PythonMaster(version(ssl.TLSVersion.TLSv1_1)),
    ),
    "TLS 1.2 where 1.3 is demanded": Case(
        "good",
        "TLS versions that are not allowed",
        VERSION,
        {"min_version": "1.3"},
        how=PythonMaster(version(ssl.TLSVersion.TLSv1_2)),
    ),
    "CBC": Case("good", "no cipher suite", CIPHER, how=PythonMaster(suites("ECDHE-ECDSA-AES128-SHA256"))),
    "no encryption": Case("good", "no cipher suite", CIPHER, how=PythonMaster(suites("eNULL"))),
    "nobody proves who he is": Case("good", "no cipher suite", CIPHER, how=PythonMaster(suites("AECDH:ADH"))),
    "3DES": Case("good", "no cipher suite", CIPHER, how=PythonMaster(suites("3DES:RC4:AES256-SHA"))),
    "ChaCha20 in TLS 1.2": Case("good", "no cipher suite", CIPHER, how=PythonMaster(suites("CHACHA20"))),
    "RSA key exchange": Case(
        "good", "no cipher suite", CIPHER, RSA, how=PythonMaster(suites("AES128-SHA256"))
    ),
    "RSA key exchange, all of the standard": Case(
        "good", IN, listen=FULL, how=PythonMaster(suites("AES128-SHA256"))
    ),
    "DHE": Case(
        "good", "no cipher suite", CIPHER, RSA, how=PythonMaster(suites("DHE-RSA-AES128-GCM-SHA256"))
    ),
    "DHE, all of the standard": Case(
        "good", IN, listen=FULL, how=PythonMaster(suites("DHE-RSA-AES128-GCM-SHA256"))
    ),
    "ECDHE with RSA": Case("good", IN, listen=RSA, how=PythonMaster(suites("ECDHE-RSA-AES128-GCM-SHA256"))),
    "AES 128 GCM": Case("good", IN, how=OpenSsl("-ciphersuites", "TLS_AES_128_GCM_SHA256")),
    "AES 256 GCM": Case("good", IN, how=OpenSsl("-ciphersuites", "TLS_AES_256_GCM_SHA384")),
    "AES 128 CCM": Case("good", IN, how=OpenSsl("-ciphersuites", "TLS_AES_128_CCM_SHA256")),
    "AES 128 CCM 8": Case(
        "good", "no cipher suite", CIPHER, how=OpenSsl("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256")
    ),
    "ChaCha20": Case(
        "good",
        "no cipher suite",
        CIPHER,
        how=OpenSsl("-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
    ),
    "X25519": Case("good", "no key exchange group", CIPHER, how=OpenSsl("-tls1_3", "-groups", "X25519")),
    "P-521": Case("good", "no key exchange group", CIPHER, how=OpenSsl("-tls1_3", "-groups", "P-521")),
    "P-384": Case("good", IN, how=OpenSsl("-tls1_3", "-groups", "P-384")),
    "ffdhe2048": Case("good", IN, how=OpenSsl("-tls1_3", "-groups", "ffdhe2048")),
    "ffdhe3072": Case(
        "good", "no key exchange group", CIPHER, how=OpenSsl("-tls1_3", "-groups", "ffdhe3072")
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_who_shows_what_gets_in_or_is_on_record_with_the_reason(case: str, rig: Any, world: World) -> None:
    wanted = CASES[case]
    wanted.before(world)

    async def story() -> None:
        now = Now(wanted.ahead_s, wanted.synchronised)
        async with House(rig, world, now, **wanted.listen).open() as house:
            coming = asyncio.create_task(wanted.how(house, wanted.who))
            record = await house.judged()
            assert all(str(value).isprintable() for value in record.values())
            if wanted.reason == IN:
                assert record["event"] == "tls.accept", record
                fingerprint = world.people[wanted.who.removesuffix(" with all")].certificate.fingerprint(
                    hashes.SHA256()
                )
                assert record["fingerprint"] == fingerprint.hex()
                assert record["role"] == ("viewer" if wanted.who == "viewer" else "engineer")
                if not isinstance(wanted.how, OpenSsl):
                    await house.until(lambda: house.heard)
                    assert house.heard == STARTDT_CON
            else:
                assert record["event"] == "tls.refuse", record
                assert wanted.reason in record["reason"], record
                assert record["id"] == wanted.id
                assert house.listener.guests == {}
            for event in wanted.also:
                assert house.records(event), event
            await coming
            assert wanted.reason == IN or house.heard == b""

    asyncio.run(story())
