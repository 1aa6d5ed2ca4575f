"""The recording of the traffic: switched on and off, and never in anybody's way.

Telegrams wait while the background thread writes those before them. At most MAX_UNWRITTEN are on their way to the disk;
what comes on top is not recorded but counted. A disk that fails or is full switches the recording off, and nothing else happens.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtu.background import Background, awaited
from rtu.station.traffic import Telegram, Traffic

if TYPE_CHECKING:
    from .capture import Capture, Segment

MAX_UNWRITTEN = 4096
"""Telegrams: some 2 MiB."""
PART = 64 * 1024
"""Octets read from the disk at a time."""

_log = logging.getLogger(__name__)

Record = Callable[..., object]


class Recorded(NamedTuple):
    """Telegrams since the recording was switched on last: how many were kept, and how many the disk did not take."""

    kept: int
    lost: int


class Recording:
    """Of `traffic` into `directory`, by `background`. Whoever switches it is put on record (`record`)."""

    def __init__(
        self, traffic: Traffic, directory: Path, max_octets: int, background: Background, record: Record
    ) -> None:
        self.trouble = ""
        """Why it went off by itself; empty if it did not."""
        self._traffic = traffic
        self._directory = directory
        self._max_octets = max_octets
        self._background = background
        self._record = record
        self._unwatch: Callable[[], None] | None = None
        self._waiting: list[Telegram] = []
        self._unwritten = 0  # waiting, or handed over
        self._writing = False
        self._kept = self._lost = 0

    @property
    def on(self) -> bool:
        return self._unwatch is not None

    @property
    def recorded(self) -> Recorded:
        return Recorded(self._kept, self._lost)

    def start(self, by: str) -> None:
        """Record from now on. Nothing happens when it is on already."""
        if self.on:
            return
        self.trouble = ""
        self._kept = self._lost = 0
        self._unwatch = self._traffic.watch(self._take)
        self._record("trace.on", by=by)
        self._background.submit(self._capture.begin, _nothing, partial(self._failed, 0))

    def stop(self, by: str, reason: str = "") -> None:
        """Write what waits, and no more. Nothing happens when it is off already."""
        if self._unwatch is None:
            return
        self._unwatch()
        self._unwatch = None
        self._hand_over(self._finish)
        self._record("trace.off", by=by, kept=self._kept, lost=self._lost, reason=reason)

    async def settled(self) -> None:
        """Wait until everything that came so far is written, or could not be."""
        for _ in range(2):  # what is being written, and what waits for that
            await awaited(self._background, lambda: None)

    async def contents(self) -> AsyncIterator[tuple[str, bytes]]:
        """What is on the disk, the oldest first: the name of a file and some of its octets, in order. Raises OSError."""
        segments = await awaited(self._background, self._capture.segments)
        try:
            for segment in segments:
                left = segment.octets
                while left > 0:
                    octets = await awaited(self._background, partial(segment.file.read, min(left, PART)))
                    if not octets:
                        break
                    left -= len(octets)
                    yield segment.name, octets
        finally:
            # After what is being read: on the loop this would wait for a disk that hangs.
            self._background.submit(partial(_close, segments), _nothing, _nothing)

    def _take(self, telegram: Telegram) -> None:
        if self._unwritten >= MAX_UNWRITTEN:
            if not self._lost:
                _log.warning("the disk is too slow for the recording of the traffic: telegrams are left out")
            self._lost += 1
            return
        self._waiting.append(telegram)
        self._unwritten += 1
        self._kept += 1
        if not self._writing:
            self._hand_over(self._capture.write)

    def _hand_over(self, work: Callable[[list[Telegram]], None]) -> None:
        """Let the background do this with what waits."""
        self._writing = True
        batch, self._waiting = self._waiting, []
        self._background.submit(
            partial(work, batch), partial(self._written, len(batch)), partial(self._failed, len(batch))
        )

    def _written(self, count: int, _: None) -> None:
        self._writing = False
        self._unwritten -= count
        if self._waiting:
            self._hand_over(self._capture.write)

    def _failed(self, count: int, error: Exception) -> None:
        self._writing = False
        lost = count + len(self._waiting)
        self._waiting.clear()
        self._unwritten -= lost
        lost = min(lost, self._kept)  # if it was switched on anew meanwhile they were counted before that
        self._kept -= lost
        self._lost += lost
        reason = str(error.strerror or error) if isinstance(error, OSError) else repr(error)
        if reason != self.trouble:  # what was handed over before fails too
            _log.warning("the recording of the traffic ends: %s: make room, then `rtu trace on`", reason)
        self.trouble = reason
        self.stop("station", reason)

    @cached_property
    def _capture(self) -> Capture:
        from .capture import Capture  # most stations never record

        return Capture(self._directory, self._max_octets)

    def _finish(self, telegrams: list[Telegram]) -> None:
        try:
            if telegrams:
                self._capture.write(telegrams)
        finally:
            self._capture.end()


def _close(segments: Sequence[Segment]) -> None:
    for segment in segments:
        segment.file.close()


def _nothing(_: object) -> None:
    pass
