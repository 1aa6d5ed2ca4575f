"""A master that stands while 500 connections at a time want nothing good; and masters that share one address."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from . import daemon, process
from .certificates import master_context
from .flood import TOGETHER
from .master import Master
from .report import Row, Table, percentile
from .subject import ROOT

POINTS = 100
ALLOWED = tuple(f"127.0.2.{n}" for n in range(1, 9))
UNLISTED = tuple(f"127.9.0.{n}" for n in range(1, 9))
APART_S = 0.002
MASTERS = 4
OWN, SHARED = ("127.0.3.1", "127.0.3.2", "127.0.3.3", "127.0.3.4"), ("127.0.3.9",) * MASTERS

_PLAIN = """
[listen.plain]
address = "127.0.0.1"
port = {port}

[[master]]
name = "tunnel"
from = ["127.0.0.0/16"]
"""


def run(quick: bool) -> list[Table]:
    seconds, times = (2.0, 3) if quick else (10.0, 20)
    with _station() as (ours, plain):
        return [_floods(ours, plain, seconds), _together(ours, times)]


@contextlib.contextmanager
def _station() -> Iterator[tuple[daemon.Daemon, int]]:
    """With both doors; the port of the plain one too."""
    with daemon.prepared(POINTS, tls="P-256") as (where, port):
        plain = daemon.free_port()
        file = where / "station.toml"
        file.write_text(file.read_text(encoding="utf-8") + _PLAIN.format(port=plain), encoding="utf-8")
        ours = daemon.Daemon(where, port)
        try:
            ours.until_listening()
            yield ours, plain
        finally:
            ours.stop()


def _floods(ours: daemon.Daemon, plain: int, seconds: float) -> Table:
    table = Table(
        "Floods",
        f"Milliseconds from a TESTFR to its confirmation on a TLS session that stands, {seconds:g} s each, and what the "
        f"station's memory grew to, MiB. A flood is {TOGETHER} connections at a time from {len(ALLOWED)} addresses, by another process on the "
        "same processors: opened in all, and how many of them the station closed. Wanted: no stall above 200 ms.",
    )
    master = Master(ours.port, context=master_context(ours.where, "watcher"))
    master.settle(0.3)
    table.rows.append(_row("none", "", *_tested(master, ours, seconds), {}))
    for kind, door in (
        ("silent", "tls"),
        ("hello", "tls"),
        ("drip", "tls"),
        ("silent", "plain"),
        ("drip", "plain"),
    ):
        for where, sources in (("allowed", ALLOWED), ("unlisted", UNLISTED)):
            port = ours.port if door == "tls" else plain
            with _flood(kind, port, sources) as counts:
                found = _tested(master, ours, seconds)
            table.rows.append(_row(f"{kind}, {door}", where, *found, counts))
    master.close()
    return table


def _row(flood: str, source: str, took: list[int], resident: float, counts: dict[str, int]) -> Row:
    return {
        "flood": flood,
        "from": source,
        "p50": percentile(took, 0.5) / 1e6,
        "p99": percentile(took, 0.99) / 1e6,
        "longest": took[-1] / 1e6,
        "resident": resident,
        "opened": counts.get("opened"),
        "closed": counts.get("closed"),
    }


def _tested(master: Master, ours: daemon.Daemon, seconds: float) -> tuple[list[int], float]:
    """How long each test took, sorted, nanoseconds; and the most memory seen."""
    took, resident, until = [], 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        took.append(round(master.test() * 1e9))
        if len(took) % 100 == 0:
            resident = max(resident, process.memory(ours.pid).resident)
        time.sleep(APART_S)
    return sorted(took), max(resident, process.memory(ours.pid).resident)


@contextlib.contextmanager
def _flood(kind: str, port: int, sources: Sequence[str]) -> Iterator[dict[str, int]]:
    counts: dict[str, int] = {}
    command = [sys.executable, "-m", "bench.flood", kind, str(port), *sources]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        yield counts
        child.stdin.close()
        counts.update(json.loads(child.stdout.readline()))


def _together(ours: daemon.Daemon, times: int) -> Table:
    table = Table(
        "Masters behind one address",
        f"Milliseconds until {MASTERS} masters that come at the same moment are all started, {times} times. "
        "One address has one turn at a handshake, so those behind it come in one after another.",
    )
    context = master_context(ours.where)
    for name, sources in (("one of each", OWN), ("one of all", SHARED)):
        took = sorted(_arrival(ours.port, context, sources) for _ in range(times))
        table.rows.append(
            {"addresses": name, "median": statistics.median(took), "least": took[0], "most": took[-1]}
        )
    return table


def _arrival(port: int, context: object, sources: Sequence[str]) -> float:
    def come(source: str) -> None:
        masters.append(Master(port, context=context, source=source))  # type: ignore[arg-type]

    masters: list[Master] = []
    coming = [threading.Thread(target=come, args=(source,)) for source in sources]
    began = time.monotonic()
    for each in coming:
        each.start()
    for each in coming:
        each.join()
    took = (time.monotonic() - began) * 1e3
    if len(masters) != len(sources):
        raise RuntimeError(f"only {len(masters)} of {len(sources)} masters were let in")
    for master in masters:
        master.close()
    return took
