"""Where changes go, and when a number has changed enough to be told."""

from __future__ import annotations

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


class Threshold:
    """Remembers what was told last and says when to tell again: deadband, quality, or time."""

    __slots__ = ("_at_least_ns", "_deadband", "_mono_ns", "_quality", "_value")

    def __init__(self, reporting: Reporting, told: Value) -> None:
        self._deadband = reporting.deadband
        self._at_least_ns = round(reporting.at_least_s * 1e9)
        self.told(told)

    def passed(self, value: Value) -> bool:
        """True when `value` differs enough from what was told last, or that is `at_least_s` old."""
        return (
            abs(value[0] - self._value) > self._deadband
            or value[1] != self._quality
            or 0 < self._at_least_ns <= value[2] - self._mono_ns
        )

    def told(self, value: Value) -> None:
        """`value` was reported, or is known anyhow."""
        self._value, self._quality, self._mono_ns = value
