"""Child process: what asyncio alone can do here. Prepared APDUs and no protocol behind them.

It confirms STARTDT, ignores whatever else comes, and sends as fast as its socket takes it, one write for each APDU: "packed" 22 events of single
points with their time in each APDU, as many as fit, otherwise one; "events=N" is how long a burst is. With a directory it speaks TLS, one context for all.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from bench.certificates import station_context
from bench.subject import CA, EVENT_IOA, EVENT_POINTS, answer, facts

STARTDT_CON = bytes.fromhex("68040b000000")
PACKED = 22


def apdu(first: int, count: int) -> bytes:
    """The events number `first` and following of a burst, in one I frame (its numbers are not counted)."""
    asdu = bytes((30, count, 3, 0)) + CA.to_bytes(2, "little")
    for number in range(first, first + count):
        lap, place = divmod(number, EVENT_POINTS)
        ioa = (EVENT_IOA + place).to_bytes(3, "little")
        asdu += ioa + bytes((1 - lap % 2,)) + bytes.fromhex("0000000001011a")
    return bytes((0x68, 4 + len(asdu), 0, 0, 0, 0)) + asdu


class Blast(asyncio.Protocol):
    """One connection."""

    def __init__(self, servers: list[Blast]) -> None:
        self._servers = servers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._room = asyncio.Event()
        self._room.set()

    def data_received(self, data: bytes) -> None:
        if data[:3] == b"\x68\x04\x07":
            self.transport.write(STARTDT_CON)
            self._servers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        if self in self._servers:
            self._servers.remove(self)

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    async def blast(self, octets: list[bytes]) -> None:
        for each in octets:
            await self._room.wait()
            self.transport.write(each)


async def main(*options: str) -> None:
    packed = PACKED if "packed" in options else 1
    events = next((int(each.removeprefix("events=")) for each in options if "=" in each), 0)
    where = next((Path(each) for each in options if each.startswith("/")), None)
    context = station_context(where) if where is not None else None
    connections: list[Blast] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Blast(connections), "127.0.0.1", 0, ssl=context)
    answer({"port": server.sockets[0].getsockname()[1]})
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(0, "rb"))
    stamps: list[int] = []
    single = apdu(0, 1)
    ready = [apdu(at, min(packed, events - at)) for at in range(0, events, packed)]
    while line := await lines.readline():
        match line.split():
            case [b"set"]:
                stamps.append(time.monotonic_ns())
                for each in connections:
                    each.transport.write(single)
            case [b"stamps"]:
                answer(stamps)
                stamps.clear()
            case [b"events", _]:
                await asyncio.gather(*(each.blast(ready) for each in connections))
                answer({"accepted": events})
            case [b"facts"]:
                answer(facts())
            case _:
                break
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
