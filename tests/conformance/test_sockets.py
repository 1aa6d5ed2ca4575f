"""Rows that are about sockets, on real ones: pieces, silence, resets, and masters that do not read.

Link timers run in real time here, as short as the standard allows.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rtu.config.schema import Master as MasterTable
from rtu.iec104.link import LinkParameters
from rtu.points.model import Value
from rtu.security.identity import Gate
from rtu.server.connection import Connection
from rtu.server.listener import Door, Listener
from tests.conformance.wire import STARTDT_ACT, STARTDT_CON, TESTFR_ACT, i_frame, is_i, s_frame
from tests.station.conftest import Rig

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
MASTERS = [
    MasterTable(name="here", from_=[HERE], group="main", role="engineer"),
    MasterTable(name="elsewhere", from_=[ELSEWHERE], group="other", role="engineer"),
]
DEADLINE_S = 20.0
QUICK = LinkParameters(t1=1.1, t2=1, t3=1)
INITIALISED = 2
"""End of initialisation, one for each common address."""
TEST_COMMAND = bytes.fromhex("6b01060001000000005502d5dd220c0f071a")
RESET = bytes.fromhex("69010600010000000001")


class Visitor:
    """A TCP connection that is spoken over frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def frame(self) -> bytes:
        """The next one; nothing when the station has closed."""
        try:
            start = await self.reader.readexactly(2)
            return start + await self.reader.readexactly(start[1])
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return b""

    async def start(self) -> Visitor:
        self.say(STARTDT_ACT)
        assert await self.frame() == STARTDT_CON
        return self


class House:
    """A station with its plain door open."""

    def __init__(self, rig: Rig, base: Path) -> None:
        self.rig = rig
        self.listener = Listener(rig.station, Gate(MASTERS, base), Door("plain", HERE, 0, "engineer", 4))
        self.visitors: list[Visitor] = []

    async def visit(self, source: str = HERE) -> Visitor:
        streams = await asyncio.open_connection(HERE, self.listener.port, local_addr=(source, 0))
        self.visitors.append(Visitor(*streams))
        return self.visitors[-1]

    def closed(self) -> list[str]:
        return [str(one["reason"]) for one in self.rig.audit.records if one["event"] == "session.close"]

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():  # noqa: ASYNC110 - what it looks at has no event to wait for
            await asyncio.sleep(0.005)


@asynccontextmanager
async def opened(rig: Rig, base: Path) -> AsyncIterator[House]:
    house = House(rig, base)
    house.listener.open()
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield house
    finally:
        for visitor in house.visitors:
            visitor.writer.transport.abort()
        await house.listener.close("the test is over")


@pytest.fixture
def in_a_house(rig: Rig, tmp_path: Path) -> Callable[..., None]:
    """Runs a test while a station serves on a real port."""

    def run(test: Callable[[House], Coroutine[None, None, None]], parameters: LinkParameters) -> None:
        async def main() -> None:
            async with opened(rig, tmp_path) as house:
                await test(house)

        rig.station = replace(rig.station, parameters=parameters)
        asyncio.run(main())

    return run


def test_a14_an_apdu_may_come_octet_by_octet(
    in_a_house: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    take = Connection.buffer_updated

    def note(connection: Connection, nbytes: int) -> None:
        taken.append(nbytes)
        take(connection, nbytes)

    async def test(house: House) -> None:
        visitor = await (await house.visit()).start()
        for _ in range(INITIALISED):
            await visitor.frame()
        taken.clear()
        for octet in i_frame(0, INITIALISED, TEST_COMMAND):
            before = len(taken)
            visitor.say(bytes((octet,)))
            await house.until(lambda before=before: len(taken) > before)
        assert taken == [1] * (6 + len(TEST_COMMAND))
        assert (await visitor.frame())[6:] == TEST_COMMAND[:2] + b"\x07" + TEST_COMMAND[3:]

    monkeypatch.setattr(Connection, "buffer_updated", note)
    in_a_house(test, LinkParameters())


def test_a17_after_one_octet_and_silence_the_connection_is_tested_and_closed(
    in_a_house: Callable[..., None],
) -> None:
    async def test(house: House) -> None:
        visitor = await house.visit()
        visitor.say(b"\x68")
        assert await visitor.frame() == TESTFR_ACT
        assert await visitor.frame() == b""
        assert house.closed() == ["no TESTFR CON within t1 = 1.1 s"]

    in_a_house(test, QUICK)


def test_c20_who_asks_and_does_not_read_is_closed_and_the_others_are_served(
    in_a_house: Callable[..., None],
) -> None:
    async def test(house: House) -> None:
        deaf = await (await house.visit(ELSEWHERE)).start()
        other = await (await house.visit()).start()
        for _ in range(INITIALISED):
            await other.frame()
        deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]
        deaf.say(b"".join(i_frame(number, 0, RESET) for number in range(100)))
        asked = 0
        while not house.closed():
            other.say(i_frame(asked, INITIALISED + asked, TEST_COMMAND))
            assert is_i(await other.frame())
            asked += 1
        assert asked > 0
        assert "not acknowledged within t1" in house.closed()[0]

    in_a_house(test, replace(QUICK, t3=100))


def test_d03_what_a_reset_connection_did_not_acknowledge_is_told_to_the_next(
    in_a_house: Callable[..., None],
) -> None:
    async def test(house: House) -> None:
        rig = house.rig
        first = await (await house.visit()).start()
        for _ in range(INITIALISED):
            await first.frame()
        first.say(s_frame(INITIALISED))
        told = []
        for position in (1, 2, 3):
            rig.table.update(rig.table.index("tap"), Value(position, 0, rig.clock.now_ns()))
            told.append(await first.frame())
        linger = struct.pack("ii", 1, 0)
        first.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        first.writer.transport.abort()
        await house.until(house.closed)
        second = await (await house.visit()).start()
        again = await second.frame()
        assert again[7] == 3
        assert again[12:] == b"".join(frame[12:] for frame in told)

    in_a_house(test, LinkParameters())
