"""A trail on a disk, with virtual time and a thread that works when it is told to."""

from __future__ import annotations

import json
import logging
from collections import deque
from pathlib import Path

from rtu.clock import VirtualClock
from rtu.security.audit.chain import files
from rtu.security.audit.chain_file import ChainFile
from rtu.security.audit.trail import Audit

MAX_OCTETS = 1_048_576


class Thread:
    """Stands for the thread: does its work at once, or later if it `hangs`."""

    def __init__(self) -> None:
        self.hangs = False
        self._work = deque()

    def submit(self, work, done, failed):
        self._work.append((work, done, failed))
        if not self.hangs:
            self.run()

    def run(self):
        self.hangs = False
        while self._work:
            work, done, failed = self._work.popleft()
            try:
                result = work()
            except Exception as error:
                failed(error)
            else:
                done(result)


class Trail:
    """One life of a station, as far as its trail is concerned. `heard` is what the log took, or None if it takes nothing."""

    def __init__(self, directory: Path, max_octets: int = MAX_OCTETS) -> None:
        self.clock = VirtualClock()
        self.thread = Thread()
        self.heard: list[dict] | None = []
        self.chain = ChainFile(directory, max_octets, self.clock, self.thread)
        logger = logging.Logger("rtu.audit.test")
        logger.addHandler(_Heard(self))
        self.audit = Audit(self.clock, chain=self.chain, logger=logger)
        self.record = self.audit.record

    def commands(self, count: int, **fields: object) -> None:
        for number in range(count):
            assert self.record("command.execute", who="scada", number=number, **fields)

    def end(self) -> None:
        """In order."""
        self.audit.close("SIGTERM")

    def die(self) -> None:
        """As by kill -9: what the kernel has stays, nothing else is written."""
        self.chain.append = lambda line, head: False
        self.chain.close()


class _Heard(logging.Handler):
    def __init__(self, trail: Trail) -> None:
        super().__init__()
        self._trail = trail

    def emit(self, record: logging.LogRecord) -> None:
        if self._trail.heard is None:
            raise OSError
        self._trail.heard.append(record.__dict__["audit"])


def lines(directory: Path) -> list[bytes]:
    return [line for path in files(directory) for line in path.read_bytes().splitlines()]


def records(directory: Path) -> list[dict]:
    return [json.loads(line) for line in lines(directory) if line.startswith(b"{")]


def events(directory: Path) -> list[str]:
    return [record["event"] for record in records(directory)]
