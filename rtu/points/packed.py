"""Packed single points with change detection (M_PS_NA_1): up to 16 single points as one object.

The value is the 16 states ST, plus 65536 times the 16 marks CD of what changed since the last report. It is told at
each change, so CD marks what changed with this report; where the object is interrogated nothing is left to report, and
CD is 0. While the station starts changes are collected and told together. The quality is that of all members at once.
There is no time tag, and no return information: the cause of a change is always 3 (IEC 60870-5-101, 7.3.1.20).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from struct import Struct

from .model import IV, NEVER_READ, NT, Signal, Value
from .table import PointTable

CAPACITY = 16

_STATES = 0xFFFF
_QUALITY = 0xF0  # OV is not used here
_SCD_QDS = Struct("<IB").pack


def encode_states(value: float, quality: int) -> bytes:
    """SCD and QDS with the states only, as interrogated."""
    return _SCD_QDS(int(value) & _STATES, quality & _QUALITY)


def encode_changes(value: float, quality: int) -> bytes:
    """SCD and QDS with the marks of what changed, as reported."""
    return _SCD_QDS(int(value), quality & _QUALITY)


class Packed:
    """Keeps signal `index` made of `members`: indexes of single points from bit 1 on, None for an unused bit.

    To be made when the table has been restored, before the first reading.
    """

    def __init__(self, table: PointTable, index: int, members: Sequence[int | None]) -> None:
        self._table = table
        self._index = index
        self._members = tuple(member for member in members if member is not None)
        self._states = 0
        self._changes = 0
        self._unread = 0  # bits nothing is known of, so that a first reading is no change
        self._started = False
        for place, member in enumerate(members):
            if member is not None:
                bit = 1 << place
                known = table.value(member)
                self._states |= bit if known.value else 0
                self._unread |= bit if known is NEVER_READ else 0
                table.watch(member, partial(self._take, bit))
        self._was_known = any(table.value(member) is not NEVER_READ for member in self._members)
        self._quality = self._present_quality()
        table.when_started(self._start)

    def _start(self) -> None:
        self._started = True
        self._unread = 0
        self._quality = self._present_quality()
        now = max((self._table.value(member).mono_ns for member in self._members), default=0)
        if self._changes or (self._quality and self._was_known):
            self._tell(now)
        else:
            self._table.show(self._index, Value(self._states, self._quality, now))

    def _take(self, bit: int, signal: Signal, value: Value) -> None:
        state = bit if value.value else 0
        if state != self._states & bit:
            self._states ^= bit
            self._changes |= bit & ~self._unread
        if not value.quality & (IV | NT):
            self._unread &= ~bit
        if not self._started:
            return
        quality = self._present_quality()
        if self._changes or quality != self._quality:
            self._quality = quality
            self._tell(value.mono_ns)

    def _tell(self, mono_ns: int) -> None:
        value = Value(self._states | self._changes << CAPACITY, self._quality, mono_ns)
        self._changes = 0
        self._table.tell(self._index, value)

    def _present_quality(self) -> int:
        quality = 0
        for member in self._members:
            quality |= self._table.value(member).quality
        return quality & _QUALITY
