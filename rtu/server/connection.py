"""A session on a socket: an asyncio protocol that reads, writes once per wake-up, and keeps the timers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from rtu.iec104.apci import cut
from rtu.station.client import Peer
from rtu.station.session import Session
from rtu.station.station import Station
from rtu.station.traffic import End

WRITE_LIMIT = 64 * 1024
"""Octets the transport may hold for a master that does not read; the link's window bounds it anyway."""

READ_LIMIT = 64 * 1024
"""Octets taken from a master while it does not read. Reading itself never pauses: acknowledgements, which make room,
come this way, and a command must not lie in a buffer and operate late."""

READ_SIZE = 4096
"""Octets read at a time: however much one master sends, between two of these everybody else gets a turn."""

LINGER = 5.0
"""Seconds a master has to take the last octets."""

_SIDES = ("peername", "sockname")

_log = logging.getLogger(__name__)


class Connection(asyncio.BufferedProtocol):
    """One connection: `admit` says whose it is or that it is nobody's; `on_end` is called once when it is over."""

    def __init__(
        self,
        station: Station,
        admit: Callable[[Connection, asyncio.Transport], Peer | None],
        on_end: Callable[[Connection, Session, str], None],
    ) -> None:
        self._station = station
        self._admit = admit
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flush_pending = False
        self._writable = True
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._unanswered = 0
        self._linger: asyncio.TimerHandle | None = None
        self._secured = False
        self.session: Session | None = None

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)
        self._secured = transport.get_extra_info("ssl_object") is not None
        try:
            peer = self._admit(self, self._transport)
            if peer is not None:
                self.session = Session(self._station, peer, self._loop.time(), self._wake)
                self._station.traffic.opened(
                    self.session, peer.master, *(_end(self._transport, side, peer) for side in _SIDES)
                )
        finally:
            if self.session is None:
                self._transport.abort()
        self._arm()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.session is None:
            return
        if not self._writable:
            self._unanswered += nbytes
            if self._unanswered > READ_LIMIT:
                self.end("it sends and does not read")
                return
        self.session.receive(bytes(self._buffer[:nbytes]), self._loop.time())
        self._flush()

    def eof_received(self) -> bool:
        self.end("closed by the master")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("closed by the master" if exc is None else f"connection lost: {exc}")
        if self._linger is not None:
            self._linger.cancel()
        # Or the two would keep each other, and TLS its context, until the next collection.
        self._transport = None

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._unanswered = 0
        self._flush()

    # For the listener

    @property
    def started(self) -> bool:
        """Between STARTDT and STOPDT (IEC 60870-5-104, 5.3)."""
        return self.session is not None and self.session.started

    def end(self, reason: str) -> None:
        """End it, for `reason`. Idempotent."""
        session, self.session = self.session, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close()
        if session is not None:
            session.end(reason)
            self._station.traffic.closed(session)
            self._on_end(self, session, session.closed_reason or reason)

    def _close(self) -> None:
        """Close the socket, after the last octets; but a master that does not take them does not keep it."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            self._linger = self._loop.call_later(LINGER, transport.abort)

    # The way out

    def _wake(self) -> None:
        if not self._flush_pending:
            self._flush_pending = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        try:
            self._send()
        except Exception:  # better no session than one that is neither served nor timed
            _log.exception("a session failed")
            self.end("an error of the station")

    def _send(self) -> None:
        self._flush_pending = False
        session, transport = self.session, self._transport
        if session is None or transport is None:
            return
        if self._writable or session.closed_reason is not None:
            octets = session.data_to_send(self._loop.time())
            if octets:
                self._write(transport, octets)
        if session.closed_reason is not None:
            self.end(session.closed_reason)
            return
        self._arm()

    def _write(self, transport: asyncio.Transport, octets: bytes) -> None:
        """Write whole APDUs: over TLS each in a record of its own, otherwise together.

        A master that asks its socket, not its TLS library, whether there is more to read (lib60870-C does) would
        leave every APDU but the first of a record lying until something else arrives.
        """
        if not self._secured:
            transport.write(octets)
            return
        for apdu in cut(octets):
            transport.write(apdu)

    # Deadlines move later with almost every frame; one timer that re-arms itself is enough.

    def _arm(self) -> None:
        if self.session is None:
            return
        deadline = self.session.next_deadline()
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self.session is not None:
            self.session.on_timer(self._loop.time())
            self._flush()


def _end(transport: asyncio.Transport, side: str, peer: Peer) -> End:
    """One end of a connection; without its port if the connection is gone already."""
    found = transport.get_extra_info(side)
    return End(*found[:2]) if found else End(peer.address, 0)
