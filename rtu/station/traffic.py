"""What goes over the connections, for whoever wants to see it: counted always, shown APDU by APDU only while somebody watches.

    session.tap       None, or where a session tells what it receives and sends
    traffic.watch()   gives every session one, and takes it away again with the last one who watches

A watcher is called on the loop for each telegram, in the order of the wire. It must be quick and must not raise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol

from rtu.clock import Clock
from rtu.iec104.apci import APCIError, FrameSplitter, cut
from rtu.iec104.link import Frames, Link

Kind = Literal["opened", "received", "sent", "closed"]


class End(NamedTuple):
    """One end of a TCP connection."""

    address: str
    port: int


class Way(NamedTuple):
    """A connection: its number, counted from 1 since the start, whose it is, and its two ends."""

    number: int
    master: str
    peer: End
    station: End


class Telegram(NamedTuple):
    """What happened on a connection: one APDU came or went, or octets came that are none; or it began or ended.

    `unix_ns` is nanoseconds since 1970 as far as the station knows; `reason` is why a connection ended.
    """

    unix_ns: int
    way: Way
    kind: Kind
    octets: bytes = b""
    reason: str = ""


class Counters(NamedTuple):
    """What went over a connection, or over all those of a master. Times are CLOCK_MONOTONIC in seconds.

    `refused` requests were answered negatively without effect; `faults` are violations of the protocol and time-outs,
    each of which ends a connection.
    """

    since: float
    heard: float
    """When octets came last; `since` if none did."""
    received: Frames
    sent: Frames
    octets_received: int
    octets_sent: int
    refused: int
    faults: int
    connections: int = 1

    def plus(self, other: Counters) -> Counters:
        """Of both together."""
        return Counters(
            min(self.since, other.since),
            max(self.heard, other.heard),
            Frames(*map(sum, zip(self.received, other.received, strict=True))),
            Frames(*map(sum, zip(self.sent, other.sent, strict=True))),
            self.octets_received + other.octets_received,
            self.octets_sent + other.octets_sent,
            self.refused + other.refused,
            self.faults + other.faults,
            self.connections + other.connections,
        )


class Watched(Protocol):
    """A session, as far as it is looked at here."""

    tap: Tap | None
    link: Link
    closed_reason: str | None

    def __hash__(self) -> int: ...

    @property
    def counters(self) -> Counters: ...


Watcher = Callable[[Telegram], None]


class Tap:
    """One connection, told as telegrams. `unfinished`: what it received before of an APDU that is not complete."""

    def __init__(self, way: Way, unfinished: bytes, tell: Callable[[Way, Kind, bytes], None]) -> None:
        self._way = way
        self._tell = tell
        self._splitter = FrameSplitter()
        for _ in self._splitter.feed(unfinished):
            pass

    def received(self, octets: bytes) -> None:
        """Octets came; an APDU is told when it is complete, and what cannot be one at once."""
        unread = self._splitter.unfinished + octets
        try:
            for frame in self._splitter.feed(octets):
                self._tell(self._way, "received", frame)
                unread = unread[len(frame) :]
        except APCIError:
            self._tell(self._way, "received", unread)
            self._splitter = FrameSplitter()  # the connection ends here

    def sent(self, octets: bytes) -> None:
        """Whole APDUs go."""
        for frame in cut(octets):
            self._tell(self._way, "sent", frame)

    def end(self) -> None:
        """Nothing more comes."""
        if self._splitter.unfinished:
            self._tell(self._way, "received", self._splitter.unfinished)


class Traffic:
    """All connections there are, and those who watch them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._ways: dict[Watched, Way] = {}
        self._watchers: list[Watcher] = []
        self._past: dict[str, Counters] = {}

    @property
    def ways(self) -> Mapping[Watched, Way]:
        """The connections there are, the oldest first."""
        return self._ways

    def totals(self) -> dict[str, Counters]:
        """By the master's name: all its connections since the start, also those that have ended."""
        totals = dict(self._past)
        for session, way in self._ways.items():
            _add(totals, way.master, session.counters)
        return totals

    def opened(self, session: Watched, master: str, peer: End, station: End) -> None:
        """A connection was admitted."""
        way = self._ways[session] = Way(next(self._numbers), master, peer, station)
        if self._watchers:
            self._tell(way, "opened")
            self._attach(session, way)

    def closed(self, session: Watched) -> None:
        """It has sent its last octets. `session.closed_reason` says why."""
        way = self._ways.pop(session)
        _add(self._past, way.master, session.counters)
        if session.tap is not None:
            session.tap.end()
            session.tap = None
            self._tell(way, "closed", reason=session.closed_reason or "")

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Tell `watcher` everything from now on; what is returned ends that, once."""
        self._watchers.append(watcher)
        if len(self._watchers) == 1:
            for session, way in self._ways.items():
                self._attach(session, way)

        def stop() -> None:
            self._watchers.remove(watcher)
            if not self._watchers:
                for session in self._ways:
                    session.tap = None

        return stop

    def _attach(self, session: Watched, way: Way) -> None:
        session.tap = Tap(way, session.link.unfinished, self._tell)

    def _tell(self, way: Way, kind: Kind, octets: bytes = b"", reason: str = "") -> None:
        telegram = Telegram(self._clock.wall(self._clock.now_ns()).unix_ns, way, kind, octets, reason)
        for watcher in tuple(self._watchers):
            watcher(telegram)


def _add(totals: dict[str, Counters], master: str, counters: Counters) -> None:
    totals[master] = totals[master].plus(counters) if master in totals else counters
