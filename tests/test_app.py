"""The station as a whole: it starts in order, and however it ends, nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

import rtu.app
from rtu.app import CANNOT_START, Outstation, serve
from rtu.config.load import load
from rtu.config.schema import StationFile
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.catalogue import TypeID
from rtu.iec104.elements import COI, DCO, QRP
from rtu.iec104.link import AsduReceived, Link, LinkParameters, Role
from rtu.local.service import ServiceManager
from rtu.outputs.request import Request as OutputRequest
from rtu.security.certificates.pki import issue, make_ca
from rtu.security.identity import GateError
from rtu.security.tls.context import client_context
from rtu.server.listener import Listener
from tests.ports import free_port

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
port = 2404
commands = true
[[master]]
name = "a"
from = ["127.0.0.0/8"]
role = "operator"
[device.bay]
driver = "simulated"
events = false
[[point]]
name = "q0.position"
type = "double"
input = { device = "bay", open = "q0.open", closed = "q0.closed" }
address = [{ ioa = 1001 }]
[[command]]
name = "q0.operate"
type = "double"
output = { device = "bay", on = "q0.close", off = "q0.trip", pulse_ms = { default = 60000 } }
address = [{ ioa = 5001 }]
"""


@pytest.fixture
def file(tmp_path: Path) -> StationFile:
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    return listening(load(path), 0)


def listening(file: StationFile, port: int) -> StationFile:
    assert file.listen.plain is not None
    plain = msgspec.structs.replace(file.listen.plain, port=port)
    return msgspec.structs.replace(file, listen=msgspec.structs.replace(file.listen, plain=plain))


@pytest.fixture
def stations(monkeypatch: pytest.MonkeyPatch) -> list[Outstation]:
    """Every station that is made."""
    made: list[Outstation] = []
    init = Outstation.__init__

    def noted(self: Outstation, *args: object) -> None:
        init(self, *args)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(Outstation, "__init__", noted)
    return made


def served(file: StationFile, base: Path, on_ready: Callable[[], None]) -> int:
    return asyncio.run(serve(lambda: file, base, ServiceManager({}), on_ready))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_pulse_brings_the_line_to_rest(file, tmp_path, stations, number):
    levels = []

    def pulse_and_kill() -> None:
        (station,) = stations
        device = station.devices.open["bay"]
        read_back = device.read_back
        device.pulse(0, 1, 60.0)
        levels.append(list(read_back()))
        device.close = lambda close=device.close: (levels.append(list(read_back())), close())
        os.kill(os.getpid(), number)

    assert served(file, tmp_path, pulse_and_kill) == 0
    assert levels == [[1, 0], [0, 0]]


def test_a_port_that_is_taken_ends_it_and_nothing_is_left(file, tmp_path, stations):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = served(listening(file, taken.getsockname()[1]), tmp_path, lambda: None)
    assert code == CANNOT_START
    assert not stations[0].devices.open


def test_a_restart_in_the_middle_of_a_pulse_brings_the_line_to_rest_and_resumes_nothing(
    file, tmp_path, stations
):
    levels = []

    def pulse_and_restart_then_stop() -> None:
        device = stations[-1].devices.open["bay"]
        levels.append(list(device.read_back()))
        if len(stations) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        device.pulse(0, 1, 60.0)
        device.close = lambda close=device.close: (levels.append(list(device.read_back())), close())
        stations[-1].station.restart("a test")

    assert served(file, tmp_path, pulse_and_restart_then_stop) == 0
    assert levels == [[0, 0], [0, 0], [0, 0]]
    assert [station.station.initialisation for station in stations] == [COI(0), COI(2)]


def test_a_restart_by_a_master_takes_no_lock_away(file, tmp_path, stations):
    def lock_and_restart_then_stop() -> None:
        station = stations[-1]
        reply = SimpleNamespace(confirm=lambda positive, why: None)
        if len(stations) == 1:
            station.devices.open["bay"].read_back = lambda: [1, 0]
            station.outputs.request(OutputRequest("a", "", 0, 46, 1, 5001, 2, 0), reply)
            assert station.outputs.locked
            station.station.restart("a test")
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    assert served(file, tmp_path, lock_and_restart_then_stop) == 0
    (group,) = stations[1].outputs.status()
    assert group.state.value == "locked"
    assert "before switching bay q0.close is on" in group.reason


def test_while_the_ways_in_are_closed_one_after_the_other_nothing_operates_any_more(
    file, tmp_path, stations, monkeypatch
):
    verdicts = []
    close = Listener.close

    async def close_slowly(self: Listener, reason: str) -> None:
        await close(self, reason)
        reply = SimpleNamespace(confirm=lambda positive, why: verdicts.append((positive, why)))
        stations[0].outputs.request(OutputRequest("another way in", "", 0, 46, 1, 5001, 2, 0), reply)

    monkeypatch.setattr(Listener, "close", close_slowly)
    assert served(file, tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM)) == 0
    assert verdicts == [(False, "the station stops")]


def test_a_restart_that_fails_is_left_to_the_service_manager(file, tmp_path, stations, monkeypatch, caplog):
    def refuse(*_: object) -> None:
        raise GateError("a certificate that is gone")

    def restart() -> None:
        monkeypatch.setattr(rtu.app, "Gate", refuse)
        stations[-1].station.restart("a test")

    assert served(file, tmp_path, restart) == CANNOT_START
    assert "a certificate that is gone" in caplog.text
    monkeypatch.undo()
    told = []

    async def next_start() -> None:
        station = Outstation(file, tmp_path)
        told.append(station.station.initialisation)
        await station.stop("the test is over")

    asyncio.run(next_start())
    assert told == [COI(2)]


class Wire:
    """A controlling station at the other end of a socket, everything acknowledged at once."""

    def __init__(self, port: int, source: str) -> None:
        self.link = Link(Role.CONTROLLING, LinkParameters(w=1), time.monotonic())
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
        self.asdus: list[ASDU] = []
        self.link.start(time.monotonic())
        self.socket.sendall(self.link.data_to_send(time.monotonic()))

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, asdu: ASDU) -> None:
        self.link.send(asdu.encode(), time.monotonic())
        self.socket.sendall(self.link.data_to_send(time.monotonic()))

    def until(self, *types: int) -> list[ASDU]:
        """Everything up to the first ASDU of each of these types, in this order."""
        missing, deadline = list(types), time.monotonic() + 60
        while missing:
            assert time.monotonic() < deadline, f"it told {self.asdus}"
            octets = self.socket.recv(4096)
            assert octets, f"closed; it told {self.asdus}"
            for event in self.link.receive(octets, time.monotonic()):
                if isinstance(event, AsduReceived):
                    self.asdus.append(ASDU.decode(event.octets))
                    if missing and self.asdus[-1].type_id == missing[0]:
                        del missing[0]
            if answer := self.link.data_to_send(time.monotonic()):
                self.socket.sendall(answer)
        told, self.asdus = self.asdus, []
        return told

    def until_closed(self) -> None:
        deadline = time.monotonic() + 60
        while octets := self.socket.recv(4096):
            assert time.monotonic() < deadline, "it is still open"
            self.link.receive(octets, time.monotonic())
            if answer := self.link.data_to_send(time.monotonic()):
                self.socket.sendall(answer)


def connected(port: int, source: str) -> Wire:
    """As soon as somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return Wire(port, source)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            select.select([], [], [], 0.02)


def test_h13_a_master_restarts_the_process_and_another_still_gets_its_events(tmp_path):
    port = free_port()
    path = tmp_path / "station.toml"
    path.write_text(
        STATION.replace("port = 2404", f"port = {port}")
        .replace('from = ["127.0.0.0/8"]\nrole = "operator"', 'from = ["127.0.0.1/32"]\nrole = "engineer"')
        .replace("[device.bay]", '[[master]]\nname = "b"\nfrom = ["127.0.0.2/32"]\n[device.bay]')
        .replace("60000", "50")
        + '[protocol]\nreset = ["process"]\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "rtu", "run", str(path)], stderr=subprocess.PIPE, text=True
    )
    wires = ExitStack()
    try:
        a = wires.enter_context(connected(port, "127.0.0.1"))
        start, *_ = a.until(TypeID.M_EI_NA_1)
        assert start.objects[0].elements == (COI(0),)
        a.send(ASDU(TypeID.C_DC_NA_1, 6, 1, (InformationObject(5001, (DCO(1),)),)))
        operated = a.until(TypeID.M_DP_TB_1, TypeID.C_DC_NA_1)
        assert operated[-1].cause == 10  # a reset cuts no pulse short
        event = next(asdu for asdu in operated if asdu.type_id == TypeID.M_DP_TB_1)
        a.send(ASDU(TypeID.C_RP_NA_1, 6, 1, (InformationObject(0, (QRP(1),)),)))
        confirmation = a.until(TypeID.C_RP_NA_1)[-1]
        assert (confirmation.cause, confirmation.negative) == (7, False)
        a.until_closed()

        b = wires.enter_context(connected(port, "127.0.0.2"))
        start, first, *_ = b.until(TypeID.M_EI_NA_1, TypeID.M_DP_TB_1)
        assert start.objects[0].elements == (COI(2),)
        assert first.objects[0] == event.objects[0]
        a = wires.enter_context(connected(port, "127.0.0.1"))
        start, *others = a.until(TypeID.M_EI_NA_1, TypeID.M_DP_TB_1)
        assert start.objects[0].elements == (COI(2),)
        assert event.objects[0] not in [asdu.objects[0] for asdu in others]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert '"event": "reset.process"' in log
    finally:
        wires.close()
        process.kill()
        process.communicate()


def test_an_error_after_the_start_leaves_nothing_open(file, tmp_path, stations):
    def fails() -> None:
        raise BrokenPipeError("nobody reads the welcome")

    with pytest.raises(BrokenPipeError):
        served(file, tmp_path, fails)
    assert not stations[0].devices.open


def test_a_step_of_the_stop_that_fails_keeps_no_other_from_being_taken(file, tmp_path):
    taken = []

    async def stop() -> None:
        station = Outstation(file, tmp_path)
        await station.start()
        (listener,) = station.listeners
        close, safe, halt = listener.close, station.outputs.safe, station.buses.stop

        async def fails(reason: str) -> None:
            await close(reason)
            raise RuntimeError("a listener that does not close")

        listener.close = fails
        station.outputs.safe = lambda: (taken.append("outputs"), safe())
        station.buses.stop = lambda: (taken.append("buses"), halt())
        with pytest.raises(RuntimeError, match="does not close"):
            await station.stop("test")
        assert not station.devices.open

    asyncio.run(stop())
    assert taken == ["outputs", "buses"]


def test_devices_stay_open_until_their_buses_brought_outputs_to_rest(file, tmp_path):
    open_at_stop = []

    async def stop() -> None:
        station = Outstation(file, tmp_path)
        await station.start()
        halt = station.buses.stop
        station.buses.stop = lambda: (open_at_stop.extend(station.devices.open), halt())
        await station.stop("test")

    asyncio.run(stop())
    assert open_at_stop == ["bay"]


def test_no_line_is_claimed_for_a_station_that_cannot_be_put_together(file, tmp_path, monkeypatch):
    claimed = []
    monkeypatch.setattr(rtu.app, "open_devices", lambda *args: claimed.append(args))
    monkeypatch.setattr(rtu.app, "build_commands", lambda *args: 1 / 0)

    async def make() -> None:
        Outstation(file, tmp_path)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(make())
    assert claimed == []


def test_an_address_that_comes_later_keeps_no_other_door_shut(file, tmp_path, caplog):
    plain = msgspec.structs.replace(file.listen.plain, address="192.0.2.77")
    away = msgspec.structs.replace(file, listen=msgspec.structs.replace(file.listen, plain=plain))
    listening_there = []

    def look_and_stop() -> None:
        with socket.socket() as probe, pytest.raises(OSError, match="Cannot assign"):
            probe.bind(("192.0.2.77", 0))
        listening_there.append(True)
        os.kill(os.getpid(), signal.SIGTERM)

    assert served(away, tmp_path, look_and_stop) == 0
    assert listening_there
    assert "192.0.2.77 is not an address of this machine now" in caplog.text


def test_a_station_whose_certificate_is_missing_records_events_and_serves_when_it_is_there(tmp_path, caplog):
    ca = make_ca("authority")
    master = issue(ca, "master", "master", ["dns:a"])
    ca.write(tmp_path / "ca.crt")
    master.write(tmp_path / "master.crt", tmp_path / "master.key")
    path = tmp_path / "station.toml"
    path.write_text(TLS_STATION)
    known = listening_tls(load(path), 0)
    told = []

    def handshake(port: int) -> str:
        context = client_context([tmp_path / "ca.crt"], tmp_path / "master.crt", tmp_path / "master.key")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            try:
                with context.wrap_socket(plain) as secured:
                    return "served" if secured.version() else "?"
            except OSError:
                return "refused"

    async def both(station: Outstation) -> None:
        port = station.listeners[0].port
        told.append(await asyncio.to_thread(handshake, port))
        issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
            tmp_path / "station.crt", tmp_path / "station.key"
        )
        told.append(await asyncio.to_thread(handshake, port))

    async def main() -> None:
        station = Outstation(known, tmp_path)
        try:
            await station.start()
            await both(station)
        finally:
            await station.stop("the test is over")

    asyncio.run(main())
    assert told == ["refused", "served"]
    assert "until then nobody can connect over TLS" in caplog.text


TLS_STATION = """
format = 1
station = { name = "bay", common_address = 1 }
events = { directory = "events" }
clock = { source = "none" }
[listen.tls]
address = "127.0.0.1"
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[[master]]
name = "a"
identity = { issuer = "ca.crt", san = "dns:a" }
"""


def listening_tls(file: StationFile, port: int) -> StationFile:
    assert file.listen.tls is not None
    tls = msgspec.structs.replace(file.listen.tls, port=port)
    listen = msgspec.structs.replace(file.listen, tls=tls)
    return msgspec.structs.replace(file, listen=listen)
