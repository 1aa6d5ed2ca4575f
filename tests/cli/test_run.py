"""`rtu run` and `rtu demo` as their users meet them: a process, its exit code, what it prints."""

import gc
import os
import signal
import socket
import subprocess
import sys
import weakref
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from rtu.cli.demo import prepare
from rtu.cli.run import settle
from tests.ports import free_port

STATION = """
format = 1
station = { name = "run", common_address = 1 }
events = { directory = "events" }
listen.plain = { address = "127.0.0.1", port = PORT }
device.bay = { driver = "simulated" }
[[master]]
name = "scada"
from = ["127.0.0.0/8"]
[[point]]
name = "door"
type = "single"
input = { device = "bay", line = "door" }
address = [{ ioa = 1 }]
"""
OWN_POINT = """[[point]]
name = "lost"
type = "bitstring"
system = "events.lost"
address = [{ ioa = 1 }]
"""
OUTPUTS_ONLY = """[[command]]
name = "light"
type = "single"
output = { device = "bay", on = "light", latched = true }
address = [{ ioa = 11 }]
"""


@pytest.fixture
def start(tmp_path):
    """Start `rtu ...` with a service manager listening; returns the process and what the manager hears."""
    processes = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.settimeout(30)
        heard.bind(str(tmp_path / "notify"))

        def starter(*arguments, **environment):
            process = subprocess.Popen(
                [sys.executable, "-m", "rtu", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")} | environment,
            )
            processes.append(process)
            return process, heard

        yield starter
        for process in processes:
            process.kill()
            process.communicate()


def next_status(heard):
    while not (told := heard.recv(200).decode()).startswith("STATUS="):
        pass
    return told


def station(tmp_path, text=STATION, port=None):
    path = tmp_path / "station.toml"
    path.write_text(text.replace("PORT", str(port or free_port())))
    return path


def test_it_says_when_it_serves_feeds_the_watchdog_and_stops_on_sigterm(tmp_path, start):
    port = free_port()
    process, heard = start("run", station(tmp_path, port=port), WATCHDOG_USEC="300000")
    serving = f"STATUS=serving 1 point on PLAIN {port} (unprotected)"
    assert heard.recv(200).decode() == f"READY=1\n{serving}; no masters connected"
    assert [heard.recv(200) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        assert next_status(heard) == f"{serving}; 1 master connected"
    assert next_status(heard) == f"{serving}; no masters connected"
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert '"event": "stop"' in log


@pytest.mark.parametrize("command", [False, True], ids=["only a point of its own", "outputs only"])
def test_a_station_that_reads_no_device_feeds_the_watchdog_all_the_same(tmp_path, start, command):
    reads, _ = STATION.split("[[point]]")
    text = reads + OWN_POINT + (OUTPUTS_ONLY if command else "")
    process, heard = start("run", station(tmp_path, text), WATCHDOG_USEC="150000")
    assert heard.recv(200).startswith(b"READY=1")
    # Ten times are three watchdogs long.
    assert [heard.recv(200) for _ in range(10)] == [b"WATCHDOG=1"] * 10
    assert process.poll() is None


def test_mistakes_in_the_file_are_told_all_at_once_and_nothing_starts(tmp_path, start):
    text = STATION.replace("ioa = 1", "ioa = 0").replace('type = "single"', 'type = "singel"')
    process, _ = start("run", station(tmp_path, text))
    _, told = process.communicate(timeout=30)
    assert process.returncode == 2
    lines = [line for line in told.splitlines() if "station.toml:" in line and "warning" not in line]
    assert len(lines) == 2
    assert not (tmp_path / "events").exists()


def test_when_the_process_that_reads_the_file_dies_nothing_starts(tmp_path):
    dies = "import os, sys, rtu.cli.main as m, rtu.config.load as l; l.examine = lambda path: os.abort(); sys.exit(m.main())"
    ended = subprocess.run(
        [sys.executable, "-c", dies, "run", station(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert (
        ended.stderr.splitlines()[-1]
        == "rtu: the process that read the station file ended with -6: start again"
    )
    assert not (tmp_path / "events").exists()


def test_a_port_in_use_is_one_clear_line(tmp_path, start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process, _ = start("run", station(tmp_path, port=taken.getsockname()[1]))
        _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot listen on 127.0.0.1" in log
    assert "Traceback" not in log


def test_two_stations_do_not_share_their_events(tmp_path, start):
    _, heard = start("run", station(tmp_path))
    heard.recv(200)
    process, _ = start("run", station(tmp_path))
    _, log = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "is used by another process" in log


def test_the_demo_serves_both_ports_and_can_be_probed(tmp_path, start):
    tls, plain = free_port(), free_port()
    process, heard = start("demo", "--tls-port", tls, "--plain-port", plain, XDG_RUNTIME_DIR=str(tmp_path))
    assert heard.recv(200).startswith(b"READY=1")
    probed = subprocess.run(
        [
            sys.executable,
            "-m",
            "rtu",
            "probe",
            "demo",
            "--port",
            str(tls),
            "--double",
            "5001=off",
            "--select",
        ],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert probed.returncode == 0, probed.stdout + probed.stderr
    causes = [
        line.split("  ")[-1].strip()
        for line in probed.stdout.splitlines()
        if " 5001 " in line or " 1001 " in line
    ]
    assert causes == [
        "activation confirmation",
        "activation confirmation",
        "return information, remote command",
        "activation termination",
    ]
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f"127.0.0.1:{tls}" in told


def test_a_second_demo_leaves_the_files_of_the_first_alone(tmp_path, start):
    ports = ["--tls-port", free_port(), "--plain-port", free_port()]
    _, heard = start("demo", *ports, XDG_RUNTIME_DIR=str(tmp_path))
    assert heard.recv(200).startswith(b"READY=1")
    (key,) = tmp_path.glob("*/station.key")
    before = key.read_bytes()
    second, _ = start("demo", "--tls-port", free_port(), XDG_RUNTIME_DIR=str(tmp_path))
    _, told = second.communicate(timeout=30)
    assert second.returncode == 1
    assert "a demo of yours is running already" in told
    assert key.read_bytes() == before


def test_a_demo_whose_port_is_taken_says_so_in_the_terminal(tmp_path, start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process, _ = start(
            "demo", "--tls-port", free_port(), "--plain-port", port, XDG_RUNTIME_DIR=str(tmp_path)
        )
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port} (plain)" in told


def test_no_certificate_of_the_demo_is_about_to_expire(tmp_path):
    directory = tmp_path / "demo"
    directory.mkdir()
    prepare(directory)
    for name in ("ca.crt", "station.crt", "master.crt"):
        ends = x509.load_pem_x509_certificate((directory / name).read_bytes()).not_valid_after_utc
        assert ends - datetime.now(UTC) > timedelta(days=61), name  # the first warning comes at 60


def test_what_a_life_of_the_station_leaves_is_freed_at_the_next_start():
    class Life:
        def __init__(self):
            self.alarm = self.ring

        def ring(self): ...

    life = Life()
    left = weakref.ref(life)
    try:
        settle()
        del life
        settle()
        assert left() is None
    finally:
        gc.unfreeze()
