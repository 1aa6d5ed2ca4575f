"""The plain data of the event log: what is kept in memory, and what goes to the store and comes back.

A *row* is one event as it goes on the wire. Rows live in *streams*, each with its own sequence numbers and its own
capacity: the states (with counters), the states of the types that go first, and those measured values of which every
change is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec

from rtu.iec104.asdu import HEADER_SIZE, MAX_ASDU, TYPES, pack_header, pack_ioa
from rtu.points.model import Address, Cause

STATES = 0
MEASURED = 1
URGENT = 2
STREAMS = (STATES, MEASURED, URGENT)

IOA_SIZE = 3
MAX_OBJECTS = (MAX_ASDU - HEADER_SIZE) // (IOA_SIZE + 1)
"""That one ASDU carries, if they are of the smallest kind."""

ALONE = frozenset(number for number, info in TYPES.items() if info.single_object)
"""Types that carry one object only: of events, those of protection with several elements (39, 40)."""


class Kind(NamedTuple):
    """What the information objects of one ASDU have in common; all of a kind have the same size."""

    type_id: int
    ca: int
    cot: int
    originator: int
    group: str  # the redundancy group `originator` belongs to


Row = tuple[Kind, bytes, int]
"""One event: its kind, its information object (address, elements, time tag; made once and never again), and its
address's place in the image."""

Run = tuple[int, Kind, list[bytes]]
"""Rows of one kind, as they are stored: the first one's sequence number, and the information objects."""


class Kinds:
    """Makes rows; those alike share one `Kind`, and an address is encoded once."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, Kind] = {}
        # By address index and type (one address may be told in two), as it was used last.
        self._forms: dict[tuple[int, int], tuple[Cause, Kind, bytes]] = {}

    def shared(self, kind: Kind) -> Kind:
        """The one object that stands for every kind equal to this."""
        return self._kinds.setdefault(kind, kind)

    def row(self, address: Address, octets: bytes, cause: Cause) -> Row:
        """`octets` are the elements and the time tag."""
        key = address.index, address.event_type
        form = self._forms.get(key)
        if form is None or form[0] is not cause:
            kind = self.shared(Kind(address.event_type, address.ca, *cause))
            form = self._forms[key] = (cause, kind, pack_ioa(address.ioa))
        return form[1], form[2] + octets, address.index


class Gap(msgspec.Struct, array_like=True):
    """Rows one group will not get, from `first` to `last`; `count` of them were lost, the others discarded.

    `asdus` is None until the gap is told for the first time; they tell that `total` rows were lost so far, and the
    first `done` of them have been acknowledged. None of them: nobody is told.
    """

    first: int
    last: int
    count: int
    asdus: list[bytes] | None = None
    done: int = 0
    total: int = 0


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


class Chunk(NamedTuple):
    """Rows that are stored together: up to `last`, and from the `last` of the chunk before."""

    stream: int
    last: int
    runs: list[Run]


@dataclass(slots=True)
class Restored:
    """What a store held when it was opened. Runs are in the order of their sequence numbers."""

    runs: dict[int, list[Run]] = field(default_factory=lambda: {stream: [] for stream in STREAMS})
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
    passed: dict[int, int]  # stream -> rows up to here are needed no longer
    chunks: list[Chunk]
    cursors: dict[CursorKey, CursorState]
    removed_groups: list[str]
    last_states: dict[str, tuple[float, int]]
    counters: dict[str, float]
    meta: dict[str, Scalar]
    since_ns: int | None  # when the oldest of these events was detected, monotonic


def pack(rows: Iterable[Row | None], group: str) -> tuple[bytes, int, int]:
    """One ASDU with as many of `rows` as go together from the first on; how many it carries, and how many are done
    with it (None, a row that is not there, goes along).

    They are of one kind and fit in 249 octets (IEC 60870-5-104, 5); SQ is 0. The originator of a command is told only
    to the group it belongs to; to others it is 0. Without any row the ASDU is empty.
    """
    objects: list[bytes] = []
    kind: Kind | None = None
    room = done = 0
    for row in rows:
        if row is not None:
            if len(objects) == room:
                if kind is not None:
                    break
                kind = row[0]
                room = 1 if kind[0] in ALONE else (MAX_ASDU - HEADER_SIZE) // len(row[1])
            elif row[0] is not kind and row[0] != kind:
                break
            objects.append(row[1])
        done += 1
    if kind is None:
        return b"", 0, done
    type_id, ca, cot, originator, owner = kind
    header = pack_header(type_id, False, len(objects), cot, originator if owner == group else 0, ca)
    return header + b"".join(objects), len(objects), done
