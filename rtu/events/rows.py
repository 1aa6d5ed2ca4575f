"""The plain data of the event log: what is kept in memory, and what goes to the store and comes back.

A *row* is one event as it goes on the wire. Rows live in two *streams*, each with its own sequence numbers and its
own capacity: states (with counters), and those measured values of which every change is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from rtu.iec104.asdu import HEADER_SIZE, MAX_ASDU, pack_header, pack_ioa

STATES = 0
MEASURED = 1
STREAMS = (STATES, MEASURED)


class Row(msgspec.Struct, frozen=True, gc=False):
    """One event. `octets` are the information elements and the time tag, made once and never again."""

    seq: int
    type_id: int
    ca: int
    ioa: int
    octets: bytes
    cot: int
    originator: int
    group: str  # the redundancy group `originator` belongs to
    address_index: int  # its address's place in the image


class Gap(msgspec.Struct, array_like=True):
    """Rows one group lost: `count` of them, the first at `first`, the last at or before `last`.

    `asdus` is None until the gap is told for the first time, and fixed from then on; the first `done` of them
    have been acknowledged.
    """

    first: int
    last: int
    count: int
    asdus: list[bytes] | None = None
    done: int = 0


class CursorState(msgspec.Struct, array_like=True):
    """One group's place in one stream: rows up to `acked` are acknowledged, `lost` were dropped, ever."""

    acked: int
    lost: int = 0
    gaps: list[Gap] = []


class Lane(Protocol):
    """One of the sources a group sends from; acknowledgements are cumulative within a lane."""

    def acknowledge(self, number: int) -> None: ...


class Batch(NamedTuple):
    """An ASDU to send now, and what to hand to `Group.acknowledge` once N(R) covers it."""

    asdu: bytes
    token: tuple[Lane, int]


def owes(seq: int, acked: int, gaps: Iterable[Gap]) -> bool:
    """Whether a cursor that is at `acked` with these gaps has still to deliver row `seq`."""
    return seq > acked and not any(gap.first <= seq <= gap.last for gap in gaps)


Scalar = int | float | str | bytes
CursorKey = tuple[str, int]  # group name, stream


@dataclass(slots=True)
class Restored:
    """What a store held when it was opened."""

    rows: dict[int, list[Row]] = field(default_factory=lambda: {stream: [] for stream in STREAMS})
    heads: dict[int, int] = field(default_factory=lambda: dict.fromkeys(STREAMS, 0))
    cursors: dict[CursorKey, CursorState] = field(default_factory=dict)
    last_states: dict[str, tuple[float, int]] = field(default_factory=dict)  # name -> value, quality
    counters: dict[str, float] = field(default_factory=dict)  # name -> running total
    meta: dict[str, Scalar] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """One transaction of the store. With `replace`, everything the file held before is forgotten."""

    replace: bool
    heads: dict[int, int]
    rows: list[tuple[int, Row]]  # stream, row
    deleted: list[tuple[int, int, int]]  # stream, first, last
    cursors: dict[CursorKey, CursorState]
    removed_groups: list[str]
    last_states: dict[str, tuple[float, int]]
    counters: dict[str, float]
    meta: dict[str, Scalar]
    since_ns: int | None  # when the oldest of these events was detected, monotonic


def pack(rows: Iterable[Row], group: str) -> tuple[bytes, list[Row]]:
    """One ASDU with as many of `rows` as go together from the first on, and which these are.

    They share type, cause, originator and common address, and fit in 249 octets (IEC 60870-5-104, 5); SQ is 0.
    The originator of a command is told only to the group it belongs to; to others it is 0.
    """
    together: list[Row] = []
    parts: list[bytes] = []
    size = HEADER_SIZE
    key = (-1, -1, -1, -1)
    for row in rows:
        originator = row.originator if row.group == group else 0
        its_key = (row.type_id, row.cot, originator, row.ca)
        part = pack_ioa(row.ioa) + row.octets
        size += len(part)
        if together and (its_key != key or size > MAX_ASDU):
            break
        key = its_key
        together.append(row)
        parts.append(part)
    type_id, cot, originator, ca = key
    return pack_header(type_id, False, len(parts), cot, originator, ca) + b"".join(parts), together
