"""Driver `simulated`: a feeder bay without the feeder, for demonstrations and for trying a control centre.

Every kind of channel there is, by name; `hw.bay` says what they do. Edges come through a descriptor
with exact stamps, pulses end by themselves, and one seed always tells the same story.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Annotated

import msgspec
from msgspec import Meta

from hw.bay import COILS, CONTACTS, COUNTERS, MEASUREMENTS, MS, SETPOINTS, Bay
from hw.deadlines import Deadlines
from hw.interface import Channel, Condition, Context, DeviceFault, Edge, Kind, Sample

CHANNELS: dict[Kind, Iterable[str]] = {
    Kind.DIGITAL_INPUT: CONTACTS,
    Kind.ANALOG_INPUT: MEASUREMENTS,
    Kind.COUNTER: COUNTERS,
    Kind.DIGITAL_OUTPUT: COILS,
    Kind.ANALOG_OUTPUT: SETPOINTS,
}
MAX_PULSE_S = 60.0
QUEUE = 4096
_ALARM = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`seed`: which story; `period_ms`: how often measurements move; `events`: things happen by themselves."""

    seed: int = 1
    period_ms: Annotated[float, Meta(ge=10)] = 200.0
    events: bool = True


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated channel takes no options."""


class SimulatedDevice:
    """The open bay: all five kinds of device in one. Any thread may call; every call is quick."""

    bus = ""
    self_timed = True
    stamps = "kernel"

    def __init__(
        self,
        config: Config,
        channels: Sequence[Channel],
        context: Context,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        def names(kind: Kind) -> list[str]:
            return [str(channel.ref) for channel in channels if channel.kind is kind]

        self.name = context.name
        self.bay = Bay(config.seed, now_ns(), round(config.period_ms * MS), events=config.events)
        self._now_ns = now_ns
        self._contacts = names(Kind.DIGITAL_INPUT)
        self._index = {name: index for index, name in enumerate(self._contacts)}
        self._measurements = names(Kind.ANALOG_INPUT)
        self._counters = names(Kind.COUNTER)
        self._coils = [channel for channel in channels if channel.kind is Kind.DIGITAL_OUTPUT]
        self._setpoints = names(Kind.ANALOG_OUTPUT)
        self._sink: Callable[[Sequence[Edge]], None] | None = None
        self._edges: deque[Edge] = deque(maxlen=QUEUE)  # full: the oldest go, and `levels` tells the rest
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False
        self._alarm = Deadlines(f"{context.name}-bay", self._wake_up, now_ns)
        self._lock = self._alarm.lock
        with self._lock:
            self._catch_up()

    def _catch_up(self) -> None:
        """Play the bay up to now, keep its edges for `pump`, and be woken for the next change."""
        self.bay.advance(self._now_ns())
        changes = self.bay.take_changes()
        if changes and self._sink is not None and not self._closed:
            index = self._index
            self._edges.extend(Edge(index[name], at, level) for at, name, level in changes if name in index)
            os.eventfd_write(self._wake, 1)
        if self.bay.next_ns is not None:
            self._alarm.set(_ALARM, self.bay.next_ns)

    def _wake_up(self, key: int) -> bool:
        self._catch_up()
        return True

    # -- DigitalInputs

    def start(self, sink: Callable[[Sequence[Edge]], None]) -> None:
        with self._lock:
            self._catch_up()
            self._sink = sink

    def filenos(self) -> Sequence[int]:
        return () if self._closed else (self._wake,)

    def pump(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._catch_up()
            try:
                os.eventfd_read(self._wake)
            except BlockingIOError:
                pass
            edges = list(self._edges)
            self._edges.clear()
        if edges and self._sink is not None:
            self._sink(edges)

    def levels(self) -> Sequence[int | None]:
        with self._lock:
            self._catch_up()
            return [self.bay.levels[name] for name in self._contacts]

    # -- AnalogInputs and Counters

    def scan(self) -> Sequence[Sample]:
        with self._lock:
            self._catch_up()
            now = self.bay.now_ns
            return [Sample(self.bay.values[name], Condition.GOOD, now) for name in self._measurements]

    def totals(self) -> Sequence[int | None]:
        with self._lock:
            self._catch_up()
            return [int(self.bay.energy)] * len(self._counters)

    # -- DigitalOutputs

    def write(self, output: int, level: int) -> None:
        """Set a coil. The safe level always goes through, and ends a pulse; another one does not end it."""
        coil, on = self._coil(output, level)
        with self._lock:
            self._catch_up()
            if on and self.bay.pulsing(coil):
                raise DeviceFault(f"{self.name}: output {coil} is in the middle of a pulse")
            self.bay.coil(coil, on)
            self._catch_up()

    def pulse(self, output: int, level: int, seconds: float) -> None:
        """Energise a coil for `seconds` (up to 60). Raises DeviceFault if it is pulsing already."""
        coil, on = self._coil(output, level)
        if not on or not 0 < seconds <= MAX_PULSE_S:
            raise DeviceFault(f"{self.name}: output {coil} cannot pulse to level {level} for {seconds} s")
        with self._lock:
            self._catch_up()
            if self.bay.pulsing(coil):
                raise DeviceFault(f"{self.name}: output {coil} is in the middle of a pulse")
            self.bay.pulse(coil, seconds)
            self._catch_up()

    def _coil(self, output: int, level: int) -> tuple[str, bool]:
        channel = self._coils[output]
        if self._closed:
            raise DeviceFault(f"{self.name}: output {channel.ref} is closed")
        return str(channel.ref), level != channel.safe

    def read_back(self) -> Sequence[int | None]:
        with self._lock:
            self._catch_up()
            energised = self.bay.energised
            return [1 - coil.safe if coil.ref in energised else coil.safe for coil in self._coils]

    def safe(self) -> None:
        with self._lock:
            self._catch_up()
            for coil in self._coils:
                self.bay.coil(str(coil.ref), False)
            self._catch_up()

    # -- AnalogOutputs

    def set(self, output: int, value: float) -> None:
        """Tell the load its set-point, in MW. Raises DeviceFault beyond 0..10."""
        name = self._setpoints[output]
        least, most = SETPOINTS[name]
        if self._closed or not (math.isfinite(value) and least <= value <= most):
            raise DeviceFault(f"{self.name}: {name} takes {least:g}..{most:g} MW, not {value:g}")
        with self._lock:
            self._catch_up()
            self.bay.set_load(value)

    # -- Device

    def close(self) -> None:
        if self._closed:
            return
        self.safe()
        with self._lock:
            self._closed = True
            os.close(self._wake)
        self._alarm.close()


class SimulatedDriver:
    """Channels are the names in `hw.bay`: "q0.open", "i.l1", "energy.pulses", "q0.trip", "setpoint.p", ..."""

    name = "simulated"
    config_type = Config
    channel_type = Options
    kinds = frozenset(CHANNELS)

    def check(self, config: Config, channels: Sequence[Channel]) -> list[str]:
        mistakes = []
        users: dict[tuple[Kind, str], str] = {}
        for channel in channels:
            ref, who = str(channel.ref), channel.user or str(channel.ref)
            known = list(CHANNELS[channel.kind])
            if ref not in known:
                near = get_close_matches(ref, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                mistakes.append(
                    f"{who}: no {channel.kind.value} {ref!r}; {hint}there are: {', '.join(known)}"
                )
            elif (channel.kind, ref) in users:
                mistakes.append(f"{who}: {ref} is already used by {users[channel.kind, ref]}")
            users.setdefault((channel.kind, ref), who)
        return mistakes

    def open(self, config: Config, channels: Sequence[Channel], context: Context) -> SimulatedDevice:
        return SimulatedDevice(config, channels, context)


DRIVER = SimulatedDriver()
