"""The station as a whole: it starts in order, and however it ends, nothing of it is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import rtu.app
from rtu.app import CANNOT_START, Outstation, serve
from rtu.config.load import load
from rtu.config.schema import StationFile
from rtu.local.service import ServiceManager
from rtu.security.pki import issue, make_ca
from rtu.security.tls import client_context

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
    return asyncio.run(serve(file, base, ServiceManager({}), on_ready))


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
