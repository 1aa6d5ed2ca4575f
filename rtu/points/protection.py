"""Events of protection equipment: single events, start events, output circuits (M_EP_TD_1, M_EP_TE_1, M_EP_TF_1).

Each is made of the single points a protection relay drives, from their stamps, and told only when something happens:
there is nothing to interrogate. The value is the octet of states, plus 256 times the milliseconds of its CP16Time2a.
EI in the quality says that these are not known: more than 59 999, or one of the two changes was not seen, because the
point could not be read or the station was not running. What is on when the station has started makes no event;
unreadable points stand as they were. IEC 60870-5-101, 7.2.6.10 to 7.2.6.12 and 7.3.1.30 to 7.3.1.32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from struct import Struct

from rtu.clock import MILLISECOND

from .model import BL, EI, IV, NT, OFF, ON, SB, Signal, Value
from .table import PointTable

STARTS: Mapping[str, int] = {"general": 1, "l1": 2, "l2": 4, "l3": 8, "earth": 16, "reverse": 32}
"""Bits of SPE by the name the file uses."""

CIRCUITS: Mapping[str, int] = {"general": 1, "l1": 2, "l2": 4, "l3": 8}
"""Bits of OCI by the name the file uses."""

LONGEST_MS = 59_999

_QUALITY = 0xF8
_SEP_CP16 = Struct("<BH").pack
_BITS_QDP_CP16 = Struct("<BBH").pack


def encode_event(value: float, quality: int) -> bytes:
    """SEP and elapsed time."""
    ms, state = divmod(int(value), 256)
    return _SEP_CP16(state | quality & _QUALITY, ms)


def encode_operation(value: float, quality: int) -> bytes:
    """SPE or OCI, QDP, and relay duration or operating time."""
    ms, bits = divmod(int(value), 256)
    return _BITS_QDP_CP16(bits, quality & _QUALITY, ms)


class Protection:
    """Single event of a protection relay: `member` went on or off.

    Elapsed time: on, from the rise of `since` (0 without it); off, how long it was on.
    """

    def __init__(self, table: PointTable, index: int, member: int, since: int | None = None) -> None:
        self._table = table
        self._index = index
        self._member = member
        self._since_index = since
        table.when_started(self._start)

    def _start(self) -> None:
        self._since = _follow(self._table, self._since_index)
        self._contact = _Contact(self._table.value(self._member))
        self._table.watch(self._member, self._take)

    def _take(self, signal: Signal, value: Value) -> None:
        contact = self._contact
        if not contact.take(value):
            return
        start = contact.rose_ns
        if contact.on and self._since is not None:
            start = self._since.rise_at(value.mono_ns)
        _tell(self._table, self._index, ON if contact.on else OFF, start, contact.changed_ns, value)


class ProtectionStart:
    """Start events of one operation: from the first of `members` that rises until all have dropped.

    Told when it begins, when another element joins, and when it ends, with all that started in it so far.
    `members` are indexes of single points by their bit of SPE. Relay duration: since it began.
    """

    def __init__(self, table: PointTable, index: int, members: Mapping[int, int]) -> None:
        self._table = table
        self._index = index
        self._members = members
        self._began_ns: int | None = None
        table.when_started(self._start)

    def _start(self) -> None:
        self._contacts = _contacts(self._table, self._members, self._take)
        self._starts = sum(bit for bit, contact in self._contacts.items() if contact.on)

    def _take(self, bit: int, signal: Signal, value: Value) -> None:
        contact = self._contacts[bit]
        if not contact.take(value):
            return
        if contact.on:
            if self._starts & bit:
                return
            if not self._starts:
                self._began_ns = contact.changed_ns
            self._starts |= bit
        elif any(other.on for other in self._contacts.values()):
            return
        starts = self._starts
        if not contact.on:
            self._starts = 0
        _tell(self._table, self._index, starts, self._began_ns, contact.changed_ns, value)


class ProtectionTrip:
    """Commands to the output circuits in one operation, which ends in silence when all of `members` have dropped.

    Told at the first command and when another joins, with all that were given in it so far. `members` are indexes
    of single points by their bit of OCI. Relay operating time: from the rise of `since` to the first command.
    """

    def __init__(
        self, table: PointTable, index: int, members: Mapping[int, int], since: int | None = None
    ) -> None:
        self._table = table
        self._index = index
        self._members = members
        self._since_index = since
        self._started_ns: int | None = None
        self._first_ns: int | None = None
        table.when_started(self._start)

    def _start(self) -> None:
        self._since = _follow(self._table, self._since_index)
        self._contacts = _contacts(self._table, self._members, self._take)
        self._commands = sum(bit for bit, contact in self._contacts.items() if contact.on)

    def _take(self, bit: int, signal: Signal, value: Value) -> None:
        contact = self._contacts[bit]
        if not contact.take(value):
            return
        if not contact.on:
            if not any(other.on for other in self._contacts.values()):
                self._commands = 0
            return
        if self._commands & bit:
            return
        if not self._commands:
            self._started_ns = None if self._since is None else self._since.rise_at(value.mono_ns)
            self._first_ns = contact.changed_ns
        self._commands |= bit
        _tell(self._table, self._index, self._commands, self._started_ns, self._first_ns, value)


class _Contact:
    """A single point by its good readings: on or off, and since when, if that was seen."""

    __slots__ = ("_seen", "changed_ns", "on", "rose_ns")

    def __init__(self, value: Value) -> None:
        self._seen = not value.quality & (IV | NT)
        self.on = self._seen and bool(value.value)
        self.changed_ns: int | None = None
        self.rose_ns: int | None = None

    def take(self, value: Value) -> bool:
        """Whether this reading turned it on or off."""
        if value.quality & (IV | NT):
            self._seen = False
            return False
        seen, self._seen = self._seen, True
        on = bool(value.value)
        changed = on != self.on
        if changed or not seen:  # unseen, it may have dropped and risen again
            self.on = on
            self.changed_ns = value.mono_ns if seen else None
            if on:
                self.rose_ns = self.changed_ns
        return changed

    def rise_at(self, mono_ns: int) -> int | None:
        """When it rose, if it was on at that stamp; None if it was not, or nobody saw it rise."""
        if self.on or (self.changed_ns is not None and self.changed_ns >= mono_ns):
            return self.rose_ns
        return None


def _follow(table: PointTable, index: int | None) -> _Contact | None:
    if index is None:
        return None
    contact = _Contact(table.value(index))

    def take(signal: Signal, value: Value) -> None:
        contact.take(value)

    table.watch(index, take)
    return contact


def _contacts(
    table: PointTable, members: Mapping[int, int], take: Callable[[int, Signal, Value], None]
) -> dict[int, _Contact]:
    contacts = {}
    for bit, index in members.items():
        contacts[bit] = _Contact(table.value(index))
        table.watch(index, partial(take, bit))
    return contacts


def _tell(
    table: PointTable, index: int, bits: int, start_ns: int | None, end_ns: int | None, value: Value
) -> None:
    """An event at `value`, whose time runs from one stamp to another; None for one that is not known."""
    quality = value.quality & (BL | SB)
    ms = 0
    if start_ns is None or end_ns is None or end_ns < start_ns:
        quality |= EI
    else:
        ms = (end_ns - start_ns) // MILLISECOND
        if ms > LONGEST_MS:
            ms, quality = LONGEST_MS, quality | EI
    table.tell(index, Value(bits + 256 * ms, quality, value.mono_ns))
