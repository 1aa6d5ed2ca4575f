"""Child process: so many connections at a time that want nothing good, from the addresses named, until its input ends.

silent   connect and say nothing
hello    connect, say the first message of TLS, and leave when it is answered
drip     connect and say one octet of that each tenth of a second

Says "ready" when so many were opened, and at the end, as JSON, how many it opened and how many the station closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

TOGETHER = 500
DRIP_S = 0.1
PATIENCE_S = 10.0
"""For a station that neither answers nor closes."""


@dataclass
class Counts:
    """`failed`: no connection came about, for want of ports for one."""

    opened: int = 0
    closed: int = 0
    failed: int = 0


Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def first_message() -> bytes:
    """A ClientHello as a library makes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


HELLO = first_message()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HELLO)
    await reader.read(1)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    closed = asyncio.ensure_future(reader.read())
    for octet in HELLO:
        writer.write(bytes((octet,)))
        done, _ = await asyncio.wait((closed,), timeout=DRIP_S)
        if done:
            break
    closed.cancel()


WAYS: dict[str, Way] = {"silent": silent, "hello": hello, "drip": drip}


async def one(way: Way, port: int, source: str, counts: Counts) -> None:
    """One place of the flood: a connection after the other."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        except OSError:
            counts.failed += 1
            await asyncio.sleep(DRIP_S)
            continue
        counts.opened += 1
        if counts.opened == TOGETHER:
            print("ready", flush=True)
        with contextlib.suppress(OSError):
            await way(reader, writer)
            counts.closed += reader.at_eof()
        writer.close()


async def main(way: Way, port: int, sources: list[str]) -> None:
    counts, loop = Counts(), asyncio.get_running_loop()
    places = [
        asyncio.create_task(one(way, port, sources[place % len(sources)], counts))
        for place in range(TOGETHER)
    ]
    await loop.run_in_executor(None, sys.stdin.read)
    for place in places:
        place.cancel()
    print(json.dumps(asdict(counts)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(WAYS[sys.argv[1]], int(sys.argv[2]), sys.argv[3:]))
