"""A small controlling station on asyncio: one connection, ASDUs in and out, everything acknowledged in time.

    master = await Master.connect("10.0.0.5", 2404)
    await master.start()
    await master.send(ASDU(...))
    async for octets in master:
        ...

It knows the link and nothing of what the ASDUs mean. Received ASDUs wait in a bounded queue; when that is full the
socket is not read until some are taken, so whoever never takes any loses the connection to a time-out of the station.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Self

from rtu.iec104.asdu import ASDU
from rtu.iec104.link import AsduReceived, Link, LinkParameters, Role, State

QUEUE = 4096
"""Received ASDUs that may wait; at least one read from the socket fits on top."""

_CLOSE_S = 2.0


class ConnectionLost(ConnectionError):
    """The connection is over; the message says why.

    `by_station`: the station, or the network, ended it. `error` is what the transport reported, if anything.
    """

    def __init__(self, reason: str, by_station: bool, error: Exception | None) -> None:
        super().__init__(reason)
        self.by_station = by_station
        self.error = error


class Master(asyncio.Protocol):
    """One connection to a controlled station, STOPPED at first. Make it with `connect`."""

    def __init__(self, parameters: LinkParameters) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = Link(Role.CONTROLLING, parameters, self._loop.time())
        self._queue: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._error: Exception | None = None
        self._by_station = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._reading = True

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
        parameters: LinkParameters | None = None,
        t0: float = 30.0,
    ) -> Self:
        """Connect within `t0` seconds, with TLS if there is a `context`.

        `server_name` is the name to expect in the station's certificate when the context checks names. Raises
        OSError, of which TimeoutError and ssl.SSLError are kinds.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(t0):
            _, master = await loop.create_connection(
                lambda: cls(parameters or LinkParameters()),
                host,
                port,
                ssl=context,
                server_hostname=(server_name or host) if context is not None else None,
            )
        return master

    @property
    def started(self) -> bool:
        """STARTDT is confirmed and the connection stands."""
        return self._link.state is State.STARTED

    @property
    def closed_reason(self) -> str | None:
        """Why the connection is over, None while it stands."""
        return self._link.closed_reason

    @property
    def acknowledged(self) -> int:
        """How many of the ASDUs sent the station has acknowledged."""
        return self._link.acknowledged

    @property
    def certificate(self) -> ssl.SSLObject | None:
        """The TLS side of the connection, None on plain TCP."""
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    async def start(self) -> None:
        """STARTDT. Raises ConnectionLost, also when there is no confirmation within t1."""
        self._link.start(self._loop.time())
        self._flush()
        await self._until(lambda: self._link.state is State.STARTED)

    async def stop(self) -> None:
        """Acknowledge what came, then STOPDT. Raises ConnectionLost, also when there is no confirmation within t1."""
        self._link.stop(self._loop.time())
        self._flush()
        await self._until(lambda: self._link.state is State.STOPPED)

    async def send(self, asdu: ASDU | bytes) -> None:
        """Send an ASDU as soon as fewer than k are unacknowledged.

        Raises ConnectionLost, LinkBusy when not started, and what encoding the ASDU raises.
        """
        octets = asdu.encode() if isinstance(asdu, ASDU) else asdu
        await self._until(lambda: self._link.can_send or self._link.state is not State.STARTED)
        self._link.send(octets, self._loop.time())
        self._flush()

    async def receive(self) -> bytes:
        """The next ASDU, as octets. May be cancelled without losing one. Raises ConnectionLost once all are taken."""
        if not self._queue:
            await self._until(lambda: bool(self._queue))
        octets = self._queue.popleft()
        if not self._reading and len(self._queue) < QUEUE // 2:
            self._reading = True
            self._transport.resume_reading()
        return octets

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.receive()
        except ConnectionLost:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        """Close the connection and wait until it is. Harmless when it is over already."""
        self._end("closed by this side")
        self._transport.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._over.wait()
        except TimeoutError:
            self._transport.abort()
            await self._over.wait()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._arm()

    def data_received(self, data: bytes) -> None:
        for event in self._link.receive(data, self._loop.time()):
            if isinstance(event, AsduReceived):
                self._queue.append(event.octets)
        if self._reading and len(self._queue) > QUEUE:
            self._reading = False
            self._transport.pause_reading()
        self._flush()
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._error = error
        self._by_station = self._link.closed_reason is None
        self._end("closed by the station" if error is None else str(error) or type(error).__name__)
        self._over.set()

    # Inside

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._link.closed_reason is not None:
                raise ConnectionLost(self._link.closed_reason, self._by_station, self._error)
            self._news.clear()
            await self._news.wait()

    def _flush(self) -> None:
        octets = self._link.data_to_send(self._loop.time())
        if octets:
            self._transport.write(octets)
        if self._link.closed_reason is not None:
            self._transport.close()
        self._arm()

    def _arm(self) -> None:
        """Deadlines mostly move later: a timer that is early finds nothing to do and is set again."""
        deadline = self._link.next_deadline()
        if self._timer is not None and (deadline is None or deadline < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if self._timer is None and deadline is not None:
            self._timer = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._link.on_timer(self._loop.time())
        self._flush()
        self._news.set()

    def _end(self, reason: str) -> None:
        self._link.close(reason)
        self._arm()
        self._news.set()
