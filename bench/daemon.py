"""`rtu run` on a station file of so many points: the program as it is delivered, told nothing and asked nothing.

What it costs, `bench.process` says.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import still_field
from .certificates import Keys, certificates
from .station import directory
from .subject import CA, FLOAT_IOA, ROOT

_HEAD = """\
format = 1

[station]
name = "Bench"
common_address = {ca}

[events]
directory = "events"

[device.still]
driver = "still"
"""

_PLAIN = """
[listen.plain]
address = "127.0.0.1"
port = {port}

[[master]]
name = "bench"
from = ["127.0.0.0/8"]
"""

_TLS = """
[listen.tls]
address = "127.0.0.1"
port = {port}
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
max_connections = 64

[[master]]
name = "bench"
identity = {{ issuer = "ca.crt", san = "dns:master.bench" }}
from = ["127.0.0.0/16"]
max_connections = 63

[[master]]
name = "watcher"
identity = {{ issuer = "ca.crt", san = "dns:watcher.bench" }}
from = ["127.0.0.0/16"]
"""

_SINGLE = """
[[point]]
name = "single.{number}"
type = "single"
input = {{ device = "still", line = "c{number}" }}
address = [{{ ioa = {ioa} }}]
"""

_FLOAT = """
[[point]]
name = "float.{number}"
type = "float"
unit = "A"
input = {{ device = "still", channel = "m{number}" }}
report = {{ deadband = 1.0 }}
address = [{{ ioa = {ioa} }}]
"""


def free_port() -> int:
    """One that nobody listens on, and that no master is given as its own: it would connect to itself."""
    while True:
        port = random.randrange(20_000, 30_000)  # below Linux's ephemeral ports
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def station_file(points: int, port: int, *, tls: bool) -> str:
    """Half of the points contacts, half measured values."""
    parts = [_HEAD.format(ca=CA), (_TLS if tls else _PLAIN).format(port=port)]
    for number in range(points // 2):
        parts.append(_SINGLE.format(number=number, ioa=number + 1))
        parts.append(_FLOAT.format(number=number, ioa=FLOAT_IOA + number))
    return "".join(parts)


class Daemon:
    """The running program. `began` is CLOCK_MONOTONIC just before its process was made; `prefix` a program to run it under."""

    def __init__(self, where: Path, port: int, prefix: tuple[str, ...] = ()) -> None:
        self.where = where
        self.port = port
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "rtu", "run", str(where / "station.toml")],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(where)},
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid

    def stop(self) -> None:
        """As the service manager does."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def until_listening(self, patience_s: float = 30.0) -> None:
        """Return as soon as its port can be connected to."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.001)
        raise RuntimeError("the station did not come up")


@contextlib.contextmanager
def prepared(points: int, *, tls: Keys | None = None) -> Iterator[tuple[Path, int]]:
    """A directory with everything a station needs, and the port it will listen on."""
    with directory() as where:
        still_field.install(where)
        if tls:
            certificates(where, tls)
        port = free_port()
        (where / "station.toml").write_text(station_file(points, port, tls=tls is not None), encoding="utf-8")
        yield where, port


@contextlib.contextmanager
def running(points: int, *, tls: Keys | None = None) -> Iterator[Daemon]:
    """The program, listening; stopped at the end."""
    with prepared(points, tls=tls) as (where, port):
        daemon = Daemon(where, port)
        try:
            daemon.until_listening()
            yield daemon
        finally:
            daemon.stop()
