"""What a driver offers and what it is told: the seam between the hardware and the station.

A driver is one file. It exports a `Driver` (named in the entry-point group `outstation.drivers`)
that says which configuration keys it takes, and opens a *device*. A device implements one or more
of the small protocols below; the station asks with `isinstance`.

Rules every device keeps:

* a sink never raises, and a device never raises into the scan: a bus fault is a `Sample` or level
  that says so;
* outputs raise `DeviceFault`, and only that;
* stamps are CLOCK_MONOTONIC nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntFlag
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from .installed import installed, load

ChannelRef = int | str


class DeviceFault(Exception):
    """A device did not do what it was told; the text is one line that says what to check."""


class Condition(IntFlag):
    """How far a reading can be trusted."""

    GOOD = 0
    OVERFLOW = 1  # beyond the range of the converter: the value is clipped
    STALE = 2  # this read failed: the value is the last good one
    FAILED = 4  # the device is absent or broken: do not use the value


class Edge(NamedTuple):
    """An input changed. `channel` indexes the inputs the device was opened with.

    `mono_ns` is the kernel's stamp where the device has one; `level` is physical (0 or 1);
    `gap` counts edges of this line the kernel had to drop just before this one.
    """

    channel: int
    mono_ns: int
    level: int
    gap: int = 0


class Sample(NamedTuple):
    """A measurement in the device's own unit (volts for an ADC), taken at `mono_ns`."""

    value: float
    condition: Condition
    mono_ns: int


class Kind(Enum):
    """What a channel is used for."""

    DIGITAL_INPUT = "digital input"
    ANALOG_INPUT = "analogue input"
    COUNTER = "counter"
    DIGITAL_OUTPUT = "digital output"
    ANALOG_OUTPUT = "analogue output"


@dataclass(frozen=True, slots=True)
class Channel:
    """One use of one channel of a device, as the configuration asks for it.

    `options` are the driver's own keys of the `input` or `output` table, already validated against
    `Driver.channel_type`. `safe` is the physical level an output has at start, at stop and on a fault.
    """

    kind: Kind
    ref: ChannelRef
    options: msgspec.Struct | None = None
    safe: int = 0
    user: str = ""  # the point or command, for messages


@runtime_checkable
class Device(Protocol):
    """Anything opened; `close` is idempotent, leaves outputs safe and never raises."""

    def close(self) -> None: ...


@runtime_checkable
class DigitalInputs(Protocol):
    """Contacts. Edges come through `start`'s sink while `pump` runs; levels may be re-read any time."""

    @property
    def bus(self) -> str:
        """ "" when `levels` is quick; otherwise it blocks and runs on the thread of that bus."""
        ...

    @property
    def stamps(self) -> str:
        """ "kernel" when edges carry the interrupt's time, "poll" when they carry the read's."""
        ...

    def start(self, sink: Callable[[Sequence[Edge]], None]) -> None:
        """Deliver edges to `sink` from now on, in order of their stamps, on the thread that pumps."""
        ...

    def filenos(self) -> Sequence[int]:
        """Descriptors that become readable when `pump` has work."""
        ...

    def pump(self) -> None:
        """Read what is pending without blocking and hand it to the sink. Never raises."""
        ...

    def levels(self) -> Sequence[int | None]:
        """Every input's present level in the order of opening; None where it cannot be read."""
        ...


@runtime_checkable
class AnalogInputs(Protocol):
    """Measurements, polled. `scan` blocks and runs on the thread of `bus`."""

    @property
    def bus(self) -> str:
        """Devices that name the same bus share one thread, in turn; "" when `scan` is quick.

        A device has one `bus`, whatever it implements.
        """
        ...

    def scan(self) -> Sequence[Sample]:
        """One sample per analogue input in the order of opening. Never raises."""
        ...


@runtime_checkable
class Counters(Protocol):
    """Pulse totals since the device was opened (they never go back); read like analogue inputs."""

    def totals(self) -> Sequence[int | None]:
        """One total per counter channel in the order of opening; None where it cannot be read."""
        ...


@runtime_checkable
class DigitalOutputs(Protocol):
    """Relays. Levels are physical; the device was opened with every line at its `safe` level.

    A pulse ends by itself, in the device, even if nobody calls again: that is what
    `self_timed` promises. Methods are quick (no bus to wait for) when `bus` is "".
    """

    @property
    def bus(self) -> str: ...

    @property
    def self_timed(self) -> bool: ...

    def write(self, output: int, level: int) -> None:
        """Set a line and leave it. Raises DeviceFault."""
        ...

    def pulse(self, output: int, level: int, seconds: float) -> None:
        """Set a line, and back to its safe level after `seconds`. Raises DeviceFault."""
        ...

    def read_back(self) -> Sequence[int | None]:
        """Every output's level as the hardware reports it; None where it cannot be read."""
        ...

    def safe(self) -> None:
        """Every output to its safe level, pulses ended. Idempotent, best effort, never raises."""
        ...


@runtime_checkable
class AnalogOutputs(Protocol):
    """Set-points. `set` blocks and runs on the thread of `bus`, unless that is ""."""

    @property
    def bus(self) -> str: ...

    def set(self, output: int, value: float) -> None:
        """Write a set-point in engineering units. Raises DeviceFault."""
        ...


class Driver(Protocol):
    """What an entry point of `outstation.drivers` names: one per kind of chip, meter or backend."""

    @property
    def name(self) -> str: ...

    @property
    def config_type(self) -> type[msgspec.Struct]:
        """Keys of `[device.NAME]` besides `driver`."""
        ...

    @property
    def channel_type(self) -> type[msgspec.Struct]:
        """The driver's own keys of an `input` or `output` table."""
        ...

    @property
    def kinds(self) -> frozenset[Kind]: ...

    def check(self, config: Any, channels: Sequence[Channel]) -> list[str]:
        """Mistakes that can be seen without the hardware, one line each."""
        ...

    def open(self, config: Any, channels: Sequence[Channel], context: Context) -> Device:
        """Claim the hardware, every output at its safe level. Raises DeviceFault."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a device may need from its surroundings. `log` takes one line."""

    name: str
    log: Callable[[str], None] = field(default=lambda line: None)


def drivers() -> Mapping[str, Driver]:
    """Every installed driver by the name of its entry point."""
    return {name: load(value) for name, value in installed().items()}


def driver(name: str) -> Driver | None:
    """The driver of that name, loading no other; None if none is installed."""
    value = installed().get(name)
    return None if value is None else load(value)
