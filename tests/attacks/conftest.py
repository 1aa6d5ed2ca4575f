"""A whole station on loopback, its relays and its audit trail watched, and a good master whom no attack may concern."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hw.simulated import SimulatedDevice
from rtu.app import Outstation
from rtu.config.load import load
from rtu.config.schema import StationFile
from rtu.security.audit.trail import Audit
from tests.attacks.attacker import Attacker, asdu
from tests.ports import free_port

STATION = Path(__file__).with_name("station.toml")
GOOD = "127.0.1.1"
DEADLINE_S = 60.0
OF_THEIR_OWN = {"command.refuse", "command.select", "command.execute", "command.test"}
"""Records of one request each; of all others the end of the connection tells how many."""


class Station:
    """`records` are what was put on record, `moved` what the driver was told to do, both in order."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: list[dict[str, Any]] = []
        self.moved: list[str] = []
        self.ports: dict[str, int] = {}
        self._file = file
        self._news = threading.Condition()
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        self._failed: BaseException | None = None
        self._watch(monkeypatch)
        self._thread = threading.Thread(target=self._run, name="station")
        self._thread.start()
        self.until(lambda: self.ports or self._failed)
        assert self._failed is None, self._failed

    @property
    def port(self) -> int:
        return self.ports["plain"]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(DEADLINE_S)
        assert self._failed is None, self._failed

    def of(self, master: str) -> list[dict[str, Any]]:
        """The records about a master."""
        return [each for each in tuple(self.records) if master in (each.get("master"), each.get("who"))]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [each for each in tuple(self.records) if each["event"] == event]

    def until(self, condition: Callable[[], object]) -> None:
        with self._news:
            assert self._news.wait_for(condition, DEADLINE_S), self.records[-20:]

    def ends(self, master: str) -> int:
        return sum(each["event"] == "session.close" for each in self.of(master))

    def accounted(self, master: str) -> int:
        """How many requests of that master, whose connections are over, were not simply served, by the records alone."""
        return sum(
            each.get("refused", 0) if each["event"] == "session.close" else each["event"] in OF_THEIR_OWN
            for each in self.of(master)
        )

    def _watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        record = Audit.record

        def watched(audit: Audit, event: str, **fields: Any) -> bool:
            with self._news:
                self.records.append({"event": event, **fields})
                self._news.notify_all()
            return record(audit, event, **fields)

        monkeypatch.setattr(Audit, "record", watched)
        for act in ("write", "pulse", "set"):
            monkeypatch.setattr(SimulatedDevice, act, self._told(act, getattr(SimulatedDevice, act)))

    def _told(self, act: str, method: Callable[..., None]) -> Callable[..., None]:
        def told(device: SimulatedDevice, *arguments: object) -> None:
            self.moved.append(f"{act}{arguments}")
            method(device, *arguments)

        return told

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            self._failed = error
        with self._news:
            self._news.notify_all()

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        station = Outstation(on_free_ports(load(self._file)), self._file.parent)
        try:
            await station.start()
            with self._news:
                self.ports = {listener.name: listener.port for listener in station.listeners}
                self._news.notify_all()
            await self._over.wait()
        finally:
            await station.stop("the test is over")


def on_free_ports(file: StationFile) -> StationFile:
    """On such as the kernel chooses, which a station file cannot say."""
    doors = {"tls": file.listen.tls, "plain": file.listen.plain}
    free = {name: msgspec.structs.replace(door, port=0) for name, door in doors.items() if door is not None}
    return msgspec.structs.replace(file, listen=msgspec.structs.replace(file.listen, **free))


@pytest.fixture
def free_ports() -> dict[str, int]:
    return {"tls": free_port(), "plain": free_port()}


@pytest.fixture
def make_station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Station]]:
    """Starts one; `change` does something to the text of its file."""
    running: list[Station] = []

    def make(change: Callable[[str], str] = lambda text: text) -> Station:
        file = tmp_path / "station.toml"
        file.write_text(change(STATION.read_text()))
        running.append(Station(file, monkeypatch))
        return running[-1]

    yield make
    for each in running:
        each.close()


@pytest.fixture
def station(make_station: Callable[..., Station]) -> Station:
    return make_station()


@pytest.fixture
def good(station: Station) -> Iterator[Attacker]:
    """The master the station is for: started, and served as ever when the test is over."""
    with Attacker(station.port, GOOD).start() as master:
        before = plant(master)
        yield master
        assert plant(master) == before
        answers = master.ask([asdu(45, 5003, b"\x01")])
        assert (answers[0][0], answers[0][2]) == (45, 7)
        assert station.moved  # the watch sees what moves
        assert station.ends("good") == 0


def plant(master: Attacker) -> list[bytes]:
    """What a station interrogation tells."""
    master.answers.clear()
    master.ask([asdu(100, 0, b"\x14")])
    master.take_until(lambda: any(each[0] == 100 and each[2] == 10 for each in master.answers))
    return sorted(each for each in master.answers if each[2] == 20)
