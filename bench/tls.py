"""Mutual TLS 1.3: how long a master takes to be served, and how long others wait while it shakes hands."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

from . import daemon, station
from .certificates import Keys, certificates, master_context
from .master import Master
from .report import Spread, Table
from .subject import CEILING, OURS, ROOT

POINTS = 100
APART_S = 0.05
TOGETHER = 4


def run(quick: bool) -> list[Table]:
    count, rounds = (10, 1) if quick else (40, 3)
    connecting = Table(
        "Connect and STARTDT over mutual TLS 1.3",
        f"Milliseconds from the first octet of TCP to STARTDT confirmed, {count * rounds} times, {APART_S * 1e3:g} ms apart, in "
        "turn. asyncio alone uses one context for all and looks at no certificate after TLS has. Wanted: 9 ms with P-256.",
    )
    stall = Table(
        "Another session while masters shake hands",
        f"Milliseconds from a TESTFR to its confirmation on a TLS session that stands, alone and while another process "
        f"connects {TOGETHER} masters at a time, from an address each; the longest is the longest stall, the machine's own pauses included. "
        f"Median and ends of {rounds} rounds. Wanted: no stall above 20 ms.",
    )
    for keys in get_args(Keys):
        with contextlib.ExitStack() as stack:
            ours = stack.enter_context(daemon.running(POINTS, tls=keys))
            bare = stack.enter_context(_bare(keys))
            context = master_context(ours.where)
            servers = {OURS.name: (ours.port, context), CEILING.name: (bare[0], master_context(bare[1]))}
            took: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(count * rounds):
                for name, (port, with_context) in servers.items():
                    began = time.monotonic()
                    Master(port, context=with_context).close()
                    took[name].append((time.monotonic() - began) * 1e3)
                    time.sleep(APART_S)
            for name, each in took.items():
                each.sort()
                connecting.rows.append(
                    {
                        "server": name,
                        "keys": keys,
                        "median": statistics.median(each),
                        "p95": each[int(0.95 * len(each))],
                        "least": each[0],
                        "most": each[-1],
                    }
                )
            alone, beside = [], []
            for _ in range(rounds):
                alone.append(_tested(ours, count))
                beside.append(_tested(ours, count, knocking=True))
            for name, found in (("alone", alone), ("beside handshakes", beside)):
                stall.rows.append(
                    {
                        "session": name,
                        "keys": keys,
                        "median": Spread.of(statistics.median(each) for each in found),
                        "p99": Spread.of(each[int(0.99 * len(each))] for each in found),
                        "longest": Spread.of(each[-1] for each in found),
                    }
                )
    return [connecting, stall]


@contextlib.contextmanager
def _bare(keys: Keys) -> Iterator[tuple[int, Path]]:
    with station.directory() as where:
        certificates(where, keys)
        with station.running(replace(CEILING, arguments=(str(where),))) as bare:
            yield bare.port, where


def _tested(ours: daemon.Daemon, count: int, *, knocking: bool = False) -> list[float]:
    """Milliseconds each test of a standing session took, sorted, for as long as the other process knocks or would."""
    master = Master(ours.port, context=master_context(ours.where, "watcher"))
    master.settle(0.3)
    command = [
        sys.executable,
        "-m",
        "bench.knock",
        str(ours.port if knocking else 0),
        str(ours.where),
        str(count),
    ]
    knocker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert knocker.stdout is not None
    knocker.stdout.readline()  # it is ready, and its own start disturbs nobody any more
    found = []
    while knocker.poll() is None:
        found.append(master.test() * 1e3)
        time.sleep(0.0005)
    master.close()
    return sorted(found)
