"""Set to wire: from just before a server is given a new value to the octets of its I frame at the master.

Both moments are CLOCK_MONOTONIC of one machine. The master asks for one change at a time and waits a random while
after each, so nothing queues. The servers take turns in many short rounds, so all see the same disturbances.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import replace

from .master import Master
from .report import Table, percentile
from .station import running
from .subject import C104, CEILING, HAT, OURS, Kind, Subject

PLAIN = Kind(f"{OURS.name}, plain", OURS.module)
SUBJECTS = (
    PLAIN,
    Kind(f"{OURS.name}, TLS", OURS.module, ("tls",)),
    Kind(f"{OURS.name}, plain, from a GPIO edge", OURS.module, ("edge",)),
    HAT,
    C104,
    CEILING,
)
WARM_UP = 50


def run(quick: bool) -> list[Table]:
    samples, rounds = (200, 4) if quick else (2000, 40)
    return [
        _measure(
            "Set to wire",
            "Microseconds from just before the value is set to its I frame at the master, events 2..8 ms apart "
            "(c104: 2..202 ms, because it sends on a tick). Wanted: 250 us, and a p99 under four times that of asyncio alone.",
            SUBJECTS,
            samples,
            rounds,
        ),
        _measure(
            "Set to wire, busy",
            "The same with 0..0.2 ms between events: the caches are warm and the processor is awake.",
            tuple(replace(kind, gap_s=(0.0, 0.0002)) for kind in (PLAIN, HAT, CEILING)),
            samples,
            rounds,
        ),
    ]


def _measure(name: str, note: str, kinds: Sequence[Kind], samples: int, rounds: int) -> Table:
    """All kinds in turn, in one table; the first is what the others are compared with."""
    latencies: dict[Kind, list[int]] = {kind: [] for kind in kinds}
    with contextlib.ExitStack() as stack:
        pairs = []
        for kind in kinds:
            subject = stack.enter_context(running(kind))
            master = Master(subject.port, acknowledge_every=1, context=subject.context)
            stack.callback(master.close)
            master.settle(0.3)
            pairs.append((subject, master))
        for turn in range(rounds + 1):
            for subject, master in pairs:
                wanted = WARM_UP if turn == 0 else samples // rounds
                found = _round(subject, master, max(1, round(wanted * subject.kind.share)))
                if turn:
                    latencies[subject.kind] += found
                for _, idle in pairs:
                    idle.settle(0.001)
    reference = percentile(sorted(latencies[kinds[0]]), 0.5)
    table = Table(name, note)
    for kind, found in latencies.items():
        found.sort()
        p50, p95, p99 = (percentile(found, share) for share in (0.5, 0.95, 0.99))
        table.rows.append(
            {
                "server": kind.name,
                "samples": len(found),
                "p50": p50 / 1e3,
                "p95": p95 / 1e3,
                "p99": p99 / 1e3,
                "max": found[-1] / 1e3,
                "p50 / ours": p50 / reference,
            }
        )
    return table


def _round(subject: Subject, master: Master, count: int) -> list[int]:
    """So many changes, one at a time; nanoseconds each took."""
    received = []
    for _ in range(count):
        time.sleep(random.uniform(*subject.kind.gap_s))
        subject.set()
        while True:
            stamp, asdus = master.asdus(5.0)
            if asdus:
                break
        if len(asdus) != 1:
            raise RuntimeError(f"{subject.kind.name} sent {len(asdus)} ASDUs for one change")
        received.append(stamp)
    stamps = subject.ask("stamps")
    if len(stamps) != count:
        raise RuntimeError(f"{subject.kind.name} took {len(stamps)} changes instead of {count}")
    return [after - before for before, after in zip(stamps, received, strict=True)]
