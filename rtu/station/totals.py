"""Integrated totals: what a freeze copied of every counter (IEC 60870-5-5, 6.9; IEC 60870-5-101, 7.4.8).

A counter runs; a freeze copies it. What is transmitted is the frozen total with a sequence number
that counts the freezes, never the running one. Frozen totals outlive a restart.

    mode  frozen by   told
    A     the clock   at once, and when asked for
    B     the clock   when asked for
    C     the master  when asked for
    D     the master  at once, and when asked for

"At once" is an event with cause 3 that is kept as every state is. It is made together with the total it tells, so a
power cut loses both or none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

import msgspec

from rtu.clock import Clock, WallTime
from rtu.config.schema import Freeze
from rtu.events.log import EventLog
from rtu.iec104.asdu import MAX_ASDU, pack_header, pack_ioa
from rtu.iec104.elements import encode_bcr
from rtu.points.counter import ADJUSTED
from rtu.points.model import IV, SPONTANEOUS, Address, Signal, Value
from rtu.points.report import ReportSink
from rtu.points.station_time import UTC, StationTime
from rtu.points.table import PointTable

from .transmission import Part

GENERAL = 5
"""Request of all counters; 1..4 are the counter groups."""

READ, FREEZE, FREEZE_AND_RESET, RESET = range(4)
"""What FRZ of a QCC asks for."""

_BY_MASTER = Freeze()
_MODULUS = 1 << 32
_HALF = 1 << 31


class Frozen(msgspec.Struct, frozen=True):
    """A counter as a freeze found it.

    `base` is the running total at the last reset and `wraps` how often what is counted from there has passed the 32
    bits of a BCR. `adjusted_since`: it was adjusted after this freeze, so the next one has to say so.
    """

    total: int = 0
    base: int = 0
    sequence: int = 0
    wraps: int = 0
    carry: bool = False
    adjusted: bool = False
    adjusted_since: bool = False
    invalid: bool = True
    unix_ns: int = 0
    time_valid: bool = False


class IntegratedTotals:
    """The frozen totals of every counter of the station; the log keeps them over restarts.

    `freezes` says by the name of a counter who freezes it; one without is frozen by the master and told when asked
    for. The table must have been restored.
    """

    def __init__(
        self,
        table: PointTable,
        clock: Clock,
        log: EventLog,
        freezes: Mapping[str, Freeze] = MappingProxyType({}),
        time: StationTime = UTC,
        sink: ReportSink | None = None,
    ) -> None:
        """`sink` takes what is told at once; the log, when there is nothing in front of it."""
        self._table = table
        self._clock = clock
        self._log = log
        self._sink: ReportSink = sink or log
        self._time = time
        self._counters = [signal for signal in table.signals if signal.kind == "counter"]
        self._freezes = {signal.index: freezes.get(signal.name, _BY_MASTER) for signal in self._counters}
        self._frozen: dict[int, Frozen] = {}
        self._unresolved: set[int] = set()  # frozen since the start, without knowing the time
        for signal in self._counters:
            self._frozen[signal.index] = self._remembered(signal)
            if signal.name in log.counters:  # nobody knows what it counted while the station was down
                self._adjusted(signal)
            table.watch(signal.index, self._look)

    def members(self, ca: int, request: int) -> list[Address]:
        """The counters' addresses under `ca` in group `request` (1..4), or all of them (5)."""
        return [
            address
            for signal in self._counters
            for address in signal.addresses
            if address.ca == ca and (request == GENERAL or request in address.groups)
        ]

    def for_master(self, addresses: Iterable[Address]) -> list[int]:
        """The signals behind these addresses that a master may freeze and reset."""
        signals = dict.fromkeys(address.signal for address in addresses)
        return [index for index in signals if self._freezes[index].by == "master"]

    def for_clock(self) -> Mapping[tuple[float, int], list[int]]:
        """The signals that the clock freezes, by period (seconds) and what it does to them."""
        found: dict[tuple[float, int], list[int]] = {}
        for index, freeze in self._freezes.items():
            if freeze.by == "clock":
                how = FREEZE_AND_RESET if freeze.reset else FREEZE
                found.setdefault((freeze.every_s, how), []).append(index)
        return found

    def freeze(self, signals: Iterable[int], how: int) -> None:
        """Freeze (1), freeze and reset (2) or reset (3) these counters; tell what is to be told at once.

        A reset leaves the sequence number: it counts freezes, and a gap in it shows the master that it missed one.
        """
        wall = self._clock.wall(self._clock.now_ns())
        for index in signals:
            signal = self._table.signals[index]
            running = self._table.value(index)
            new = self._frozen[index]
            if how != RESET:
                new = _frozen(new, running, wall)
                if not wall.valid:
                    self._unresolved.add(index)
            if how != FREEZE:
                new = msgspec.structs.replace(new, base=int(running.value), wraps=0)
            self._remember(signal, new)
            if how != RESET and self._freezes[index].tell:
                for address in signal.reports:
                    self._sink.state(address, self._element(address), SPONTANEOUS)
        self._log.commit_soon()

    def resolve(self, correction_ns: int) -> None:
        """The first synchronisation: what was frozen since the start was so much later than it was taken for."""
        for index in self._unresolved:
            old = self._frozen[index]
            new = msgspec.structs.replace(old, unix_ns=old.unix_ns + correction_ns, time_valid=True)
            self._remember(self._table.signals[index], new)
        self._unresolved.clear()

    def scan(self, addresses: Iterable[Address], cause: int, originator: int) -> Iterator[Part]:
        """The data of a counter interrogation, one part per ASDU, each told as it is when it is sent."""
        by_header: dict[tuple[int, int], list[Address]] = {}
        for address in sorted(addresses, key=lambda address: address.ioa):
            by_header.setdefault((address.event_type, address.ca), []).append(address)
        for (type_id, ca), same in by_header.items():
            room = (MAX_ASDU - 6) // (3 + len(self._element(same[0])))
            for at in range(0, len(same), room):
                some = same[at : at + room]
                header = partial(pack_header, type_id, False, len(some), cause, originator, ca)
                yield Part(tuple(address.index for address in some), partial(self._asdu, header, some))

    def _asdu(self, header: Callable[[], bytes], addresses: Iterable[Address]) -> bytes:
        objects = [pack_ioa(address.ioa) + self._element(address) for address in addresses]
        return header() + b"".join(objects)

    def _element(self, address: Address) -> bytes:
        """The frozen total as it is transmitted; its time tag, if it has one, is that of the freeze."""
        frozen = self._frozen[address.signal]
        octets = encode_bcr(
            frozen.total, frozen.sequence, frozen.carry, frozen.adjusted, invalid=frozen.invalid
        )
        if address.time_tagged:
            octets += self._time.tag(WallTime(frozen.unix_ns, frozen.time_valid))
        return octets

    def _look(self, signal: Signal, value: Value) -> None:
        if value.quality & ADJUSTED:
            self._adjusted(signal)

    def _adjusted(self, signal: Signal) -> None:
        frozen = self._frozen[signal.index]
        if not frozen.adjusted_since:
            self._remember(signal, msgspec.structs.replace(frozen, adjusted_since=True))

    def _remember(self, signal: Signal, frozen: Frozen) -> None:
        self._frozen[signal.index] = frozen
        self._log.remember(_key(signal), msgspec.json.encode(frozen).decode())

    def _remembered(self, signal: Signal) -> Frozen:
        text = self._log.meta.get(_key(signal))
        if isinstance(text, str):
            try:
                return msgspec.json.decode(text, type=Frozen)
            except msgspec.DecodeError:  # of another version: as if it had never been frozen
                pass
        return Frozen(unix_ns=self._clock.wall(self._clock.now_ns()).unix_ns)


def _frozen(old: Frozen, running: Value, wall: WallTime) -> Frozen:
    """What a freeze now makes of a counter that was `old` at the last one."""
    wraps, total = divmod(int(running.value) - old.base + _HALF, _MODULUS)
    return Frozen(
        total=total - _HALF,
        base=old.base,
        sequence=(old.sequence + 1) % 32,
        wraps=wraps,
        carry=wraps > old.wraps,
        adjusted=old.adjusted_since,
        invalid=bool(running.quality & IV),
        unix_ns=wall.unix_ns,
        time_valid=wall.valid,
    )


def _key(signal: Signal) -> str:
    return f"frozen.{signal.name}"
