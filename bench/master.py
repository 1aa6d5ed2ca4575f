"""A controlling station of a few lines, the same for every server: it stamps, counts and acknowledges.

It knows just enough of IEC 60870-5-104, 5: STARTDT, an S frame for what it received, an answer to TESTFR, one
interrogation. Nothing of the project is used, so nothing of the project is measured with itself.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator

STARTDT_ACT = bytes.fromhex("680407000000")
STARTDT_CON = 0x0B
TESTFR_ACT = 0x43
TESTFR_ACT_FRAME = bytes.fromhex("680443000000")
TESTFR_CON = bytes.fromhex("680483000000")
SINGLES_WITH_TIME = 30  # M_SP_TB_1
BITSTRINGS_WITH_TIME = 33  # M_BO_TB_1
PATIENCE_S = 10.0


class Silence(Exception):
    """Nothing came for too long."""


class Master:
    """One started connection. `acknowledge_every` is w: so many I frames are answered by one S frame."""

    def __init__(
        self,
        port: int,
        *,
        acknowledge_every: int = 8,
        context: ssl.SSLContext | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = plain if context is None else context.wrap_socket(plain)
        self._rest = b""
        self._stamp = 0
        self._sent = 0
        self._received = 0
        self._unacknowledged = 0
        self._every = acknowledge_every
        self.octets = 0
        """Octets received, frames of any format."""
        self._started = False
        self._early: list[bytes] = []
        self._gathered: list[bytes] = []
        self._socket.sendall(STARTDT_ACT)
        while not self._started:
            self._early += self.asdus(PATIENCE_S)[1]

    def close(self) -> None:
        self._socket.close()

    def asdus(self, timeout_s: float) -> tuple[int, list[bytes]]:
        """When the octets came in (CLOCK_MONOTONIC, ns), and the ASDUs in them; raises Silence."""
        if self._started and self._early:
            found, self._early = self._early, []
            return self._stamp, found
        found = []
        for frame in self._frames(timeout_s):
            if not frame[2] & 1:
                found.append(frame[6:])
                self._received += 1
                self._unacknowledged += 1
                if self._unacknowledged >= self._every:
                    self.acknowledge()
            elif frame[2] == TESTFR_ACT:
                self._socket.sendall(TESTFR_CON)
            elif frame[2] == STARTDT_CON:
                self._started = True
        return self._stamp, found

    def acknowledge(self) -> None:
        """Send an S frame for all that was received."""
        if self._unacknowledged:
            self._unacknowledged = 0
            self._socket.sendall(struct.pack("<BBHH", 0x68, 4, 1, (self._received & 0x7FFF) << 1))

    def fileno(self) -> int:
        return self._socket.fileno()

    def test(self) -> float:
        """Seconds from a TESTFR to its confirmation; for a connection on which nothing else goes on."""
        began = time.monotonic()
        self._socket.sendall(TESTFR_ACT_FRAME)
        while (heard := self._socket.recv(64)) != TESTFR_CON:
            if not heard:
                raise ConnectionError("the server closed the connection")
        return time.monotonic() - began

    def gather(self) -> int:
        """Take what is there of a burst of events, acknowledge it, and count the objects; keeps them for `gathered`.

        Looks at nothing it need not look at: a ceiling must be the server's.
        """
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.octets += len(data)
        data = self._rest + data
        at, size, count = 0, len(data), 0
        while size - at >= 2 and size - at >= data[at + 1] + 2:
            length = data[at + 1] + 2
            if not data[at + 2] & 1:
                self._received += 1
                self._unacknowledged += 1
                if data[at + 6] == SINGLES_WITH_TIME:
                    count += data[at + 7]
            elif data[at + 2] == TESTFR_ACT:
                self._socket.sendall(TESTFR_CON)
            at += length
        self._rest = data[at:]
        self._gathered.append(data[:at])
        if self._unacknowledged >= self._every:
            self.acknowledge()
        return count

    def gathered(self) -> Iterator[tuple[int, int]]:
        """Address and value of every single point with time gathered since the last time, in order."""
        octets, self._gathered = b"".join(self._gathered), []
        at = 0
        while at < len(octets):
            if not octets[at + 2] & 1 and octets[at + 6] == SINGLES_WITH_TIME:
                for place in range(at + 12, at + 12 + 11 * octets[at + 7], 11):
                    yield int.from_bytes(octets[place : place + 3], "little"), octets[place + 3] & 1
            at += octets[at + 1] + 2

    def settle(self, quiet_s: float) -> int:
        """Take and acknowledge whatever comes until nothing came for so long; how many ASDUs it was."""
        count = 0
        while True:
            try:
                count += len(self.asdus(quiet_s)[1])
            except Silence:
                self.acknowledge()
                return count

    def interrogate(self, ca: int) -> None:
        """Send a station interrogation, C_IC_NA_1 with QOI 20."""
        asdu = struct.pack("<BBBBHBBBB", 100, 1, 6, 0, ca, 0, 0, 0, 20)
        numbers = (self._sent & 0x7FFF) << 1, (self._received & 0x7FFF) << 1
        self._sent += 1
        self._unacknowledged = 0
        self._socket.sendall(struct.pack("<BBHH", 0x68, 4 + len(asdu), *numbers) + asdu)

    def _frames(self, timeout_s: float) -> Iterator[bytes]:
        """The complete frames of the next octets; none when only a part of one came."""
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        if not pending and not select.select([self._socket], [], [], timeout_s)[0]:
            raise Silence
        data = self._socket.recv(1 << 16)
        self._stamp = time.monotonic_ns()
        if not data:
            raise ConnectionError("the server closed the connection")
        self.octets += len(data)
        data = self._rest + data
        at = 0
        while len(data) - at >= 2 and len(data) - at >= data[at + 1] + 2:
            after = at + 2 + data[at + 1]
            yield data[at:after]
            at = after
        self._rest = data[at:]


def objects(asdu: bytes) -> int:
    """How many information objects an ASDU carries."""
    return asdu[1] & 0x7F


def words(asdu: bytes) -> Iterator[int]:
    """The good bitstrings of an M_BO_TB_1, which are the numbers of the events; nothing of other types.

    One that is not good is no event that was offered: a station that was restarted says so that it has lost sight of a
    point, and repeats its last value.
    """
    if asdu[0] == BITSTRINGS_WITH_TIME:
        for at in range(6, len(asdu), 15):
            if asdu[at + 7] == 0:
                yield int.from_bytes(asdu[at + 3 : at + 7], "little")
