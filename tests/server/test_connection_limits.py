"""What a master that does not play along cannot do to its connection: hold it, fill it, or leave it half alive."""

from __future__ import annotations

import asyncio
import logging
from struct import pack

import pytest

from rtu.server.connection import LINGER, READ_LIMIT, READ_SIZE, Connection
from rtu.station.client import Peer
from tests.station.conftest import Rig

STARTDT = bytes.fromhex("680407000000")
TESTFR = bytes.fromhex("680443000000")
REFUSED = bytes.fromhex("69010600010000000000")  # a reset process, answered by a negative confirmation


class Transport:
    """A socket that notes what is done to it; `full` tells whether the other end reads."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = 0
        self.aborted = 0
        self.reading = True

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...

    def write(self, octets: bytes) -> None:
        self.written += octets

    def is_closing(self) -> bool:
        return bool(self.closed or self.aborted)

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.aborted += 1

    def pause_reading(self) -> None:
        self.reading = False


class Desk:
    """One connection on such a socket; must be made while a loop runs."""

    def __init__(self, rig: Rig, admit=None) -> None:
        peer = Peer("master", "192.0.2.1", "engineer", "main")
        self.ended: list[str] = []
        self.transport = Transport()
        self.connection = Connection(
            rig.station,
            admit or (lambda connection, transport: peer),
            lambda connection, peer, reason: self.ended.append(reason),
        )

    def take(self, octets: bytes) -> None:
        """Octets come in, as many at a time as the connection takes."""
        while octets:
            buffer = self.connection.get_buffer(-1)
            some, octets = octets[: len(buffer)], octets[len(buffer) :]
            buffer[: len(some)] = some
            self.connection.buffer_updated(len(some))

    def open(self) -> Desk:
        self.connection.connection_made(self.transport)
        return self


def later(loop: asyncio.AbstractEventLoop) -> list[asyncio.TimerHandle]:
    return [handle for handle in loop._scheduled if not handle.cancelled()]


def on_a_loop(work) -> None:
    async def main() -> None:
        work(asyncio.get_running_loop())

    asyncio.run(main())


def test_acknowledgements_are_read_however_many_answers_wait(rig: Rig) -> None:
    def work(loop) -> None:
        desk = Desk(rig).open()
        desk.take(STARTDT)
        frames = [pack("<BBHH", 0x68, 14, number << 1, 0) + REFUSED for number in range(200)]
        desk.take(b"".join(frames))
        answered = 0
        while (answers := desk.transport.written.count(b"\x69\x01\x47")) > answered:
            answered = answers
            assert desk.transport.reading
            sent = desk.connection.session.link.sent
            desk.take(pack("<BBHH", 0x68, 4, 1, sent << 1))
        assert answered == 200

    on_a_loop(work)


def test_a_master_that_sends_and_does_not_read_is_let_go(rig: Rig) -> None:
    def work(loop) -> None:
        desk = Desk(rig).open()
        desk.connection.pause_writing()
        for _ in range(READ_LIMIT // len(TESTFR) // 100 + 1):
            desk.take(100 * TESTFR)
        assert desk.ended == ["it sends and does not read"]
        assert desk.transport.closed == 1

    on_a_loop(work)


def test_a_master_that_begins_to_read_again_is_served(rig: Rig) -> None:
    def work(loop) -> None:
        desk = Desk(rig).open()
        for _ in range(3):
            desk.connection.pause_writing()
            desk.take(READ_LIMIT // len(TESTFR) * TESTFR)
            desk.connection.resume_writing()
        assert desk.ended == []
        assert len(desk.transport.written) == 3 * (READ_LIMIT // len(TESTFR)) * len(TESTFR)

    on_a_loop(work)


def test_a_socket_whose_last_octets_nobody_takes_is_given_up(rig: Rig) -> None:
    def work(loop) -> None:
        desk = Desk(rig).open()
        desk.connection.end("enough")
        (linger,) = [handle for handle in later(loop) if handle.when() <= loop.time() + LINGER]
        linger._run()
        assert desk.transport.aborted == 1

    on_a_loop(work)


def test_a_connection_that_is_over_leaves_no_timer_and_closes_once(rig: Rig) -> None:
    def work(loop) -> None:
        desk = Desk(rig).open()
        before = len(later(loop))
        desk.connection.end("enough")
        desk.connection.eof_received()
        desk.connection.connection_lost(None)
        assert desk.ended == ["enough"]
        assert desk.transport.closed == 1
        assert before == 1
        assert later(loop) == []

    on_a_loop(work)


def test_a_connection_that_could_not_be_admitted_is_not_left_open(rig: Rig) -> None:
    def fails(connection, transport):
        raise RuntimeError("the gate fell off its hinges")

    def work(loop) -> None:
        desk = Desk(rig, fails)
        with pytest.raises(RuntimeError):
            desk.open()
        assert desk.transport.aborted == 1

    on_a_loop(work)


def test_a_session_that_fails_on_a_timer_is_ended(rig: Rig, monkeypatch, caplog) -> None:
    def fails(now):
        raise RuntimeError("a plan that does not fit its table")

    def work(loop) -> None:
        desk = Desk(rig).open()
        monkeypatch.setattr(desk.connection.session, "data_to_send", fails)
        desk.connection._on_timer()
        assert desk.ended == ["an error of the station"]
        assert desk.transport.closed == 1

    with caplog.at_level(logging.CRITICAL):
        on_a_loop(work)


def test_one_that_floods_is_read_a_little_at_a_time(rig: Rig) -> None:
    def work(loop) -> None:
        assert len(Desk(rig).open().connection.get_buffer(1 << 20)) == READ_SIZE

    on_a_loop(work)
