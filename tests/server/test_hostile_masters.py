"""Known masters that do not play along: each gets what the protocol gives it and no more, and the others all of theirs.

Real sockets and a real listener on a loop whose seconds are short. The good master has a group of its own.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from rtu.cli.master import Master
from rtu.config import schema
from rtu.iec104.asdu import ASDU
from rtu.security.identity import Gate
from rtu.server.connection import WRITE_LIMIT, Connection
from rtu.server.listener import Door, Listener
from rtu.server.waiting_room import PER_ADDRESS
from tests.tls_parts import Only

SPEED = 20
"""Seconds of the loop in one of the world."""
PATIENCE_S = 20.0 * SPEED
STARTDT = bytes.fromhex("680407000000")
GOOD, HOSTILE = "127.0.0.1", "127.0.0.2"
K = 12
FRAME = 255
CHANGES = 400
LINK_TIMEOUTS_S = 35.0 + 1.0
"""t3 and t1: whoever says nothing is gone after that."""


class Hurried(asyncio.SelectorEventLoop):
    """A loop on which time passes quickly."""

    class _Selector(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            return super().select(timeout / SPEED if timeout else timeout)

    def __init__(self) -> None:
        super().__init__(self._Selector())

    def time(self) -> float:
        return super().time() * SPEED


class House:
    """The station, its good master, who takes everything in the background, and the doors for the others."""

    def __init__(self, rig) -> None:
        self.rig = rig
        masters = [
            schema.Master(name="good", from_=[GOOD], group="main"),
            schema.Master(name="hostile", from_=[HOSTILE], group="other"),
        ]
        gate = Gate(masters, None)  # type: ignore[arg-type]
        self.plain = Listener(rig.station, gate, Door("plain", "127.0.0.1", 0, "viewer", 8))
        self.sockets: list[socket.socket] = []
        self.told: list[tuple[int, int, int]] = []
        self.changes = 0
        self.most_buffered = 0

    async def knock(self, port: int | None = None, *, receive_buffer: int | None = None) -> socket.socket:
        hostile = socket.socket()
        self.sockets.append(hostile)
        if receive_buffer is not None:
            hostile.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        hostile.bind((HOSTILE, 0))
        hostile.setblocking(False)
        await asyncio.get_running_loop().sock_connect(hostile, ("127.0.0.1", port or self.plain.port))
        return hostile

    def change(self, times: int = 1) -> None:
        """Events for everybody; what is held for whoever does not take them is looked at each time."""
        for _ in range(times):
            self.changes += 1
            self.rig.set("door", self.changes % 2)
        self.most_buffered = max([self.most_buffered, *map(buffered, self.plain._connections)])

    async def until(
        self, condition: Callable[[], object], *, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                meanwhile()
                await asyncio.sleep(0.005 * SPEED)

    def ended(self, master: str = "hostile") -> list[str]:
        return [
            str(record["reason"])
            for record in self.rig.audit.records
            if record["event"] == "session.close" and record["master"] == master
        ]

    def run(self, story: Callable[[House], Awaitable[None]]) -> None:
        """The story beside a good master, who must have got every event in order by the end."""

        async def main() -> None:
            self.plain.open()
            good = await Master.connect(GOOD, self.plain.port)
            await good.start()
            taking = asyncio.create_task(self._take(good))
            await story(self)
            self.change(CHANGES)
            await self.until(lambda: len(self.told) >= 3 * self.changes)
            assert self.ended("good") == []
            taking.cancel()
            await good.close()
            await self.plain.close("the test is over")
            for each in self.sockets:
                each.close()

        with asyncio.Runner(loop_factory=Hurried) as runner:
            runner.run(main())
        values = [number % 2 for number in range(1, self.changes + 1)]
        for place in ((1, 100), (1, 105), (2, 100)):
            assert [value for *where, value in self.told if tuple(where) == place] == values
        assert self.most_buffered <= WRITE_LIMIT + K * FRAME

    async def _take(self, good: Master) -> None:
        async for octets in good:
            asdu = ASDU.decode(octets)
            if asdu.type_id == 30:
                self.told += [(asdu.ca, each.ioa, each.elements[0].spi) for each in asdu.objects]


def buffered(connection: Connection) -> int:
    """Octets that wait for the other end of a connection."""
    transport = connection._transport
    return transport.get_write_buffer_size() if transport is not None else 0


@pytest.fixture
def house(make_rig) -> House:
    return House(make_rig(capacity=20_000))


@pytest.fixture
def make_rig():
    from tests.station.conftest import Rig

    return lambda **how: Rig(**how).begin()


def test_one_that_never_reads_is_held_k_frames_and_then_let_go(house):
    async def story(house):
        deaf = await house.knock(receive_buffer=2048)
        deaf.send(STARTDT)
        await house.until(lambda: house.rig.station.groups["other"].holder is not None)
        await house.until(house.ended, meanwhile=lambda: house.change(5))
        assert len(house.plain._connections) == 1
        assert house.rig.log.groups["other"].pending >= 3 * house.changes

    house.run(story)


def test_one_that_never_acknowledges_is_let_go_after_t1_and_finds_its_events_again(house):
    async def story(house):
        mute = await house.knock()
        mute.send(STARTDT)
        heard = b""

        def listen() -> None:
            nonlocal heard
            house.change(5)
            with suppress(BlockingIOError, ConnectionError):
                heard += mute.recv(1 << 16)

        await house.until(house.ended, meanwhile=listen)
        assert "t1" in house.ended()[0]
        assert 0 < len(heard) <= (K + 1) * FRAME
        assert house.rig.log.groups["other"].pending >= 3 * house.changes

    house.run(story)


def test_one_that_sends_an_octet_every_ten_seconds_has_no_more_time_than_a_silent_one(house):
    async def story(house):
        slow = await house.knock()
        loop = asyncio.get_running_loop()
        began = loop.time()
        frame = iter(b"\x68\xfd" + bytes(253))

        def drip() -> None:
            house.change(5)
            if loop.time() >= began + 10 * drip.sent:
                drip.sent += 1
                with suppress(ConnectionError):
                    slow.send(bytes((next(frame),)))

        drip.sent = 0
        await house.until(house.ended, meanwhile=drip)
        assert 1 <= drip.sent <= 1 + LINK_TIMEOUTS_S // 10 + 1

    house.run(story)


def test_five_hundred_connections_are_as_many_as_the_master_may_have(house):
    async def story(house):
        most = 0
        for number in range(500):
            one = await house.knock()
            if number % 3 == 0:
                one.send(STARTDT)
            house.change()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            most = max(most, len(house.plain._connections))
        await house.until(lambda: len(house.ended()) >= 500 - 4)
        assert most <= 1 + 4
        assert len(house.plain._tasks) <= 4

    house.run(story)


@pytest.mark.parametrize("seed", range(3))
def test_garbage_ends_the_connection_it_came_on(house, seed):
    async def story(house):
        chance = random.Random(seed)
        for _ in range(30):
            one = await house.knock()
            one.send(chance.choice((b"", STARTDT)) + chance.randbytes(chance.choice((7, 300, 6000))))
            house.change()
            await house.until(lambda: len(house.plain._connections) <= 1 + 4)
        for one in house.sockets:
            one.close()
        await house.until(lambda: len(house.ended()) == 30)
        assert len(house.plain._connections) == 1

    house.run(story)


def test_five_hundred_that_shake_no_hands_are_as_many_as_one_address_may_leave_waiting(house):
    class Anybody:
        def known_address(self, peer_ip: str, tls: bool) -> bool:
            return True

    async def story(house):
        door = Door(
            "tls", "127.0.0.1", 0, "viewer", 16, Only(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        )
        tls = Listener(house.rig.station, Anybody(), door)  # type: ignore[arg-type]
        tls.open()
        most = 0
        for _ in range(500):
            await house.knock(tls.port)
            house.change()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            most = max(most, tls._room.present)
        assert most == PER_ADDRESS
        assert len(tls._tasks) <= 1 + PER_ADDRESS
        await tls.close("the test is over")

    house.run(story)
