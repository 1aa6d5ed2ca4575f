"""What a connection sends next: it pulls, whenever its window has room.

    end of initialisation > replies > state events > interrogated > measured > cyclic, background > files

Three rules beat that order:

* a reply may name how far the events must be before it, so that return information precedes the
  termination it belongs to;
* an interrogated or read value is built when it is sent, and never before what is still unsent of
  its objects, so that no object is ever seen going new, old, new;
* after PATIENCE ASDUs of higher ranks one of a lower rank passes, the lower ranks taking turns, so that nothing
  starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from rtu.events.group import Position
from rtu.events.rows import Batch
from rtu.iec104.asdu import as_test
from rtu.iec104.elements import COI
from rtu.iec104.link import Link

from .groups import RedundancyGroup

PATIENCE = 8
MAX_OWED = 1024
"""Answers a connection may wait for: a master with more to ask listens first."""


class Outgoing(NamedTuple):
    """An ASDU, and what to do when the master has acknowledged it."""

    octets: bytes
    acknowledged: Callable[[], None] | None = None


class Reply(NamedTuple):
    """An ASDU owed to this connection alone, not to be sent before the states up to `after`."""

    octets: bytes
    after: Position | None = None
    acknowledged: Callable[[], None] | None = None


class Part(NamedTuple):
    """One ASDU of data still to be built, and the image indexes of what it tells."""

    addresses: Sequence[int]
    build: Callable[[], bytes]


@dataclass(slots=True)
class Scan:
    """A request that is answered with data: its parts, and the reply that ends it (if any). `test` is its T."""

    key: tuple[str, int, int]  # function, common address, qualifier
    parts: deque[Part]
    ending: bytes | None = None
    test: bool = False


class Transmission:
    """The sending half of one connection."""

    def __init__(self, link: Link, group: RedundancyGroup, initialisation: COI) -> None:
        self._link = link
        self._group = group
        self._events = group.events
        self._initialisation = initialisation
        self._replies: deque[Reply] = deque()
        self._scans: deque[Scan] = deque()
        self._periodic: dict[object, Part] = {}
        self._in_flight: deque[tuple[int, Callable[[], None]]] = deque()
        self._source: Callable[[], bytes | None] | None = None
        self._passed_over = 0
        self._turn = 0

    @property
    def overdrawn(self) -> bool:
        """True while so many answers wait that no more requests can be taken."""
        return len(self._replies) + len(self._scans) >= MAX_OWED

    def reply(
        self, octets: bytes, after: Position | None = None, acknowledged: Callable[[], None] | None = None
    ) -> None:
        """Owe this ASDU to the connection."""
        self._replies.append(Reply(octets, after, acknowledged))

    def running(self, function: str, ca: int) -> Scan | None:
        """The scan of that function and common address that has not ended, if any."""
        for scan in self._scans:
            if scan.key[:2] == (function, ca):
                return scan
        return None

    def start_scan(self, scan: Scan) -> None:
        """Answer with data after what was asked for earlier."""
        self._scans.append(scan)

    def cancel_scan(self, scan: Scan) -> None:
        """Send no more of its data and no ending."""
        self._scans.remove(scan)

    def periodic(self, key: object, part: Part) -> None:
        """Tell this when nothing else is to be told; not again while the same key still waits."""
        self._periodic.setdefault(key, part)

    def stream(self, source: Callable[[], bytes | None] | None) -> None:
        """Tell what `source` makes, one ASDU each time there is nothing else at all to tell, until it makes none."""
        self._source = source

    def fill(self, now: float) -> None:
        """Hand ASDUs to the link until its window is full or nothing is left to say."""
        for _ in range(self._link.window):
            outgoing = self._next()
            if outgoing is None:
                return
            number = self._link.send(outgoing.octets, now)
            if outgoing.acknowledged is not None:
                self._in_flight.append((number, outgoing.acknowledged))

    def acknowledged(self, upto: int) -> None:
        """The master has the first `upto` I frames of this connection."""
        in_flight = self._in_flight
        while in_flight and in_flight[0][0] <= upto:
            in_flight.popleft()[1]()

    def clear(self) -> None:
        """The connection was stopped or closed: replies and scans die with it."""
        self._replies.clear()
        self._scans.clear()
        self._periodic.clear()
        self._source = None
        self._in_flight.clear()
        self._passed_over = 0

    def _next(self) -> Outgoing | None:
        first = self._end_of_initialisation() or self._owed()
        if first is not None:
            return first
        ranks: tuple[Callable[[], Outgoing | None], ...]
        ranks = (self._states, self._interrogated, self._measured, self._in_turn, self._streamed)
        if self._passed_over >= PATIENCE:
            self._passed_over = 0
            self._turn = self._turn % (len(ranks) - 1) + 1
            ranks = (*ranks[self._turn :], *ranks[1 : self._turn], ranks[0])
        for rank in ranks:
            if (outgoing := rank()) is not None:
                self._passed_over += 1
                return outgoing
        self._passed_over = 0
        return None

    def _end_of_initialisation(self) -> Outgoing | None:
        announcement = self._group.end_of_initialisation(self._initialisation)
        return None if announcement is None else Outgoing(*announcement)

    def _owed(self) -> Outgoing | None:
        if not self._replies:
            return None
        after = self._replies[0].after
        if after is not None and (before := self._batch(self._events.next_before(after))) is not None:
            return before
        reply = self._replies.popleft()
        return Outgoing(reply.octets, reply.acknowledged)

    def _states(self) -> Outgoing | None:
        return self._batch(self._events.next_states())

    def _interrogated(self) -> Outgoing | None:
        while self._scans:
            scan = self._scans[0]
            if scan.parts:
                outgoing = self._part(scan.parts[0])
                if outgoing.acknowledged is not None:
                    return outgoing
                scan.parts.popleft()
                return Outgoing(as_test(outgoing.octets)) if scan.test else outgoing
            self._scans.popleft()
            if scan.ending is not None:
                return Outgoing(scan.ending)
        return None

    def _measured(self) -> Outgoing | None:
        return self._batch(self._events.next_measured())

    def _in_turn(self) -> Outgoing | None:
        for key, part in self._periodic.items():
            outgoing = self._part(part)
            del self._periodic[key]
            if (
                outgoing.acknowledged is not None
            ):  # an object that never rests must not keep the others waiting
                self._periodic[key] = part
            return outgoing
        return None

    def _streamed(self) -> Outgoing | None:
        octets = None if self._source is None else self._source()
        if octets is None:
            self._source = None
            return None
        return Outgoing(octets)

    def _part(self, part: Part) -> Outgoing:
        """The part itself, or first what is unsent of its objects (that is to be acknowledged)."""
        if self._events.unsent(part.addresses):
            before = self._batch(self._events.next_for(part.addresses))
            if before is not None:
                return before
        return Outgoing(part.build())

    def _batch(self, batch: Batch | None) -> Outgoing | None:
        if batch is None:
            return None
        return Outgoing(batch.asdu, partial(self._events.acknowledge, batch.token))
