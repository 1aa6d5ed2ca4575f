"""A command of the configuration, ready to be operated: its lines, its pulses, its conditions.

Plain data. Which coil belongs to which value is worked out once, when the station is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rtu.config.schema import CommandType
from rtu.iec104.catalogue import TAGGED, TypeID

TimeTag = Literal["no", "yes", "either"]

TYPE_IDS: Mapping[CommandType, int] = {
    "single": TypeID.C_SC_NA_1,
    "double": TypeID.C_DC_NA_1,
    "step": TypeID.C_RC_NA_1,
    "normalized": TypeID.C_SE_NA_1,
    "scaled": TypeID.C_SE_NB_1,
    "float": TypeID.C_SE_NC_1,
    "bitstring": TypeID.C_BO_NA_1,
}
"""The type identification a command of that type is given with when it carries no time tag."""

PULSES = (0, 1, 2)  # QU: no additional definition, short pulse, long pulse
PERSISTENT = (0, 3)  # QU of a latched output: no additional definition, persistent

OVERLAP_S = 0.5
"""How much longer than the enable line a coil is energised; see `rtu.outputs.operation`."""

_HALF_STEP = 2.0**-24
"""Half a step of an R32: limits are compared as exactly as the wire can say them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A digital output: the `output`-th that `device` was opened with. `rest` is its safe physical level."""

    device: str
    output: int
    rest: int
    ref: int | str  # what the configuration calls it

    @property
    def energised(self) -> int:
        return 1 - self.rest

    def __str__(self) -> str:
        return f"{self.device} {self.ref}"


@dataclass(frozen=True, slots=True)
class SetPoint:
    """An analogue output and the engineering units, or the word of 32 bits, it takes; both limits included."""

    device: str
    output: int
    minimum: float
    maximum: float
    exact: bool = False  # a word of bits is compared bit by bit

    def accepts(self, value: float) -> bool:
        """Whether `value` is within the limits; what is not is refused, never clamped. False for NaN."""
        share = 0.0 if self.exact else _HALF_STEP
        return self.minimum - abs(self.minimum) * share <= value <= self.maximum + abs(self.maximum) * share


@dataclass(frozen=True, slots=True)
class Target:
    """An information object a command is given to; `factor` makes engineering units of a raw set-point."""

    ca: int
    ioa: int
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Condition:
    """A point that must be in a state before and while a command is given."""

    point: int  # index into the point table
    name: str
    wanted: int  # 0/1 of a single, 1/2 of a double point
    word: str  # how the configuration says it
    double: bool


@dataclass(frozen=True, slots=True)
class Feedback:
    """The point that must follow, and the state each commanded value brings it to.

    A step command moves the point by `states[value]` from where it was (`relative`).
    """

    point: int
    name: str
    within_s: float
    states: Mapping[int, int]
    double: bool = False
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """Something a master may operate.

    `coils` maps each value that has an output to its line; a latched single command has one line for both values.
    Set-points and bitstrings have `setpoint` and no coils.
    """

    name: str
    type: CommandType
    lock_group: str
    targets: tuple[Target, ...]
    coils: Mapping[int, Line]
    enable: Line | None = None
    latched: bool = False
    pulses_s: tuple[float, float, float] = (0.5, 0.5, 2.0)  # for QU 0, 1, 2
    setpoint: SetPoint | None = None
    selectable: bool = False
    select_required: bool = False
    select_timeout_s: float = 20.0
    feedback: Feedback | None = None
    conditions: tuple[Condition, ...] = ()
    termination: bool = True
    time_tag: TimeTag = "no"

    @property
    def type_ids(self) -> frozenset[int]:
        """The type identifications it is given with: an object takes one family of types, unless it takes either."""
        untagged = TYPE_IDS[self.type]
        families = {"no": (untagged,), "yes": (TAGGED[untagged],), "either": (untagged, TAGGED[untagged])}
        return frozenset(families[self.time_tag])

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line of this command once, the enable line first."""
        enable = (self.enable,) if self.enable is not None else ()
        return tuple(dict.fromkeys((*enable, *self.coils.values())))

    @property
    def pulsed_lines(self) -> tuple[Line, ...]:
        """The lines that must be at rest whenever nothing is running."""
        return () if self.latched else self.lines

    @property
    def ending_lines(self) -> tuple[Line, ...]:
        """The lines that must come back to rest by themselves for a pulse to end: the enable line, or else every coil."""
        if self.latched:
            return ()
        return (self.enable,) if self.enable is not None else self.lines

    def engineering(self, ca: int, ioa: int, raw: float) -> float:
        """A raw set-point in engineering units: NVA raw/32768 * nominal, SVA raw * resolution, R32 and BSI as they are."""
        target = next(target for target in self.targets if (target.ca, target.ioa) == (ca, ioa))
        return raw * target.factor
