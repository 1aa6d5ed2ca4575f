"""One redundancy group's place in one stream: what is acknowledged, what is in flight, what was lost.

    acked              sent                     head
    ......|xxxxxxxxxxxxxx|----[ gap ]-------------|
     gone     in flight       waiting

Sending moves `sent`, N(R) moves `acked`, losing the lease sets `sent` back to `acked`. When more rows wait than the
capacity allows, the oldest one not in flight is dropped into a gap; the gap is told in its place by one event per
overflow address. What was told once is fixed: a repeat has the same octets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from itertools import chain
from typing import Protocol

from .rows import Batch, CursorState, Gap, Row, owes, pack


class Rows(Protocol):
    """What a cursor asks of its stream."""

    number: int
    head: int
    rows: dict[int, Row]

    def release(self, seq: int) -> None:
        """This cursor needs row `seq` no longer."""

    def touched(self, cursor: Cursor) -> None:
        """The cursor moved: to be stored."""


class Cursor:
    """`tell(count)` makes the ASDUs that report a gap of `count` rows; none, if no address is configured for it."""

    def __init__(
        self, group: str, stream: Rows, tell: Callable[[int], list[bytes]], state: CursorState
    ) -> None:
        self.group = group
        self.acked = state.acked
        self.sent = state.acked
        self.ever_sent = state.acked
        self.lost = state.lost
        self._stream = stream
        self._tell = tell
        self._gaps = state.gaps
        self._told = 0  # ASDUs of the next gap that are in flight or acknowledged
        self._flight: deque[tuple[int, int, int]] = deque()  # number, then up to which row and ASDU of a gap
        self._number = 0
        self.waiting = sum(1 for _ in self._own(self.acked + 1, stream.head))

    @property
    def state(self) -> CursorState:
        """A copy, for the store."""
        return CursorState(self.acked, self.lost, [copy(gap) for gap in self._gaps])

    def needs(self, seq: int) -> bool:
        """Whether row `seq` is still to be sent or acknowledged."""
        return owes(seq, self.acked, self._gaps)

    def next(self) -> Batch | None:
        """The next ASDU of this stream, which counts as sent from now on."""
        # No gap ends beyond the head: asked after every write, so the common "nothing" is a comparison.
        while self.sent < self._stream.head:
            gap = next((gap for gap in self._gaps if gap.last > self.sent), None)
            end = gap.first - 1 if gap else self._stream.head
            own = self._own(self.sent + 1, end)
            first = next(own, None)
            if first is not None:
                return self._send_rows(first, own)
            if gap is None:
                if self.sent < end:
                    self._pass(end)
                return None
            batch = self._send_gap(gap)
            if batch is not None:
                return batch
        return None

    def acknowledge(self, number: int) -> None:
        """Everything up to `number` has arrived. Numbers of an earlier lease change nothing."""
        moved = False
        while self._flight and self._flight[0][0] <= number:
            _, position, asdus = self._flight.popleft()
            self._advance(position)
            if asdus:
                self._gaps[0].done = asdus
            moved = True
        if moved:
            self._stream.touched(self)

    def release(self) -> None:
        """The lease is lost: what is not acknowledged will be sent again, first and in order."""
        self._flight.clear()
        self.sent = self.acked
        self._told = 0

    def appended(self, capacity: int) -> None:
        """The stream has one more row, and this cursor at most `capacity` of them waiting."""
        self.waiting += 1
        if self.waiting > capacity:
            self._drop_oldest()

    def shrink(self, capacity: int) -> None:
        """Drop until at most `capacity` rows wait."""
        while self.waiting > capacity:
            self._drop_oldest()

    def count_missing(self, seqs: list[int]) -> None:
        """Rows `seqs` (ascending) of the stream no longer exist: those still owed become one gap at the first of them.

        Only before anything was sent.
        """
        owed = [seq for seq in seqs if self.needs(seq)]
        if not owed:
            return
        self.lost += len(owed)
        place = owed[0]
        index = next((i for i, gap in enumerate(self._gaps) if gap.first > place), len(self._gaps))
        self._gaps.insert(index, Gap(place, place, len(owed)))
        self._stream.touched(self)

    def _own(self, first: int, last: int) -> Iterator[int]:
        """This group's rows within first..last."""
        rows = self._stream.rows
        for gap in self._gaps:
            if gap.last < first:
                continue
            if gap.first > last:
                break
            yield from filter(rows.__contains__, range(first, gap.first))
            first = gap.last + 1
        yield from filter(rows.__contains__, range(first, last + 1))

    def _send_rows(self, first: int, others: Iterator[int]) -> Batch:
        asdu, packed = pack(map(self._stream.rows.__getitem__, chain((first,), others)), self.group)
        return self._sent(asdu, packed[-1].seq, 0)

    def _send_gap(self, gap: Gap) -> Batch | None:
        """The gap's next ASDU; None when it has none and was passed."""
        if gap.asdus is None:
            gap.asdus = self._tell(gap.count)
            self._stream.touched(self)
        place = max(self._told, gap.done)
        if place >= len(gap.asdus):
            self._pass(gap.last)
            return None
        if place + 1 < len(gap.asdus):
            batch = self._sent(gap.asdus[place], gap.first - 1, place + 1)
            self._told = place + 1
            return batch
        return self._sent(gap.asdus[place], gap.last, 0)

    def _sent(self, asdu: bytes, position: int, asdus: int) -> Batch:
        self._number += 1
        self._flight.append((self._number, position, asdus))
        self._move(position)
        return Batch(asdu, (self, self._number))

    def _pass(self, position: int) -> None:
        """Go on to `position` with nothing to send: acknowledged together with what was sent before."""
        self._move(position)
        if self._flight:
            self._flight.append((self._flight[-1][0], position, 0))
        else:
            self._advance(position)
            self._stream.touched(self)

    def _move(self, position: int) -> None:
        self.sent = position
        self.ever_sent = max(self.ever_sent, position)
        self._told = 0

    def _advance(self, position: int) -> None:
        gone = list(self._own(self.acked + 1, position))
        self.acked = position
        while self._gaps and self._gaps[0].last <= position:
            del self._gaps[0]
        self.waiting -= len(gone)
        for seq in gone:
            self._stream.release(seq)

    def _drop_oldest(self) -> None:
        """The oldest row not in flight goes into the gap before it, or opens one."""
        seq = next(self._own(self.sent + 1, self._stream.head))
        index = next((i for i, gap in enumerate(self._gaps) if gap.first > seq), len(self._gaps))
        before = self._gaps[index - 1] if index else None
        # Numbers between the two that are nobody's row any more belong to no gap yet: take them along.
        start = max(self.sent, before.last if before else 0) + 1
        self.waiting -= 1
        self.lost += 1
        if before and before.asdus is None and before.last + 1 == start:
            before.last = seq
            before.count += 1
        else:
            before = Gap(start, seq, 1)
            self._gaps.insert(index, before)
            index += 1
        self._join(before, index)
        self._stream.release(seq)
        self._stream.touched(self)

    def _join(self, gap: Gap, index: int) -> None:
        """Gaps that touch and were not told yet are one."""
        if index < len(self._gaps):
            after = self._gaps[index]
            if after.asdus is None and next(self._own(gap.last + 1, after.first - 1), None) is None:
                gap.last = after.last
                gap.count += after.count
                del self._gaps[index]
