"""A station on a real port whose readings a test sets: every type there is, told to foreign masters.

It is the station of the tests in virtual time, on a loop in a thread of its own, its clock led along the real one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rtu.config.schema import Master as MasterTable
from rtu.security.identity import Gate
from rtu.server.listener import Door, Listener
from tests.station.conftest import Rig

HERE = "127.0.0.1"
TICK_S = 0.01
T = TypeVar("T")


class Live:
    """Use `live`. `do` runs something with the station on its loop."""

    log = "in this process"

    def __init__(self, text: str, base: Path) -> None:
        self._text = text
        self._base = base
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> Live:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def do(self, work: Callable[[Rig], T]) -> T:
        async def run() -> T:
            return work(self.rig)

        return self.run(run())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the station's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def way_in(self, way: str, who: str) -> dict[str, Any]:
        return {"port": self.plain}

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        self.rig = Rig(self._text)
        self.rig.clock.offset_ns = time.time_ns() - self.rig.clock.now_ns()
        self.rig.begin()
        masters = [MasterTable(name="foreign", from_=[HERE], group="main", role="engineer")]
        listener = Listener(
            self.rig.station, Gate(masters, self._base), Door("plain", HERE, 0, "engineer", 4)
        )
        listener.open()
        self.plain = listener.port
        self._ready.set()
        while not self._stop.is_set():
            behind = time.time_ns() - self.rig.clock.wall(self.rig.clock.now_ns()).unix_ns
            self.rig.clock.advance(ns=max(0, behind))
            await asyncio.sleep(TICK_S)
        await listener.close("the test is over")


@contextmanager
def live(text: str, base: Path) -> Iterator[Live]:
    station = Live(text, base).start()
    try:
        yield station
    finally:
        station.stop()
