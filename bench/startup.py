"""From the start of the process to the first STARTDT confirmed, and what the process then costs while nothing happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from . import daemon, process, station
from .master import Master
from .report import Spread, Table
from .subject import C104, HAT, OURS, Kind

POINTS = 1_000
SETTLED_S = 2.0
RETRY_S = 0.001
PATIENCE_S = 30.0


@dataclass
class Start:
    """One start: seconds until STARTDT was confirmed, of the processor until then, and the idle share."""

    seconds: float
    processor_s: float
    idle: float


@dataclass
class _Process:
    pid: int
    port: int
    began: float


def run(quick: bool) -> list[Table]:
    rounds, idle_s = (2, 2.0) if quick else (7, 5.0)
    servers = {f"{OURS.name}, rtu run": _ours, HAT.name: _peer(HAT), C104.name: _peer(C104)}
    found: dict[str, list[Start]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, begin in servers.items():
            with begin() as server:
                found[name].append(_measure(server, idle_s))
    table = Table(
        "Start and rest",
        f"{POINTS:,} points, half of them single points and half measured values, from the start of the process to STARTDT "
        f"confirmed; then {idle_s:g} s with one started master and no change. Our station reads its 1,000 inputs once a "
        f"second meanwhile. Median and ends of {rounds} in turn. Wanted: 300 ms and 0.2 %.",
    )
    for name, starts in found.items():
        table.rows.append(
            {
                "server": name,
                "ms": Spread.of(each.seconds * 1e3 for each in starts),
                "processor, ms": Spread.of(each.processor_s * 1e3 for each in starts),
                "idle, % of a core": Spread.of(each.idle * 100 for each in starts),
            }
        )
    return [table]


@contextlib.contextmanager
def _ours() -> Iterator[_Process]:
    with daemon.prepared(POINTS) as (where, port):
        ours = daemon.Daemon(where, port)
        try:
            yield _Process(ours.pid, port, ours.began)
        finally:
            ours.stop()


def _peer(kind: Kind) -> Callable[[], contextlib.AbstractContextManager[_Process]]:
    @contextlib.contextmanager
    def begin() -> Iterator[_Process]:
        with station.running(replace(kind, arguments=(str(POINTS // 2),))) as peer:
            yield _Process(peer.pid, peer.port, peer.began)

    return begin


def _measure(server: _Process, idle_s: float) -> Start:
    master = first_master(server.port)
    seconds, spent = time.monotonic() - server.began, process.processor_s(server.pid)
    master.settle(SETTLED_S)
    before = process.processor_s(server.pid)
    time.sleep(idle_s)
    idle = (process.processor_s(server.pid) - before) / idle_s
    master.close()
    return Start(seconds, spent, idle)


def first_master(port: int) -> Master:
    """The first that gets in, tried again until then."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Master(port)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)
