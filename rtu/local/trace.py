"""What the operator on site asks of the traffic: to see it live, to have it recorded, and to have the record.

    trace        a stream: telegrams as they come, of all masters or of one
    trace.on     record from now on
    trace.off    record no more
    trace.save   a stream: the capture files as they are

Octets go out as they are; whoever asked makes words of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any, Protocol

from rtu.station.traffic import Telegram, Traffic

from .socket import Asked, Function, Refused

MAX_WAITING = 1000
"""Telegrams that wait for somebody who reads too slowly; those on top are counted and left out."""

PATIENCE_S = 10.0
"""How long the disk may take."""

Item = Mapping[str, Any]


class Recording(Protocol):
    """Keeps the traffic on the disk."""

    trouble: str

    @property
    def on(self) -> bool: ...

    @property
    def recorded(self) -> tuple[int, int]:
        """How many telegrams were kept, and how many lost."""
        ...

    def start(self, by: str) -> None: ...

    def stop(self, by: str) -> None: ...

    async def settled(self) -> None: ...

    def contents(self) -> AsyncIterator[tuple[str, bytes]]: ...


def trace_functions(
    traffic: Traffic, recording: Recording, masters: Collection[str], record: Callable[..., object]
) -> dict[str, Function]:
    """By the names they are asked by. `masters` are those of the station file."""

    def follow(asked: Asked) -> AsyncIterator[Item]:
        master = asked.arguments.get("master")
        if master is not None and master not in masters:
            raise Refused(f"there is no master {master!r}: there are {', '.join(masters) or 'none'}")
        record("trace.follow", by=asked.by, **({} if master is None else {"master": master}))
        return _follow(traffic, master)

    async def settled() -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await recording.settled()
        except TimeoutError:
            raise Refused("the disk does not answer: what was recorded is not known") from None

    async def switch_on(asked: Asked) -> Item:
        recording.start(asked.by)
        await settled()
        if not recording.on:
            raise Refused(f"nothing is recorded: {recording.trouble}")
        return _recorded(recording)

    async def switch_off(asked: Asked) -> Item:
        if not recording.on:
            raise Refused("nothing is being recorded: `rtu trace on` begins")
        recording.stop(asked.by)
        await settled()
        return _recorded(recording)

    async def save(asked: Asked) -> AsyncIterator[Item]:
        record("trace.save", by=asked.by)
        await settled()
        try:
            async for name, octets in recording.contents():
                yield {"file": name, "octets": octets}
        except OSError as error:
            raise Refused(f"the captures cannot be read: {error}") from None

    return {"trace": follow, "trace.on": switch_on, "trace.off": switch_off, "trace.save": save}


def _recorded(recording: Recording) -> Item:
    kept, lost = recording.recorded
    return {"on": recording.on, "kept": kept, "lost": lost}


async def _follow(traffic: Traffic, master: object) -> AsyncIterator[Item]:
    """Telegrams as they come, and in their place how many were lost."""
    waiting: deque[Item] = deque()
    news = asyncio.Event()
    lost = 0

    def take(telegram: Telegram) -> None:
        nonlocal lost
        if master is not None and telegram.way.master != master:
            return
        if len(waiting) >= MAX_WAITING:
            lost += 1
            return
        tell_lost()
        waiting.append(_item(telegram))
        news.set()

    def tell_lost() -> None:
        nonlocal lost
        if lost:
            waiting.append({"lost": lost})
            lost = 0

    unwatch = traffic.watch(take)
    try:
        while True:
            await news.wait()
            news.clear()
            while waiting:
                yield waiting.popleft()
                if not waiting:
                    tell_lost()
    finally:
        unwatch()


def _item(telegram: Telegram) -> Item:
    way = telegram.way
    return {
        "time": telegram.unix_ns,
        "connection": way.number,
        "master": way.master,
        "peer": way.peer,
        "station": way.station,
        "kind": telegram.kind,
        "octets": telegram.octets.hex(),
        "reason": telegram.reason,
    }
