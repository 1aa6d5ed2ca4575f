"""`rtu trace` against a station's control socket: what it shows, switches and saves, and who is told."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtu.background import BackgroundThread
from rtu.cli.joined import Joined
from rtu.cli.main import main
from rtu.local import trace
from rtu.local.ask import follow
from rtu.local.socket import LocalSocket
from rtu.local.trace import trace_functions
from rtu.server.packets import FILE_HEADER, Flows
from rtu.server.recording import Recording
from rtu.station.session import Session
from rtu.station.traffic import End, Telegram, Way
from tests.station.conftest import Rig
from tests.tshark import packets

STARTDT_ACT = bytes.fromhex("680407000000")
TESTFR_ACT = bytes.fromhex("680443000000")
DEADLINE_S = 20.0
STATION_TOML = '[local]\nsocket = "control"\n'


class Station:
    """A station in virtual time, with its control socket, on a loop in a thread of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.toml = directory / "station.toml"
        self.toml.write_text(STATION_TOML)
        self.rig = Rig().begin()
        self.traffic = self.rig.station.traffic
        self.records = self.rig.audit.records
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    def do(self, work: Callable[[], Any]) -> Any:
        """Something on the station's loop."""

        async def there() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(DEADLINE_S)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not self.do(condition):
            assert time.monotonic() < deadline

    def admit(self, master: str = "scada-a") -> Session:
        def work() -> Session:
            session = self.rig.connect().session
            self.traffic.opened(session, master, End("192.0.2.1", 40000), End("192.0.2.9", 19998))
            return session

        return self.do(work)

    def hear(self, session: Session, octets: bytes) -> None:
        def work() -> None:
            session.receive(octets, self.rig.now)
            session.data_to_send(self.rig.now)

        self.do(work)

    def leave(self, session: Session) -> None:
        def work() -> None:
            session.end("closed by the master")
            self.traffic.closed(session)

        self.do(work)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE_S)

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        background = BackgroundThread(self._loop.call_soon_threadsafe, "trace")
        self.recording = Recording(
            self.traffic, self.directory / "trace", 1 << 20, background, self.rig.audit.record
        )
        functions = trace_functions(
            self.traffic, self.recording, ["scada-a", "scada-b"], self.rig.audit.record
        )
        local = LocalSocket(self.directory / "control", functions, self.rig.audit.record)
        await local.open()
        self._ready.set()
        await self._over.wait()
        await local.close()
        self.recording.stop("test")
        background.close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    yield station
    station.close()


@pytest.fixture
def watching(station: Station) -> Iterator[Callable[..., Watching]]:
    """Starts `rtu trace` as a process of its own, and waits until it watches."""
    watchers: list[Watching] = []

    def start(*options: str) -> Watching:
        watchers.append(Watching(station, *options))
        return watchers[-1]

    yield start
    for each in watchers:
        each.end()


class Watching:
    def __init__(self, station: Station, *options: str) -> None:
        before = len(station.traffic._watchers)
        command = ["rtu", "trace", *options, str(station.toml)]
        source = "import sys; from rtu.cli.main import main; sys.argv = sys.argv[1:]; sys.exit(main())"
        self._process = subprocess.Popen(
            [os.sys.executable, "-c", source, *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        station.until(lambda: len(station.traffic._watchers) > before)

    def lines(self, count: int) -> list[str]:
        """The next lines, without time and master."""
        out = self._process.stdout
        assert out is not None
        return [out.readline().rstrip("\n").split("  ", 2)[2].strip() for _ in range(count)]

    def interrupted(self) -> int:
        """The exit code after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(DEADLINE_S)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=DEADLINE_S)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


def test_the_traffic_is_shown_live_line_by_line(station, watching):
    watch = watching()
    session = station.admit()
    station.hear(session, STARTDT_ACT)
    assert watch.lines(4) == [
        "opened from 192.0.2.1:40000 to 192.0.2.9:19998",
        "in   U        STARTDT act",
        "out  U        STARTDT con",
        "out  I 0/0    M_EI_NA_1 INIT ca 1 ioa 0 power on",
    ]


def test_a_violation_is_shown_and_why_the_connection_ended(station, watching):
    watch = watching()
    session = station.admit()
    station.hear(session, TESTFR_ACT + b"\x69\x04\x07\x00\x00\x00")
    station.leave(session)
    assert watch.lines(5)[1:] == [
        "in   U        TESTFR act",
        "in   no APDU: start octet 0x69 instead of 0x68: 69 04 07 00 00 00",
        "out  U        TESTFR con",
        "ended: start octet 0x69 instead of 0x68",
    ]


def test_one_master_can_be_watched_alone_and_octets_be_seen(station, watching):
    watch = watching("--master", "scada-b", "--hex")
    station.hear(station.admit("scada-a"), TESTFR_ACT)
    station.hear(station.admit("scada-b"), TESTFR_ACT)
    assert watch.lines(3)[1:] == [
        "in   U        TESTFR act  [68 04 43 00 00 00]",
        "out  U        TESTFR con  [68 04 83 00 00 00]",
    ]


def test_who_watches_is_on_record_and_who_has_gone_costs_nothing(station, watching):
    watch = watching("--master", "scada-a")
    (record,) = station.records
    assert (record["event"], record["master"]) == ("trace.follow", "scada-a")
    assert record["by"]
    assert watch.interrupted() == 0
    station.until(lambda: not station.traffic._watchers)


def test_an_unknown_master_is_named(station):
    with pytest.raises(SystemExit, match="there is no master 'scada-x': there are scada-a, scada-b"):
        main(["trace", "--master", "scada-x", str(station.toml)])


def test_who_reads_too_slowly_is_told_how_much_was_left_out(station, monkeypatch):
    monkeypatch.setattr(trace, "MAX_WAITING", 5)
    items = follow(station.directory / "control", "trace")
    session = None
    watching = threading.Thread(target=lambda: first.append(next(items)))
    first: list[Any] = []
    watching.start()
    station.until(lambda: station.traffic._watchers)
    session = station.admit()
    watching.join(DEADLINE_S)
    assert first[0]["kind"] == "opened"
    station.hear(session, 40 * TESTFR_ACT)  # in one go: nothing can be written meanwhile
    shown = [next(items) for _ in range(6)]
    assert [item.get("kind") for item in shown] == ["received"] * 5 + [None]
    assert shown[-1] == {"lost": 75}
    station.hear(session, TESTFR_ACT)
    assert next(items)["kind"] == "received"
    items.close()


def test_the_recording_is_switched_and_saved(station, tmp_path, capsys):
    assert main(["trace", "on", str(station.toml)]) == 0
    assert said(capsys) == "recording is on; 0 telegrams"
    station.hear(station.admit(), STARTDT_ACT)
    path = tmp_path / "saved.pcap"
    assert main(["trace", "save", str(path), str(station.toml)]) == 0
    assert said(capsys).endswith(f"packets to {path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["trace", "off", str(station.toml)]) == 0
    assert said(capsys).startswith("recording is off; ")
    first, *_ = packets(path, "iec60870_asdu", "iec60870_asdu.typeid")
    assert first == {"iec60870_asdu.typeid": ["70"]}
    by = {record["event"]: record["by"] for record in station.records}
    assert set(by) == {"trace.on", "trace.save", "trace.off"}
    assert len(set(by.values())) == 1


def test_nothing_of_anybodys_is_written_over(station, tmp_path, capsys):
    main(["trace", "on", str(station.toml)])
    station.admit()
    path = tmp_path / "mine.pcap"
    path.write_text("mine")
    with pytest.raises(SystemExit, match="File exists"):
        main(["trace", "save", str(path), str(station.toml)])
    assert path.read_text() == "mine"


def test_what_there_is_not_cannot_be_saved_or_switched_off(station, tmp_path):
    with pytest.raises(SystemExit, match="nothing was recorded: `rtu trace on` begins"):
        main(["trace", "save", str(tmp_path / "saved.pcap"), str(station.toml)])
    assert not (tmp_path / "saved.pcap").exists()
    with pytest.raises(SystemExit, match="nothing is being recorded"):
        main(["trace", "off", str(station.toml)])


def test_a_full_disk_is_said_to_who_switches_on(station, monkeypatch):
    monkeypatch.setattr("rtu.server.capture.RESERVE", 1 << 62)
    with pytest.raises(SystemExit, match="nothing is recorded: No space left on device"):
        main(["trace", "on", str(station.toml)])


def test_a_disk_that_hangs_holds_nobody_up(station, monkeypatch, tmp_path):
    monkeypatch.setattr(trace, "PATIENCE_S", 0.05)
    hung = threading.Event()
    station.do(lambda: station.recording._background.submit(hung.wait, lambda _: None, lambda _: None))
    for words in (["on"], ["off"], ["save", str(tmp_path / "saved.pcap")]):
        with pytest.raises(SystemExit, match="the disk does not answer"):
            main(["trace", *words, str(station.toml)])
    hung.set()


def test_a_station_that_does_not_run_is_said(tmp_path):
    (tmp_path / "station.toml").write_text(STATION_TOML)
    with pytest.raises(SystemExit, match="no station answers"):
        main(["trace", str(tmp_path / "station.toml")])


@pytest.mark.parametrize("words", [["save"], ["on", "a.toml", "b.toml"], ["a.toml", "b.toml"]])
def test_what_cannot_be_meant_is_said(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["trace", *words])
    assert ended.value.code == 2
    assert "usage: rtu trace" in capsys.readouterr().err


# Capture files as one


WAY = Way(1, "scada-a", End("192.0.2.1", 40000), End("192.0.2.9", 19998))


def captured(count: int) -> bytes:
    flows = Flows()
    telegrams = [Telegram(number, WAY, "received", TESTFR_ACT) for number in range(count)]
    return FILE_HEADER + b"".join(flows.records(telegram) for telegram in telegrams)


TAILS = {
    "whole": b"",
    "part of a record header": b"\x01\x02\x03",
    "part of a packet": captured(1)[24:-1],
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
}


@pytest.mark.parametrize("part", [1, 7, 100, 1 << 20])
@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_a_file_that_was_cut_off_costs_no_other(tmp_path, part, tail):
    path = tmp_path / "joined.pcap"
    with path.open("wb") as file:
        joined = Joined(file)
        for name in ("one", "two"):
            octets = captured(3) + tail
            for at in range(0, len(octets), part):
                joined.take(name, octets[at : at + part])
    assert joined.packets == 6
    assert path.read_bytes() == captured(3) + captured(3)[24:]


def test_a_file_that_is_no_capture_adds_nothing(tmp_path):
    path = tmp_path / "joined.pcap"
    with path.open("wb") as file:
        joined = Joined(file)
        joined.take("one", b"\0" * 5000)
        joined.take("two", captured(1)[:20])
        joined.take("three", captured(2))
    assert path.read_bytes() == captured(2)
