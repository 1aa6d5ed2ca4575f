"""Append-only rows with one cursor per group: a row stays until no group needs it.

Sequence numbers start at 1, never repeat and never go back, over restarts too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from rtu.iec104.asdu import ASDU
from rtu.points.model import Address, Cause

from .cursor import Cursor
from .rows import CursorState, Restored, Row


class Witness(Protocol):
    """Is told what changed, to have it stored."""

    def row_added(self) -> None: ...

    def row_released(self, stream: int, seq: int) -> None: ...

    def cursor_moved(self, stream: int, cursor: Cursor) -> None: ...


class Stream:
    """Stream `number` with at most `capacity` rows waiting per group.

    `known` finds the image index of a (common address, object address): a restored row without one is lost.
    """

    def __init__(
        self,
        number: int,
        capacity: int,
        restored: Restored,
        known: Mapping[tuple[int, int], int],
        witness: Witness,
    ) -> None:
        self.number = number
        self.capacity = capacity
        self.rows: dict[int, Row] = {}
        self.last_of: dict[int, int] = {}  # address index -> its newest row
        self.cursors: list[Cursor] = []
        self.missing: list[int] = []  # restored rows whose address is gone
        self._witness = witness
        self._known = known
        self._restored_cursors = restored.cursors
        for row in restored.rows[number]:
            index = known.get((row.ca, row.ioa))
            if index is None:
                self.missing.append(row.seq)
                continue
            self.rows[row.seq] = Row(
                row.seq,
                row.type_id,
                row.ca,
                row.ioa,
                row.octets,
                row.cot,
                row.originator,
                row.group,
                index,
            )
            self.last_of[index] = row.seq
        newest = [row.seq for row in restored.rows[number][-1:]]
        places = [state.acked for (_, stream), state in restored.cursors.items() if stream == number]
        self.head = max([restored.heads[number], *newest, *places])
        self.first_new = self.head + 1  # rows from here on were made since the start

    def attach(self, group: str, tell: Callable[[int], list[bytes]]) -> Cursor:
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
        for seq in list(self.rows):
            self.release(seq)
        for seq in self.missing:
            self._witness.row_released(self.number, seq)
        for cursor in self.cursors:
            cursor.shrink(self.capacity)

    def append(self, address: Address, octets: bytes, cause: Cause) -> None:
        """One more event. Without groups nobody will ever ask for it."""
        self.head = seq = self.head + 1
        if not self.cursors:
            return
        index = address.index
        cot, originator, group = cause
        self.rows[seq] = Row(
            seq, address.event_type, address.ca, address.ioa, octets, cot, originator, group, index
        )
        self.last_of[index] = seq
        for cursor in self.cursors:
            cursor.appended(self.capacity)
        self._witness.row_added()

    def release(self, seq: int) -> None:
        """Delete the row if no cursor needs it any more."""
        for cursor in self.cursors:
            if cursor.needs(seq):
                return
        del self.rows[seq]
        self._witness.row_released(self.number, seq)

    def touched(self, cursor: Cursor) -> None:
        self._witness.cursor_moved(self.number, cursor)

    def revise(self, change: Callable[[Row], Row]) -> list[int]:
        """Replace rows made since the start that no group was sent; returns those that changed."""
        untold = max([self.first_new - 1, *(cursor.ever_sent for cursor in self.cursors)]) + 1
        revised = []
        for seq in range(untold, self.head + 1):
            row = self.rows.get(seq)
            if row is not None and (new := change(row)) is not row:
                self.rows[seq] = new
                revised.append(seq)
        return revised
