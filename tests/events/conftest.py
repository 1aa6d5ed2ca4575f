"""A small station's addresses, and logs on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rtu.clock import VirtualClock
from rtu.events.log import EventLog
from rtu.events.store import Store
from rtu.iec104.asdu import ASDU
from rtu.points.model import Address

SINGLE, SINGLE_TAGGED, FLOAT, FLOAT_TAGGED, BITS, BITS_TAGGED = 1, 30, 13, 36, 7, 33


def word(value: float, quality: int) -> bytes:
    return int(value).to_bytes(4, "little") + bytes([quality])


def address(index: int, ioa: int, type_id: int, event_type: int, ca: int = 1) -> Address:
    return Address(index, index, ca, ioa, type_id, event_type, (), word)


class Addresses:
    """States q0..q3 (q3 under another common address), measured u0..u2, and two overflow points."""

    def __init__(self) -> None:
        self.q = [address(i, 1000 + i, SINGLE, SINGLE_TAGGED, ca=2 if i == 3 else 1) for i in range(4)]
        self.u = [address(4 + i, 2000 + i, FLOAT, FLOAT_TAGGED) for i in range(3)]
        self.overflow = address(7, 9000, BITS, BITS_TAGGED)
        self.plain_overflow = address(8, 9001, BITS, BITS, ca=2)
        self.all = [*self.q, *self.u, self.overflow, self.plain_overflow]


def state_octets(number: int) -> bytes:
    """A single point with a time tag, told apart by `number`."""
    return b"\x01" + number.to_bytes(2, "little") + b"\x00\x00\x01\x01\x1a"


def float_octets(number: int) -> bytes:
    return number.to_bytes(4, "little") + b"\x00" + b"\x00\x00\x00\x00\x01\x01\x1a"


@pytest.fixture
def points() -> Addresses:
    return Addresses()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def octets() -> Callable[[int], bytes]:
    return state_octets


@pytest.fixture
def measured_octets() -> Callable[[int], bytes]:
    return float_octets


@pytest.fixture
def tell() -> Callable[[bytes], list[tuple[int, bytes]]]:
    """What an ASDU tells: object addresses with the octets found there."""

    def read(asdu: bytes) -> list[tuple[int, bytes]]:
        decoded = ASDU.decode(asdu)
        return [(o.ioa, b"".join(e.encode() for e in o.elements)) for o in decoded.objects]

    return read


@pytest.fixture
def make_log(clock: VirtualClock, points: Addresses) -> Callable[..., EventLog]:
    def make(*groups: str, **options: Any) -> EventLog:
        options.setdefault("addresses", points.all)
        return EventLog(groups or ("main",), clock, **options)

    return make


@pytest.fixture
def open_store(tmp_path: Path, clock: VirtualClock) -> Iterator[Callable[..., Store]]:
    """Opens the store of this test; closes at the end what was left open."""
    opened: list[Store] = []

    def open_one(directory: Path = tmp_path / "state", **options: Any) -> Store:
        store = Store.open(directory, clock, **options)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        if store._thread.is_alive():
            store.close()


@pytest.fixture
def settle(clock: VirtualClock) -> Callable[[Store], None]:
    """Let everything be committed that is due within two seconds, virtual ones."""

    def run(store: Store) -> None:
        for _ in range(40):
            clock.advance(0.05)
            assert store.drain(10)

    return run
