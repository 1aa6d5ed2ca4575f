"""A session on a socket: an asyncio protocol that reads, writes once per wake-up, and keeps the timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from rtu.station.session import Peer, Session
from rtu.station.station import Station

WRITE_LIMIT = 64 * 1024
"""Octets the transport may hold for a master that does not read; the link's window bounds it anyway."""


class Connection(asyncio.Protocol):
    """One connection: `admit` says whose it is or that it is nobody's; `on_end` is called once when it is over."""

    def __init__(
        self,
        station: Station,
        admit: Callable[[Connection, asyncio.Transport], Peer | None],
        on_end: Callable[[Connection, Peer, str], None],
    ) -> None:
        self._station = station
        self._admit = admit
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flush_pending = False
        self._writable = True
        self._reading = True
        self.session: Session | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)
        peer = self._admit(self, self._transport)
        if peer is None:
            self._transport.abort()
            return
        self.session = Session(self._station, peer, self._loop.time(), self._wake)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self.session is not None:
            self.session.receive(data, self._loop.time())
            self._flush()

    def eof_received(self) -> bool:
        self.end("closed by the master")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.end("closed by the master" if exc is None else f"connection lost: {exc}")

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()

    # For the listener

    def end(self, reason: str) -> None:
        """End it, for `reason`. Idempotent."""
        session, self.session = self.session, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if session is not None:
            session.end(reason)
            self._on_end(self, session.peer, session.closed_reason or reason)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    # The way out

    def _wake(self) -> None:
        if not self._flush_pending:
            self._flush_pending = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_pending = False
        session, transport = self.session, self._transport
        if session is None or transport is None:
            return
        if self._writable or session.closed_reason is not None:
            octets = session.data_to_send(self._loop.time())
            if octets:
                transport.write(octets)
        if session.closed_reason is not None:
            self.end(session.closed_reason)
            return
        if session.congested == self._reading:
            self._reading = not self._reading
            if self._reading:
                transport.resume_reading()
            else:
                transport.pause_reading()
        self._arm()

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
