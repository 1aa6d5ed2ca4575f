"""The files of the station: what can be read from each, deleted, or put there (IEC 60870-5-101, 7.4.11).

    event log          the latest events as text            names 3  read, read for a span of time
    disturbance record one slot of a recorder                     2  read, delete
    inbox              whatever the master put there              1  read, store

Reading takes time, so a file does not give its content but the work that gets it, to be done off the loop on what does
not change meanwhile.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rtu.clock import Clock, WallTime
from rtu.disk import replace_file
from rtu.events.history import Extract, History
from rtu.points.records import Records, Slot, read

TRANSPARENT, DISTURBANCE, EVENTS = 1, 2, 3
"""Names of file, NOF."""

MAX_FILE = 16_777_215
"""Octets of the longest file there can be: what LOF can say."""

MAX_SECTION = 65_793
"""Octets of a section; the longest file then has the 255 sections a file can have."""

Sections = tuple[bytes, ...]
"""Content of a file: at least one section, though it may be empty."""


class Entry(NamedTuple):
    """What a directory says of a file."""

    length: int
    created: WallTime


class ServedFile(ABC):
    """A file by its information object. What a kind of file does not support, it refuses."""

    max_octets = 0
    """What it takes at the most; 0: the master can put nothing there."""

    def __init__(self, ca: int, ioa: int, name: int) -> None:
        self.ca = ca
        self.ioa = ioa
        self.name = name
        self.users = 0
        self.storing = False

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether there is anything to read."""

    @abstractmethod
    def entry(self) -> Callable[[], Entry]:
        """The work of looking what there is. It may raise OSError or ValueError."""

    @abstractmethod
    def content(self) -> Callable[[], Sections]:
        """The work of reading. It may raise OSError or ValueError."""

    def extract(self, since_ns: int, until_ns: int) -> Callable[[], Sections] | None:
        """The work of reading what is of that time (nanoseconds since 1970), if the file is a log."""
        return None

    def deletable(self) -> bool:
        """Whether the master may delete it now."""
        return False

    def delete(self, done: Callable[[bool], None]) -> None:
        """Delete it and say whether that worked."""
        done(False)

    def store(self, octets: bytes) -> Callable[[], None]:
        """The work of replacing it. It may raise OSError."""
        raise NotImplementedError

    def stored(self) -> None:  # noqa: B027 - most kinds take nothing
        """That worked."""

    def hold(self) -> None:
        """Somebody transfers it."""
        self.users += 1

    def release(self) -> None:
        """He does no more."""
        self.users -= 1


class EventLogFile(ServedFile):
    """The history of events."""

    def __init__(self, ca: int, ioa: int, history: History, clock: Clock) -> None:
        super().__init__(ca, ioa, EVENTS)
        self._history = history
        self._clock = clock

    @property
    def exists(self) -> bool:
        return True

    def entry(self) -> Callable[[], Entry]:
        return partial(_measure, self._history.extract(), self._clock.wall(self._history.changed_ns))

    def content(self) -> Callable[[], Sections]:
        return partial(_text, self._history.extract())

    def extract(self, since_ns: int, until_ns: int) -> Callable[[], Sections] | None:
        return partial(_text, self._history.extract(since_ns, until_ns))


class RecordFile(ServedFile):
    """One slot of a recorder: section 1 is the .cfg, section 2 the .dat."""

    def __init__(self, ca: int, ioa: int, records: Records, slot: Slot) -> None:
        super().__init__(ca, ioa, DISTURBANCE)
        self._records = records
        self._slot = slot

    @property
    def exists(self) -> bool:
        return self._slot.kept is not None

    def entry(self) -> Callable[[], Entry]:
        kept = self._slot.kept
        assert kept is not None
        return partial(Entry, sum(kept.lengths), kept.created)

    def content(self) -> Callable[[], Sections]:
        return partial(_files, self._slot.path)

    def deletable(self) -> bool:
        return self.exists and not self._slot.used and not self._slot.busy

    def delete(self, done: Callable[[bool], None]) -> None:
        self._records.delete(self._slot, done)

    def hold(self) -> None:
        super().hold()
        self._slot.used += 1

    def release(self) -> None:
        super().release()
        self._slot.used -= 1


class InboxFile(ServedFile):
    """A transparent file of the master's; the station keeps it and does nothing else with it."""

    def __init__(self, ca: int, ioa: int, path: Path, max_octets: int, clock: Clock) -> None:
        super().__init__(ca, ioa, TRANSPARENT)
        self.max_octets = max_octets
        self._path = path
        self._clock = clock
        self._there = path.is_file()

    @property
    def exists(self) -> bool:
        return self._there

    def entry(self) -> Callable[[], Entry]:
        return partial(_look, self._path)

    def content(self) -> Callable[[], Sections]:
        return partial(_read, self._path)

    def store(self, octets: bytes) -> Callable[[], None]:
        return partial(_keep, self._path, octets, self._clock.wall(self._clock.now_ns()))

    def stored(self) -> None:
        self._there = True


def sections(octets: bytes) -> Sections:
    """A text or file without parts of its own, cut where it must be."""
    return tuple(_cut(octets)) or (b"",)


def _cut(octets: bytes) -> Iterator[bytes]:
    for at in range(0, len(octets), MAX_SECTION):
        yield octets[at : at + MAX_SECTION]


def _measure(extract: Extract, changed: WallTime) -> Entry:
    return Entry(len(extract.text()), changed)


def _text(extract: Extract) -> Sections:
    return sections(extract.text())


def _files(path: Path) -> Sections:
    return tuple(read(path))


def _read(path: Path) -> Sections:
    with path.open("rb") as file:
        octets = file.read(MAX_FILE + 1)
    if len(octets) > MAX_FILE:
        raise ValueError(f"{path} is longer than a file can be")
    return sections(octets)


def _keep(path: Path, octets: bytes, created: WallTime) -> None:
    replace_file(path, octets)
    unix_ns = created.unix_ns if created.valid else 0
    os.utime(path, ns=(unix_ns, unix_ns))  # by the station's clock, which need not be the machine's


def _look(path: Path) -> Entry:
    """A file of 1970 came while nobody knew the time."""
    stat = path.stat()
    return Entry(stat.st_size, WallTime(stat.st_mtime_ns, stat.st_mtime_ns > 0))
