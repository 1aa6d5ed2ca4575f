"""A controlling station with bad intentions: it numbers its frames rightly and says whatever it likes.

Nothing of the project is used, so nothing of the project's own care gets in the way.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable

STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
STOPDT_ACT = bytes.fromhex("680413000000")
TESTFR_ACT, TESTFR_CON = bytes.fromhex("680443000000"), bytes.fromhex("680483000000")
DEADLINE_S = 60.0
TOGETHER = 50
"""Requests in one segment; then it takes the answers, as an attacker who wants to be served does."""
ACT, DEACT = 6, 8
SELECT = 0x80


def asdu(type_id: int, ioa: int, body: bytes = b"", *, cause: int = ACT, ca: int = 1) -> bytes:
    return struct.pack("<BBBBH", type_id, 1, cause, 0, ca) + ioa.to_bytes(3, "little") + body


def tag(unix_s: float) -> bytes:
    """A CP56Time2a in UTC."""
    when = time.gmtime(unix_s)
    millisecond = when.tm_sec * 1000 + int(unix_s % 1 * 1000)
    return struct.pack(
        "<HBBBBB",
        millisecond,
        when.tm_min,
        when.tm_hour,
        when.tm_mday | (when.tm_wday + 1) << 5,
        when.tm_mon,
        when.tm_year % 100,
    )


class Attacker:
    """One connection. `answers` are the ASDUs it got, in order."""

    def __init__(
        self, port: int, source: str, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        plain = socket.create_connection((host, port), DEADLINE_S, (source, 0))
        self.socket = plain if context is None else context.wrap_socket(plain)
        self.sent = self.received = 0
        self.answers: list[bytes] = []
        self.confirmed_tests = 0
        self.started = False
        self._unacknowledged = 0
        self._barriers = 0
        self._rest = b""

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def start(self) -> Attacker:
        self.socket.sendall(STARTDT_ACT)
        self.take_until(lambda: self.started)
        return self

    def frame(self, octets: bytes) -> bytes:
        """The next I frame."""
        self.sent += 1
        head = struct.pack("<BBHH", 0x68, 4 + len(octets), *self._numbers(self.sent - 1))
        return head + octets

    def ask(self, asdus: Iterable[bytes]) -> list[bytes]:
        """Send all of these, and return everything that came until the last was answered."""
        before, pending = len(self.answers), list(asdus)
        for at in range(0, len(pending), TOGETHER):
            self.socket.sendall(b"".join(map(self.frame, pending[at : at + TOGETHER])))
            self.answered()
        return [each for each in self.answers[before:] if each[0] != 107]

    def answered(self) -> None:
        """Wait until the station has answered all that was sent: a test command comes back after them."""
        self._barriers += 1
        mark = struct.pack("<H", self._barriers)
        self.socket.sendall(self.frame(asdu(107, 0, mark + tag(0))))
        self.take_until(
            lambda: any(each[0] == 107 and each[9:11] == mark for each in self.answers[-TOGETHER:])
        )

    def take_until(self, condition) -> None:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "the station does not answer"
            self.take()

    def take(self) -> None:
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionError("closed by the station")
        self._rest += octets
        while len(self._rest) >= 2 and len(self._rest) >= self._rest[1] + 2:
            end = self._rest[1] + 2
            frame, self._rest = self._rest[:end], self._rest[end:]
            self._look(frame)

    def acknowledge(self) -> None:
        self._unacknowledged = 0
        self.socket.sendall(struct.pack("<BBHH", 0x68, 4, 1, self.received % 32768 << 1))

    def until_closed(self) -> None:
        deadline = time.monotonic() + DEADLINE_S
        try:
            while self.socket.recv(65536):
                assert time.monotonic() < deadline, "it is still open"
        except ConnectionError:
            pass

    def _look(self, frame: bytes) -> None:
        if not frame[2] & 1:
            self.received += 1
            self._unacknowledged += 1
            self.answers.append(frame[6:])
            if self._unacknowledged >= 8:
                self.acknowledge()
        elif frame == TESTFR_ACT:
            self.socket.sendall(TESTFR_CON)
        elif frame == TESTFR_CON:
            self.confirmed_tests += 1
        elif frame == STARTDT_CON:
            self.started = True

    def _numbers(self, sent: int) -> tuple[int, int]:
        self._unacknowledged = 0
        return sent % 32768 << 1, self.received % 32768 << 1


def cause(answer: bytes) -> tuple[int, bool]:
    """Cause of transmission, and whether it is negative."""
    return answer[2] & 0x3F, bool(answer[2] & 0x40)
