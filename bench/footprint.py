"""How much memory a station of many points holds once it serves: `rtu run` on its file, beside two peers."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from . import daemon, process, station
from .certificates import master_context
from .master import Master
from .report import Row, Spread, Table
from .subject import C104, HAT, OURS

SIZES = (1_000, 10_000)


def run(quick: bool) -> list[Table]:
    rounds = 1 if quick else 3
    table = Table(
        "Memory",
        "MiB, half of the points single points and half measured values, one master started; "
        f"median and ends of {rounds}. Resident counts what is shared with other processes too (the interpreter, libraries). "
        "Wanted, resident: 32 with 1,000 points and 40 with 10,000. hat-drivers has no points; its figure is the library.",
    )
    for points in SIZES:
        found: dict[str, list[process.Memory]] = {}
        for _ in range(rounds):
            with daemon.running(points) as ours:
                found.setdefault(f"{OURS.name}, plain", []).append(_served(ours.pid, ours.port))
            with daemon.running(points, tls="P-256") as ours:
                context = master_context(ours.where)
                with contextlib.closing(Master(ours.port, context=context)) as master:
                    master.settle(0.3)
                    found.setdefault(f"{OURS.name}, TLS", []).append(process.memory(ours.pid))
            for kind in (HAT, C104):
                with station.running(replace(kind, arguments=(str(points // 2),))) as peer:
                    found.setdefault(kind.name, []).append(_served(peer.pid, peer.port))
        table.rows += [_row(server, points, each) for server, each in found.items()]
    return [table]


def _served(pid: int, port: int) -> process.Memory:
    with contextlib.closing(Master(port)) as master:
        master.settle(0.3)
        return process.memory(pid)


def _row(server: str, points: int, found: list[process.Memory]) -> Row:
    return {
        "server": server,
        "points": points,
        "resident": Spread.of(each.resident for each in found),
        "proportional": Spread.of(each.proportional for each in found),
    }
