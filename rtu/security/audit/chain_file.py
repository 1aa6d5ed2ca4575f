"""The chain as it is written: each line handed to the kernel at once, and to the disk within SYNC_NS.

What is promised: `append` returns True when the kernel has the line, which survives the death of this process. The disk has
it 100 ms later at most, as long as the disk keeps up: one sync, on a thread, covers all lines of that time. A power cut
takes with it what was younger, in this file; the journal and log servers may have it.

    WRITING   the loop writes; a thread syncs, and removes files that gave way
    WAITING   the disk failed, or has not answered a sync for 2 s: lines wait in memory, at most WAITING of them

After a failure everything is looked at anew, on the thread, every 10 s, and a new file is begun: what the kernel holds
after a failed sync need not be on the disk. Then the lines that waited are written. Those for which there was no room
are missing; `notes` tells, and the trail puts it on record.
"""

from __future__ import annotations

import fcntl
import os
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rtu.background import Background
from rtu.clock import MILLISECOND, SECOND, Clock, Timer
from rtu.disk import sync_directory

from .chain import NOTHING, Head, Link, files, number_of, path_of, tail_of, unlinked

SYNC_NS = 100 * MILLISECOND
HANG_NS = 2 * SECOND
RETRY_NS = 10 * SECOND
WAITING = 1000
"""Lines kept in memory for a disk that does not take them."""
FILES = 8
"""Into so many files the octets of a trail are divided."""

IN_USE = "another program writes it"

Note = tuple[str, dict[str, object]]
"""An event about the chain that belongs on record, and its fields."""


class Found(NamedTuple):
    """A directory ready for the next line. `last` is the newest record in it."""

    descriptor: int
    number: int
    size: int
    sizes: dict[int, int]
    """Octets of each file before it, by number."""
    head: Head
    last: Link | None
    notes: list[Note]


class ChainFile:
    """Writes the chain in `directory`, at most `max_octets` in all. Belongs to the loop; never raises OSError.

    `news` is called when there are `notes` that no `append` is going to fetch.
    """

    def __init__(self, directory: Path, max_octets: int, clock: Clock, background: Background) -> None:
        self.head = NOTHING
        """The newest record in the files."""
        self.last: Link | None = None
        """The newest record that was found when they were opened."""
        self.reason = ""
        """Why lines are not written, if so."""
        self.notes: deque[Note] = deque()
        self.news: Callable[[], None] = lambda: None
        self._directory = directory
        self._max_octets = max_octets
        self._file_octets = max_octets // FILES
        self._clock = clock
        self._background = background
        self._lock = -1
        self._descriptor = -1
        self._number = 0
        self._size = 0
        self._sizes: dict[int, int] = {}
        self._known = False  # whether `head` was read from the files
        self._waiting: deque[tuple[bytes, Head]] = deque()
        self._missing = 0
        self._sync_timer: Timer | None = None
        self._hang_timer: Timer | None = None
        self._retry_timer: Timer | None = None
        self._syncing = self._unsynced = self._new_file = False
        self._behind: list[int] = []  # descriptors of files that are full, still to be synced and closed
        self._given_way: list[Path] = []
        self._closed = False

    def open(self) -> None:
        """Find the end of the chain. Blocks; done once, before the first line."""
        try:
            self._begin(self._find())
        except OSError as error:
            self._fail(error)

    def append(self, line: bytes, head: Head) -> bool:
        """Write a line, given without its line feed, which `head` describes. False if it waits, or is missing."""
        if not self.reason and self._write(line, head):
            return True
        self._wait(line, head)
        return False

    def close(self) -> None:
        """Have everything on the disk; the thread is then to be closed by whoever owns it."""
        for timer in (self._sync_timer, self._hang_timer, self._retry_timer):
            if timer is not None:
                timer.cancel()
        if self._descriptor >= 0:
            self._behind.append(self._descriptor)
            self._descriptor = -1
        if self.reason:
            # That they give way is not on record in the files, and what they give way to is not there: next time.
            self._given_way.clear()
        self._closed = True
        self._background.submit(self._sync_job(), lambda _: None, lambda _: None)
        self._background.submit(self._let_go, lambda _: None, lambda _: None)
        self.reason = "it is closed"

    # Writing

    def _write(self, line: bytes, head: Head) -> bool:
        """Also while `reason` stands, of lines that waited."""
        octets = line + b"\n"
        try:
            if self._size and self._size + len(octets) > self._file_octets:
                self._next_file()
            written = os.write(self._descriptor, octets)
            if written != len(octets):
                with suppress(OSError):  # if it stays, it is found at the end of the file later
                    os.ftruncate(self._descriptor, self._size)
                raise OSError("No space left on device")
        except OSError as error:
            self._fail(error)
            return False
        self._size += written
        self.head = head
        self._unsynced = True
        if self._sync_timer is None and not self._syncing:
            self._sync_timer = self._clock.call_at(self._clock.now_ns() + SYNC_NS, self._sync)
        return True

    def _wait(self, line: bytes, head: Head) -> None:
        # Where the chain had got to is not known: numbers given out meanwhile do not belong into it.
        if self._known and not self._missing and len(self._waiting) < WAITING:
            self._waiting.append((line, head))
        else:
            self._missing += 1

    def _next_file(self) -> None:
        descriptor = _create(path_of(self._directory, self._number + 1))
        self._behind.append(self._descriptor)
        self._sizes[self._number] = self._size
        self._descriptor, self._size, self._number, self._new_file = descriptor, 0, self._number + 1, True
        self._give_way()

    def _give_way(self) -> None:
        first = next(iter(self._sizes), self._number)
        while self._sizes and sum(self._sizes.values()) + self._file_octets > self._max_octets:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest]
            self._given_way.append(path_of(self._directory, oldest))
        oldest = next(iter(self._sizes), self._number)
        if oldest != first:
            self.notes.append(("audit.prune", {"from": oldest}))

    # Syncing

    def _sync(self) -> None:
        self._sync_timer = None
        self._syncing = True
        self._hang_timer = self._clock.call_at(self._clock.now_ns() + HANG_NS, self._hangs)
        self._background.submit(self._sync_job(), lambda _: self._synced(), self._sync_failed)

    def _sync_job(self) -> Callable[[], None]:
        directory = self._directory if self._new_file else None
        job = partial(_sync_all, self._behind, self._descriptor, directory, self._given_way)
        self._behind, self._given_way, self._new_file, self._unsynced = [], [], False, False
        return job

    def _synced(self) -> None:
        self._syncing = False
        if self._hang_timer is not None:
            self._hang_timer.cancel()
        if self._descriptor < 0 or self._closed:
            return
        if self.reason:
            self._go_on()
        elif self._unsynced:
            self._sync_timer = self._clock.call_at(self._clock.now_ns() + SYNC_NS, self._sync)

    def _sync_failed(self, error: Exception) -> None:
        self._syncing = False
        if self._hang_timer is not None:
            self._hang_timer.cancel()
        if self._descriptor >= 0 and not self._closed:
            self._fail(error)
            self.news()

    def _hangs(self) -> None:
        if not self.reason:
            self._fault("the disk does not answer")
            self.news()

    # Failing and going on

    def _fail(self, error: Exception) -> None:
        if self._descriptor >= 0:
            self._background.submit(partial(os.close, self._descriptor), lambda _: None, lambda _: None)
            self._descriptor = -1
        if self._sync_timer is not None:
            self._sync_timer.cancel()
            self._sync_timer = None
        self._fault(str(error) if not isinstance(error, OSError) else error.strerror or str(error))
        self._retry_timer = self._clock.call_at(self._clock.now_ns() + RETRY_NS, self._retry)

    def _fault(self, reason: str) -> None:
        text = f"{self._directory}: {reason}"
        if not self.reason:
            self.notes.append(("audit.fault", {"reason": text}))
        self.reason = text

    def _retry(self) -> None:
        self._background.submit(partial(self._find, fresh=True), self._found, self._fail_again)

    def _fail_again(self, error: Exception) -> None:
        if not self._closed:
            self._fail(error)

    def _found(self, found: Found) -> None:
        if self._closed:
            os.close(found.descriptor)
            return
        if self._known and found.head != self.head:
            reason = f"it ends with record {found.head.seq}, not {self.head.seq}"
            found.notes.append(("audit.broken", {"reason": reason}))
        self._begin(found)
        self._go_on()

    def _go_on(self) -> None:
        """Write what waited; only then is the trouble over."""
        while self._waiting:
            if not self._write(*self._waiting[0]):
                return
            self._waiting.popleft()
        self.reason = ""
        if self._missing:
            # Before whatever else is to be told: it says where the numbers go on.
            self.notes.appendleft(("audit.gap", {"missing": self._missing, "after": self.head.hash}))
            self._missing = 0
        self.news()

    def _begin(self, found: Found) -> None:
        self._descriptor, self._number, self._size = found.descriptor, found.number, found.size
        self._sizes, self._new_file = found.sizes, True
        self.head, self.last, self._known = found.head, found.last, True
        self.notes.extend(found.notes)
        self._give_way()

    def _let_go(self) -> None:
        """On the thread, because that is where `_find` takes it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _find(self, fresh: bool = False) -> Found:
        """Open the newest file, or with `fresh` a new one, and cut off what was not written whole. Blocks."""
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        if self._lock < 0:
            self._lock = _locked(self._directory)
        notes: list[Note] = []
        head, last, later, newer = NOTHING, None, None, ""
        sizes = {number_of(path): path.stat().st_size for path in files(self._directory)}
        number = max(sizes, default=1)
        for each in sorted(sizes, reverse=True):
            path = path_of(self._directory, each)
            tail = tail_of(path)
            if tail.end < sizes[each]:
                os.truncate(path, tail.end)
                notes.append(("audit.repaired", {"file": path.name, "octets": sizes[each] - tail.end}))
                sizes[each] = tail.end
            if tail.broken:
                notes.append(("audit.broken", {"file": path.name, "reason": tail.broken}))
            if tail.last is not None:
                if last is None:
                    head, last = Head(tail.last.seq, tail.hash), tail.last
                elif later is not None and (why := unlinked(Head(tail.last.seq, tail.hash), later)):
                    notes.append(("audit.broken", {"file": newer, "reason": why}))
                later, newer = tail.first, path.name
                if later is None:
                    break
            elif tail.end:
                fresh = True  # nothing is added to what cannot be read
        if fresh and sizes.get(number, 0):
            number += 1
        if self._closed:
            raise OSError("it is closed")  # nobody would close what is opened now
        descriptor = _create(path_of(self._directory, number))
        size = sizes.pop(number, 0)
        return Found(descriptor, number, size, dict(sorted(sizes.items())), head, last, notes)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)


def _locked(directory: Path) -> int:
    """A descriptor that keeps other writers out. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(IN_USE) from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sync_all(behind: list[int], descriptor: int, directory: Path | None, given_way: list[Path]) -> None:
    """Have the lines on the disk, close files that are full, then remove those that give way. Blocks."""
    with ExitStack() as steps:
        for full in behind:
            steps.callback(os.close, full)
        for each in (*behind, descriptor):
            if each >= 0:
                os.fdatasync(each)
    if descriptor >= 0 and not os.fstat(descriptor).st_nlink:
        raise OSError("somebody removed the file")
    if directory is not None:
        sync_directory(directory)
    for path in given_way:
        with suppress(FileNotFoundError):
            path.unlink()
