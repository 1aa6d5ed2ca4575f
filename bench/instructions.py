"""How many instructions things take, counted by valgrind: what does not depend on the machine, and so scales to another.

Each figure is the difference of two runs of the whole server, one with the work and one without. A small board is told
from it by its clock and by how many instructions it gets done in a cycle, which is an estimate, not a measurement.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import daemon, station
from .interrogation import interrogate
from .master import Master
from .report import Table
from .startup import first_master
from .subject import OURS, Subject
from .throughput import burst

PER_SECOND = 1.2e9
"""Of a Raspberry Pi 4: 1.5 GHz, and 0.8 instructions a cycle, as interpreters get there. An assumption."""
_COUNT = re.compile(r"I\s+refs:\s+([\d,]+)")


def run(quick: bool) -> list[Table]:
    table = Table(
        "Instructions",
        "Counted by valgrind (cachegrind), user space only, start-up of 1,000 points apart. Raspberry Pi 4: estimated from "
        f"these at {PER_SECOND / 1e9:g} thousand million a second, not measured.",
    )
    if shutil.which("valgrind") is None:
        table.note += " valgrind is not installed: nothing was counted."
        return [table]
    events, times, points = (2_000, 2, 1_000) if quick else (20_000, 5, 10_000)
    nothing = _counted((), lambda subject: Master(subject.port).close())
    took = _counted((), lambda subject: burst(subject, events, 1)) - nothing
    _add(table, "an event, from its change to its acknowledgement and off the journal", took / events)
    arguments = (f"points={points}",)
    nothing = _counted(arguments, _interrogations(0))
    took = _counted(arguments, _interrogations(times)) - nothing
    _add(table, f"an interrogation of 2 x {points:,} points", took / times)
    with daemon.prepared(1_000) as (where, port), tempfile.NamedTemporaryFile("r") as log:
        started = daemon.Daemon(where, port, prefix=_valgrind(log.name))
        first_master(port).close()
        started.stop()
        _add(table, "rtu run with 1,000 points, from start to stop", _read(log.name))
    return [table]


def _counted(arguments: tuple[str, ...], work: Callable[[Subject], object]) -> int:
    """The server's instructions, from its start to its end."""
    with tempfile.NamedTemporaryFile("r") as log:
        with station.running(replace(OURS, arguments=arguments, prefix=_valgrind(log.name))) as subject:
            work(subject)
        return _read(log.name)


def _interrogations(times: int) -> Callable[[Subject], None]:
    def work(subject: Subject) -> None:
        with contextlib.closing(Master(subject.port)) as master:
            master.settle(1.0)
            for _ in range(times):
                interrogate(master)

    return work


def _valgrind(log: str) -> tuple[str, ...]:
    return (
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
        f"--log-file={log}",
    )


def _read(log: str) -> int:
    found = _COUNT.search(Path(log).read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"valgrind counted nothing: {Path(log).read_text(encoding='utf-8')}")
    return int(found[1].replace(",", ""))


def _add(table: Table, what: str, count: float) -> None:
    table.rows.append(
        {"what": what, "instructions": round(count), "Raspberry Pi 4, estimated ms": count / PER_SECOND * 1e3}
    )
