"""Listeners: accept, ask whether anyone known lives there, and only then spend anything on the peer.

TLS is started on the accepted socket by hand, never by `start_server(ssl=...)`: that way every
failed handshake is seen and put on record, and peers that wait cost one descriptor each.

A master has at most `max_connections` here. One more takes the place of its oldest connection that is not started:
that may be one whose other end has long been gone, and a master must not lock itself out. Are all started, it is
refused; so a master that may lose its way to us without a word wants more than one.

Over TLS two gates are passed: the list of masters says whose a certificate is, `Tls` whether it is trusted at this moment.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from rtu.config.schema import Master, Role
from rtu.security.identity import CERTIFICATE_UNFIT, Admission, Gate, Refusal
from rtu.security.quote import quote
from rtu.security.roles import least
from rtu.security.tls.context import RENEGOTIATIONS, StationContext, describe_failure, verified_chain
from rtu.station.client import Peer
from rtu.station.session import Session
from rtu.station.station import Station

from .connection import Connection
from .presence import Presence
from .waiting_room import WaitingRoom

if TYPE_CHECKING:  # imported where needed: it takes a library of 10 MiB
    from rtu.security.tls.trust import Chain

HANDSHAKE_TIMEOUT = 5.0
SHUTDOWN_TIMEOUT = 2.0
BACKLOG = 16
TOO_MANY = "too many connections"
TOO_MANY_OF_MASTER = "too many connections of this master, and all of them started"
TOO_MANY_RENEGOTIATIONS = f"it renegotiated more than {RENEGOTIATIONS} times"
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_HINTS = {
    errno.EPERM: "; the unit has no SocketBindAllow= for it: rtu firewall apply",
    errno.EACCES: "; ports below 1024 need a capability that the unit does not give",
}

_FREEBIND = {
    socket.AF_INET: (socket.IPPROTO_IP, 15),  # IP_FREEBIND and IPV6_FREEBIND, which Python has no names for
    socket.AF_INET6: (socket.IPPROTO_IPV6, 78),
}

_log = logging.getLogger(__name__)


class ListenError(OSError):
    """A port cannot be opened; one line that says what to check."""


class Tls(Protocol):
    """How to speak TLS with who comes, and whom to trust."""

    async def take(self) -> ssl.SSLContext:
        """A fresh context for one connection. Raises when nobody can get in."""
        ...

    def refuses(self, chain: Chain) -> Refusal | None:
        """Why somebody with this verified chain does not get in."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """One way in, "tls" or "plain"; without `tls` it is plain. `interface` is empty for all."""

    name: str
    address: str
    port: int
    most: Role
    max_connections: int
    tls: Tls | None = None
    interface: str = ""


@dataclass(slots=True)
class Guest:
    """Who was let in, and since when (monotonic); over TLS with its verified chain and the version, "TLSv1.3".

    `ended_for` is the id of the event its connection was ended for, if any.
    """

    peer: Peer
    since_ns: int
    chain: Chain | None = None
    version: str = ""
    ended_for: str = ""


class Listener:
    """One door, open from `open` to `close`."""

    def __init__(self, station: Station, gate: Gate, door: Door) -> None:
        self._station = station
        self._gate = gate
        self._door = door
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._presence: Presence | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: dict[Connection, Guest] = {}
        """The oldest first."""
        self._room = WaitingRoom()

    @property
    def name(self) -> str:
        return self._door.name

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for; while there is none, as asked for."""
        return int(self._sockets[0].getsockname()[1]) if self._sockets else self._door.port

    def open(self) -> None:
        """Listen; also on an address or an interface that this machine has not got yet. Raises ListenError.

        With an interface it does not raise: what could not be done is tried again.
        """
        if not self._door.interface:
            self._listen()
            return
        self._presence = Presence(
            self._door.interface, self._station.clock, come=self._listen, gone=self._cut_off
        )
        self._presence.watch()

    @property
    def guests(self) -> Mapping[Connection, Guest]:
        """Who is here, the oldest first."""
        return MappingProxyType(self._connections)

    def dismiss(self, connection: Connection, refusal: Refusal) -> None:
        """End a connection that was let in, for a reason that has an event id."""
        self._connections[connection].ended_for = refusal.event
        connection.end(refusal.reason)

    async def close(self, reason: str) -> None:
        """Stop listening, end every connection, and wait until the last octets are gone."""
        if self._presence is not None:
            self._presence.close()
        accepting = tuple(self._accepting)
        self._stop_listening()
        # The port is closed before anybody is sent away: who comes again at once must find it so, or the next station.
        await asyncio.gather(*accepting, return_exceptions=True)
        for task in tuple(self._tasks):
            task.cancel()
        for connection in tuple(self._connections):
            connection.end(reason)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _listen(self) -> None:
        door = self._door
        try:
            for family, address in _families(door.address):
                listening = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(listening)
                listening.setblocking(False)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if door.interface:
                    listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, door.interface.encode())
                self._bind(listening, address, self.port if len(self._sockets) > 1 else door.port)
                listening.listen(BACKLOG)
        except (OSError, ValueError) as error:
            for listening in self._sockets:
                listening.close()
            self._sockets.clear()
            where = f"{door.address or '*'}:{door.port}" + (f" of {door.interface}" if door.interface else "")
            hint = _HINTS.get(error.errno or 0, "") if isinstance(error, OSError) else ""
            raise ListenError(f"cannot listen on {where} ({door.name}): {error}{hint}") from None
        for listening in self._sockets:
            accepting = self._start(self._accept(listening))
            # Not sooner: the loop still watches its descriptor, which would be the next socket's.
            accepting.add_done_callback(partial(_close, listening))
            self._accepting.append(accepting)

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

    def _stop_listening(self) -> None:
        for accepting in self._accepting:
            accepting.cancel()
        self._accepting.clear()
        self._sockets.clear()

    def _cut_off(self) -> None:
        """The interface is gone, or another of that name came: nobody here is heard any more."""
        self._stop_listening()
        for connection in tuple(self._connections):
            connection.end(f"{self._door.interface} is gone")

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
                serving = self._start(self._serve(conn, address))
                # Here and not in its work, which may be cancelled before it begins.
                serving.add_done_callback(lambda task: conn.close() if task.cancelled() else None)
            else:
                conn.close()
                self._refused(address, refusal)
        except Exception:  # accepting goes on
            conn.close()
            _log.exception("a peer could not be received")

    def _refuse_early(self, address: str) -> str | None:
        tls = self._door.tls is not None
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
            if self._door.tls is None:
                await loop.connect_accepted_socket(make, conn)
            else:
                async with self._room.turn(address, _begun(conn)):
                    await loop.connect_accepted_socket(
                        make,
                        conn,
                        ssl=await self._door.tls.take(),
                        ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                        ssl_shutdown_timeout=SHUTDOWN_TIMEOUT,
                    )
        except Exception as error:  # whatever a peer or a file makes TLS raise, only this peer is refused
            conn.close()
            event, text = describe_failure(error)
            self._refused(address, text, id=event)
            # It keeps asyncio's frames, they keep it, and all of it the TLS context, until the next collection.
            error.__traceback__ = None

    def _admit(self, address: str, connection: Connection, transport: asyncio.Transport) -> Peer | None:
        secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        verdict: Admission | Refusal
        chain: Chain | None = None
        if secured is None:
            verdict = self._gate.admit_plain(address)
        else:
            verdict = self._gate.admit_tls(address, secured.getpeercert(True))
            if isinstance(verdict, Admission):
                chain, refusal = self._judge(secured)
                verdict = refusal or verdict
        if isinstance(verdict, Refusal):
            self._refused(address, verdict.reason, id=verdict.event)
            return None
        if not self._make_room(verdict.master):
            self._refused(address, TOO_MANY_OF_MASTER, master=verdict.master.name)
            return None
        if self._full:  # asked again: while this one shook hands others came in
            self._refused(address, TOO_MANY)
            return None
        master = verdict.master
        peer = Peer(
            master.name,
            address,
            least(verdict.role, self._door.most),
            verdict.group,
            None if master.commands is None else tuple(master.commands),
        )
        guest = Guest(peer, self._station.clock.now_ns(), chain)
        shown: dict[str, object] = {}
        if secured is not None and verdict.credential is not None:
            guest.version = secured.version() or ""
            if isinstance(secured.context, StationContext):
                secured.context.too_many = partial(
                    asyncio.get_running_loop().call_soon, connection.end, TOO_MANY_RENEGOTIATIONS
                )
            shown = {
                "tls": f"{guest.version} {(secured.cipher() or ('',))[0]}",
                "subject": verdict.credential.subject,
                "serial": f"{verdict.credential.serial:x}",
                "fingerprint": verdict.credential.fingerprint,
            }
        self._connections[connection] = guest
        self._station.audit.record(
            f"{self._door.name}.accept",
            master=peer.master,
            peer=address,
            role=peer.role,
            group=peer.group,
            **shown,
        )
        return peer

    def _judge(self, secured: ssl.SSLObject) -> tuple[Chain | None, Refusal | None]:
        from rtu.security.tls.trust import Chain

        assert self._door.tls is not None
        try:
            chain = Chain.parse(verified_chain(secured))
            return chain, self._door.tls.refuses(chain)
        except Exception as error:  # TLS takes names in it that our parser cannot read
            return None, Refusal(f"its chain cannot be used: {quote(str(error))}", CERTIFICATE_UNFIT)

    def _make_room(self, master: Master) -> bool:
        """Whether one more connection of this master has a place, which its oldest stopped one may have to leave."""
        own = [each for each, guest in self._connections.items() if guest.peer.master == master.name]
        if len(own) >= master.max_connections:
            stopped = next((each for each in own if not each.started), None)
            if stopped is None:
                return False
            stopped.end("a newer connection of its master took its place")
        return True

    def _ended(self, connection: Connection, session: Session, reason: str) -> None:
        guest = self._connections.pop(connection, None)
        peer, refused = session.peer, session.refusals.total
        more: dict[str, object] = {"refused": refused} if refused else {}
        if guest is not None and guest.ended_for:
            more["id"] = guest.ended_for
        self._station.audit.record(
            "session.close", master=peer.master, peer=peer.address, reason=reason, **more
        )

    def _refused(self, address: str, reason: str, **fields: object) -> None:
        self._station.audit.record(f"{self._door.name}.refuse", peer=address, reason=reason, **fields)


def _close(listening: socket.socket, _: asyncio.Task[None]) -> None:
    listening.close()


async def _begun(conn: socket.socket) -> None:
    """Wait for the first octet, which stays where it is. Raises TimeoutError after HANDSHAKE_TIMEOUT."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(conn, readable.set)
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            await readable.wait()
    finally:
        loop.remove_reader(conn)


def _families(address: str) -> list[tuple[socket.AddressFamily, str]]:
    """What to bind: both families for "", one for an address."""
    if not address:
        wanted = [(socket.AF_INET, "0.0.0.0")]  # noqa: S104 - as configured
        if socket.has_dualstack_ipv6():
            wanted.append((socket.AF_INET6, "::"))
        return wanted
    return [(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
