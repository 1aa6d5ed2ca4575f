"""One SQLite file and the one thread that writes it.

WAL with synchronous=FULL and exclusive locking: a transaction that succeeded survives a power cut. The loop submits one
transaction at a time and never waits. A write or sync that failed is fatal for the open file, because the kernel may
have dropped the pages it could not write: the file is closed, the fault published, and the next transaction, not
before a back-off, is the whole present state on a file opened and verified anew.

A file that cannot be read as ours is moved aside as `events.db.corrupt-<n>` and an empty one begun. One that can be read
but not written at the start is served from memory.
"""

from __future__ import annotations

import os
import queue
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Self

import msgspec

from rtu.clock import MILLISECOND, SECOND, Clock
from rtu.disk import PATIENCE_S

from .rows import STATES, Changes, CursorState, Gap, Restored, Run, Scalar

FILE = "events.db"
SCHEMA_VERSION = 2
ROWS_PER_STATEMENT = 300
CHECKPOINT_OCTETS = 2_000_000  # of the write-ahead log
FIRST_RETRY_NS = SECOND
LAST_RETRY_NS = 60 * SECOND
KEPT_ASIDE = 9

_SCHEMA = """
CREATE TABLE chunk(
    stream INTEGER, last INTEGER, runs BLOB,
    PRIMARY KEY(stream, last)) WITHOUT ROWID;
CREATE TABLE head(stream INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE cursor(
    redundancy_group TEXT, stream INTEGER, acked INTEGER, lost INTEGER, gaps BLOB,
    PRIMARY KEY(redundancy_group, stream)) WITHOUT ROWID;
CREATE TABLE last_state(name TEXT PRIMARY KEY, value, quality INTEGER) WITHOUT ROWID;
CREATE TABLE counter(name TEXT PRIMARY KEY, total) WITHOUT ROWID;
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
_TABLES = ("chunk", "head", "cursor", "last_state", "counter", "meta")

Connect = Callable[..., sqlite3.Connection]


class StoreInUse(Exception):
    """Another process has the store open; stop it first."""


class _Unreadable(Exception):
    """The file is no store of this version."""


class Store:
    """Use `Store.open`. All attributes may be read by the loop at any time."""

    def __init__(self, directory: Path, clock: Clock, connect: Connect) -> None:
        self.restored = Restored()
        """What the file held at the start; an event log built on it takes the rows away, to keep them once."""
        self.fault: str | None = None
        """Why the last write failed; None while all is well."""
        self.set_aside: list[str] = []
        """Files that could not be read and were moved aside since the start."""
        self.incomplete = False
        """The file does not hold what was submitted: the next transaction must be the whole state."""
        self.committed = 0
        """State rows up to this one are on the disk."""
        self.commits = 0
        self.window_last_ms = 0.0
        """From the detection of the oldest event of a transaction to its commit."""
        self.window_max_ms = 0.0
        self._path = directory / FILE
        self._clock = clock
        self._connect = connect
        self._db: sqlite3.Connection | None = None
        self._found_ours = False
        self._retry_ns = FIRST_RETRY_NS
        self._not_before_ns = 0
        self._work: queue.SimpleQueue[Changes | None] = queue.SimpleQueue()
        self._at_rest = threading.Event()
        self._at_rest.set()
        self._thread = threading.Thread(target=self._run, name="event-store", daemon=True)

    @classmethod
    def open(
        cls, directory: str | os.PathLike[str], clock: Clock, connect: Connect = sqlite3.connect
    ) -> Self:
        """Read what is there, into `restored`, and start the writer.

        `connect` is `sqlite3.connect` or stands in for it. Raises StoreInUse. Any other trouble with the disk is a
        `fault`: the station serves from memory and keeps trying.
        """
        store = cls(Path(directory), clock, connect)
        try:
            store._open_file()
        except Exception as error:  # whatever is wrong with the file, the station runs
            if _primary_code(error) == sqlite3.SQLITE_BUSY:
                raise StoreInUse(f"{store._path} is used by another process: stop it first") from error
            store._failed(error)
            store._recall()
        store._thread.start()
        return store

    @property
    def idle(self) -> bool:
        """Ready for a transaction: none is at work, and no back-off runs."""
        return self._at_rest.is_set() and self._clock.now_ns() >= self._not_before_ns

    def submit(self, changes: Changes) -> None:
        """Write this, in the background. Only when nothing is at work; the caller leaves `changes` alone from now on."""
        self._at_rest.clear()
        self._work.put(changes)

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing is at work; False if that took too long."""
        return self._at_rest.wait(timeout_s)

    def close(self) -> None:
        """Write what was submitted, close the file, stop the writer; after 30 s a disk that hangs is left alone."""
        self._work.put(None)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        while (changes := self._work.get()) is not None:
            try:
                self._commit(changes)
            except Exception as error:  # whatever it is, the next events must find a writer
                self._close_file()
                self._failed(error)
            self._at_rest.set()
        self._close_file()

    def _failed(self, error: Exception) -> None:
        self.incomplete = True
        self._not_before_ns = self._clock.now_ns() + self._retry_ns
        self._retry_ns = min(2 * self._retry_ns, LAST_RETRY_NS)
        self.fault = f"cannot write {self._path}: {error}; check the card and its free space"

    def _recall(self) -> None:
        """What cannot be written now can perhaps be read (a read-only card): what waits there is served all the same."""
        with suppress(OSError, sqlite3.Error, _Unreadable), tempfile.TemporaryDirectory() as memory:
            copy = Path(memory, FILE)
            shutil.copyfile(self._path, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self._path}-wal", f"{copy}-wal")
            self._open_at(copy).close()
            # All of it is in memory now and will be written with the whole state.
            self._found_ours = True

    def _commit(self, changes: Changes) -> None:
        db = self._db or self._open_file()
        db.execute("BEGIN IMMEDIATE")
        _write(db, changes)
        db.execute("COMMIT")
        if changes.since_ns is not None:
            self.window_last_ms = (self._clock.now_ns() - changes.since_ns) / MILLISECOND
            self.window_max_ms = max(self.window_max_ms, self.window_last_ms)
        self.commits += 1
        self.committed = changes.heads[STATES]
        self._checkpoint(db)
        self.incomplete = False
        self.fault = None
        self._retry_ns = FIRST_RETRY_NS

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        """By hand: SQLite's automatic checkpoint hides a sync that failed."""
        if os.stat(f"{self._path}-wal").st_size > CHECKPOINT_OCTETS:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _open_file(self) -> sqlite3.Connection:
        if not self._found_ours and self.incomplete:
            # It could not be read at the start and can be now: what it holds must not be overwritten.
            self._move_aside()
        try:
            db = self._open_ours()
        except _Unreadable:
            self._move_aside()
            db = self._open_ours()
        _sync_directory(self._path.parent)
        self._found_ours = True
        self._db = db
        return db

    def _open_ours(self) -> sqlite3.Connection:
        _make_private(self._path)
        return self._open_at(self._path)

    def _open_at(self, path: Path) -> sqlite3.Connection:
        """Raises _Unreadable when the file is damaged or made by another version."""
        db = self._connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA wal_autocheckpoint=0")
            if db.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise _Unreadable
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT")
            elif version != SCHEMA_VERSION:
                raise _Unreadable
            if not self._found_ours:
                self.restored = _read(db)
                self.committed = self.restored.heads[STATES]
        except BaseException as error:
            db.close()
            if _means_damage(error):
                raise _Unreadable from error
            raise
        return db

    def _move_aside(self) -> None:
        """The oldest names are kept; beyond nine, the last one is replaced."""
        parent = self._path.parent
        names = [parent / f"{FILE}.corrupt-{n}" for n in range(1, KEPT_ASIDE + 1)]
        target = next((name for name in names if not name.exists()), names[-1])
        if not self._path.exists() or self._path.stat().st_size == 0:
            return
        # The write-ahead log first: SQLite would play it into the next file of this name.
        wal = Path(f"{self._path}-wal")
        if wal.exists():
            os.replace(wal, f"{target}-wal")
        os.replace(self._path, target)
        _sync_directory(parent)
        self.set_aside.append(str(target))

    def _close_file(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            try:
                db.close()
            except sqlite3.Error:
                pass


def _means_damage(error: BaseException) -> bool:
    if isinstance(error, msgspec.DecodeError | LookupError | TypeError | ValueError):
        return True
    # A table that is not there is a plain SQLITE_ERROR.
    return _primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _primary_code(error: BaseException) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _make_private(path: Path) -> None:
    """The directory (0700) and the file (0600), whose mode SQLite gives to its companions."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(db: sqlite3.Connection) -> Restored:
    restored = Restored()
    for stream, runs in db.execute("SELECT stream, runs FROM chunk ORDER BY stream, last"):
        restored.runs[stream] += msgspec.msgpack.decode(runs, type=list[Run])
    restored.heads.update(db.execute("SELECT stream, seq FROM head"))
    for group, stream, acked, lost, gaps in db.execute(
        "SELECT redundancy_group, stream, acked, lost, gaps FROM cursor"
    ):
        restored.cursors[group, stream] = CursorState(
            acked, lost, msgspec.msgpack.decode(gaps, type=list[Gap])
        )
    for name, value, quality in db.execute("SELECT name, value, quality FROM last_state"):
        restored.last_states[name] = (value, quality)
    restored.counters.update(db.execute("SELECT name, total FROM counter"))
    restored.meta.update(db.execute("SELECT key, value FROM meta"))
    return restored


def _write(db: sqlite3.Connection, changes: Changes) -> None:
    if changes.replace:
        for table in _TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    for stream, passed in changes.passed.items():
        db.execute("DELETE FROM chunk WHERE stream = ? AND last <= ?", (stream, passed))
    for group in changes.removed_groups:
        db.execute("DELETE FROM cursor WHERE redundancy_group = ?", (group,))
    for chunk in changes.chunks:
        runs = msgspec.msgpack.encode(chunk.runs)
        db.execute("REPLACE INTO chunk VALUES (?, ?, ?)", (chunk.stream, chunk.last, runs))
    _replace(db, "head", changes.heads.items())
    _replace(
        db,
        "cursor",
        (
            (group, stream, state.acked, state.lost, msgspec.msgpack.encode(state.gaps))
            for (group, stream), state in changes.cursors.items()
        ),
    )
    _replace(db, "last_state", ((name, *state) for name, state in changes.last_states.items()))
    _replace(db, "counter", changes.counters.items())
    _replace(db, "meta", changes.meta.items())


def _replace(db: sqlite3.Connection, table: str, rows: Iterable[tuple[Scalar, ...]]) -> None:
    """Many rows by one statement: after each, this thread must wait for its turn with the interpreter."""
    rows = iter(rows)
    while some := list(islice(rows, ROWS_PER_STATEMENT)):
        row = f"({', '.join('?' * len(some[0]))})"
        statement = f"REPLACE INTO {table} VALUES {', '.join([row] * len(some))}"  # noqa: S608 - our own names
        db.execute(statement, list(chain(*some)))
