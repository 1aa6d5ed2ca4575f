"""How many connections one master has, and how many peers nobody knows yet one address has."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

import pytest

from rtu.config.schema import Master
from rtu.security.identity import Gate
from rtu.server.listener import TOO_MANY, TOO_MANY_OF_MASTER, Door, Listener
from rtu.server.waiting_room import HANDSHAKES, PER_ADDRESS, WAITING, WaitingRoom
from tests.tls_parts import Only

STARTDT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
STOPDT, STOPDT_CON = bytes.fromhex("680413000000"), bytes.fromhex("680423000000")
TESTFR, TESTFR_CON = bytes.fromhex("680443000000"), bytes.fromhex("680483000000")
ONE, OTHER = "127.0.0.1", "127.0.0.2"
DEADLINE_S = 10.0


class Visit:
    """A connection from a master's side."""

    def __init__(self, port: int, source: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
        self.socket.setblocking(False)

    async def ask(self, octets: bytes) -> bytes:
        """Six octets there and six back, or fewer if it is over."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionError):
                await loop.sock_sendall(self.socket, octets)
                return await loop.sock_recv(self.socket, 6)
        return b""

    async def stands(self) -> bool:
        return await self.ask(TESTFR) == TESTFR_CON

    async def over(self) -> None:
        """Wait until the station has closed it."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionError):
                while await loop.sock_recv(self.socket, 4096):
                    pass


class Door104:
    """A plain listener, its two masters by their addresses, and its visitors."""

    def __init__(self, rig, *, each: int = 2, most: int = 16) -> None:
        self.rig = rig
        masters = [
            Master(name="one", from_=[ONE], group="main", max_connections=each),
            Master(name="other", from_=[OTHER], group="other", max_connections=each),
        ]
        gate = Gate(masters, None)  # type: ignore[arg-type]
        self.listener = Listener(rig.station, gate, Door("plain", "127.0.0.1", 0, "viewer", most))
        self.visits: list[Visit] = []

    async def come(self, source: str = ONE) -> Visit:
        self.visits.append(Visit(self.listener.port, source))
        return self.visits[-1]

    def refusals(self) -> list[dict[str, object]]:
        return [record for record in self.rig.audit.records if record["event"] == "plain.refuse"]

    def run(self, story) -> None:
        async def main() -> None:
            self.listener.open()
            try:
                await story(self)
            finally:
                await self.listener.close("the test is over")
                for visit in self.visits:
                    visit.socket.close()

        asyncio.run(main())


def test_one_connection_too_many_takes_the_place_of_the_oldest_that_is_not_started(rig):
    async def story(door):
        first, second = await door.come(), await door.come()
        assert await first.stands()
        assert await second.stands()
        third = await door.come()
        assert await third.stands()
        await first.over()
        assert await second.stands()
        (closed,) = [record for record in rig.audit.records if record["event"] == "session.close"]
        assert "newer connection" in closed["reason"]

    Door104(rig).run(story)


def test_a_started_connection_never_gives_way(rig):
    async def story(door):
        first, second = await door.come(), await door.come()
        assert await first.ask(STARTDT) == STARTDT_CON
        assert await second.stands()
        third = await door.come()
        assert await third.stands()
        await second.over()
        assert rig.station.groups["main"].holder is not None

    Door104(rig).run(story)


def test_one_more_is_refused_with_one_line_when_all_are_started(rig):
    async def story(door):
        first = await door.come()
        assert await first.ask(STARTDT) == STARTDT_CON
        second = await door.come()
        await second.over()
        (refused,) = door.refusals()
        assert refused["reason"] == TOO_MANY_OF_MASTER
        assert refused["master"] == "one"
        assert rig.station.groups["main"].holder is not None

    Door104(rig, each=1).run(story)


def test_a_connection_that_was_stopped_gives_way_again(rig):
    async def story(door):
        first = await door.come()
        assert await first.ask(STARTDT) == STARTDT_CON
        door.rig.log.groups["main"].release()
        assert STOPDT_CON in await self_acknowledging(first)
        second = await door.come()
        assert await second.stands()
        await first.over()

    async def self_acknowledging(visit):
        """STOPDT is confirmed after what was sent is acknowledged (IEC 60870-5-104, 5.3)."""
        loop = asyncio.get_running_loop()
        heard = b""
        async with asyncio.timeout(DEADLINE_S):
            await loop.sock_sendall(visit.socket, STOPDT)
            while STOPDT_CON not in heard:
                heard += await loop.sock_recv(visit.socket, 4096)
                frames, at = 0, 0
                while at < len(heard):
                    frames += not heard[at + 2] & 1
                    at += heard[at + 1] + 2
                await loop.sock_sendall(
                    visit.socket, b"\x68\x04\x01\x00" + (frames << 1).to_bytes(2, "little")
                )
        return heard

    Door104(rig, each=1).run(story)


def test_one_master_cannot_take_the_places_of_another(rig):
    async def story(door):
        mine = await door.come(OTHER)
        assert await mine.ask(STARTDT) == STARTDT_CON
        for _ in range(20):
            await (await door.come(ONE)).stands()
        assert len(door.listener._connections) == 3
        assert await (await door.come(OTHER)).stands()
        assert len(door.listener._connections) == 4

    Door104(rig).run(story)


def test_the_listener_has_a_limit_of_its_own(rig):
    async def story(door):
        first, second = await door.come(ONE), await door.come(OTHER)
        assert await first.stands()
        assert await second.stands()
        await (await door.come(OTHER)).over()
        assert [refused["reason"] for refused in door.refusals()] == [TOO_MANY]

    Door104(rig, most=2).run(story)


# Before anybody is known


def crowd(room: WaitingRoom, address: str, size: int) -> list[asyncio.Task[None]]:
    """Peers that take their turn and never finish; those that are refused are not here."""

    async def stay() -> None:
        async with room.turn(address, asyncio.sleep(0)):
            await asyncio.Event().wait()

    return [asyncio.create_task(stay()) for _ in range(size)]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def leave(*crowds: list[asyncio.Task[None]]) -> None:
    for task in (tasks := [task for each in crowds for task in each]):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("size", [1, PER_ADDRESS])
def test_one_silent_address_leaves_the_others_their_turns(size):
    async def story():
        room = WaitingRoom()
        silent = crowd(room, ONE, size)
        await turns()
        done = []

        async def come(address: str) -> None:
            async with room.turn(address, asyncio.sleep(0)):
                done.append(address)

        await asyncio.gather(*(come(f"192.0.2.{host}") for host in range(10)))
        assert len(done) == 10
        await leave(silent)
        assert room.present == 0

    asyncio.run(story())


def test_one_address_has_a_quarter_of_the_places(rig):
    async def story():
        room = WaitingRoom()
        silent = crowd(room, ONE, PER_ADDRESS)
        await turns()
        assert "this address" in room.refuses(ONE)
        assert room.refuses(OTHER) is None
        await leave(silent)
        assert room.refuses(ONE) is None

    asyncio.run(story())


def test_all_addresses_of_one_ipv6_network_are_one(rig):
    async def story():
        room = WaitingRoom()
        silent = [task for host in range(PER_ADDRESS) for task in crowd(room, f"2001:db8::{host:x}", 1)]
        await turns()
        assert "this address" in room.refuses("2001:db8::ffff%eth0")
        assert room.refuses("2001:db8:0:1::1") is None
        await leave(silent)
        assert room.refuses("2001:db8::ffff") is None

    asyncio.run(story())


def test_the_places_are_limited_however_many_addresses_there_are():
    async def story():
        room = WaitingRoom()
        crowds = [crowd(room, f"192.0.2.{host}", PER_ADDRESS) for host in range(WAITING // PER_ADDRESS)]
        await turns()
        assert room.refuses(ONE) == "too many peers wait to be served"
        assert not room._turns.locked() or len(crowds) >= HANDSHAKES
        await leave(*crowds)

    asyncio.run(story())


def test_twenty_silent_sockets_of_one_address_keep_no_other_from_shaking_hands(rig):
    class Anybody:
        def known_address(self, peer_ip: str, tls: bool) -> bool:
            return True

    async def story():
        context = Only(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        door = Door("tls", "127.0.0.1", 0, "viewer", 16, context)
        listener = Listener(rig.station, Anybody(), door)  # type: ignore[arg-type]
        listener.open()
        silent = []
        for _ in range(20):
            silent.append(Visit(listener.port, ONE))
            await turns()  # or the backlog is full
        async with asyncio.timeout(DEADLINE_S):
            while len(rig.audit.records) < 20 - PER_ADDRESS:  # noqa: ASYNC110 - a record is no event
                await asyncio.sleep(0.005)
            assert {record["event"] for record in rig.audit.records} == {"tls.refuse"}
            # We have no certificate, so nobody gets far; but it has its turn and is not turned away.
            with suppress(OSError):
                await asyncio.open_connection(
                    "127.0.0.1", listener.port, ssl=ssl.create_default_context(), local_addr=(OTHER, 0)
                )
        (told,) = [record for record in rig.audit.records if record["peer"] == OTHER]
        assert "cipher" in told["reason"] or "handshake" in told["reason"]
        assert listener._room.present >= PER_ADDRESS
        await listener.close("the test is over")
        for visit in silent:
            visit.socket.close()

    asyncio.run(story())
