"""Listeners: accept, ask whether anyone known lives there, and only then spend anything on the peer.

TLS is started on the accepted socket by hand, never by `start_server(ssl=...)`: that way every
failed handshake is seen and put on record, and peers that wait cost one descriptor each.

A master has at most `max_connections` here. One more takes the place of its oldest connection that is not started:
that may be one whose other end has long been gone, and a master must not lock itself out. Are all started, it is
refused; so a master that may lose its way to us without a word wants more than one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from rtu.config.schema import Master, Role
from rtu.security.identity import Gate, Refusal
from rtu.security.roles import least
from rtu.security.tls import describe_failure
from rtu.station.client import Peer
from rtu.station.session import Session
from rtu.station.station import Station

from .connection import Connection
from .waiting_room import WaitingRoom

HANDSHAKE_TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 2.0
BACKLOG = 16
TOO_MANY = "too many connections"
TOO_MANY_OF_MASTER = "too many connections of this master, and all of them started"
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_FREEBIND = {
    socket.AF_INET: (socket.IPPROTO_IP, 15),  # IP_FREEBIND and IPV6_FREEBIND, which Python has no names for
    socket.AF_INET6: (socket.IPPROTO_IPV6, 78),
}

_log = logging.getLogger(__name__)


class ListenError(Exception):
    """A port cannot be opened; one line that says what to check."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way in, "tls" or "plain": `make_context` gives a fresh TLS context per connection, None means plain."""

    name: str
    address: str
    port: int
    most: Role
    max_connections: int
    make_context: Callable[[], ssl.SSLContext] | None = None


class Listener:
    """One door, open from `open` to `close`."""

    def __init__(self, station: Station, gate: Gate, door: Door) -> None:
        self._station = station
        self._gate = gate
        self._door = door
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: dict[Connection, Peer] = {}
        """The oldest first."""
        self._room = WaitingRoom()

    @property
    def name(self) -> str:
        return self._door.name

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self._sockets[0].getsockname()[1])

    def open(self) -> None:
        """Listen; also on an address that this machine has not got yet. Raises ListenError."""
        door = self._door
        try:
            for family, address in _families(door.address):
                listening = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(listening)
                listening.setblocking(False)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                self._bind(listening, address, self.port if len(self._sockets) > 1 else door.port)
                listening.listen(BACKLOG)
        except (OSError, ValueError) as error:
            self._close_sockets()
            where = f"{door.address or '*'}:{door.port}"
            raise ListenError(f"cannot listen on {where} ({door.name}): {error}") from None
        for listening in self._sockets:
            self._start(self._accept(listening))

    async def close(self, reason: str) -> None:
        """Stop listening, end every connection, and wait until the last octets are gone."""
        self._close_sockets()
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._connections):
            connection.end(reason)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _bind(self, listening: socket.socket, address: str, port: int) -> None:
        try:
            listening.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            # A tunnel or a modem comes up after us, and the other ways in must not wait for it.
            _log.warning("%s is not an address of this machine now; masters can reach it when it is", address)
            level, option = _FREEBIND[listening.family]
            listening.setsockopt(level, option, 1)
            listening.bind((address, port))

    def _close_sockets(self) -> None:
        for listening in self._sockets:
            listening.close()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                conn, peer = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    await asyncio.sleep(1)  # accepting again at once would spin
            else:  # an error: the peer was gone before it was accepted
                self._receive(conn, peer[0])
            # While peers queue up accepting does not wait: without this a flood of them would hold the loop.
            await asyncio.sleep(0)

    def _receive(self, conn: socket.socket, address: str) -> None:
        """Let in, or not, who was just accepted. Never raises: the door stays in use whatever becomes of one peer."""
        try:
            refusal = self._refuse_early(address)
            if refusal is None:
                self._start(self._serve(conn, address))
            else:
                conn.close()
                self._refused(address, refusal)
        except Exception:  # accepting goes on
            conn.close()
            _log.exception("a peer could not be received")

    def _refuse_early(self, address: str) -> str | None:
        tls = self._door.make_context is not None
        if not self._gate.known_address(address, tls):
            return "no master may come from this address"
        if self._full:
            return TOO_MANY
        return self._room.refuses(address) if tls else None

    @property
    def _full(self) -> bool:
        return len(self._connections) >= self._door.max_connections

    async def _serve(self, conn: socket.socket, address: str) -> None:
        """From an accepted socket to a running connection. Owns `conn` until a transport does."""
        loop = asyncio.get_running_loop()

        def make() -> Connection:
            return Connection(self._station, partial(self._admit, address), self._ended)

        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._door.make_context is None:
                await loop.connect_accepted_socket(make, conn)
            else:
                async with self._room.turn(address):
                    await loop.connect_accepted_socket(
                        make,
                        conn,
                        ssl=self._door.make_context(),
                        ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                        ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
                    )
        except asyncio.CancelledError:
            conn.close()
            raise
        except Exception as error:  # whatever a peer or a file makes TLS raise, only this peer is refused
            conn.close()
            event, text = describe_failure(error)
            self._refused(address, text, id=event)

    def _admit(self, address: str, connection: Connection, transport: asyncio.Transport) -> Peer | None:
        secured = transport.get_extra_info("ssl_object")
        if secured is None:
            verdict = self._gate.admit_plain(address)
        else:
            verdict = self._gate.admit_tls(address, secured.getpeercert(True))
        if isinstance(verdict, Refusal):
            self._refused(address, verdict.reason, id=verdict.event)
            return None
        if not self._make_room(verdict.master):
            self._refused(address, TOO_MANY_OF_MASTER, master=verdict.master.name)
            return None
        if self._full:  # asked again: while this one shook hands others came in
            self._refused(address, TOO_MANY)
            return None
        peer = Peer(verdict.master.name, address, least(verdict.role, self._door.most), verdict.group)
        self._connections[connection] = peer
        self._station.audit.record(
            f"{self._door.name}.accept",
            master=peer.master,
            peer=address,
            role=peer.role,
            group=peer.group,
        )
        return peer

    def _make_room(self, master: Master) -> bool:
        """Whether one more connection of this master has a place, which its oldest stopped one may have to leave."""
        own = [each for each, peer in self._connections.items() if peer.master == master.name]
        if len(own) >= master.max_connections:
            stopped = next((each for each in own if not each.started), None)
            if stopped is None:
                return False
            stopped.end("a newer connection of its master took its place")
        return True

    def _ended(self, connection: Connection, session: Session, reason: str) -> None:
        self._connections.pop(connection, None)
        peer, refused = session.peer, session.refusals.total
        more = {"refused": refused} if refused else {}
        self._station.audit.record(
            "session.close", master=peer.master, peer=peer.address, reason=reason, **more
        )

    def _refused(self, address: str, reason: str, **fields: object) -> None:
        self._station.audit.record(f"{self._door.name}.refuse", peer=address, reason=reason, **fields)


def _families(address: str) -> list[tuple[socket.AddressFamily, str]]:
    """What to bind: both families for "", one for an address."""
    if not address:
        wanted = [(socket.AF_INET, "0.0.0.0")]
        if socket.has_dualstack_ipv6():
            wanted.append((socket.AF_INET6, "::"))
        return wanted
    return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
