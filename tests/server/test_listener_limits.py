"""What strangers cannot do to a listener: hold the loop, fill it beyond its limits, or end it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

from rtu.config.schema import Master
from rtu.security.identity import Admission
from rtu.server.listener import Door, Listener
from rtu.server.waiting_room import PER_ADDRESS
from tests.tls_parts import Only

TURNS = 200


class Gate:
    """Lets everybody to the handshake, or nobody."""

    def __init__(self, known: bool) -> None:
        self.known = known

    def known_address(self, peer_ip: str, tls: bool) -> bool:
        return self.known

    def admit_plain(self, peer_ip: str) -> Admission:
        return Admission(Master(name="a", max_connections=16), "main", "viewer")


class Hall:
    """A listener on a free port of this machine; `notes` are its audit records in the order of what happens."""

    def __init__(self, rig, *, known: bool, tls: bool, most: int = 16) -> None:
        self.notes: list[str] = []
        self.record: Callable[[str], None] = self.notes.append
        station = SimpleNamespace(
            groups=rig.station.groups,
            parameters=rig.station.parameters,
            outputs=rig.station.outputs,
            clock=rig.clock,
            audit=SimpleNamespace(record=lambda event, **fields: self.record(event)),
        )
        context = Only(lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) if tls else None
        door = Door("tls" if tls else "plain", "127.0.0.1", 0, "viewer", most, context)
        self.listener = Listener(station, Gate(known), door)  # type: ignore[arg-type]
        self.clients: list[socket.socket] = []

    def knock(self, times: int) -> None:
        """Peers whose connections stand, each accepted when the listener comes round to it."""
        for _ in range(times):
            self.clients.append(socket.create_connection(("127.0.0.1", self.listener.port)))

    async def turns(self) -> None:
        for _ in range(TURNS):
            self.notes.append("turn")
            await asyncio.sleep(0)

    def run(self, *steps) -> None:
        async def main() -> None:
            self.listener.open()
            try:
                for step in steps:
                    if (result := step()) is not None:
                        await result
            finally:
                await self.listener.close("the test is over")
                for client in self.clients:
                    client.close()

        asyncio.run(main())


def test_between_two_peers_of_a_flood_everybody_else_gets_a_turn(rig):
    hall = Hall(rig, known=False, tls=False)
    hall.run(lambda: hall.knock(10), hall.turns)
    refused = [at for at, note in enumerate(hall.notes) if note == "plain.refuse"]
    assert len(refused) == 10
    assert all(hall.notes[at + 1] == "turn" for at in refused)


def test_a_flood_of_peers_that_say_nothing_does_not_pass_the_limit(rig):
    hall = Hall(rig, known=True, tls=True)
    hall.run(lambda: hall.knock(12), hall.turns, lambda: hall.knock(12), hall.turns)
    assert hall.notes.count("tls.refuse") >= 24 - PER_ADDRESS
    assert hall.listener._room.present == 0


def test_no_more_connections_than_configured_although_they_come_together(rig):
    hall = Hall(rig, known=True, tls=False, most=3)
    hall.run(lambda: hall.knock(10), hall.turns)
    assert hall.notes.count("plain.accept") == 3
    assert hall.notes.count("plain.refuse") == 7


def test_a_peer_that_cannot_be_received_does_not_close_the_door(rig, caplog):
    hall = Hall(rig, known=False, tls=False)

    def fails(event: str) -> None:
        hall.record = hall.notes.append
        raise OSError("no space left on device")

    hall.record = fails
    with caplog.at_level(logging.CRITICAL):
        hall.run(lambda: hall.knock(2), hall.turns)
    assert hall.notes.count("plain.refuse") == 1


def test_a_master_that_is_sent_away_and_comes_back_at_once_finds_the_door_closed(rig):
    """And not a place in its queue, which the next station knows nothing of."""
    answers = []

    def come_back(event: str, **fields: object) -> None:
        if event == "session.close":
            with socket.socket() as again:
                answers.append(again.connect_ex(hall.clients[0].getpeername()))

    hall = Hall(rig, known=True, tls=False)
    hall.listener._station = replace(rig.station, audit=SimpleNamespace(record=come_back))
    hall.run(lambda: hall.knock(1), hall.turns)
    assert answers == [errno.ECONNREFUSED]


def test_who_was_accepted_just_before_the_door_closes_is_closed_too(rig):
    """Its work is cancelled before it began."""
    ours, theirs = socket.socketpair()

    async def story():
        hall = Hall(rig, known=True, tls=True)
        hall.listener.open()
        hall.listener._receive(ours, "127.0.0.1")
        await hall.listener.close("the test is over")

    asyncio.run(story())
    assert ours.fileno() == -1
    theirs.close()
