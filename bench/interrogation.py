"""A station interrogation of many points, from the request to its termination, and whether it was whole."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace

from .master import Master, Silence, objects
from .report import Spread, Table
from .station import running
from .subject import C104, CA, HAT, OURS, Kind

ACTTERM = 10
TOLD = (1, 13)
"""M_SP_NA_1 and M_ME_NC_1."""


@dataclass
class Telling:
    """One interrogation; `ended` is whether its termination came."""

    seconds: float
    frames: int
    told: int
    octets: int
    ended: bool


def run(quick: bool) -> list[Table]:
    each, rounds = (1_000, 3) if quick else (10_000, 11)
    kinds = [replace(OURS, arguments=(f"points={each}",)), replace(HAT, arguments=(str(each),))]
    kinds.append(replace(C104, arguments=(str(each),)))
    found: dict[Kind, list[Telling]] = {kind: [] for kind in kinds}
    with contextlib.ExitStack() as stack:
        pairs = []
        for kind in kinds:
            subject = stack.enter_context(running(kind))
            master = Master(subject.port)
            stack.callback(master.close)
            master.settle(0.3)
            pairs.append((kind, master))
        for _ in range(rounds):
            for kind, master in pairs:
                found[kind].append(interrogate(master))
                for _, idle in pairs:
                    idle.settle(0.001)
    table = Table(
        "Station interrogation",
        f"{each:,} single points and {each:,} short floats, median and ends of {rounds} in turn. "
        "Wanted, with 10,000 each: 8 ms, 290 APDUs, always whole.",
    )
    for kind, tellings in found.items():
        table.rows.append(
            {
                "server": kind.name,
                "ms": Spread.of(each.seconds * 1e3 for each in tellings),
                "frames": Spread.of(each.frames for each in tellings).median,
                "octets": Spread.of(each.octets for each in tellings).median,
                "whole": f"{sum(one.ended and one.told == 2 * each for one in tellings)} of {rounds}",
                "objects, least": min(each.told for each in tellings),
            }
        )
    table.add_ratio("ms")
    return [table]


def interrogate(master: Master) -> Telling:
    """From the request to its termination, or until nothing came for a while."""
    before = master.octets
    frames = told = 0
    began = time.monotonic()
    master.interrogate(CA)
    try:
        while True:
            for asdu in master.asdus(3.0)[1]:
                frames += 1
                if asdu[0] in TOLD:
                    told += objects(asdu)
                elif asdu[0] == 100 and asdu[2] & 0x3F == ACTTERM:
                    return Telling(time.monotonic() - began, frames, told, master.octets - before, True)
    except Silence:
        return Telling(time.monotonic() - began, frames, told, master.octets - before, False)
