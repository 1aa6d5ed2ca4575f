"""New keys on an old connection, and old sessions on a new one: what a master may do of that, and what not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from rtu.security.tls.context import RENEGOTIATIONS
from tests.server.tls_world import HERE, STARTDT_ACT, STARTDT_CON, House, OpenSsl, World
from tests.tls_parts import Now


@pytest.fixture
def run(rig: Any, world: World) -> Callable[..., None]:
    def tell(story: Callable[[House], Awaitable[None]], **changes: object) -> None:
        async def main() -> None:
            async with House(rig, world, Now(), **changes).open() as house:
                await story(house)

        asyncio.run(main())

    return tell


class Typist:
    """`openssl s_client`, at whose terminal somebody types R (renegotiate), k and K (update keys) or octets."""

    def __init__(self, house: House, *options: str) -> None:
        self.house = house
        self.options = options
        self.heard = b""

    async def __aenter__(self) -> Typist:
        await OpenSsl(*self.options)(self.house, "good")
        self.process = self.house.clients[-1]
        await self.house.until(lambda: self.house.records("tls.accept"))
        self.reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.reading.cancel()
        with suppress(asyncio.CancelledError):
            await self.reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while octets := await self.process.stdout.read(4096):
            self.heard += octets

    async def type(self, octets: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(octets)
            await self.process.stdin.drain()


@pytest.mark.parametrize("kept", ["tickets", "session ids"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_master_that_keeps_its_session_shows_its_certificate_again(
    run: Any, version: ssl.TLSVersion, kept: str
) -> None:
    async def story(house: House) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if kept == "session ids":
            context.options |= ssl.OP_NO_TICKET
        context.load_cert_chain(house.world.where / "good.crt", house.world.where / "good.key")

        def come(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
            """Get in, and take the session along."""
            with (
                socket.create_connection((HERE, house.listener.port), timeout=10) as plain,
                context.wrap_socket(plain, session=session) as secured,
            ):
                assert not secured.session_reused
                secured.sendall(STARTDT_ACT)
                assert secured.recv(6) == STARTDT_CON
                return secured.session

        session = await asyncio.to_thread(come, None)
        session = await asyncio.to_thread(come, session)
        house.world.revoke("good")
        with pytest.raises((OSError, AssertionError)):
            await asyncio.to_thread(come, session)
        await house.until(lambda: house.records("tls.refuse"))
        assert len(house.records("tls.accept")) == 2
        assert house.records("tls.refuse")[0]["id"] == "IEC62351-3:2.4"

    run(story, revoked=["ca.crl"])


def test_a_master_may_not_renegotiate_unless_the_station_file_says_so(run: Any) -> None:
    async def story(house: House) -> None:
        async with Typist(house, "-tls1_2") as master:
            await master.type(b"R\n")
            await house.until(lambda: house.records("session.close"))
        assert house.listener.guests == {}

    run(story)


def test_a_master_that_may_renegotiate_stays(run: Any) -> None:
    async def story(house: House) -> None:
        async with Typist(house, "-tls1_2") as master:
            for _ in range(RENEGOTIATIONS):
                before = master.heard.count(b"verify return")
                await master.type(b"R\n")
                await house.until(lambda before=before: master.heard.count(b"verify return") > before)
            assert house.records("session.close") == []
            assert len(house.listener.guests) == 1

    run(story, renegotiation=True)


def test_a_master_that_renegotiates_without_end_is_sent_away(run: Any) -> None:
    async def story(house: House) -> None:
        async with Typist(house, "-tls1_2") as master:
            for _ in range(RENEGOTIATIONS + 1):
                before = master.heard.count(b"verify return")
                await master.type(b"R\n")
                await house.until(
                    lambda before=before: (
                        master.heard.count(b"verify return") > before or house.records("session.close")
                    )
                )
            await house.until(lambda: house.records("session.close"))
        (record,) = house.records("session.close")
        assert "renegotiated more than 10 times" in record["reason"]

    run(story, renegotiation=True)


@pytest.mark.parametrize("key", [b"k\n", b"K\n"], ids=["its own", "both sides'"])
def test_a_master_may_update_keys(run: Any, key: bytes) -> None:
    async def story(house: House) -> None:
        async with Typist(house, "-tls1_3") as master:
            for _ in range(200):
                before = master.heard.count(b"KEYUPDATE")
                await master.type(key)
                await house.until(lambda before=before: master.heard.count(b"KEYUPDATE") > before)
            assert house.records("session.close") == []
            assert len(house.listener.guests) == 1

    run(story)
