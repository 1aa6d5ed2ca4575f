"""A running total that outlives the device which counts it.

Devices count from the moment they are opened. The total goes on from where the station stopped, and from where
a device stood when it started again at a lower count. What it counted unseen in between is missing from the total, so
the first reading after such a start says that the total was adjusted.
"""

from __future__ import annotations

from collections.abc import Callable

from .model import GOOD, IV, NT, Value

ADJUSTED = 0x02
"""In the quality of a counter: the total was set, not counted, since the reading before (CA of BCR, 7.2.6.9)."""


class Counter:
    """One counter; `sink` gets a Value for every reading. `base` is the total before the device was opened."""

    __slots__ = ("_base", "_counted", "_lost", "_sink")

    def __init__(self, sink: Callable[[Value], None], base: int = 0) -> None:
        self._sink = sink
        self._base = base
        self._counted = 0
        self._lost = IV | NT  # until the first reading

    def total(self, counted: int | None, mono_ns: int) -> None:
        """The device's count since it was opened; None when it could not be read: last total with IV."""
        if counted is None:
            self._sink(Value(self._base + self._counted, self._lost, mono_ns))
            return
        quality = GOOD
        if counted < self._counted:
            self._base += self._counted
            quality = ADJUSTED
        self._counted = counted
        self._lost = IV
        self._sink(Value(self._base + counted, quality, mono_ns))
