"""Work that takes its time, off the loop and one after the other: files, and text made of many events.

One thread does what it is given in the order it was given; each result comes back on the loop. What is submitted must
not touch what the loop owns: give it copies, or data that does not change.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from rtu.disk import PATIENCE_S

Result = TypeVar("Result")


class Background(Protocol):
    """Whoever does such work."""

    def submit(
        self, work: Callable[[], Result], done: Callable[[Result], None], failed: Callable[[Exception], None]
    ) -> None:
        """Run `work` in its turn, then on the loop `done` with what it returned or `failed` with what it raised."""
        ...


def awaited(background: Background, work: Callable[[], Result]) -> asyncio.Future[Result]:
    """What `work` returns or raises, to be awaited on the loop; never done if `background` is closed before."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def done(result: Result) -> None:
        if not future.done():
            future.set_result(result)

    def failed(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    background.submit(work, done, failed)
    return future


class BackgroundThread:
    """`post` runs a callable on the loop (`loop.call_soon_threadsafe`). The thread begins with the first work."""

    def __init__(self, post: Callable[[Callable[[], None]], object], name: str) -> None:
        self._post = post
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # A disk that never answers must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._closed = False

    def submit(
        self, work: Callable[[], Result], done: Callable[[Result], None], failed: Callable[[Exception], None]
    ) -> None:
        """As in `Background`. After `close` nothing is done any more."""
        if self._closed:
            return
        if self._thread.ident is None:
            self._thread.start()
        self._work.put(partial(self._do, work, done, failed))

    def close(self) -> None:
        """Finish what was submitted, and stop; waits for the disk at most 30 s. Results are not delivered."""
        self._closed = True
        if self._thread.ident is not None:
            self._work.put(None)
            self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            job()

    def _do(
        self, work: Callable[[], Result], done: Callable[[Result], None], failed: Callable[[Exception], None]
    ) -> None:
        try:
            result = work()
        except Exception as error:  # whoever wanted it is told
            self._tell(partial(failed, error))
        else:
            self._tell(partial(done, result))

    def _tell(self, news: Callable[[], None]) -> None:
        if not self._closed:
            try:
                self._post(news)
            except RuntimeError:  # the loop is gone
                self._closed = True
