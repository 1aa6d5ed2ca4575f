"""`rtu run` as a child process, foreign masters as others, and between them real sockets on loopback."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtu.security.certificates import pki
from tests.interop.capture import Capture
from tests.ports import free_port

sys.path.append(str(Path(__file__).resolve().parents[1] / "kernel/testbed"))

from firmware import Firmware  # type: ignore[import-not-found]

HERE = Path(__file__).resolve().parent
DEADLINE_S = 20.0
BROKEN_TLS = "2.2.1"
"""This c104 cannot be a TLS client: its Mbed TLS asks for the host name to expect, which it never says."""

ANSWERS = (5, 7, 9, 44, 45, 46, 47)
"""Causes of what is sent in answer to a request."""

PLAIN, TLS_1_2, TLS_1_3 = "plain", "TLS 1.2", "TLS 1.3"


def cannot(reason: str) -> None:
    """The test cannot run here: in CI that is a failure."""
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def cannot_run() -> Callable[[str], None]:
    return cannot


class ForeignMaster:
    """A c104 in its own process. `asdus` is all it got so far, in the order of the wire."""

    def __init__(self, station: "Outstation", way: str, who: str) -> None:
        if find_spec("c104") is None:
            cannot("c104 is not installed: pip install -e '.[interop]'")
        self._station = station
        self._way = way
        self._who = who
        self.asdus: list[SimpleNamespace] = []
        self.reports: list[dict[str, Any]] = []  # everything else it said
        self._looked_at = 0
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, HERE / "c104_master.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def open(self) -> "ForeignMaster":
        """Connect, and stay STOPPED."""
        self.ask("connect", **self._station.way_in(self._way, self._who))
        if self._way != PLAIN and self._said("version")[0]["c104"] == BROKEN_TLS:
            cannot(f"c104 {BROKEN_TLS} cannot connect over TLS: install c104==2.2.0")
        return self.becomes("OPEN_MUTED")

    def start(self) -> "ForeignMaster":
        """STARTDT, confirmed."""
        self.ask("start")
        return self.becomes("OPEN")

    def ask(self, do: str, **arguments: object) -> bool:
        """Let it do something; of a command or read, whether it was confirmed, of all else, whether it was sent."""
        before = len(self.asdus)
        result = self._request(do, **arguments)
        if result is not None:
            return result
        # c104 missed an answer that came too fast for it: what came over the wire counts.
        answers = [asdu for asdu in self.asdus[before:] if asdu.cause in ANSWERS]
        assert answers, f"{do} was not answered; station:\n{self._station.log}"
        if arguments.get("select") and len(answers) == 1 and not answers[0].negative:
            self.forget()  # it never executed what it had selected
            return self.ask(do, **arguments)
        return not answers[-1].negative

    def _request(self, do: str, **arguments: object) -> bool | None:
        number = len(self._said("done")) + 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": number, "do": do, **arguments}) + "\n")
        self._process.stdin.flush()
        self._wait(lambda: len(self._said("done")) >= number, f"an answer to {do}")
        done = self._said("done")[-1]
        assert "error" not in done, done["error"]
        result: bool | None = done["result"]
        return result

    def until(self, **wanted: object) -> list[SimpleNamespace]:
        """The ASDUs not looked at yet, up to the first that has all these properties."""

        def match() -> int | None:
            for at in range(self._looked_at, len(self.asdus)):
                if wanted.items() <= vars(self.asdus[at]).items():
                    return at + 1
            return None

        self._wait(lambda: match() is not None, f"an ASDU with {wanted}")
        end = match()
        assert end is not None
        told, self._looked_at = self.asdus[self._looked_at : end], end
        return told

    def until_told(self, ioa: int, count: int = 1) -> list[SimpleNamespace]:
        """The next `count` pieces of information about the object."""

        def told() -> list[SimpleNamespace]:
            return [one for one in objects(self.asdus[self._looked_at :]) if one.ioa == ioa]

        self._wait(lambda: len(told()) >= count, f"{count} times information object {ioa}")
        return told()[:count]

    def until_known(self, ioa: int, value: object) -> None:
        """Wait until this is the newest value it was told of the object."""

        def known() -> list[object]:
            return [one.value for one in objects(self.asdus) if one.ioa == ioa]

        self._wait(lambda: known()[-1:] == [value], f"information object {ioa} to be {value}")

    def becomes(self, *states: str) -> "ForeignMaster":
        """Wait until the last state it reported is one of these."""
        self._wait(lambda: self.state in states, f"the connection to become {' or '.join(states)}")
        return self

    @property
    def state(self) -> str:
        told = self._said("state")
        return str(told[-1]["state"]) if told else ""

    @property
    def states(self) -> list[str]:
        return [str(report["state"]) for report in self._said("state")]

    def forget(self) -> None:
        """Look only at what comes from now on."""
        self._looked_at = len(self.asdus)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._reader.join()
        assert self._said("confused") == []

    def _said(self, at: str) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["at"] == at]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        with self._news:
            while not condition():
                left = deadline - time.monotonic()
                if left <= 0 or self._process.poll() is not None:
                    told = "\n".join(map(str, [*self.reports, *self.asdus]))
                    raise AssertionError(f"waited for {what}; got\n{told}\nstation:\n{self._station.log}")
                self._news.wait(min(left, 1.0))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line, object_hook=_named)
            with self._news:
                if report.at == "asdu":
                    self.asdus.append(report)
                else:
                    self.reports.append(vars(report))
                self._news.notify_all()


def _named(fields: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**fields)


def objects(asdus: list[SimpleNamespace]) -> list[SimpleNamespace]:
    """All information objects of these ASDUs, each with `type` and `cause` of its own."""
    return [
        SimpleNamespace(type=asdu.type, cause=asdu.cause, ca=asdu.ca, **vars(one))
        for asdu in asdus
        for one in asdu.objects
    ]


@dataclass
class Outstation:
    """A running station and what its masters need to know."""

    file: Path
    tls: int
    plain: int
    firmware: Firmware

    def restart(self) -> None:
        """Stop it in order, and start it again on the same ports."""
        assert self.firmware.stop(DEADLINE_S) == 0
        self.firmware.close()
        self.firmware = Firmware(self.file)
        self.firmware.wait_ready()

    @property
    def log(self) -> str:
        return str(self.firmware.log.read_text())

    def way_in(self, way: str, who: str) -> dict[str, Any]:
        if way == PLAIN:
            return {"port": self.plain}
        at = self.file.parent
        return {
            "port": self.tls,
            "tls": {
                "ca": str(at / "ca.crt"),
                "certificate": str(at / f"{who}.crt"),
                "key": str(at / f"{who}.key"),
                "version": way.removeprefix("TLS "),
            },
        }


@pytest.fixture(scope="session")
def certificates() -> dict[str, pki.Issued]:
    ca = pki.make_ca("Interop CA")
    made = {"ca": ca, "station": pki.issue(ca, "station", "station", ["ip:127.0.0.1"])}
    for who in ("a.scada.example", "b.scada.example", "operator.example"):
        made[who] = pki.issue(ca, who, "master", [f"dns:{who}"])
    return made


Run = Callable[..., Outstation]
Connect = Callable[..., ForeignMaster]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, certificates: dict[str, pki.Issued]) -> Iterator[Run]:
    """Starts a station: `run(clock="master", commands=False)`."""
    running: list[Outstation] = []

    def start(*, clock: str = "ntp", commands: bool = True) -> Outstation:
        where = tmp_path_factory.mktemp("station")
        for name, issued in certificates.items():
            issued.write(where / f"{name}.crt", where / f"{name}.key")
        tls, plain = free_ports()
        text = (HERE / "station.toml").read_text()
        places = {"clock": clock, "tls": tls, "plain": plain, "commands": str(commands).lower()}
        for place, content in places.items():
            text = text.replace(f"{{{place}}}", str(content))
        file = where / "station.toml"
        file.write_text(text)
        running.append(Outstation(file, tls, plain, Firmware(file)))
        running[-1].firmware.wait_ready()
        return running[-1]

    yield start
    for station in running:
        station.firmware.close()


@pytest.fixture(scope="module")
def station(run: Run) -> Outstation:
    """One station for all tests of a file."""
    return run()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Starts a foreign master: `connect(station, way, who)`, STOPPED."""
    with connector() as connect:
        yield connect


@contextmanager
def connector() -> Iterator[Connect]:
    masters: list[ForeignMaster] = []

    def connect(station: Outstation, way: str = PLAIN, who: str = "a.scada.example") -> ForeignMaster:
        masters.append(ForeignMaster(station, way, who))
        return masters[-1].open()

    yield connect
    for master in masters:
        master.close()


def free_ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture(params=[PLAIN, TLS_1_2])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def started(station: Outstation) -> Iterator[Callable[[str], ForeignMaster]]:
    """The master of a file that comes this way."""
    with connector() as connect:
        yield cache(lambda way: connect(station, way).start())


@pytest.fixture
def master(started: Callable[[str], ForeignMaster], way: str) -> ForeignMaster:
    """Started, on the station all tests of this file share; what happened before is behind it."""
    master = started(way)
    master.ask("interrogate")
    master.until(type="C_IC_NA_1", cause=10)
    return master


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[Callable[[int, str], Capture]]:
    """Starts capturing on a port, whose octets are to be read as this protocol."""
    for program in ("dumpcap", "tshark"):
        if shutil.which(program) is None:
            cannot(f"{program} is not installed: apt-get install tshark")
    started: list[Capture] = []

    def start(port: int, protocol: str) -> Capture:
        try:
            started.append(Capture(tmp_path / "wire.pcapng", port, protocol))
        except PermissionError as error:
            cannot(f"capturing on lo is not permitted: {error}")
        return started[-1]

    yield start
    for one in started:
        one.stop()
