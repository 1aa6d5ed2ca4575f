"""One connection of a master, without its socket: octets in, octets out, and the time passed in.

    session.receive(octets, now)            what came
    octets = session.data_to_send(now)      what is to go
    session.next_deadline() / on_timer(now) the link's timers

`on_wake` is called when there is something new to send though nothing came in.
"""

from __future__ import annotations

from collections.abc import Callable

from rtu.events.group import Position
from rtu.iec104.asdu import ASDUError
from rtu.iec104.link import Acknowledged, AsduReceived, Closed, Event, Link, Started, State, Stopped, Stopping
from rtu.iec104.link import Role as LinkRole

from .client import Peer
from .dispatch import dispatch
from .groups import RedundancyGroup
from .refusals import Refusals
from .station import Station
from .traffic import Counters, Tap
from .transmission import Transmission


class Session:
    """A connection from its acceptance to its end."""

    def __init__(
        self,
        station: Station,
        peer: Peer,
        now: float,
        on_wake: Callable[[], None],
    ) -> None:
        self.station = station
        self.peer = peer
        self.group: RedundancyGroup = station.groups[peer.group]
        self.link = Link(LinkRole.CONTROLLED, station.parameters, now)
        self.refusals = Refusals(station.audit, station.clock, peer.master, peer.address, self.group.sweep)
        self.transmission = Transmission(self.link, self.group, station.initialisation)
        self.closed_reason: str | None = None
        self.tap: Tap | None = None
        self._on_wake = on_wake
        self._since = self._heard = now
        self._octets_received = self._octets_sent = 0
        self._faults = 0

    @property
    def started(self) -> bool:
        return self.group.holder is self

    def receive(self, octets: bytes, now: float) -> None:
        """Octets from the master. Never raises: a violation ends the session."""
        if self.closed_reason is not None:
            return
        self._heard = now
        self._octets_received += len(octets)
        if self.tap is not None:
            self.tap.received(octets)
        events = self.link.receive(octets, now)
        # A stop or a violation later in the same segment: nothing may operate that cannot be confirmed.
        stop = max((at for at, event in enumerate(events) if isinstance(event, Stopping)), default=-1)
        for at, event in enumerate(events):
            if isinstance(event, AsduReceived) and (at < stop or self.link.state is State.CLOSED):
                continue
            self._on_event(event, now)

    def on_timer(self, now: float) -> None:
        """A deadline of the link has passed."""
        if self.closed_reason is None:
            for event in self.link.on_timer(now):
                self._on_event(event, now)

    def next_deadline(self) -> float | None:
        return None if self.closed_reason is not None else self.link.next_deadline()

    def data_to_send(self, now: float) -> bytes:
        """Everything that may go now; take it, write it at once."""
        if self.closed_reason is None and self.started:
            self.transmission.fill(now)
        octets = self.link.data_to_send(now)
        self._octets_sent += len(octets)
        if self.tap is not None:
            self.tap.sent(octets)
        return octets

    @property
    def counters(self) -> Counters:
        """What went over it so far."""
        return Counters(
            since=self._since,
            heard=self._heard,
            received=self.link.frames_received,
            sent=self.link.frames_sent,
            octets_received=self._octets_received,
            octets_sent=self._octets_sent,
            refused=self.refusals.total,
            faults=self._faults,
        )

    def reply(
        self, octets: bytes, after: Position | None = None, acknowledged: Callable[[], None] | None = None
    ) -> None:
        """Owe this master an ASDU; dropped when the connection no longer holds its group."""
        if self.started:
            self.transmission.reply(octets, after, acknowledged)
            self._on_wake()

    def wake(self) -> None:
        self._on_wake()

    def supersede(self) -> None:
        self.end("another connection of its group was started")
        self._on_wake()

    def end(self, reason: str) -> None:
        """The connection is gone, or must go. Idempotent."""
        if self.closed_reason is None:
            self.closed_reason = reason
            if self.link.state is not State.CLOSED:
                self.link.close(reason)
            self._stop()

    def _stop(self) -> None:
        self.transmission.clear()
        self.station.outputs.forget(self)
        if self.station.files is not None:
            self.station.files.forget(self)
        self.group.give_up(self)

    def _dispatch(self, octets: bytes) -> None:
        # Reading less would not help: acknowledgements, which make room, come the same way as requests.
        if self.transmission.overdrawn:
            self.end("it asks for more than it takes answers to")
            return
        try:
            dispatch(self.station, self, octets)
        except ASDUError as error:
            self._faults += 1
            self.end(f"malformed ASDU: {error}")

    def _on_event(self, event: Event, now: float) -> None:
        if self.closed_reason is not None:  # ended by what came before it in the same segment
            return
        match event:
            case AsduReceived(octets):
                self._dispatch(octets)
            case Acknowledged(upto):
                self.transmission.acknowledged(upto)
            case Started():
                self.group.take(self)
                # Sent at once: a command in the same segment must find the station initialised.
                self.transmission.fill(now)
            case Stopping():
                self.station.outputs.forget(self)
            case Stopped():
                self._stop()
            case Closed(reason):
                self._faults += 1
                self.end(reason)
