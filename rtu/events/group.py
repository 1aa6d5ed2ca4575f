"""What one redundancy group has still to be told, whichever of its connections is started.

A group has four lanes, each with an order of its own: states that go first, other states, kept measured values, newest
measured values. Whoever holds the lease pulls from them, hands every token back when N(R) covers its ASDU, and calls
`release` when the lease ends (IEC 60870-5-104, 10).

An interrogated or read point never shows new -> old -> new: before a value of some addresses is sent,

    while group.unsent(addresses):
        send(group.next_for(addresses))

lets everything older about them go first. What is sent this way keeps the order of its lane. `unsent` may still say
True when `next_for` says None: a gap nobody is told was passed. The loop ends either way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from rtu.clock import Clock, WallTime
from rtu.points.model import GOOD, SPONTANEOUS, Address

from .bell import Bell
from .cursor import Cursor
from .latest import Latest
from .rows import Batch, Gap, Kinds, Lane, pack
from .stream import Stream

TimeTag = Callable[[WallTime], bytes]
Silent = Callable[[str, int], None]


class Position(NamedTuple):
    """How far the streams of states were at some moment. To be compared by `Group.passed` alone."""

    urgent: int
    states: int


class Group:
    """One redundancy group, known by its name. The streams are those of the states that go first, of the other states,
    and of the kept measured values."""

    def __init__(
        self,
        name: str,
        streams: tuple[Stream, Stream, Stream],
        *,
        clock: Clock,
        kinds: Kinds,
        bell: Bell,
        overflow: Collection[Address],
        time_tag: TimeTag,
        silent: Silent,
    ) -> None:
        self.name = name
        self.latest = Latest(name)
        self._clock = clock
        self._kinds = kinds
        self._bell = bell
        self._overflow = overflow
        self._time_tag = time_tag
        self._silent = silent
        self._streams = streams
        self._cursors = self._urgent, self._states, self._measured = (
            streams[0].attach(name, self._tell),
            streams[1].attach(name, self._tell),
            streams[2].attach(name, self._tell),
        )

    @property
    def pending(self) -> int:
        """Rows kept for this group: not sent, or not acknowledged."""
        return sum(cursor.waiting for cursor in self._cursors)

    @property
    def lost(self) -> int:
        """Rows this group will never get, since it exists: overflow, and addresses that were removed."""
        return sum(cursor.lost for cursor in self._cursors)

    def passed(self, position: Position) -> bool:
        """Whether every state up to there was sent on this lease."""
        return self._urgent.sent >= position.urgent and self._states.sent >= position.states

    def next_before(self, position: Position) -> Batch | None:
        """The next states on the way to that position; None when nothing is in its way."""
        if self._urgent.sent < position.urgent and (batch := self._urgent.next()) is not None:
            return batch
        if self._states.sent < position.states:
            return self._states.next()
        return None

    def next_states(self) -> Batch | None:
        """The next states and counters, each stream in its order; None when there is nothing to tell."""
        self._bell.rung = False
        return self._urgent.next() or self._states.next()

    def next_measured(self) -> Batch | None:
        """The next measured values: kept rows in order, then the newest values."""
        self._bell.rung = False
        return self._measured.next() or self.latest.next()

    def unsent(self, addresses: Collection[int]) -> bool:
        """Whether anything about these addresses (indexes of the image) must go before a present value of them."""
        pending = self.latest.pending
        return any(
            _owes(stream, cursor, addresses)
            for stream, cursor in zip(self._streams, self._cursors, strict=True)
        ) or (bool(pending) and any(address in pending for address in addresses))

    def next_for(self, addresses: Collection[int]) -> Batch | None:
        """The next ASDU on the way to a present value of these addresses; None when nothing is in its way."""
        for stream, cursor in zip(self._streams, self._cursors, strict=True):
            if _owes(stream, cursor, addresses):
                batch = cursor.next()
                if batch is not None:
                    return batch
        return self.latest.next_of(addresses)

    def acknowledge(self, token: tuple[Lane, int]) -> None:
        """The ASDU of this token, and all sent before it in its lane, has arrived. A token of an old lease is ignored."""
        lane, number = token
        lane.acknowledge(number)

    def release(self) -> None:
        """The lease is lost: everything sent and not acknowledged goes back, in order and with the same octets."""
        for cursor in self._cursors:
            cursor.release()
        self.latest.release()

    def discard(self) -> int:
        """Forget what waits and is not in flight, rows and newest values; returns how many (IEC 60870-5-101, 7.2.6.27:
        reset of pending information with time tag). Nothing of it counts as lost."""
        return sum(cursor.discard() for cursor in self._cursors) + self.latest.discard()

    def overlay(self) -> dict[int, bytes]:
        """The elements that this group reads differently from the image: its own count of lost rows."""
        return {address.index: self._lost_element(address) for address in self._overflow}

    def _lost_element(self, address: Address) -> bytes:
        return address.encode(self.lost & 0xFFFFFFFF, GOOD)

    def _tell(self, gap: Gap) -> bool:
        """Make the ASDUs that report a gap: one event per overflow address, with all this group lost so far.

        False when those it has still say it.
        """
        if gap.asdus is not None and (not gap.asdus or gap.total == self.lost):
            return False
        gap.asdus, gap.done, gap.total = [], 0, self.lost
        if not gap.count:
            return True
        if not self._overflow:
            self._silent(self.name, gap.count)
            return True
        tag = self._time_tag(self._clock.wall(self._clock.now_ns()))
        rows = [
            self._kinds.row(
                address, self._lost_element(address) + (tag if address.time_tagged else b""), SPONTANEOUS
            )
            for address in self._overflow
        ]
        while rows:
            asdu, count, _ = pack(rows, self.name)
            gap.asdus.append(asdu)
            del rows[:count]
        return True


def _owes(stream: Stream, cursor: Cursor, addresses: Collection[int]) -> bool:
    sent = cursor.sent
    if sent >= stream.head:
        return False
    last_of = stream.last_of
    return any(last_of.get(address, 0) > sent for address in addresses)
