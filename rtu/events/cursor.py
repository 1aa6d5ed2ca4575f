"""One redundancy group's place in one stream: what is acknowledged, what is in flight, what was lost.

    acked              sent                     head
    ......|xxxxxxxxxxxxxx|----[ gap ]-------------|
     gone     in flight       waiting

Sending moves `sent`, N(R) moves `acked`, losing the lease sets `sent` back to `acked`. When more rows wait than the
capacity allows, the oldest one not in flight is dropped into a gap; the gap is told in its place by one event per
overflow address. These tell how much the group lost so far: a repeat has the same octets as long as that is true, and
is made anew when more was lost, so that the number never goes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from typing import Protocol

from .rows import Batch, CursorState, Gap, Row, owes, pack


class Rows(Protocol):
    """What a cursor asks of its stream."""

    number: int
    head: int
    rows: dict[int, Row]

    def release(self, first: int, last: int) -> None:
        """This cursor needs rows first..last no longer."""

    def touched(self, cursor: Cursor) -> None:
        """The cursor moved: to be stored."""


class Cursor:
    """`tell(gap)` sees to it that the ASDUs of a gap say what was lost so far, and tells whether they changed."""

    def __init__(self, group: str, stream: Rows, tell: Callable[[Gap], bool], state: CursorState) -> None:
        self.group = group
        self.acked = state.acked
        self.sent = state.acked
        self.ever_sent = state.acked
        self.lost = state.lost
        self.gaps = state.gaps
        self._stream = stream
        self._tell = tell
        self._told = 0  # ASDUs of the next gap that are in flight or acknowledged
        # Per ASDU: its number, up to which row, how many rows, and up to which ASDU of a gap.
        self._flight: deque[tuple[int, int, int, int]] = deque()
        self._number = 0
        self.waiting = sum(1 for _ in self._own(self.acked + 1, stream.head))

    @property
    def state(self) -> CursorState:
        """A copy, for the store."""
        return CursorState(self.acked, self.lost, [copy(gap) for gap in self.gaps])

    @property
    def passed(self) -> int:
        """Rows up to this one are needed no longer."""
        passed = self.acked
        for gap in self.gaps:
            if gap.first > passed + 1:
                break
            passed = max(passed, gap.last)
        return passed

    def needs(self, seq: int) -> bool:
        """Whether row `seq` is still to be sent or acknowledged."""
        return owes(seq, self.acked, self.gaps)

    def next(self) -> Batch | None:
        """The next ASDU of this stream, which counts as sent from now on."""
        # No gap ends beyond the head: asked after every write, so the common "nothing" is a comparison.
        while (sent := self.sent) < (head := self._stream.head):
            gap = self._next_gap() if self.gaps else None
            end = gap.first if gap else head + 1
            asdu, count, done = pack(map(self._stream.rows.get, range(sent + 1, end)), self.group)
            if count:
                return self._sent(asdu, sent + done, count, 0)
            if gap is None:
                self._pass(head)
                return None
            batch = self._send_gap(gap)
            if batch is not None:
                return batch
        return None

    def acknowledge(self, number: int) -> None:
        """Everything up to `number` has arrived. Numbers of an earlier lease change nothing."""
        flight = self._flight
        position, asdus = -1, 0
        while flight and flight[0][0] <= number:
            _, position, count, asdus = flight.popleft()
            self.waiting -= count
        if position >= 0:
            self._advance(position)
            if asdus:
                self.gaps[0].done = asdus
            self._stream.touched(self)

    def release(self) -> None:
        """The lease is lost: what is not acknowledged will be sent again, first and in order."""
        self._flight.clear()
        self.sent = self.acked
        self._told = 0

    def shrink(self, capacity: int) -> None:
        """Drop until at most `capacity` rows wait, but none in flight."""
        while self.waiting > capacity and self._drop_oldest():
            pass

    def discard(self) -> int:
        """What is not in flight is not wanted any more; returns how many rows that were.

        They are not lost. What had been lost among them is told in their place.
        """
        gap = self._next_gap() if self._told else None
        first, last = (gap.last if gap else self.sent) + 1, self._stream.head
        if first > last:
            return 0
        count = sum(1 for _ in self._own(first, last))
        lost = sum(gap.count for gap in self.gaps if gap.first >= first)
        self.gaps[:] = [*(gap for gap in self.gaps if gap.first < first), Gap(first, last, lost)]
        self.waiting -= count
        self._stream.release(first, last)
        self._stream.touched(self)
        return count

    def count_missing(self, seqs: list[int]) -> None:
        """Rows `seqs` (ascending) of the stream no longer exist: those still owed become one gap at the first of them.

        Only before anything was sent.
        """
        owed = [seq for seq in seqs if self.needs(seq)]
        if not owed:
            return
        self.lost += len(owed)
        place = owed[0]
        index = next((i for i, gap in enumerate(self.gaps) if gap.first > place), len(self.gaps))
        self.gaps.insert(index, Gap(place, place, len(owed)))
        self._stream.touched(self)

    def _next_gap(self) -> Gap | None:
        """The first gap that was not sent completely."""
        return next((gap for gap in self.gaps if gap.last > self.sent), None)

    def _own(self, first: int, last: int) -> Iterator[int]:
        """This group's rows within first..last."""
        rows = self._stream.rows
        for gap in self.gaps:
            if gap.last < first:
                continue
            if gap.first > last:
                break
            yield from filter(rows.__contains__, range(first, gap.first))
            first = gap.last + 1
        yield from filter(rows.__contains__, range(first, last + 1))

    def _send_gap(self, gap: Gap) -> Batch | None:
        """The gap's next ASDU; None when it has none and was passed."""
        if self._tell(gap):
            self._stream.touched(self)
        asdus = gap.asdus or []
        place = max(self._told, gap.done)
        if place >= len(asdus):
            self._pass(gap.last)
            return None
        if place + 1 < len(asdus):
            batch = self._sent(asdus[place], gap.first - 1, 0, place + 1)
            self._told = place + 1
            return batch
        return self._sent(asdus[place], gap.last, 0, 0)

    def _sent(self, asdu: bytes, position: int, rows: int, asdus: int) -> Batch:
        self._number += 1
        self._flight.append((self._number, position, rows, asdus))
        self._move(position)
        return Batch(asdu, (self, self._number))

    def _pass(self, position: int) -> None:
        """Go on to `position` with nothing to send: acknowledged together with what was sent before."""
        self._move(position)
        if self._flight:
            self._flight.append((self._flight[-1][0], position, 0, 0))
        else:
            self._advance(position)
            self._stream.touched(self)

    def _move(self, position: int) -> None:
        self.sent = position
        self.ever_sent = max(self.ever_sent, position)
        self._told = 0

    def _advance(self, position: int) -> None:
        first = self.acked + 1
        self.acked = position
        while self.gaps and self.gaps[0].last <= position:
            del self.gaps[0]
        self._stream.release(first, position)

    def _drop_oldest(self) -> bool:
        """The oldest row not in flight goes into the gap before it, or opens one; False when there is none."""
        seq = next(self._own(self.sent + 1, self._stream.head), None)
        if seq is None:
            return False
        index = next((i for i, gap in enumerate(self.gaps) if gap.first > seq), len(self.gaps))
        before = self.gaps[index - 1] if index else None
        # Numbers between the two that are nobody's row any more belong to no gap yet: take them along.
        start = max(self.sent, before.last if before else 0) + 1
        self.waiting -= 1
        self.lost += 1
        if before and before.last + 1 == start and self._may_grow(before):
            before.last = seq
            before.count += 1
            before.asdus, before.done = None, 0
        else:
            before = Gap(start, seq, 1)
            self.gaps.insert(index, before)
            index += 1
        self._join(before, index)
        self._stream.release(seq, seq)
        self._stream.touched(self)
        return True

    def _may_grow(self, gap: Gap) -> bool:
        """Nothing of it is in flight, nor was it passed in silence."""
        return gap.asdus != [] and gap.first > self.sent and not (self._told and gap is self._next_gap())

    def _join(self, gap: Gap, index: int) -> None:
        """Gaps that touch are one; the one after a dropped row cannot be in flight."""
        if index < len(self.gaps):
            after = self.gaps[index]
            if after.asdus != [] and next(self._own(gap.last + 1, after.first - 1), None) is None:
                gap.last = after.last
                gap.count += after.count
                del self.gaps[index]
