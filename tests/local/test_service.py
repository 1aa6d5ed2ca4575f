"""Talking to the service manager, as one would hear it."""

import os
import socket

import pytest

from rtu.local.service import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A socket to hear on, and the environment that leads there."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@outstation-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.settimeout(5)
        heard.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        yield heard, {"NOTIFY_SOCKET": name}


def test_ready_and_alive_are_heard(manager):
    heard, environment = manager
    service = ServiceManager(environment)
    service.ready("serving 3 points")
    service.alive()
    service.stopping()
    assert [heard.recv(100) for _ in range(3)] == [
        b"READY=1\nSTATUS=serving 3 points",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_in_a_terminal_nobody_is_told_and_nothing_breaks():
    service = ServiceManager({})
    service.ready("serving")
    service.alive()
    assert service.watchdog_s is None


def test_a_manager_that_is_gone_does_not_stop_the_station(tmp_path):
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("serving")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    service.alive()
    assert service.watchdog_s is None


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 20),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(environment, seconds):
    assert ServiceManager(environment).watchdog_s == seconds
