"""Events while no master is connected: how many reach it later, in order, each with its number intact.

Then the same for our station with SIGKILL between the events and the master: what had been committed must come back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .master import Master, Silence, words
from .report import Row, Table
from .station import directory, running
from .subject import C104, HAT, OURS, Subject

QUIET_S = 3.0


@dataclass
class Delivery:
    """What a master got, by the numbers the events carry."""

    numbers: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def in_order(self) -> bool:
        """Each number greater than the one before: none twice, none out of place."""
        return all(a < b for a, b in zip(self.numbers, self.numbers[1:], strict=False))


def run(quick: bool) -> list[Table]:
    offered = 10_000 if quick else 100_000
    away = Table(
        "Events while the master is away",
        f"{offered:,} numbered events offered as fast as they are taken, then a master connects (k = 12, w = 8).",
    )
    for kind in (OURS, HAT, C104):
        with running(kind) as subject:
            before = subject.ask("facts")["rss_mb"]
            began = time.monotonic()
            subject.ask(f"burst {offered}")
            took = time.monotonic() - began
            memory = subject.ask("facts")["rss_mb"]
            delivery = collect(subject, offered)
            away.rows.append(
                {
                    "server": kind.name,
                    "offered": offered,
                    "survived": len(set(delivery.numbers)),
                    "order": _order(delivery),
                    "offered in s": took,
                    "drained in s": delivery.seconds or None,
                    "RSS before, MB": before,
                    "RSS after, MB": memory,
                }
            )
    return [
        away,
        Table(
            "The same, killed before the master connects",
            _KILLED,
            [_killed(offered, 0.0), _killed(offered, 1.0)],
        ),
    ]


_KILLED = (
    "SIGKILL so long after the last event, then a new process on the same directory. `committed` is what the store had "
    "confirmed the moment before; everything up to it must come back."
)


def _killed(offered: int, after_s: float) -> Row:
    with directory() as where:
        subject = Subject(OURS, (str(where),))
        subject.ask(f"burst {offered}")
        time.sleep(after_s)
        committed = subject.ask("facts")["committed"]
        subject.kill()
        began = time.monotonic()
        subject = Subject(OURS, (str(where),))
        started = time.monotonic() - began
        delivery = collect(subject, offered)
        subject.stop()
    return {
        "server": OURS.name,
        "killed after s": after_s,
        "offered": offered,
        "committed": committed,
        "survived": len(set(delivery.numbers)),
        "committed and lost": len(set(range(1, committed + 1)) - set(delivery.numbers)),
        "order": _order(delivery),
        "restarted in s": started,
        "drained in s": delivery.seconds,
    }


def collect(subject: Subject, at_most: int) -> Delivery:
    """Connect and take events until there are so many, or nothing comes any more."""
    delivery = Delivery()
    master = Master(subject.port)
    began = time.monotonic()
    try:
        while len(delivery.numbers) < at_most:
            for asdu in master.asdus(QUIET_S)[1]:
                delivery.numbers += words(asdu)
            delivery.seconds = time.monotonic() - began
    except Silence:
        pass
    master.settle(0.1)
    master.close()
    return delivery


def _order(delivery: Delivery) -> str:
    if not delivery.numbers:
        return "-"
    return "kept" if delivery.in_order else "not kept"
