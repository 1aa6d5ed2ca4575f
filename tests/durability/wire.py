"""Both ends of a durability proof: the station as a process to be killed, and a master of plain sockets.

Nothing of the project is used for the master, so what it says of the station is independent of it.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
STARTDT_ACT, STARTDT_CON = bytes.fromhex("680407000000"), 0x0B
STOPDT_ACT, STOPDT_CON = bytes.fromhex("680413000000"), 0x23
TESTFR_ACT, TESTFR_CON = 0x43, bytes.fromhex("680483000000")
M_SP_TB_1 = 30
M_BO_TB_1 = 33
_OBJECT = {1: 4, 30: 11, 33: 15, 70: 4}
"""Octets per object of the types a station of contacts sends without being asked."""


class Row(NamedTuple):
    """An event as it goes over the wire: address, and element with time tag."""

    ioa: int
    octets: bytes

    @property
    def tag(self) -> tuple[int, ...]:
        """Something that orders by time within a month."""
        ms, minute, hour, day = struct.unpack_from("<HBBB", self.octets, len(self.octets) - 7)
        return day & 31, hour & 31, minute & 63, ms


class Station:
    """The station's process. `port` is 0 until it serves."""

    def __init__(self, directory: Path, rate: float) -> None:
        command = [sys.executable, "-m", "tests.durability.edge_station", str(directory), str(rate)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = 0

    def serves(self, within_s: float = PATIENCE_S) -> bool:
        """Wait until masters may connect; False when that takes longer."""
        assert self._process.stdout is not None
        if select.select([self._process.stdout], [], [], within_s)[0]:
            self.port = self._answer()["port"]
        return self.port != 0

    def quiet(self) -> int:
        """No more edges from now on; how many there were."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"quiet\n")
        self._process.stdin.flush()
        edges: int = self._answer()["edges"]
        return edges

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._close()

    def stop(self) -> None:
        """In good order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE_S) == 0
        self._close()

    def _close(self) -> None:
        self._process.wait(PATIENCE_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the station ended with code {self._process.wait()}"
        return json.loads(line)


class Master:
    """One connection from `source`; what it receives while it may is in `rows`, what it must not in `intruders`."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S, (source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._acknowledged = 0
        self.received = 0
        self.started = False
        self.stopped = True  # by STOPDT con, or never started
        self.ended = False
        self.rows: list[Row] = []
        self.intruders: list[bytes] = []

    def start(self) -> None:
        """STARTDT, confirmed."""
        self._socket.sendall(STARTDT_ACT)
        self.until(lambda: self.started or self.ended)

    def stop(self) -> None:
        """STOPDT: acknowledge everything, be confirmed."""
        self._socket.sendall(STOPDT_ACT)
        self.until(lambda: self.stopped or self.ended, acknowledge=True)

    def until(self, condition: Any, *, acknowledge: bool = False, patience_s: float = PATIENCE_S) -> bool:
        """Receive until `condition()`; False after `patience_s` in which it did not come true."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if acknowledge:
                self.acknowledge()
            left = deadline - time.monotonic()
            if left <= 0 or self.ended:
                return False
            self.receive(left)
        return True

    def drain(self, quiet_s: float = 1.0) -> None:
        """Take and acknowledge everything until nothing came for so long."""
        self.acknowledge()
        while self.receive(quiet_s):
            self.acknowledge()

    def receive(self, timeout_s: float) -> bool:
        """Take what comes next; False if nothing does in time, or nothing will."""
        if self.ended:
            return False
        try:
            if not select.select([self._socket], [], [], timeout_s)[0]:
                return False
            data = self._socket.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return False
        for frame in self._frames(data):
            self._take(frame)
        return True

    def acknowledge(self) -> None:
        """S frame for everything received."""
        if self.received != self._acknowledged and not self.ended:
            self._acknowledged = self.received
            self._send(struct.pack("<BBHH", 0x68, 4, 1, (self.received & 0x7FFF) << 1))

    def reset(self) -> None:
        """Gone with RST: nothing in flight arrives any more."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        self.ended = True

    def close(self) -> None:
        self._socket.close()
        self.ended = True

    def _send(self, octets: bytes) -> None:
        try:
            self._socket.sendall(octets)
        except OSError:
            self.ended = True

    def _frames(self, data: bytes) -> Iterator[bytes]:
        data = self._rest + data
        at = 0
        while len(data) - at >= 2 and len(data) - at >= data[at + 1] + 2:
            after = at + 2 + data[at + 1]
            yield data[at:after]
            at = after
        self._rest = data[at:]

    def _take(self, frame: bytes) -> None:
        if not frame[2] & 1:
            (number,) = struct.unpack_from("<H", frame, 2)
            assert number >> 1 == self.received & 0x7FFF
            self.received += 1
            if self.stopped:
                self.intruders.append(frame)
            self.rows += rows(frame[6:])
        elif frame[2] == STARTDT_CON:
            self.started, self.stopped = True, False
        elif frame[2] == STOPDT_CON:
            self.stopped = True
        elif frame[2] == TESTFR_ACT:
            self._send(TESTFR_CON)


def rows(asdu: bytes) -> Iterator[Row]:
    """The events of contacts in an ASDU; nothing of other types."""
    if asdu[0] == M_SP_TB_1:
        size = _OBJECT[asdu[0]]
        for at in range(6, len(asdu), size):
            yield Row(int.from_bytes(asdu[at : at + 3], "little"), asdu[at + 3 : at + size])
