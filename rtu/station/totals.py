"""Integrated totals: what a freeze copied of every counter (IEC 60870-5-5, 6.9).

A counter runs; a freeze copies it. What is transmitted is the frozen total with a sequence number
that counts the freezes, never the running one. Frozen totals outlive a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial

from rtu.clock import Clock
from rtu.events.log import EventLog
from rtu.iec104.asdu import MAX_ASDU, pack_header
from rtu.iec104.elements import encode_bcr, encode_cp56
from rtu.points.model import IV, Address, Signal
from rtu.points.table import PointTable

from .transmission import Part

GENERAL = 5
"""Request of all counters; 1..4 are the counter groups."""

READ, FREEZE, FREEZE_AND_RESET, RESET = range(4)
"""What FRZ of a QCC asks for."""
_MODULUS = 1 << 32
_HALF = 1 << 31


@dataclass(frozen=True, slots=True)
class Frozen:
    """A counter as a freeze found it. `base` is the running total at the last reset."""

    total: int = 0
    base: int = 0
    sequence: int = 0
    wraps: int = 0
    carry: bool = False
    invalid: bool = True
    unix_ns: int = 0
    time_valid: bool = False


class IntegratedTotals:
    """The frozen totals of every counter of the station; the log keeps them over restarts."""

    def __init__(self, table: PointTable, clock: Clock, log: EventLog) -> None:
        self._table = table
        self._clock = clock
        self._log = log
        self._counters = [signal for signal in table.signals if signal.kind == "counter"]
        self._frozen = {signal.index: self._remembered(signal) for signal in self._counters}

    def members(self, ca: int, request: int) -> list[Address]:
        """The counters' addresses under `ca` in group `request` (1..4), or all of them (5)."""
        return [
            address
            for signal in self._counters
            for address in signal.addresses
            if address.ca == ca and (request == GENERAL or request in address.groups)
        ]

    def freeze(self, addresses: Iterable[Address], how: int) -> None:
        """Freeze (1), freeze and reset (2) or reset (3) the counters behind these addresses."""
        wall = self._clock.wall(self._clock.now_ns())
        for index in dict.fromkeys(address.signal for address in addresses):
            old = self._frozen[index]
            value = self._table.value(index)
            running = int(value.value)
            new = old
            if how != RESET:
                total = running - old.base
                new = replace(
                    old,
                    total=(total + _HALF) % _MODULUS - _HALF,
                    sequence=(old.sequence + 1) % 32,
                    carry=(total + _HALF) // _MODULUS > old.wraps,
                    wraps=(total + _HALF) // _MODULUS,
                    invalid=bool(value.quality & IV),
                    unix_ns=wall.unix_ns,
                    time_valid=wall.valid,
                )
            if how != FREEZE:
                new = replace(new, base=running, wraps=0)
            self._frozen[index] = new
            self._log.remember(self._key(self._table.signals[index]), json.dumps(asdict(new)))
        self._log.commit_soon()

    def element(self, address: Address) -> bytes:
        """The frozen total as it is transmitted; its time tag, if it has one, is that of the freeze."""
        frozen = self._frozen[address.signal]
        octets = encode_bcr(frozen.total, frozen.sequence, frozen.carry, invalid=frozen.invalid)
        if address.time_tagged:
            octets += encode_cp56(frozen.unix_ns, not frozen.time_valid)
        return octets

    def scan(self, addresses: Iterable[Address], cause: int, originator: int) -> Iterable[Part]:
        """The data of a counter interrogation, one part per ASDU."""
        by_type: dict[tuple[int, int], list[bytes]] = {}
        for address in sorted(addresses, key=lambda a: (a.event_type, a.ioa)):
            item = address.ioa.to_bytes(3, "little") + self.element(address)
            by_type.setdefault((address.event_type, address.ca), []).append(item)
        for (type_id, ca), items in by_type.items():
            room = (MAX_ASDU - 6) // len(items[0])
            for at in range(0, len(items), room):
                some = items[at : at + room]
                octets = pack_header(type_id, False, len(some), cause, originator, ca) + b"".join(some)
                yield Part((), partial(bytes, octets))

    def _remembered(self, signal: Signal) -> Frozen:
        text = self._log.meta.get(self._key(signal))
        if isinstance(text, str):
            return Frozen(**json.loads(text))
        return Frozen(unix_ns=self._clock.wall(self._clock.now_ns()).unix_ns)

    @staticmethod
    def _key(signal: Signal) -> str:
        return f"frozen.{signal.name}"
