"""Captures on disk: files of packets of which the oldest gives way, so that all together stay below a limit.

    traffic-00000017.pcap   numbered on and on; a file is begun anew at each start and whenever one is full

Each can be opened by itself. The power may fail at any moment: a file may end in the middle of a packet, which readers
forgive, and nothing is ever written to it again. All of this blocks; it belongs to one background thread.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rtu.station.traffic import Telegram

from .packets import FILE_HEADER, Flows

SEGMENTS = 8
"""Files at the most; each has an equal share of the limit."""
RESERVE = 16 * 1024 * 1024
"""Octets of the disk that are left to the event log: with less than this free, nothing is recorded."""
MODE = 0o600

_NAME = re.compile(r"traffic-(\d{8,})\.pcap")


class Segment(NamedTuple):
    """A file as it was when it was opened for reading; it can be read to the end though it may be deleted meanwhile."""

    name: str
    octets: int
    file: BinaryIO


class Capture:
    """The files in one directory, with `max_octets` at the most. Every method may raise OSError."""

    def __init__(self, directory: Path, max_octets: int) -> None:
        self._directory = directory
        self._max_octets = max_octets
        self._share = max_octets // SEGMENTS
        self._file: FileIO | None = None
        self._size = 0
        self._flows = Flows()

    def begin(self) -> None:
        """Make sure that there is a place to write to."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_room()

    def write(self, telegrams: Sequence[Telegram]) -> None:
        """Add these to the newest file."""
        self._check_room()
        waiting = bytearray()
        for telegram in telegrams:
            records = self._flows.records(telegram)
            if self._file is None or self._size + len(waiting) + len(records) > self._share:
                self._flush(waiting)
                self._roll()
            waiting += records
        self._flush(waiting)

    def end(self) -> None:
        """The newest file is complete; what is written later goes to another, as if nobody were connected yet."""
        file, self._file = self._file, None
        self._flows = Flows()
        if file is not None:
            file.close()

    def segments(self) -> list[Segment]:
        """All files, opened to be read, the oldest first."""
        segments = []
        for path in self._paths():
            file = path.open("rb")
            segments.append(Segment(path.name, os.fstat(file.fileno()).st_size, file))
        return segments

    def _flush(self, waiting: bytearray) -> None:
        if waiting and self._file is not None:
            self._append(self._file, bytes(waiting))
            waiting.clear()

    def _append(self, file: FileIO, octets: bytes) -> None:
        if file.write(octets) != len(octets):
            raise _full(self._directory)
        self._size += len(octets)

    def _roll(self) -> None:
        """Begin the next file, after making room for all of it."""
        if self._file is not None:
            self._file.close()
            self._file = None
        paths = self._paths()
        number = 1 + (_number(paths[-1]) if paths else 0)
        sizes = [path.stat().st_size for path in paths]
        while paths and (len(paths) >= SEGMENTS or sum(sizes) + self._share > self._max_octets):
            paths.pop(0).unlink()
            sizes.pop(0)
        path = self._directory / f"traffic-{number:08d}.pcap"
        # Unbuffered: what was recorded can be read at once, and stays whatever becomes of this process.
        self._file = FileIO(path, "x", opener=partial(os.open, mode=MODE))
        self._size = 0
        self._append(self._file, FILE_HEADER)

    def _paths(self) -> list[Path]:
        """The files there are, the oldest first."""
        with suppress(FileNotFoundError):
            return sorted(
                (path for path in self._directory.iterdir() if _NAME.fullmatch(path.name)), key=_number
            )
        return []

    def _check_room(self) -> None:
        disk = os.statvfs(self._directory)
        if disk.f_bavail * disk.f_frsize < RESERVE:
            raise _full(self._directory)


def _full(where: Path) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(where))


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found is not None else 0
