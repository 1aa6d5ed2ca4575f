"""The program under test as a child process, with what systemd gives it: a readiness socket, a log, a SIGTERM."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

RTU = (sys.executable, "-m", "rtu", "run")
_starts = count()


class Firmware:
    """A running `rtu run STATION.toml`; at the end of its block it is stopped, or killed if it does not stop.

    Args:
        station: the configuration. The child runs in its folder and its log is kept there.
        command: what to start; the path of `station` is appended.
    """

    def __init__(self, station: Path, command: Sequence[str] = RTU) -> None:
        start = next(_starts)
        self.log = station.parent / f"firmware{start}.log"
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify = station.parent / f"notify{start}"
        self._notified.bind(str(notify))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, str(station)],
                cwd=station.parent,
                env={**os.environ, "NOTIFY_SOCKET": str(notify)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._ended = os.pidfd_open(self.process.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Wait for `READY=1`, which promises that every listener is open.

        Raises:
            AssertionError: it ended or the time was up before that; the text holds its log.
        """
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            heard, _, _ = select.select([self._notified.fileno(), self._ended], [], [], left)
            if self._notified.fileno() in heard and b"READY=1" in self._notified.recv(4096).splitlines():
                return
            if self._ended in heard:
                code = self.process.wait()
                raise AssertionError(f"ended with {code} before it was ready:\n{self.log.read_text()}")
        raise AssertionError(f"not ready after {timeout_s:g} s:\n{self.log.read_text()}")

    def stop(self, timeout_s: float = 60) -> int:
        """Ask it to end (SIGTERM) and return its exit code. Raises subprocess.TimeoutExpired if it does not."""
        self.process.terminate()
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """End it without asking (SIGKILL): the kernel takes its lines and sockets back."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # a test may have halted it
            try:
                self.stop(10)
            except subprocess.TimeoutExpired:
                self.kill()
        os.close(self._ended)
        self._notified.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
