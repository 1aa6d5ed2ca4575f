"""The operator on site: what the command line is told by a station that runs, and what it can do there."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import select
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from rtu.app import Outstation
from rtu.cli.main import main
from rtu.cli.status import screen
from rtu.config.load import load
from rtu.iec104.elements import SIQ
from rtu.local.metrics import render
from rtu.local.socket import Asked
from rtu.local.unlock import unlock
from rtu.outputs.request import Request
from rtu.security.certificates.pki import issue, make_ca
from tests.test_app import STATION, Wire

FILE = STATION.replace("60000", "50").replace("127.0.0.0/8", "127.0.0.1") + (
    '[[master]]\nname = "b"\nfrom = ["127.0.0.2"]\n'
    '[[point]]\nname = "locked"\ntype = "single"\nsystem = "outputs.locked"\naddress = [{ ioa = 9 }]\n'
)
TLS = """
[listen.tls]
address = "127.0.0.1"
port = 19998
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[[master]]
name = "c"
identity = { issuer = "ca.crt", san = "dns:c.example" }
"""
OPEN, CLOSE = 1, 2
DEADLINE_S = 60


class Line:
    """One contact of the simulated bay that may weld: then it reads as on."""

    def __init__(self, station: Outstation) -> None:
        self.device: Any = station.devices.open["bay"]
        self._read_back = self.device.read_back
        self.device.read_back = self._seen
        self.welded = False

    def _seen(self) -> list[int | None]:
        levels = list(self._read_back())
        return [1, *levels[1:]] if self.welded else levels


def command(station: Outstation, value: int) -> None:
    """A command of a local master: the answer is of no interest."""

    class Reply:
        def confirm(self, positive: bool, reason: str) -> None: ...
        def terminate(self, positive: bool, reason: str) -> None: ...
        def discard(self, reason: str) -> None: ...

    station.outputs.request(Request("here", "a", 0, 46, 1, 5001, value, 0), Reply())  # type: ignore[arg-type]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)


def on_any_port(path: Path) -> Any:
    file = load(path)
    listen = {
        name: msgspec.structs.replace(entry, port=0)
        for name, entry in (("tls", file.listen.tls), ("plain", file.listen.plain))
        if entry is not None
    }
    return msgspec.structs.replace(file, listen=msgspec.structs.replace(file.listen, **listen))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text(FILE)
    return path


@pytest.fixture
def secured(path: Path) -> Path:
    ca = make_ca("field")
    ca.write(path.with_name("ca.crt"), path.with_name("ca.key"))
    issue(ca, "station", "station", ["ip:127.0.0.1"], days=20).write(
        path.with_name("station.crt"), path.with_name("station.key")
    )
    path.write_text(path.read_text() + TLS)
    return path


def running(path: Path, visit: Callable[[Outstation], Any]) -> Any:
    """What `visit`, which runs beside the loop of a station that serves, returns."""

    async def live() -> Any:
        station = Outstation(on_any_port(path), path.parent)
        await station.start()
        try:
            return await asyncio.to_thread(visit, station)
        finally:
            await station.stop("the test is over")

    return asyncio.run(live())


def on_loop(station: Outstation, work: Callable[[], object]) -> None:
    station.clock._loop.call_soon_threadsafe(work)


def port(station: Outstation, name: str = "plain") -> int:
    return next(each.port for each in station.listeners if each.name == name)


def status(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["status", "--json", str(path)])
    return code, json.loads(capsys.readouterr().out)


def test_a_station_that_is_not_running_is_exit_code_three_and_one_line(path, capsys):
    assert main(["status", str(path)]) == 3
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "is it running?" in told.err


def test_a_station_file_that_cannot_be_read_is_used_wrongly(tmp_path, capsys):
    assert main(["status", str(tmp_path / "nowhere.toml")]) == 2
    assert "No such file" in capsys.readouterr().err


def test_masters_are_shown_connected_started_and_standing_by(path, capsys):
    def visit(station: Outstation) -> None:
        with Wire(port(station), "127.0.0.1"), Wire(port(station), "127.0.0.1") as newer:
            newer.until(70)
            until(lambda: len(status(path, capsys)[1]["masters"][0]["connections"]) == 1)
            code, told = status(path, capsys)
            a, b = told["masters"]
            assert (a["name"], a["over"], b["name"], b["connections"]) == ("a", "plain", "b", [])
            (connection,) = a["connections"]
            assert (connection["state"], connection["listener"]) == ("started", "plain")
            assert connection["sent"] >= 2
            assert (a["traffic"]["connections"], told["records"]["plain.accept"]) == (2, 2)
            assert [(group["name"], group["started"]) for group in told["groups"]] == [
                ("a", True),
                ("b", False),
            ]
            assert code == 1
            assert told["warnings"] == [
                'group "b": no connection of its masters is started; events that wait: 0'
            ]
            with Wire(port(station), "127.0.0.2") as other:
                other.until(70)
                assert status(path, capsys)[0] == 0

    running(path, visit)


def test_an_open_plain_port_is_the_first_line_and_in_capitals(path, capsys, caplog):
    def visit(station: Outstation) -> str:
        main(["status", str(path)])
        return capsys.readouterr().out

    first = running(path, visit).splitlines()[0]
    assert re.fullmatch(
        r"PLAIN OPEN: TCP 127\.0\.0\.1:\d+, nothing protects it, for a, b, COMMANDS INCLUDED", first
    )
    assert "plain TCP on 127.0.0.1:" in caplog.text
    assert "whoever can send from an address of a or b is taken for it, commands included" in caplog.text


def test_on_a_terminal_it_is_bold(path, capsys):
    told = running(path, lambda station: status(path, capsys)[1])
    assert screen(told, bold=True).startswith("\033[1mPLAIN OPEN:\033[0m TCP")


def test_tls_shows_how_long_its_certificate_lasts_and_warns_in_time(secured, capsys):
    def visit(station: Outstation) -> tuple[int, dict[str, Any], str]:
        main(["status", str(secured)])
        return (*status(secured, capsys), "")

    code, told, _ = running(secured, visit)
    assert (code, told["tls"]["usable"], told["tls"]["days_left"]) == (1, True, 19)
    assert "the station's certificate expires in 19 days" in told["warnings"]
    shown = screen(told)
    assert "certificate valid until" in shown
    assert "19 days left" in shown


def test_tls_that_nobody_can_use_says_why(secured, capsys):
    secured.with_name("station.key").unlink()
    told = running(secured, lambda station: status(secured, capsys)[1])
    assert not told["tls"]["usable"]
    assert any(each.startswith("nobody can connect over TLS: ") for each in told["warnings"])
    assert "NOBODY CAN CONNECT" in screen(told)


def test_a_lock_is_shown_survives_restarts_and_is_taken_away_by_name_once_the_line_is_at_rest(path, capsys):
    def weld(station: Outstation) -> None:
        line = Line(station)
        line.welded = True
        on_loop(station, lambda: command(station, OPEN))
        until(lambda: status(path, capsys)[1]["lock_groups"][0]["state"] == "locked")

    def visit(station: Outstation) -> list[dict[str, object]]:
        records: list[dict[str, object]] = []
        station.audit.watch(lambda event, fields: records.append({"event": event, **fields}))
        line = Line(station)
        code, told = status(path, capsys)
        assert code == 1
        assert told["lock_groups"][0]["reason"].startswith("before switching bay q0.close is on")
        assert "q0.operate  LOCKED  before switching bay q0.close is on" in screen(told)
        line.welded = True
        with pytest.raises(SystemExit, match=r"^rtu: not unlocked: bay q0\.close is on$"):
            main(["unlock", "q0.operate", str(path)])
        line.welded = False
        assert main(["unlock", "q0.operate", str(path)]) == 0
        assert capsys.readouterr().out.endswith('"q0.operate" is unlocked\n')
        assert status(path, capsys)[1]["lock_groups"][0]["state"] == "idle"
        with pytest.raises(SystemExit, match=r"q0\.operate is not locked"):
            main(["unlock", "q0.operate", str(path)])
        with pytest.raises(SystemExit, match=r'no lock group "q9", but q0\.operate'):
            main(["unlock", "q9", str(path)])
        return records

    running(path, weld)
    records = running(path, visit)
    by = {record["by"] for record in records if "by" in record}
    assert by == {pwd.getpwuid(os.getuid()).pw_name}
    assert [record["event"] for record in records if str(record["event"]).startswith("command.")] == [
        "command.unlock_refuse",
        "command.unlock",
    ]
    idle = running(path, lambda station: status(path, capsys)[1])
    assert idle["lock_groups"][0]["state"] == "idle"


def test_a_line_that_is_read_back_when_the_station_stops_meanwhile_troubles_nobody():
    asked = []

    async def stop_meanwhile() -> None:
        outputs: Any = SimpleNamespace(unlock=lambda name, by, done: asked.append(done))
        waiting = asyncio.ensure_future(unlock(outputs, Asked({"lock_group": "q0"}, "somebody")))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait((waiting,))
        asked[0]("q0 is on")

    asyncio.run(stop_meanwhile())


def test_a_lock_of_a_group_the_file_has_no_more_is_gone_on_record(path, capsys, caplog):
    def weld(station: Outstation) -> None:
        Line(station).welded = True
        on_loop(station, lambda: command(station, OPEN))
        until(lambda: status(path, capsys)[1]["lock_groups"][0]["state"] == "locked")

    running(path, weld)
    path.write_text(path.read_text().replace('"q0.operate"\n', '"q0.operate"\nlock_group = "new"\n'))
    caplog.set_level("INFO", logger="rtu.audit")
    told = running(path, lambda station: status(path, capsys)[1])
    assert told["lock_groups"][0]["state"] == "idle"
    assert told["records"]["command.lock_removed"] == 1


def test_metrics_are_openmetrics_and_count_what_was_on_record(path, capsys):
    def visit(station: Outstation) -> str:
        with Wire(port(station), "127.0.0.1") as wire:
            wire.until(70)
            capsys.readouterr()
            assert main(["status", "--metrics", str(path)]) == 0
            return capsys.readouterr().out

    text = running(path, visit)
    samples = understood(text)
    assert samples['rtu_sessions{master="a",transport="plain",state="started"}'] == 1
    assert samples['rtu_connections_total{transport="plain",result="accepted"}'] == 1
    assert samples["rtu_plain_enabled"] == 1
    assert samples['rtu_lock_group_locked{lock_group="q0.operate"}'] == 0
    assert samples["rtu_late_commands_total"] == 0


def understood(text: str) -> dict[str, float]:
    """What a strict reader of OpenMetrics makes of it: samples by name and labels."""
    value = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
    label = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
    *lines, last, end = text.split("\n")
    assert (last, end) == ("# EOF", "")
    samples: dict[str, float] = {}
    seen: set[str] = set()
    family, kind = "", ""
    for line in lines:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in seen
            seen.add(family)
            assert kind in ("gauge", "counter")
        elif line.startswith("# HELP "):
            assert line.startswith(f"# HELP {family} ")
        else:
            match = re.fullmatch(rf"([a-z_]+)(\{{{label}(?:,{label})*\}})? ({value})", line)
            assert match is not None, line
            assert match[1] == family + ("_total" if kind == "counter" else "")
            key = match[1] + (match[2] or "")
            assert key not in samples
            samples[key] = float(match[3])
    return samples


def test_names_cannot_break_out_of_a_label_nor_out_of_a_line_of_the_screen(path, capsys):
    told = running(path, lambda station: status(path, capsys)[1])
    told["masters"][0]["name"] = 'x"} 1\nrtu_up_seconds 0\\'
    told["groups"][0]["name"] = "\033[2J"
    told["lock_groups"][0]["name"] = "a\nALL WELL"
    told["warnings"] = ["one\ntwo\033[0m"]
    understood(render(told))
    shown = screen(told)
    assert "\033" not in shown
    assert "\nALL WELL" not in shown


def test_its_json_can_be_had_by_anybody_with_a_socket_and_is_small(path, capsys):
    """One line of a request, one of an answer: see docs/operate.md."""
    told = running(path, lambda station: status(path, capsys)[1])
    assert len(json.dumps(told)) < 10_000
    assert {"version", "warnings", "masters", "lock_groups", "groups", "listeners", "tls"} <= told.keys()
    assert told["tls"] is None


def test_watching_goes_on_until_somebody_ends_it(path, capsys, monkeypatch):
    shown: list[float] = []

    def sleep(seconds: float) -> None:
        shown.append(seconds)
        if len(shown) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("rtu.cli.status.time.sleep", sleep)
    assert running(path, lambda station: main(["status", "--watch", str(path)])) == 130
    assert capsys.readouterr().out.count("PLAIN OPEN") == 2


def test_a_master_is_told_that_nobody_can_connect_over_tls_and_that_a_lock_group_is_locked(secured, capsys):
    secured.with_name("station.key").unlink()
    secured.write_text(
        secured.read_text()
        + '[[point]]\nname = "tls"\ntype = "single"\nsystem = "tls.failed"\naddress = [{ ioa = 10 }]\n'
    )

    def visit(station: Outstation) -> None:
        with Wire(port(station), "127.0.0.1") as wire:
            failed = wire.until(70, 30)[-1]
            assert (failed.objects[0].ioa, failed.objects[0].elements[0]) == (10, SIQ(True))
            line = Line(station)
            line.welded = True
            on_loop(station, lambda: command(station, OPEN))
            locked = wire.until(30)[-1]
            assert (locked.objects[0].ioa, locked.objects[0].elements[0]) == (9, SIQ(True))
            line.welded = False
            assert main(["unlock", "q0.operate", str(secured)]) == 0
            unlocked = wire.until(30)[-1]
            assert (unlocked.objects[0].ioa, unlocked.objects[0].elements[0]) == (9, SIQ(False))

    running(secured, visit)


def test_what_a_restart_ends_is_the_socket_too_and_the_next_life_has_its_own(path, capsys):
    for _ in range(2):
        assert running(path, lambda station: status(path, capsys)[1])["station"] == "bay"
        assert not (path.parent / "events" / "control").exists()
