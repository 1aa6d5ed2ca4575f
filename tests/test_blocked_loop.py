"""A whole station whose event loop stands still for five seconds in the middle of a pulse.

The pulse ends on time all the same, for the driver times it; and a command that came meanwhile is refused, for nobody
can tell how old it is. Sockets, loop, outputs and driver are the real ones; the bay behind the driver is reckoned.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from rtu.app import Outstation
from rtu.config.load import load
from rtu.config.schema import StationFile
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.elements import SCO
from rtu.iec104.link import AsduReceived, Link, LinkParameters, Role

STATION = """
format = 1
[station]
name = "bay"
common_address = 1
[events]
directory = "events"
[clock]
source = "none"
[listen.plain]
address = "127.0.0.1"
commands = true
[[master]]
name = "a"
from = ["127.0.0.0/8"]
role = "operator"
[device.bay]
driver = "simulated"
events = false
[[command]]
name = "raise"
type = "single"
output = { device = "bay", on = "tap.raise", pulse_ms = { default = 1000 } }
address = [{ ioa = 1 }]
[[command]]
name = "light"
type = "single"
output = { device = "bay", on = "light", latched = true }
address = [{ ioa = 2 }]
"""
RAISE, LIGHT = 1, 2
BLOCKED_S = 5.0
PULSE_NS = 1_000_000_000
DEADLINE_S = 30.0

Stamped = tuple[int, str, bool]  # CLOCK_MONOTONIC, coil, energised


def sleep() -> None:
    """As a system call does that does not return."""
    time.sleep(BLOCKED_S)


def compute() -> None:
    """As a bug does: the interpreter is never idle."""
    end = time.monotonic() + BLOCKED_S
    while time.monotonic() < end:
        pass


class Master:
    """A controlling station on a real socket, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._link = Link(Role.CONTROLLING, LinkParameters(w=1), time.monotonic())
        self._asdus: list[ASDU] = []
        self._link.start(time.monotonic())
        self._send()

    def command(self, ioa: int) -> None:
        asdu = ASDU(45, 6, 1, (InformationObject(ioa, (SCO(True),)),))
        self._link.send(asdu.encode(), time.monotonic())
        self._send()

    def answer(self, ioa: int, cause: int) -> bool:
        """Wait for it; whether it is positive."""
        while True:
            for asdu in self._asdus:
                if (asdu.type_id, asdu.objects[0].ioa, asdu.cause) == (45, ioa, cause):
                    return not asdu.negative
            octets = self._socket.recv(4096)
            assert octets, "the station has closed"
            for event in self._link.receive(octets, time.monotonic()):
                if isinstance(event, AsduReceived):
                    self._asdus.append(ASDU.decode(event.octets))
            self._send()

    def started(self) -> Master:
        while not self._link.can_send:
            self._link.receive(self._socket.recv(4096), time.monotonic())
        return self

    def close(self) -> None:
        self._socket.close()

    def _send(self) -> None:
        self._socket.sendall(self._link.data_to_send(time.monotonic()))


@pytest.fixture
def file(tmp_path: Path) -> StationFile:
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    file = load(path)
    assert file.listen.plain is not None
    plain = msgspec.structs.replace(file.listen.plain, port=0)
    return msgspec.structs.replace(file, listen=msgspec.structs.replace(file.listen, plain=plain))


@pytest.mark.slow
@pytest.mark.parametrize("stand_still", [sleep, compute])
def test_a_pulse_ends_on_time_and_what_was_buffered_does_not_operate(
    file: StationFile, tmp_path: Path, stand_still: Callable[[], None]
) -> None:
    moved: list[Stamped] = []
    blocked = threading.Event()
    free_ns: list[int] = []

    def block() -> None:
        blocked.set()
        stand_still()
        free_ns.append(time.monotonic_ns())

    def operate(port: int, loop: asyncio.AbstractEventLoop) -> tuple[bool, bool, bool]:
        master = Master(port).started()
        try:
            master.command(RAISE)
            begun = master.answer(RAISE, 7)
            loop.call_soon_threadsafe(block)
            assert blocked.wait(DEADLINE_S)
            master.command(LIGHT)
            return begun, master.answer(LIGHT, 7), master.answer(RAISE, 10)
        finally:
            master.close()

    async def main() -> tuple[bool, bool, bool]:
        station = Outstation(file, tmp_path)
        try:
            await station.start()
            bay = station.devices.open["bay"].bay  # type: ignore[attr-defined]
            coil = bay.coil

            def noted(name: str, on: bool) -> None:
                moved.append((time.monotonic_ns(), name, on))
                coil(name, on)

            bay.coil = noted
            (listener,) = station.listeners
            loop = asyncio.get_running_loop()
            answers = await asyncio.to_thread(operate, listener.port, loop)
            assert station.devices.open["bay"].read_back() == [0, 0]  # type: ignore[attr-defined]
        finally:
            await station.stop("the test is over")
        return answers

    begun, late, ended = asyncio.run(main())
    assert (begun, late, ended) == (True, False, True)
    (on, off, *rest) = moved
    assert (on[1:], off[1:]) == (("tap.raise", True), ("tap.raise", False))
    assert not any(energised for _, _, energised in rest), "something moved that was buffered"
    print(
        f"the pulse ended {(off[0] - on[0] - PULSE_NS) / 1e6:.2f} ms late, the loop was free {(free_ns[0] - off[0]) / 1e6:.0f} ms after"
    )
    assert on[0] + PULSE_NS <= off[0] < free_ns[0]
