"""The control socket: who may ask, what is answered, and that nobody at it can hold up the station."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import select
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from rtu.config import schema
from rtu.local import ask as client
from rtu.local import socket as server
from rtu.local.ask import NotRunning, ask, follow, socket_of
from rtu.local.ask import Refused as Declined
from rtu.local.socket import MAX_CONNECTIONS, MAX_REQUEST, Asked, LocalSocket, Refused, socket_path


async def slowly(asked: Asked) -> str:
    await asyncio.sleep(0)
    return "in the end"


async def three(asked: Asked) -> AsyncIterator[int]:
    for number in range(3):
        yield number


ENDED: list[str] = []


async def endless(asked: Asked) -> AsyncIterator[str]:
    try:
        while True:
            yield "x" * 10_000
    finally:
        ENDED.append("endless")


async def silent(asked: Asked) -> AsyncIterator[str]:
    await asyncio.Event().wait()
    yield "never"


def refuse(asked: Asked) -> object:
    raise Refused("not today")


def fail(asked: Asked) -> object:
    raise KeyError("a mistake of ours")


FUNCTIONS = {
    "who": lambda asked: {"by": asked.by, "with": asked.arguments},
    "slowly": slowly,
    "three": three,
    "endless": endless,
    "silent": silent,
    "refuse": refuse,
    "fail": fail,
}


class Station:
    """Something that listens at `path`; `records` is what the audit trail was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, object]] = []
        self.local = LocalSocket(path, FUNCTIONS, self._record)

    def _record(self, event: str, **fields: object) -> bool:
        self.records.append({"event": event} | fields)
        return True


def served(path: Path, talk: Callable[[Station], Any]) -> Any:
    """What `talk`, which runs beside the loop or on it, returns about a station that listens meanwhile."""

    async def main() -> Any:
        station = Station(path)
        await station.local.open()
        try:
            result = await asyncio.to_thread(talk, station)
            return await result if isinstance(result, Awaitable) else result
        finally:
            await station.local.close()

    return asyncio.run(main())


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


def raw(path: Path, octets: bytes) -> bytes:
    """Everything that is answered to these octets."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        with suppress(BrokenPipeError):
            connection.sendall(octets)
        answer = b""
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                answer += more
        return answer


def test_a_request_is_answered_with_who_asked_and_what(path):
    assert served(path, lambda _: ask(path, "who", group="q0")) == {
        "by": pwd.getpwuid(os.getuid()).pw_name,
        "with": {"group": "q0"},
    }


def test_an_answer_may_take_its_time(path):
    assert served(path, lambda _: ask(path, "slowly")) == "in the end"


def test_a_stream_comes_item_by_item_and_ends(path):
    assert served(path, lambda _: list(follow(path, "three"))) == [0, 1, 2]


def test_what_is_refused_is_told_and_recorded(path):
    def talk(station: Station) -> list[dict[str, object]]:
        with pytest.raises(Declined, match=r"^not today$"):
            ask(path, "refuse")
        return station.records

    (record,) = served(path, talk)
    assert (record["event"], record["do"], record["reason"]) == ("local.refuse", "refuse", "not today")
    assert record["by"]


def test_a_function_that_fails_takes_nobody_with_it(path, caplog):
    def talk(station: Station) -> str:
        with pytest.raises(Declined, match="its log says why"):
            ask(path, "fail")
        return ask(path, "slowly")

    assert served(path, talk) == "in the end"
    assert "a mistake of ours" in caplog.text


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\n", "no request"),
        (b"status\n", "no request"),
        (b'{"v": 1}\n', "no request"),
        (b'{"v": 1, "do": "who", "with": [1]}\n', "no request"),
        (b'{"v": 1, "do": "who", "more": 1}\n', "no request"),
        (b'{"v": "1", "do": "who"}\n', "no request"),
        (b'{"v": 2, "do": "who"}\n', "version 1"),
        (b'{"v": 1, "do": "reboot"}\n', "does not know"),
        (b'{"v": 1, "do": "\xff"}\n', "no request"),
        (b"[" * (MAX_REQUEST - 2) + b"\n", "no request"),
        (b"x" * (MAX_REQUEST + 1), "at most"),
        (b"x" * (10 * MAX_REQUEST) + b"\n", "at most"),
    ],
    ids=range(12),
)
def test_nonsense_is_refused_in_one_line_and_the_next_one_is_served(path, octets, why):
    def talk(station: Station) -> bytes:
        answer = raw(path, octets)
        assert ask(path, "slowly") == "in the end"
        return answer

    answer = served(path, talk)
    assert answer.count(b"\n") == 1
    told = json.loads(answer)
    assert not told["ok"]
    assert why in told["error"]


def test_half_a_request_and_an_end_is_nothing(path):
    def talk(station: Station) -> Any:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(path))
            connection.sendall(b'{"v": 1')
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(100), station.records

    assert served(path, talk) == (b"", [])


def test_a_request_that_does_not_come_is_waited_for_no_longer_than_said(path, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE_S", 0.05)
    assert served(path, lambda _: raw(path, b'{"v": 1')) == b""


def test_one_more_than_there_is_room_for_is_told_so_and_room_is_made_again(path):
    def talk(station: Station) -> Any:
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CONNECTIONS)]
        for each in waiting:
            each.connect(str(path))
        with pytest.raises(Declined, match="too many"):
            ask(path, "slowly")
        for each in waiting:
            each.close()
        until(lambda: not station.local._tasks)
        return ask(path, "slowly")

    assert served(path, talk) == "in the end"


def test_who_does_not_read_a_stream_is_dropped_and_keeps_nobody_waiting(path, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE_S", 0.05)
    ENDED.clear()

    def talk(station: Station) -> int:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.settimeout(30)
            slow.connect(str(path))
            slow.sendall(b'{"v": 1, "do": "endless"}\n')
            assert ask(path, "slowly") == "in the end"
            until(lambda: not station.local._tasks)
            assert ENDED
            got = 0
            with suppress(ConnectionResetError):
                while more := slow.recv(65536):
                    got += len(more)
            return got

    assert 0 < served(path, talk) < 10_000_000


def test_a_stream_with_nothing_to_say_ends_when_its_reader_goes(path):
    def talk(station: Station) -> None:
        with socket.socket(socket.AF_UNIX) as reader:
            reader.connect(str(path))
            reader.sendall(b'{"v": 1, "do": "silent"}\n')
            until(lambda: bool(station.local._tasks))
        until(lambda: not station.local._tasks)

    served(path, talk)


def test_a_station_that_stops_ends_its_streams_and_leaves_no_file(path):
    told = []

    def talk(station: Station) -> Any:
        items = follow(path, "endless")
        told.append(next(items))
        close = station.local.close()

        def rest() -> None:
            with pytest.raises(NotRunning, match="ended"):
                for _ in items:
                    pass

        async def both() -> None:
            await asyncio.gather(close, asyncio.to_thread(rest))

        return both()

    served(path, talk)
    assert told
    assert not path.exists()
    with pytest.raises(NotRunning, match="is it running"):
        ask(path, "who")


def test_only_its_user_and_group_may_ask_whatever_the_umask(path):
    before = os.umask(0o077)
    try:
        mode = served(path, lambda _: stat.S_IMODE(path.stat().st_mode))
    finally:
        os.umask(before)
    assert mode == 0o660


def test_what_a_dead_station_left_is_replaced(path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert served(path, lambda _: ask(path, "slowly")) == "in the end"


def test_a_socket_somebody_listens_on_is_left_to_them(path, caplog):
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen(1)
        served(path, lambda _: None)
        assert "another process listens there" in caplog.text
        with socket.socket(socket.AF_UNIX) as reader:
            reader.connect(str(path))


def test_a_file_of_the_same_name_is_left_alone(path, caplog):
    path.write_text("precious")
    served(path, lambda _: None)
    assert path.read_text() == "precious"
    assert "something else has this name" in caplog.text


@pytest.mark.parametrize("name", ["x" * 200, "nowhere/x" * 30])
def test_a_path_that_cannot_be_made_is_a_warning(tmp_path, caplog, name):
    served(tmp_path / name, lambda _: None)
    assert "nobody can ask for the status here" in caplog.text


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(path, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE_S", 0.05)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen(1)
        with pytest.raises(NotRunning, match="does not answer"):
            ask(path, "who")


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400\r\n", b"{}\n", b'{"ok": 1}\n', b"\xff\n", b"[" * 99_999 + b"\n"]
)
def test_what_is_no_station_is_said_to_be_none(path, answer):
    def talk() -> None:
        with pytest.raises(NotRunning, match="no station"):
            ask(path, "who")

    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)

        async def main() -> None:
            asking = asyncio.ensure_future(asyncio.to_thread(talk))
            other.setblocking(False)
            connection, _ = await asyncio.get_running_loop().sock_accept(other)
            with connection:
                await asyncio.get_running_loop().sock_sendall(connection, answer)
            await asking

        asyncio.run(main())


def file(directory: Path, text: str) -> Path:
    path = directory / "station.toml"
    path.write_text(text)
    return path


def test_the_socket_is_where_the_file_says(tmp_path):
    assert socket_of(file(tmp_path, '[local]\nsocket = "here"')) == tmp_path / "here"
    assert socket_of(file(tmp_path, '[events]\ndirectory = "log"')) == tmp_path / "log" / "control"


def test_without_a_word_it_is_that_of_the_service_if_there_is_one(tmp_path, monkeypatch):
    runtime = tmp_path / "run"
    monkeypatch.setattr(client, "RUNTIME_DIRECTORY", runtime)
    monkeypatch.setattr(client, "STATE_DIRECTORY", str(tmp_path / "state"))
    written = file(tmp_path, "")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "control").touch()
    assert socket_of(written) == tmp_path / "state" / "control"
    runtime.mkdir()
    (runtime / "control").touch()
    assert socket_of(written) == runtime / "control"
    # A station beside it is another one.
    assert socket_of(file(tmp_path, '[events]\ndirectory = "log"')) == tmp_path / "log" / "control"


@pytest.mark.parametrize("text", ["local = 1", "[local]\nsocket = 1", "[events]\ndirectory = []"])
def test_a_file_that_is_wrong_elsewhere_is_not_judged_here(tmp_path, text):
    assert socket_of(file(tmp_path, text)).name == "control"


def test_a_file_that_is_no_toml_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"station\.toml: .*`rtu check`"):
        socket_of(file(tmp_path, "["))


def test_of_a_file_that_is_not_there_it_is_said_what_to_do(tmp_path):
    with pytest.raises(
        ValueError, match=r"nowhere\.toml: No such file or directory: name the file of the station"
    ):
        socket_of(tmp_path / "nowhere.toml")


ASKS = """
import json, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b'{"v": 1, "do": "who"}\\n')
    print(json.loads(s.makefile().readline())["result"]["by"])
"""


def test_another_user_of_the_group_is_on_record_by_name_and_one_outside_it_gets_nowhere():
    if os.getuid() != 0:
        pytest.skip("only root can be somebody else")
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "control")

        def asked_by(group: int) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["/usr/bin/python3", "-c", ASKS, path],
                check=False,
                user=nobody.pw_uid,
                group=group,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=30,
            )

        def talk(station: Station) -> list[subprocess.CompletedProcess[str]]:
            return [asked_by(0), asked_by(nobody.pw_gid)]

        inside, outside = served(path, talk)
    assert inside.stdout == "nobody\n"
    assert "PermissionError" in outside.stderr


def test_both_ends_mean_the_same_service():
    unit = (Path(__file__).parents[2] / "systemd" / "outstation.service").read_text()
    assert schema.Events().directory == client.STATE_DIRECTORY
    assert client.NAME == server.NAME
    assert f"RuntimeDirectory={client.RUNTIME_DIRECTORY.name}\n" in unit


def test_the_station_listens_where_the_file_the_service_manager_or_the_event_log_says(tmp_path, monkeypatch):
    def station(local: str = "") -> schema.StationFile:
        return schema.StationFile(
            format=1,
            station=schema.Station(name="s", common_address=1),
            events=schema.Events(directory="log"),
            local=schema.Local(socket=local),
        )

    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    assert socket_path(station(), tmp_path) == tmp_path / "log" / "control"
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/outstation:/run/other")
    assert socket_path(station(), tmp_path) == Path("/run/outstation/control")
    assert socket_path(station("here"), tmp_path) == tmp_path / "here"
