"""What changed since the last commit, and when to hand it to the store.

All on the loop, no locks: a transaction is gathered from the live log between two callbacks, so an event and the last
state it belongs to are stored together or not at all. At most one transaction is with the store; while it is, changes
gather as sequence numbers and names, never as a second copy of the log.

A new event, last state or remembered value is handed over after 20 ms; a cursor that moved, after a second; counter
totals and deletions go along with these, and within a minute in any case, because each commit wears the card. When the
store failed, and once when time tags were made right, the next transaction is the whole present state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rtu.clock import MILLISECOND, SECOND, Clock, Timer
from rtu.disk import PATIENCE_S

from .cursor import Cursor
from .rows import STATES, STREAMS, Changes, Chunk, Restored, Scalar
from .stream import Stream

EVENT_DELAY_NS = 20 * MILLISECOND
CURSOR_DELAY_NS = SECOND
LAZY_DELAY_NS = 60 * SECOND
POLL_NS = 5 * MILLISECOND  # while the store is at work and the next transaction is due
LOOK_NS = SECOND
FLOOD_ROWS = 2000
STAND_ASIDE_S = 0.02
"""With so many rows waiting the loop hardly lets go of the interpreter: so long it waits for the writer, which needs it too."""
DELETE_BATCH = 500  # rows


class Report(Protocol):
    """Takes what an operator or auditor should know: the name of what happened, and its details."""

    def __call__(self, event: str, **details: object) -> object: ...


class Keeper(Protocol):
    """A store: takes one transaction at a time."""

    @property
    def restored(self) -> Restored: ...
    @property
    def idle(self) -> bool: ...
    @property
    def incomplete(self) -> bool: ...
    @property
    def fault(self) -> str | None: ...
    @property
    def set_aside(self) -> Sequence[str]: ...
    @property
    def committed(self) -> int: ...
    def submit(self, changes: Changes) -> None: ...
    def drain(self, timeout_s: float) -> bool: ...
    def close(self) -> None: ...


class Volatile:
    """The store of a station that keeps nothing: every transaction succeeds and is forgotten."""

    def __init__(self) -> None:
        self.restored = Restored()
        self.idle = True
        self.incomplete = False
        self.fault: str | None = None
        self.set_aside: list[str] = []
        self.committed = 0

    def submit(self, changes: Changes) -> None:
        self.committed = changes.heads[STATES]

    def drain(self, timeout_s: float) -> bool:
        return True

    def close(self) -> None: ...


class Journal:
    """The witness of all streams (see `stream.Witness`)."""

    def __init__(self, store: Keeper, clock: Clock, report: Report) -> None:
        restored = store.restored
        self.last_states = dict(restored.last_states)
        self.counters = dict(restored.counters)
        self.meta = dict(restored.meta)
        self._store = store
        self._clock = clock
        self._report = report
        self.since_ns: int | None = None
        self._streams: Sequence[Stream] = ()
        self._saved = dict.fromkeys(STREAMS, 0)  # rows up to here were handed over
        self._passed = dict.fromkeys(STREAMS, 0)  # rows up to here were deleted
        self._deletions_due = True
        self._whole_due = False
        self._moved: dict[tuple[int, str], Cursor] = {}
        self._removed_groups: list[str] = []
        self._new_states: set[str] = set()
        self._new_counters: set[str] = set()
        self._new_meta: set[str] = set()
        self._lazy_since_ns: int | None = None
        self._timer: Timer | None = None
        self._when_ns = 0
        self._due_ns: int | None = None
        self._told_fault: str | None = None
        self._told_aside = 0
        self._stood_aside = False
        self._closed = False

    def start(self, streams: Sequence[Stream], removed_groups: Sequence[str]) -> None:
        """What the streams hold now came from the store."""
        self._streams = streams
        for stream in streams:
            self._saved[stream.number] = stream.head
        # Rows whose address is gone must go together with the gaps that count them.
        self._whole_due = any(stream.missing for stream in streams)
        self._removed_groups.extend(removed_groups)
        self._look_at_store()
        self._within(EVENT_DELAY_NS)

    def row_added(self) -> None:
        if self.since_ns is None:
            self.since_ns = self._clock.now_ns()
            self._within(EVENT_DELAY_NS)

    def rows_revised(self) -> None:
        """Rows are not what they were; once in a life, so they need no way of their own to the store."""
        self._whole_due = True
        self._within(EVENT_DELAY_NS)

    def cursor_moved(self, stream: int, cursor: Cursor) -> None:
        key = (stream, cursor.group)
        if key not in self._moved:
            self._moved[key] = cursor
            self._within(CURSOR_DELAY_NS)

    def state_changed(self, name: str, state: tuple[float, int]) -> None:
        self.last_states[name] = state
        self._new_states.add(name)
        if self.since_ns is None:
            self.row_added()

    def counter_changed(self, name: str, total: float) -> None:
        self.counters[name] = total
        if name not in self._new_counters:
            self._new_counters.add(name)
            self._lazily()

    def remember(self, key: str, value: Scalar) -> None:
        self.meta[key] = value
        self._new_meta.add(key)
        self._within(EVENT_DELAY_NS)

    def commit_soon(self) -> None:
        """Hand over within 20 ms, also when only counters changed."""
        self._within(EVENT_DELAY_NS)

    def close(self) -> None:
        """Hand over everything and wait until it is stored, at most 30 s per transaction."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        # What it is still at may fail yet: nobody will look any more.
        self._whole_due |= not self._store.drain(PATIENCE_S)
        self._deletions_due = True
        self._hand_over()
        self._store.drain(PATIENCE_S)
        self._look_at_store()
        self._store.close()

    def _lazily(self) -> None:
        if self._lazy_since_ns is None:
            self._lazy_since_ns = self._clock.now_ns()
            self._within(LAZY_DELAY_NS)

    def _within(self, delay_ns: int) -> None:
        """There is something to hand over, at the latest in `delay_ns`."""
        due = self._clock.now_ns() + delay_ns
        if self._due_ns is None or due < self._due_ns:
            self._due_ns = due
            self._wake_at(due)

    def _wake_at(self, when_ns: int) -> None:
        if self._timer is not None:
            if when_ns >= self._when_ns:
                return
            self._timer.cancel()
        if not self._closed:
            self._when_ns = when_ns
            self._timer = self._clock.call_at(when_ns, self._tick)

    def _tick(self) -> None:
        self._timer = None
        # Asked once, and first: the store may become idle at any moment.
        idle = self._store.idle
        if not idle and not self._stood_aside and self._waiting > FLOOD_ROWS:
            self._stood_aside = True  # once for each transaction: a disk that hangs must not hold up the loop
            self._store.drain(STAND_ASIDE_S)
            idle = self._store.idle
        self._look_at_store()
        now = self._clock.now_ns()
        due = self._store.incomplete or (self._due_ns is not None and self._due_ns <= now)
        if not idle and not self._store.fault:
            self._wake_at(now + POLL_NS)
        elif not idle or (due and self._hand_over()):
            # How it went is looked at before the next transaction, or when there is none for a while.
            self._wake_at(now + LOOK_NS)
        elif self._due_ns is not None:
            self._wake_at(self._due_ns)

    @property
    def _waiting(self) -> int:
        """Rows that were not handed over yet."""
        return sum(stream.head - self._saved[stream.number] for stream in self._streams)

    def _look_at_store(self) -> None:
        fault = self._store.fault
        if fault != self._told_fault:
            self._told_fault = fault
            if fault is None:
                self._report("store.recovered")
            else:
                self._report("store.fault", reason=fault)
        for name in self._store.set_aside[self._told_aside :]:
            self._told_aside += 1
            self._report("store.set_aside", file=name)

    def _hand_over(self) -> bool:
        """Submit what there is; False if there is nothing."""
        now, lazy = self._clock.now_ns(), self._lazy_since_ns
        passed = {stream.number: min(stream.passed, stream.head) for stream in self._streams}
        deletable = sum(passed.values()) - sum(self._passed.values())
        if deletable >= DELETE_BATCH or (lazy is not None and now - lazy >= LAZY_DELAY_NS):
            self._deletions_due = True
        whole = self._whole_due or self._store.incomplete
        changes = self._whole() if whole else self._changes(passed)
        if self._deletions_due or whole:
            self._passed, deletable, lazy = passed, 0, None
            self._deletions_due = self._whole_due = False
        self._moved.clear()
        self._removed_groups.clear()
        self._new_states.clear()
        self._new_counters.clear()
        self._new_meta.clear()
        for stream in self._streams:
            self._saved[stream.number] = stream.head
        self.since_ns = self._due_ns = self._lazy_since_ns = None
        if deletable:
            self._lazy_since_ns = now if lazy is None else lazy
            self._due_ns = self._lazy_since_ns + LAZY_DELAY_NS
        if changes is None:
            return False
        self._stood_aside = False
        self._store.submit(changes)
        return True

    def _changes(self, passed: dict[int, int]) -> Changes | None:
        """What is new since the last transaction; None if nothing is."""
        changes = Changes(
            replace=False,
            heads={stream.number: stream.head for stream in self._streams},
            passed={n: to for n, to in passed.items() if self._deletions_due and to > self._passed[n]},
            chunks=self._chunks(self._saved),
            cursors={(group, number): cursor.state for (number, group), cursor in self._moved.items()},
            removed_groups=list(self._removed_groups),
            last_states={name: self.last_states[name] for name in self._new_states},
            counters={name: self.counters[name] for name in self._new_counters},
            meta={key: self.meta[key] for key in self._new_meta},
            since_ns=self.since_ns,
        )
        content: Iterable[object] = (
            changes.passed,
            changes.chunks,
            changes.cursors,
            changes.removed_groups,
            changes.last_states,
            changes.counters,
            changes.meta,
        )
        return changes if any(content) or self.since_ns is not None else None

    def _whole(self) -> Changes:
        return Changes(
            replace=True,
            heads={stream.number: stream.head for stream in self._streams},
            passed={},
            chunks=self._chunks(dict.fromkeys(STREAMS, 0)),
            cursors={(c.group, stream.number): c.state for stream in self._streams for c in stream.cursors},
            removed_groups=[],
            last_states=dict(self.last_states),
            counters=dict(self.counters),
            meta=dict(self.meta),
            since_ns=self.since_ns,
        )

    def _chunks(self, after: Mapping[int, int]) -> list[Chunk]:
        return [chunk for stream in self._streams for chunk in stream.chunks(after[stream.number])]
