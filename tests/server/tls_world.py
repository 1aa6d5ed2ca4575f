"""A utility with its authorities, masters and lists, and a station with its TLS door open, on real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import shutil
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from cryptography import x509

from rtu.config import schema
from rtu.config.schema import Identity, ListenTls
from rtu.security.certificates import pki
from rtu.security.certificates.role import IEC_USER_ROLES
from rtu.security.identity import Gate
from rtu.server.listener import Door, Listener
from rtu.server.policing import Policing
from tests.certificates import CLIENT, PRIVATE, SERVER, make, of_size, renamed, self_signed_authority
from tests.tls_parts import Now, Tls

HERE = "127.0.0.1"
DEADLINE_S = 10.0
STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
HOSTILE = "scada\n<0>root: all is well\nPRIORITY=0\x1b[31m"


class World:
    """Authorities, masters and lists, as files in a folder."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.root = root = self_signed_authority("Root")
        self.sub = sub = make(root, name="Sub", authority=True, days=(-1, 300))
        self.sibling = make(root, name="Other sub", authority=True)
        self.ca = ca = pki.make_ca("CA")
        self.namesake = pki.make_ca("CA")
        self.stranger = pki.make_ca("Stranger")
        self.dead = self_signed_authority("Dead", days=(-30, -1))
        self.five = [pki.make_ca(f"CA {number}") for number in range(5)]
        for name, each in {
            "root": root,
            "sub": sub,
            "ca": ca,
            "stranger": self.stranger,
            "dead": self.dead,
            **{f"ca{number}": each for number, each in enumerate(self.five)},
        }.items():
            each.write(where / f"{name}.crt")
        hostile = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:\n<0>forged\x1b[2J")])
        viewer = bytes.fromhex("3007 3005 3003 020100")
        self.people: dict[str, pki.Issued] = {
            "good": make(ca, CLIENT),
            "other": make(ca, CLIENT, name="other", sans=["dns:other.example"]),
            "foreign": make(self.stranger, CLIENT),
            "sibling": make(self.stranger, CLIENT, name="sibling"),
            "namesake": make(self.namesake, CLIENT),
            "self-signed": make(None, CLIENT),
            "expired": make(ca, CLIENT, days=(-30, -1)),
            "tomorrow": make(ca, CLIENT, days=(1, 30)),
            "of a dead authority": make(self.dead, CLIENT),
            "without purpose": make(ca),
            "station": make(ca, SERVER),
            "8192": of_size(ca, 8192),
            "8193": of_size(ca, 8193),
            "RSA-1024": make(ca, CLIENT, rsa_bits=1024),
            "RSA-2048": make(ca, CLIENT, rsa_bits=2048),
            "RSA-3072": make(ca, CLIENT, rsa_bits=3072),
            "critical": make(ca, CLIENT, critical=x509.UnrecognizedExtension(PRIVATE, b"\x05\x00")),
            "without authority key": make(ca, CLIENT, names_its_authority=False),
            "100 names": make(
                ca, CLIENT, sans=[*(f"dns:m{number}.example" for number in range(99)), "dns:m.example"]
            ),
            "hostile": make(ca, CLIENT, name=HOSTILE),
            "hostile unknown": make(ca, CLIENT, hostile, name=HOSTILE, sans=()),
            "nobody": make(ca, CLIENT, sans=["dns:nobody.example"]),
            "name in the subject only": make(ca, CLIENT, name="m.example", sans=()),
            "elsewhere": make(ca, CLIENT, name="elsewhere", sans=["dns:elsewhere.example"]),
            "both": make(ca, CLIENT, sans=["dns:m.example", "dns:other.example"]),
            "of the sub": make(sub, CLIENT),
            "of the sibling": make(self.sibling, CLIENT),
            "viewer": make(ca, CLIENT, x509.UnrecognizedExtension(IEC_USER_ROLES, viewer)),
            "no role": make(ca, CLIENT, x509.UnrecognizedExtension(IEC_USER_ROLES, b"\x30\x03\x02")),
            **{f"of CA {number}": make(each, CLIENT) for number, each in enumerate(self.five)},
        }
        for name, each in self.people.items():
            each.write(where / f"{name}.crt", where / f"{name}.key")
        for name, between in (("of the sub", sub), ("of the sibling", self.sibling)):
            whole = self.people[name].certificate_pem + between.certificate_pem
            (where / f"{name} with all.crt").write_bytes(whole)
            shutil.copy(where / f"{name}.key", where / f"{name} with all.key")
        odd = {b"\x0c\x03Mid": b"\x14\x03\xd6id"}  # Latin letters in a T61String
        mid = renamed(make(root, name="Mid", authority=True), root, odd)
        crossed = renamed(
            make(
                make(root, name="Mid", authority=True, key=mid.key), name="Sub", authority=True, key=sub.key
            ),
            mid,
            odd,
        )
        chain = (self.people["of the sub"], crossed, mid)
        (where / "of the sub crossed.crt").write_bytes(b"".join(each.certificate_pem for each in chain))
        shutil.copy(where / "of the sub.key", where / "of the sub crossed.key")
        pki.issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
            where / "station.crt", where / "station.key"
        )
        pki.issue(ca, "rsa station", "station", ["ip:127.0.0.1"], kind="RSA-2048").write(
            where / "rsa.crt", where / "rsa.key"
        )
        self.lists()

    def serial(self, who: str) -> int:
        return self.people[who].certificate.serial_number

    def lists(self) -> None:
        """Every list is in order, and nobody is revoked."""
        for name, each in (("ca", self.ca), ("root", self.root), ("sub", self.sub)):
            self.put(f"{name}.crl", pki.revocation_list(each, [], number=5))

    def put(self, name: str, octets: bytes) -> None:
        (self.where / name).write_bytes(octets)

    def revoke(self, who: str, *, number: int = 6, days: int = 7) -> None:
        self.put("ca.crl", pki.revocation_list(self.ca, [self.serial(who)], number=number, days=days))

    def forge(self, who: str) -> None:
        self.put("ca.crl", pki.revocation_list(self.namesake, [self.serial(who)], number=9))

    def of_the_future(self) -> None:
        now = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
        self.put("ca.crl", pki.revocation_list(self.ca, [], number=9, now=now))


# How one comes


class PythonMaster:
    """With Python's TLS; `change` does to its context what is special."""

    def __init__(self, change: Callable[[ssl.SSLContext], None] = lambda context: None) -> None:
        self.change = change

    async def __call__(self, house: House, who: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        if who:
            context.load_cert_chain(house.world.where / f"{who}.crt", house.world.where / f"{who}.key")
        self.change(context)
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(HERE, house.listener.port, ssl=context)
            house.writers.append(writer)
            writer.write(STARTDT_ACT)
            house.heard = await reader.read(6)


class Raw:
    """Without TLS."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    async def __call__(self, house: House, who: str) -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HERE, house.listener.port)
            house.writers.append(writer)
            writer.write(self.octets)


class OpenSsl:
    """With `openssl s_client` and these options; it stays until the test is over."""

    def __init__(self, *options: str) -> None:
        self.options = options

    async def __call__(self, house: House, who: str) -> None:
        where = house.world.where
        house.clients.append(
            await asyncio.create_subprocess_exec(
                "openssl", "s_client", "-connect", f"{HERE}:{house.listener.port}", "-noservername",
                "-cert", str(where / f"{who}.crt"), "-key", str(where / f"{who}.key"), *self.options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | {"OPENSSL_CONF": "/dev/null"},
            )
        )  # fmt: skip


def version(wanted: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = wanted

    return change


def suites(names: str) -> Callable[[ssl.SSLContext], None]:
    def change(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(f"{names}:@SECLEVEL=0")

    return change


IDENTITIES = {
    "m": Identity(issuer="ca.crt", san="dns:m.example"),
    "other": Identity(issuer="ca.crt", san="dns:other.example"),
    "elsewhere": Identity(issuer="ca.crt", san="dns:elsewhere.example"),
    "of stranger": Identity(issuer="stranger.crt", san="dns:m.example"),
    "of dead": Identity(issuer="dead.crt", san="dns:m.example"),
    "of sub": Identity(issuer="sub.crt", san="dns:m.example"),
    **{f"of ca{number}": Identity(issuer=f"ca{number}.crt", san="dns:m.example") for number in range(5)},
}
MASTERS = [
    schema.Master(
        name=name,
        identity=identity,
        from_=["127.0.0.2"] if name == "elsewhere" else [],
        role="engineer",
        group="main" if name == "m" else "other",
    )
    for name, identity in IDENTITIES.items()
]


class House:
    """A station with its door open, and a policeman."""

    def __init__(self, rig: Any, world: World, now: Now, **changes: object) -> None:
        self.rig = rig
        self.world = world
        keys: dict[str, Any] = {
            "certificate": "station.crt",
            "private_key": "station.key",
            "trusted": ["ca.crt"],
            **changes,
        }
        listen = ListenTls(**keys)
        self.tls = Tls(listen, world.where, now=now, record=rig.audit.record)
        door = Door("tls", HERE, 0, "engineer", 16, self.tls.contexts)
        self.listener = Listener(rig.station, Gate(MASTERS, world.where), door)
        self.police = Policing(rig.clock, self.tls.contexts, self.listener)
        self.writers: list[asyncio.StreamWriter] = []
        self.clients: list[asyncio.subprocess.Process] = []
        self.heard = b""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Self]:
        self.listener.open()
        self.police.start()
        try:
            yield self
        finally:
            self.police.stop()
            await self.listener.close("the test is over")
            for client in self.clients:
                with suppress(ProcessLookupError):
                    client.kill()
                await client.communicate()
            for writer in self.writers:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    def records(self, *events: str) -> list[dict[str, Any]]:
        return [record for record in self.rig.audit.records if record["event"] in events]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - a record is no event
                await asyncio.sleep(0.005)

    async def judged(self) -> dict[str, Any]:
        """The one record of who came."""
        await self.until(lambda: self.records("tls.accept", "tls.refuse"))
        (record,) = self.records("tls.accept", "tls.refuse")
        return record
