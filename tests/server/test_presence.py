"""A tunnel that is down, comes up, goes and comes back as another: the listener on it follows, and nobody else notices."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket

import pytest

from rtu.clock import VirtualClock
from rtu.config.schema import Master
from rtu.security.identity import Admission
from rtu.server.listener import Door, Listener
from rtu.server.presence import LOOK_EVERY_S, Presence
from tests.ports import free_port
from tests.station.conftest import Rig


class Tunnel:
    """The interface "wg0" with an index, 0 while there is none; `story` is what became of it."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.story: list[str] = []
        self.fault: OSError | None = None
        self.clock = VirtualClock()
        self.presence = Presence("wg0", self.clock, come=self.come, gone=self.gone, index=self.find)
        self.presence.watch()

    def find(self, name: str) -> int:
        assert name == "wg0"
        if not self.index:
            raise OSError("no interface with this name")
        return self.index

    def come(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.story.append(f"bound to {self.index}")

    def gone(self) -> None:
        self.story.append("gone")

    def becomes(self, index: int) -> None:
        self.index = index
        self.later()

    def later(self) -> None:
        self.clock.advance(LOOK_EVERY_S)


def test_what_is_there_is_taken_at_once_and_once():
    tunnel = Tunnel(7)
    assert tunnel.story == ["bound to 7"]
    tunnel.later()
    assert tunnel.story == ["bound to 7"]


def test_what_is_not_there_is_told_once_and_taken_when_it_comes(caplog):
    tunnel = Tunnel(0)
    tunnel.later()
    tunnel.later()
    assert [each.getMessage() for each in caplog.records] == [
        "wg0 is not an interface of this machine now; masters can come when it is"
    ]
    assert tunnel.story == []
    tunnel.becomes(7)
    assert tunnel.story == ["bound to 7"]


def test_one_that_went_is_given_up_and_told_of_again(caplog):
    tunnel = Tunnel(7)
    tunnel.becomes(0)
    assert tunnel.story == ["bound to 7", "gone"]
    assert len(caplog.records) == 1
    tunnel.becomes(9)
    tunnel.becomes(0)
    assert tunnel.story == ["bound to 7", "gone", "bound to 9", "gone"]
    assert len([each for each in caplog.records if each.levelno == logging.WARNING]) == 2


def test_one_that_was_made_anew_between_two_looks_is_another():
    tunnel = Tunnel(7)
    tunnel.becomes(8)
    assert tunnel.story == ["bound to 7", "gone", "bound to 8"]


def test_what_cannot_be_bound_is_told_once_and_tried_again(caplog):
    tunnel = Tunnel(0)
    tunnel.fault = OSError(errno.EADDRINUSE, "Address already in use")
    tunnel.becomes(7)
    tunnel.later()
    assert [each.getMessage() for each in caplog.records][1:] == [
        "[Errno 98] Address already in use; trying again"
    ]
    tunnel.fault = None
    tunnel.later()
    assert tunnel.story == ["bound to 7"]


def test_nothing_is_looked_for_after_the_end():
    tunnel = Tunnel(0)
    tunnel.presence.close()
    tunnel.becomes(7)
    assert tunnel.story == []


class Gate:
    def known_address(self, peer_ip: str, tls: bool) -> bool:
        return True

    def admit_plain(self, peer_ip: str) -> Admission:
        return Admission(Master(name="a", max_connections=16), "main", "viewer")


class House:
    """A listener on 127.0.0.1 at the interface "lo", as far as the kernel says; `index` is what the name stands for."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch, index: int) -> None:
        self.index, self.clock, self.audit = index, rig.clock, rig.audit
        # The default of the parameter was bound when the class was made.
        monkeypatch.setitem(Presence.__init__.__kwdefaults__, "index", self.find)
        self.port = free_port()
        door = Door("plain", "127.0.0.1", self.port, "viewer", 4, interface="lo")
        self.listener = Listener(rig.station, Gate(), door)  # type: ignore[arg-type]

    def find(self, name: str) -> int:
        if not self.index:
            raise OSError("no interface with this name")
        return self.index

    def becomes(self, index: int) -> None:
        self.index = index
        self.clock.advance(LOOK_EVERY_S)

    async def connects(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except ConnectionRefusedError:
            return False
        await self.let_in()
        writer.close()
        await writer.wait_closed()
        return True

    async def let_in(self) -> None:
        async with asyncio.timeout(30):
            while not self.listener.guests:  # noqa: ASYNC110 - a record is no event
                await asyncio.sleep(0)

    async def __aenter__(self) -> House:
        self.listener.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.listener.close("the test is over")


@pytest.fixture
def house(rig, monkeypatch):
    return lambda index: House(rig, monkeypatch, index)


def test_a_station_starts_without_the_interface_and_serves_when_it_comes(house):
    async def story() -> None:
        async with house(0) as here:
            assert here.listener.port == here.port
            assert not await here.connects()
            here.becomes(7)
            assert await here.connects()

    asyncio.run(story())


def test_masters_of_an_interface_that_goes_are_given_up_and_come_again(house):
    async def story() -> None:
        async with house(7) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            await here.let_in()
            here.becomes(0)
            assert not here.listener.guests
            ends = [each["reason"] for each in here.audit.records if each["event"] == "session.close"]
            assert ends == ["lo is gone"]
            assert await reader.read() == b""
            writer.close()
            assert not await here.connects()
            here.becomes(8)
            assert await here.connects()

    asyncio.run(story())


def test_an_interface_that_was_made_anew_is_listened_on_anew(house):
    async def story() -> None:
        async with house(7) as here:
            for index in range(8, 20):
                (old,) = here.listener._sockets
                here.becomes(index)
                while old.fileno() != -1:  # noqa: ASYNC110 - closing is no event
                    await asyncio.sleep(0)
                # In truth it is the same interface, whose port was taken until now.
                here.becomes(index)
                assert await here.connects()

    asyncio.run(story())


def test_only_what_comes_over_the_interface_is_heard(house):
    """A socket on "lo" in truth; the kernel says which interface."""

    async def story() -> None:
        async with house(7) as here:
            (listening,) = here.listener._sockets
            assert listening.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"

    asyncio.run(story())


def test_a_port_in_use_on_an_interface_is_one_line_and_tried_again(house, caplog):
    async def story() -> None:
        here = house(7)
        with socket.create_server(("127.0.0.1", here.port)):
            here.listener.open()
        here.clock.advance(LOOK_EVERY_S)
        assert await here.connects()
        await here.listener.close("the test is over")
        told = os.strerror(errno.EADDRINUSE)
        assert (
            caplog.records[0].getMessage()
            == f"cannot listen on 127.0.0.1:{here.port} of lo (plain): [Errno 98] {told}; trying again"
        )

    asyncio.run(story())
