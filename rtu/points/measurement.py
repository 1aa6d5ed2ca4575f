"""A measurement: samples of a device become values in engineering units with a quality.

    sample -> gain (volts to milliamperes) -> live zero -> line -> value

The condition of the sample becomes quality: clipped is OV, a failed read keeps the last value with NT, a broken
device keeps it with IV and NT. What comes out is always a finite number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hw.interface import Condition, Sample

from .model import IV, NEVER_READ, NT, OV, Value
from .scaling import Line, LiveZero

_OVERFLOW = int(Condition.OVERFLOW)
_STALE = int(Condition.STALE)
_FAILED = int(Condition.FAILED)


class Measurement:
    """One analogue input; `sink` gets a Value for every sample.

    `gain` turns the device's unit into that of `line` and `live_zero` (1000 / ohms for a shunt).
    """

    __slots__ = ("_gain", "_last", "_line", "_live_zero", "_sink")

    def __init__(
        self,
        sink: Callable[[Value], None],
        *,
        gain: float = 1.0,
        line: Line | None = None,
        live_zero: LiveZero | None = None,
    ) -> None:
        self._sink = sink
        self._gain = gain
        self._line = line
        self._live_zero = live_zero
        self._last = NEVER_READ

    def sample(self, sample: Sample) -> None:
        """Take one sample, in the order of their stamps."""
        self._sink(self._value(sample))

    def _value(self, sample: Sample) -> Value:
        last = self._last
        condition = int(sample.condition)
        if condition & _FAILED:
            return Value(last.value, IV | NT, sample.mono_ns)
        if condition & _STALE:
            return Value(last.value, last.quality | NT, sample.mono_ns)
        x = sample.value * self._gain
        quality = OV if condition & _OVERFLOW else 0
        if self._live_zero is not None and math.isfinite(x):
            x, judged = self._live_zero(x)
            if judged & NT:
                return Value(last.value, last.quality | NT, sample.mono_ns)
            quality |= judged
        if self._line is not None:
            x = self._line(x)
        if not math.isfinite(x):
            return Value(last.value, IV, sample.mono_ns)
        self._last = Value(x, quality, sample.mono_ns)
        return self._last


class Rounded:
    """A measured value as a whole number `low`..`high`; what lies beyond is clamped and carries OV."""

    __slots__ = ("_high", "_low", "_sink")

    def __init__(self, sink: Callable[[Value], None], low: int, high: int) -> None:
        self._sink = sink
        self._low = low
        self._high = high

    def __call__(self, value: Value) -> None:
        whole = round(value.value)
        quality = value.quality
        if not self._low <= whole <= self._high:
            whole = self._low if whole < self._low else self._high
            quality |= OV
        self._sink(Value(whole, quality, value.mono_ns))
