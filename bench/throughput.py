"""How many events go through: to one master and to four, each of which acknowledges (k = 12, w = 8), and how many get lost.

The events are changes of single points with their time. The master knows which must come: in turn through the points,
on in one round and off in the next.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from .master import Master
from .report import Spread, Table
from .station import running
from .subject import C104, CEILING, EVENT_IOA, EVENT_POINTS, HAT, OURS, Kind, Subject

QUIET_S = 2.0
"""Nothing for so long: nothing more comes."""
AFTERWARDS_S = 0.5
"""Time for what is left to do when all was delivered: the journal."""
OFFERED = 100_000


@dataclass
class Delivery:
    """What became of one burst, over all masters."""

    seconds: float
    received: int
    in_order: bool
    processor_s: float


def run(quick: bool) -> list[Table]:
    offered, rounds = (20_000, 2) if quick else (OFFERED, 5)
    return [_table(offered, rounds, 1), _table(offered // 2, max(1, rounds - 2), 4)]


def _table(offered: int, rounds: int, masters: int) -> Table:
    ceilings = [
        replace(
            CEILING, name=f"{CEILING.name}, 22 events an APDU", arguments=("packed", f"events={offered}")
        ),
        replace(CEILING, name=f"{CEILING.name}, 1 event an APDU", arguments=(f"events={offered}",)),
    ]
    kinds = [replace(OURS, arguments=(f"masters={masters}",)), HAT, C104, *ceilings]
    found: dict[Kind, list[Delivery]] = {kind: [] for kind in kinds}
    with contextlib.ExitStack() as stack:
        subjects = [stack.enter_context(running(kind)) for kind in kinds]
        for _ in range(rounds):
            for subject in subjects:
                found[subject.kind].append(burst(subject, offered, masters))
    who = "one master" if masters == 1 else f"{masters} masters, all of them to each, the sum"
    table = Table(
        f"Events per second, {who}",
        f"{offered:,} time-tagged events as fast as they are taken, from the first change to the last frame; median and "
        f"ends of {rounds} rounds in turn; processor time is the server's, for each event delivered, its journal included. "
        + ("Wanted: 150,000 and 7 us." if masters == 1 else "Wanted: 300,000, none lost."),
    )
    for kind, deliveries in found.items():
        table.rows.append(
            {
                "server": kind.name,
                "events per s": Spread.of(each.received / each.seconds for each in deliveries),
                "processor, us per event": Spread.of(
                    each.processor_s / max(1, each.received) * 1e6 for each in deliveries
                ),
                "lost, %": 100
                * (1 - sum(each.received for each in deliveries) / (rounds * offered * masters)),
                "order": "kept" if all(each.in_order for each in deliveries) else "not kept",
            }
        )
    table.add_ratio("events per s")
    return table


def burst(subject: Subject, offered: int, count: int) -> Delivery:
    """One burst to so many masters that have just come, counted and checked."""
    masters = [Master(subject.port, source=f"127.0.0.{1 + each}") for each in range(count)]
    for master in masters:
        master.settle(0.2)
    spent = subject.ask("facts")["processor_s"]
    began = last = time.monotonic()
    subject.tell(f"events {offered}")
    received = _gather(masters, offered * count)
    last = received.last
    subject.answer()
    for master in masters:
        with contextlib.suppress(ConnectionError):
            master.acknowledge()
    time.sleep(AFTERWARDS_S)
    spent = subject.ask("facts")["processor_s"] - spent
    in_order = all(_in_order(list(master.gathered())) for master in masters)
    for master in masters:
        master.close()
    return Delivery(last - began, received.count, in_order, spent)


@dataclass
class _Received:
    count: int
    last: float


def _gather(masters: Sequence[Master], expected: int) -> _Received:
    received = _Received(0, time.monotonic())
    open_ones = list(masters)
    while received.count < expected and open_ones:
        ready = select.select(open_ones, [], [], QUIET_S)[0]
        if not ready:
            break
        for master in ready:
            try:
                received.count += master.gather()
            except ConnectionError:  # a server that gives the master up
                open_ones.remove(master)
        received.last = time.monotonic()
    return received


def _in_order(events: list[tuple[int, int]]) -> bool:
    """Whether none is missing between two others, none comes twice, and none out of its turn."""
    expected = chain.from_iterable(
        ((EVENT_IOA + place, 1 - lap % 2) for place in range(EVENT_POINTS)) for lap in range(len(events))
    )
    return all(event == wanted for event, wanted in zip(events, expected, strict=False))
