"""Append-only rows with one cursor per group: a row stays until no group needs it.

Sequence numbers start at 1, never repeat and never go back, over restarts too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from rtu.iec104.asdu import ASDU
from rtu.points.model import Address, Cause

from .cursor import Cursor
from .rows import IOA_SIZE, Chunk, CursorState, Gap, Kinds, Restored, Row, Run

CHUNK_ROWS = 4096


class Witness(Protocol):
    """Is told what changed, to have it stored."""

    since_ns: int | None
    """When the oldest change was made that is not handed over yet; None while there is none."""

    def row_added(self) -> None:
        """Only to be called while `since_ns` is None."""

    def cursor_moved(self, stream: int, cursor: Cursor) -> None: ...


class Stream:
    """Stream `number` with at most `capacity` rows waiting per group.

    `known` finds the image index of a (common address, object address): a restored row without one is lost.

    A station that starts tells what it cannot read any more, at most one row per address. That must not cost rows that
    survived the restart: so many of the first rows have room beyond the capacity.
    """

    def __init__(
        self,
        number: int,
        capacity: int,
        restored: Restored,
        known: Mapping[tuple[int, int], int],
        kinds: Kinds,
        witness: Witness,
    ) -> None:
        self.number = number
        self.rows: dict[int, Row] = {}
        self.last_of: dict[int, int] = {}  # address index -> its newest row
        self.cursors: list[Cursor] = []
        self.missing: list[int] = []  # restored rows whose address is gone
        self._capacity = capacity
        self._kinds = kinds
        self._witness = witness
        self._known = known
        self._restored_cursors = restored.cursors
        places = [state.acked for (_, stream), state in restored.cursors.items() if stream == number]
        acked = min(places, default=0)  # a chunk may begin with rows that all groups have
        newest = 0
        for first, alike, objects in restored.runs[number]:
            kind = kinds.shared(alike)
            for newest, octets in enumerate(objects, first):
                if newest <= acked:
                    continue
                index = known.get((kind.ca, int.from_bytes(octets[:IOA_SIZE], "little")))
                if index is None:
                    self.missing.append(newest)
                else:
                    self.rows[newest] = (kind, octets, index)
                    self.last_of[index] = newest
        self.head = max([restored.heads[number], newest, *places])
        self.first_new = self.head + 1  # rows from here on were made since the start
        room = len(known) if self.rows else 0
        self._limit = capacity + room
        self._roomy_until = self.head + room

    @property
    def passed(self) -> int:
        """Rows up to this one are needed by no group."""
        return min((cursor.passed for cursor in self.cursors), default=self.head)

    def attach(self, group: str, tell: Callable[[Gap], bool]) -> Cursor:
        """The cursor of a group: where it was, or at the end of the log for a new one."""
        state = self._restored_cursors.get((group, self.number))
        if state is None:
            state = CursorState(self.head, 0, [])
        for gap in state.gaps:
            if gap.asdus and not all(map(self._is_known, gap.asdus)):
                gap.asdus, gap.done = None, 0
        cursor = Cursor(group, self, tell, state)
        cursor.count_missing(self.missing)
        self.cursors.append(cursor)
        self._witness.cursor_moved(self.number, cursor)
        return cursor

    def _is_known(self, octets: bytes) -> bool:
        asdu = ASDU.decode(octets)
        return all((asdu.ca, item.ioa) in self._known for item in asdu.objects)

    def settle(self) -> None:
        """All groups are attached: forget what none of them needs and what goes beyond the capacity."""
        if self.rows:
            self.release(next(iter(self.rows)), self.head)
        for cursor in self.cursors:
            cursor.shrink(self._limit)

    def append(self, address: Address, octets: bytes, cause: Cause) -> None:
        """One more event. Without groups nobody will ever ask for it."""
        self.head = seq = self.head + 1
        if not self.cursors:
            return
        self.rows[seq] = self._kinds.row(address, octets, cause)
        self.last_of[address.index] = seq
        if seq > self._roomy_until:
            self._limit = self._capacity
        for cursor in self.cursors:
            cursor.waiting += 1
            if cursor.waiting > self._limit:
                cursor.shrink(self._limit)
        if self._witness.since_ns is None:
            self._witness.row_added()

    def holds(self, index: int) -> bool:
        """Whether some group still needs a row of this address."""
        return self.last_of.get(index) in self.rows

    def release(self, first: int, last: int) -> None:
        """Delete those of the rows that no cursor needs any more."""
        acked = min([cursor.acked for cursor in self.cursors], default=self.head)
        pop = self.rows.pop
        for seq in range(first, min(acked, last) + 1):
            pop(seq, None)
        # Beyond what all have acknowledged, only a row in somebody's gap may be needed by nobody.
        if last > acked and any(cursor.gaps for cursor in self.cursors):
            for seq in range(max(first, acked + 1), last + 1):
                self._release_one(seq)

    def _release_one(self, seq: int) -> None:
        if seq in self.rows and not any(cursor.needs(seq) for cursor in self.cursors):
            del self.rows[seq]

    def touched(self, cursor: Cursor) -> None:
        self._witness.cursor_moved(self.number, cursor)

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The rows after `after`, to be stored."""
        rows = self.rows
        for start in range(max(after, self.passed) + 1, self.head + 1, CHUNK_ROWS):
            runs: list[Run] = []
            last = min(start + CHUNK_ROWS - 1, self.head)
            kind = expected = None
            for seq in range(start, last + 1):
                row = rows.get(seq)
                if row is not None:
                    if row[0] is not kind or seq != expected:
                        kind = row[0]
                        objects: list[bytes] = []
                        runs.append((seq, kind, objects))
                    objects.append(row[1])
                    expected = seq + 1
            if runs:
                yield Chunk(self.number, last, runs)

    def revise(self, change: Callable[[Row], Row]) -> bool:
        """Replace rows made since the start that no group was sent; whether there were any."""
        untold = max([self.first_new - 1, *(cursor.ever_sent for cursor in self.cursors)]) + 1
        revised = False
        for seq in range(untold, self.head + 1):
            row = self.rows.get(seq)
            if row is not None and (new := change(row)) is not row:
                self.rows[seq] = new
                revised = True
        return revised
