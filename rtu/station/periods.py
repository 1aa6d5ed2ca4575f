"""What is told without being asked and without having changed: which objects, how often.

Cyclic transmission (cause 1) is for measured values only, the background scan (cause 2) for everything but counters
(IEC 60870-5-101, 7.4.6-7). A master may stop the cyclic transmission of single objects; that outlives a restart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rtu.clock import SECOND
from rtu.events.log import EventLog
from rtu.iec104.catalogue import Cause
from rtu.points.image import Run
from rtu.points.model import Address
from rtu.points.table import PointTable

_CYCLIC_TYPES = frozenset({9, 11, 13, 21})
"""Cause 1 exists for measured values only."""


@dataclass(slots=True)
class Period:
    """Objects told every `period_ns` with one cause; `runs` are the ASDUs of those that are not stopped."""

    cause: Cause
    period_ns: int
    addresses: tuple[Address, ...]
    runs: tuple[Run, ...]


class Periods:
    """The periods the points ask for, runs packed."""

    def __init__(self, table: PointTable, log: EventLog) -> None:
        self._table = table
        self._log = log
        self._stopped: set[int] = set()
        wanted: dict[tuple[Cause, float], list[Address]] = {}
        for cause, seconds, address in self._wanted():
            wanted.setdefault((cause, seconds), []).append(address)
        self.all = tuple(
            Period(cause, round(seconds * SECOND), tuple(addresses), table.image.runs(addresses))
            for (cause, seconds), addresses in wanted.items()
        )
        self._cyclic = {
            address.index: period
            for period in self.all
            if period.cause == Cause.PERCYC
            for address in period.addresses
        }

    def restore(self) -> None:
        """Stop what was stopped before the restart."""
        for period in self._cyclic.values():
            for address in period.addresses:
                if self._log.meta.get(self._key(address)) == 0:
                    self._stopped.add(address.index)
        for period in self.all:
            self._pack(period)

    def is_cyclic(self, address: Address) -> bool:
        """Whether this object has a period of cyclic transmission, stopped or not."""
        return address.index in self._cyclic

    def start(self, address: Address) -> None:
        """Tell this object cyclically (again), from its next period on. Raises KeyError when it has none."""
        self._stopped.discard(address.index)
        self._changed(address, 1)

    def stop(self, address: Address) -> None:
        """Tell this object cyclically no more. Raises KeyError when it has no period."""
        self._stopped.add(address.index)
        self._changed(address, 0)

    def _changed(self, address: Address, running: int) -> None:
        self._pack(self._cyclic[address.index])
        self._log.remember(self._key(address), running)

    def _pack(self, period: Period) -> None:
        if period.cause == Cause.PERCYC:
            told = (address for address in period.addresses if address.index not in self._stopped)
            period.runs = self._table.image.runs(told)

    def _wanted(self) -> Iterator[tuple[Cause, float, Address]]:
        for signal in self._table.signals:
            reporting = signal.reporting
            for address in signal.addresses:
                if reporting.cyclic_s and address.type_id in _CYCLIC_TYPES:
                    yield Cause.PERCYC, reporting.cyclic_s, address
                if reporting.background_s and signal.kind != "counter":
                    yield Cause.BACK, reporting.background_s, address

    def _key(self, address: Address) -> str:
        return f"cyclic.{self._table.signals[address.signal].name}.{address.ca}.{address.ioa}"
