"""From what the device measures to engineering units: a straight line, and what to think of its ends.

`Line` maps one range to another. `LiveZero` judges a signal whose range starts above zero (4..20 mA, 1..5 V),
where a broken wire can be told from a zero reading (NAMUR NE 43).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from .model import GOOD, IV, NT, OV


@dataclass(frozen=True, slots=True)
class Line:
    """The straight line through (`low`, `to_low`) and (`high`, `to_high`). Raises ValueError if they coincide."""

    low: float
    high: float
    to_low: float
    to_high: float

    def __post_init__(self) -> None:
        if self.low == self.high or not all(
            map(math.isfinite, (self.low, self.high, self.to_low, self.to_high))
        ):
            raise ValueError(
                f"the range {self.low:g}..{self.high:g} cannot be scaled: give two different ends"
            )

    def __call__(self, x: float) -> float:
        return (x - self.low) / (self.high - self.low) * (self.to_high - self.to_low) + self.to_low


class Judged(NamedTuple):
    """A signal inside its own unit, clamped where the range says so, with OV, NT and IV."""

    x: float
    quality: int


class LiveZero:
    """Range supervision of a live-zero signal.

    For 4..20 mA the limits are the table of NAMUR NE 43; other ranges take the same shares of their span:

        below 3.6 mA   NT, IV from the second sample on; ends above 3.8 mA
        3.8..4 mA      zero
        20.5..21 mA    OV
        above 21 mA    IV and OV

    NT: one sample may be a glitch, but it is no zero either; what was known stands. At start one sample below the
    limit is enough: nothing better is known.
    """

    def __init__(self, low: float, high: float) -> None:
        zero, full = sorted((low, high))
        unit = (full - zero) / 16  # 1 mA of 4..20 mA
        self._zero = zero
        self._broken = zero - 0.4 * unit
        self._mended = zero - 0.2 * unit
        self._saturated = full + 0.5 * unit
        self._shorted = full + unit
        self._samples_below = 1

    def __call__(self, x: float) -> Judged:
        if x < self._broken:
            self._samples_below = min(self._samples_below + 1, 2)
        elif x > self._mended or self._samples_below < 2:
            self._samples_below = 0
        if x < self._zero:
            return Judged(self._zero, (GOOD, NT, IV)[self._samples_below])
        if x > self._shorted:
            return Judged(x, IV | OV)
        return Judged(x, OV if x > self._saturated else GOOD)
