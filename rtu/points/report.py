"""Where changes go, and when a number has changed enough to be told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from .model import Address, Cause, Reporting, Signal, Value


class ReportSink(Protocol):
    """Takes what the table reports; never raises and never calls back into the table.

    `octets` are the information element, followed by a CP56Time2a where the address is time tagged.
    """

    def changed(self, signal: Signal, value: Value) -> None:
        """A state or a counter changed: its last state, to outlive a restart. Once, before its reports."""
        ...

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        """An event that must not be lost."""
        ...

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None:
        """A measured value worth telling; `every`: it must not be superseded by the next one."""
        ...


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a control centre may set of a measured value (IEC 60870-5-5, 6.12), in engineering units.

    `threshold`: smaller changes are not told. `smoothing`: the share 0 <= s < 1 of the old value that each sample
    keeps. `low`, `high`: limits of transmission, None for none.
    """

    threshold: float = 0.0
    smoothing: float = 0.0
    low: float | None = None
    high: float | None = None


class Measurand:
    """One measured value on its way to the control centre: smooths its samples and says when to tell it.

    A value is told when it differs from what was told last by more than the threshold, or that is `at_least_s` old.
    Beyond the limits of transmission it is not told, whatever it does (interrogation shows it); coming back within
    them it is told at once. A change of quality is always told.

    Only good samples are smoothed; after any other, and after a change of quality, smoothing starts anew.
    """

    __slots__ = (
        "_at_least_ns",
        "_high",
        "_low",
        "_mono_ns",
        "_outside",
        "_quality",
        "_threshold",
        "_value",
        "parameters",
        "smoothing",
    )

    def __init__(self, reporting: Reporting, told: Value) -> None:
        self._at_least_ns = round(reporting.at_least_s * 1e9)
        self._outside = False
        self.set(Parameters(reporting.deadband))
        self.told(told)

    def set(self, parameters: Parameters) -> None:
        """From the next sample on."""
        self.parameters = parameters
        self._threshold = parameters.threshold
        self.smoothing = parameters.smoothing
        self._low = -math.inf if parameters.low is None else parameters.low
        self._high = math.inf if parameters.high is None else parameters.high

    def smoothed(self, sample: Value, present: Value) -> Value:
        """What to take for a sample when `present` is what was taken before."""
        if sample[1] or present[1]:
            return sample
        return Value(present[0] + (1 - self.smoothing) * (sample[0] - present[0]), sample[1], sample[2])

    def passed(self, value: Value) -> bool:
        """True when `value` is worth telling."""
        x, quality, mono_ns = value
        if quality != self._quality:
            return True
        if not self._low <= x <= self._high:
            self._outside = True
            return False
        return (
            abs(x - self._value) > self._threshold
            or self._outside
            or 0 < self._at_least_ns <= mono_ns - self._mono_ns
        )

    def told(self, value: Value) -> None:
        """`value` was reported, or is known anyhow."""
        self._value, self._quality, self._mono_ns = value
        self._outside = False
