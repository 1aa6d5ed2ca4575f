"""What a station would serve if it were started on an event store as it is now, without starting one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rtu.clock import VirtualClock
from rtu.config import schema
from rtu.events.log import EventLog
from rtu.events.store import Store
from rtu.points.build import build_signals
from rtu.points.model import Address


def addresses_of(kind: schema.PointType, ioas: Sequence[int]) -> list[Address]:
    """Points of one type, one address each, of common address 1."""
    points = [schema.Point(name=str(ioa), type=kind, address=[schema.Address(ioa=ioa)]) for ioa in ioas]
    file = schema.StationFile(format=1, station=schema.Station(name="b", common_address=1), point=points)
    return [address for signal in build_signals(file) for address in signal.addresses]


@contextmanager
def restarted(directory: Path, addresses: Sequence[Address]) -> Iterator[EventLog]:
    """The log of a store that must be sound."""
    clock = VirtualClock()
    store = Store.open(directory, clock)
    log = EventLog(("main",), clock, addresses, store=store)
    try:
        assert not store.set_aside
        assert store.fault is None
        yield log
    finally:
        log.close()


def undelivered(log: EventLog) -> list[bytes]:
    """The ASDUs the group would be sent, in order."""
    asdus = []
    while (batch := log.groups["main"].next_states()) is not None:
        asdus.append(batch.asdu)
    return asdus
