"""How much goes through: spontaneous events to a master that acknowledges (k = 12, w = 8), and an interrogation."""

from __future__ import annotations

import time

from .master import Master, Silence, objects, words
from .report import Table
from .station import running
from .subject import C104, CA, HAT, OURS

QUIET_S = 3.0
ACTTERM = 10


def run(quick: bool) -> list[Table]:
    return [_events(10_000 if quick else 100_000), _interrogation(1_000 if quick else 10_000)]


def _events(offered: int) -> Table:
    table = Table(
        "Events per second",
        f"{offered:,} time-tagged events to one acknowledging master, from the first change to the last frame; "
        "processor time is the server's.",
    )
    for kind in (OURS, HAT, C104):
        with running(kind) as subject:
            master = Master(subject.port)
            master.settle(0.3)
            octets = master.octets
            spent = subject.ask("facts")["processor_s"]
            began = last = time.monotonic()
            subject.tell(f"burst {offered}")
            received = frames = 0
            try:
                while received < offered:
                    for asdu in master.asdus(QUIET_S)[1]:
                        count = sum(1 for _ in words(asdu))
                        received += count
                        frames += count > 0
                    last = time.monotonic()
            except (Silence, ConnectionError):  # it has no more to tell, or gives the master up
                pass
            subject.answer()
            spent = subject.ask("facts")["processor_s"] - spent
            table.rows.append(
                {
                    "server": kind.name,
                    "offered": offered,
                    "received": received,
                    "events per s": received / (last - began),
                    "processor, us per event offered": spent / offered * 1e6,
                    "frames": frames,
                    "octets per event": (master.octets - octets) / max(1, received),
                }
            )
            master.close()
    _ratio(table, "events per s")
    return table


def _interrogation(points: int) -> Table:
    table = Table(
        "Station interrogation",
        f"{points:,} short floats (M_ME_NC_1), from the request to its termination; median of five.",
    )
    for kind in (OURS, HAT, C104):
        argument = f"floats={points}" if kind is OURS else str(points)
        with running(kind, argument) as subject:
            master = Master(subject.port)
            master.settle(0.3)
            results = sorted(_interrogate(master) for _ in range(5))
            seconds, frames, told, octets = results[2]
            table.rows.append(
                {
                    "server": kind.name,
                    "objects": told,
                    "ms": seconds * 1e3,
                    "frames": frames,
                    "octets": octets,
                }
            )
            master.close()
    _ratio(table, "ms")
    return table


def _interrogate(master: Master) -> tuple[float, int, int, int]:
    """Seconds, frames and objects of type 13, and octets of everything."""
    before = master.octets
    frames = told = 0
    began = time.monotonic()
    master.interrogate(CA)
    while True:
        for asdu in master.asdus(10.0)[1]:
            if asdu[0] == 13:
                frames += 1
                told += objects(asdu)
            elif asdu[0] == 100 and asdu[2] & 0x3F == ACTTERM:
                return time.monotonic() - began, frames, told, master.octets - before


def _ratio(table: Table, column: str) -> None:
    """Add how every server compares with ours in this column."""
    ours = table.rows[0][column]
    table.rows = [{**row, f"{column} / ours": _number(row[column]) / _number(ours)} for row in table.rows]


def _number(cell: object) -> float:
    assert isinstance(cell, int | float)
    return cell
