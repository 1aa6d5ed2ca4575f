"""A server in a process of its own, told what to do over its standard input, one line each.

set        change the single point (no answer)
stamps     the moments just before each change since the last time, CLOCK_MONOTONIC nanoseconds
burst N    N numbered changes of the bitstrings, as fast as they are taken
events N   N changes of the event points in turn, as fast as they are taken; a multiple of two rounds of them all
facts      memory, processor time and whatever else the server knows of itself
quit
"""

from __future__ import annotations

import json
import os
import resource
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

CA = 1
SINGLE_IOA = 1
BITSTRING_IOA = 1001
BITSTRINGS = 100
EVENT_IOA = 2001
EVENT_POINTS = 100
FLOAT_IOA = 10_001
SINGLES_IOA = 100_001


@dataclass(frozen=True)
class Kind:
    """A server to be measured: the module that serves, and its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    gap_s: tuple[float, float] = (0.002, 0.008)
    """Between two changes, uniformly: longer than the server's own tick, or its phase would be sampled unfairly."""
    share: float = 1.0
    """Of the samples, for a server that is slow to measure."""
    prefix: tuple[str, ...] = ()
    """A program to run it under."""


OURS = Kind("outstation", "bench.serve_outstation")
HAT = Kind("hat-drivers", "bench.serve_hat")
CEILING = Kind("asyncio alone", "bench.ceiling")
C104 = Kind("c104", "bench.serve_c104", gap_s=(0.002, 0.202), share=0.2)


@dataclass
class Subject:
    """A running server. `port` is where it listens."""

    kind: Kind
    arguments: tuple[str, ...] = ()
    port: int = field(init=False)
    pid: int = field(init=False)
    began: float = field(init=False)
    """CLOCK_MONOTONIC seconds just before the process was made."""
    context: ssl.SSLContext | None = None
    """What a master needs to get in, if the server speaks TLS."""

    def __post_init__(self) -> None:
        command = [*self.kind.prefix, sys.executable, "-m", self.kind.module, *self.arguments]
        self.began = time.monotonic()
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self._process.pid
        self.port = self.answer()["port"]

    def set(self) -> None:
        """Change the single point."""
        self.tell("set")

    def ask(self, line: str) -> Any:
        """Send a line and wait for its answer."""
        self.tell(line)
        return self.answer()

    def stop(self) -> None:
        """End it in good order."""
        self.tell("quit")
        self._process.wait(60)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait(60)

    def tell(self, line: str) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        os.write(self._process.stdin.fileno(), line.encode() + b"\n")

    def answer(self) -> Any:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.kind.name} ended with code {self._process.wait()}")
        return json.loads(line)


def answer(what: object) -> None:
    """In the child: one line to the parent."""
    os.write(1, json.dumps(what).encode() + b"\n")


def facts(**more: object) -> dict[str, object]:
    """In the child: what every server can say of itself."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        "rss_mb": pages * resource.getpagesize() / 1e6,
        "processor_s": time.process_time(),
        **more,
    }
