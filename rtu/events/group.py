"""What one redundancy group has still to be told, whichever of its connections is started.

A group has three lanes, each with an order of its own: states, kept measured values, newest measured values. Whoever
holds the lease pulls from them, hands every token back when N(R) covers its ASDU, and calls `release` when the lease
ends (IEC 60870-5-104, 10).

An interrogated or read point never shows new -> old -> new: before a value of some addresses is sent,

    while group.unsent(addresses):
        send(group.next_for(addresses))

lets everything older about them go first. What is sent this way keeps the order of its lane. `unsent` may still say
True when `next_for` says None: a gap nobody is told was passed. The loop ends either way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from rtu.clock import Clock, WallTime
from rtu.points.model import GOOD, SPONTANEOUS, Address

from .cursor import Cursor
from .latest import Latest
from .rows import Batch, Lane, Row, pack
from .stream import Stream

TimeTag = Callable[[WallTime], bytes]
Silent = Callable[[str, int], None]


class Group:
    """One redundancy group, known by its name."""

    def __init__(
        self,
        name: str,
        states: Stream,
        measured: Stream,
        *,
        clock: Clock,
        overflow: Collection[Address],
        time_tag: TimeTag,
        silent: Silent,
    ) -> None:
        self.name = name
        self.latest = Latest(name)
        self._clock = clock
        self._overflow = overflow
        self._time_tag = time_tag
        self._silent = silent
        self._state_rows = states
        self._measured_rows = measured
        self._states: Cursor = states.attach(name, self._tell)
        self._measured: Cursor = measured.attach(name, self._tell)

    @property
    def sent(self) -> int:
        """States up to this row were sent on this lease; compare with `EventLog.head`."""
        return self._states.sent

    @property
    def acked(self) -> int:
        """States up to this row have arrived."""
        return self._states.acked

    @property
    def pending(self) -> int:
        """Rows kept for this group: not sent, or not acknowledged."""
        return self._states.waiting + self._measured.waiting

    @property
    def lost(self) -> int:
        """Rows this group will never get, since it exists: overflow, and addresses that were removed."""
        return self._states.lost + self._measured.lost

    def next_states(self) -> Batch | None:
        """The next states and counters, in order; None when there is nothing to tell."""
        return self._states.next()

    def next_measured(self) -> Batch | None:
        """The next measured values: kept rows in order, then the newest values."""
        return self._measured.next() or self.latest.next()

    def unsent(self, addresses: Collection[int]) -> bool:
        """Whether anything about these addresses (indexes of the image) must go before a present value of them."""
        pending = self.latest.pending
        return (
            _owes(self._state_rows, self._states, addresses)
            or _owes(self._measured_rows, self._measured, addresses)
            or (bool(pending) and any(address in pending for address in addresses))
        )

    def next_for(self, addresses: Collection[int]) -> Batch | None:
        """The next ASDU on the way to a present value of these addresses; None when nothing is in its way."""
        for rows, cursor in ((self._state_rows, self._states), (self._measured_rows, self._measured)):
            if _owes(rows, cursor, addresses):
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
        self._states.release()
        self._measured.release()
        self.latest.release()

    def overlay(self) -> dict[int, bytes]:
        """The elements that this group reads differently from the image: its own count of lost rows."""
        return {address.index: self._lost_element(address) for address in self._overflow}

    def _lost_element(self, address: Address) -> bytes:
        return address.encode(self.lost & 0xFFFFFFFF, GOOD)

    def _tell(self, count: int) -> list[bytes]:
        """The ASDUs that report a gap: one event per overflow address, with all this group lost so far."""
        if not self._overflow:
            self._silent(self.name, count)
            return []
        tag = self._time_tag(self._clock.wall(self._clock.now_ns()))
        rows = []
        for address in self._overflow:
            octets = self._lost_element(address) + (tag if address.time_tagged else b"")
            rows.append(
                Row(
                    0,
                    address.event_type,
                    address.ca,
                    address.ioa,
                    octets,
                    SPONTANEOUS.cot,
                    0,
                    "",
                    address.index,
                )
            )
        asdus = []
        while rows:
            asdu, packed = pack(rows, self.name)
            asdus.append(asdu)
            del rows[: len(packed)]
        return asdus


def _owes(rows: Stream, cursor: Cursor, addresses: Collection[int]) -> bool:
    sent = cursor.sent
    if sent >= rows.head:
        return False
    last_of = rows.last_of
    return any(last_of.get(address, 0) > sent for address in addresses)
