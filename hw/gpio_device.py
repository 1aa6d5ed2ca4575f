"""Contacts, pulse counters and relays as gpiozero pins: the device behind the driver `gpio`.

It works over any gpiozero pin factory: the driver hands in ours (`hw.gpiod_factory`), a simulation
gpiozero's MockFactory, and the same code runs.

Inputs give raw edges with the kernel's stamps. Outputs are requested at their safe level before any
input is; a pulse is ended by a thread of the device, whatever the rest of the program does.
"""

from __future__ import annotations

import atexit
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import gpiozero
import msgspec
from msgspec import Meta

from hw.counting import PulseCount
from hw.deadlines import Deadlines
from hw.interface import Channel, ChannelRef, DeviceFault, Edge, Kind

MAX_PULSE_S = 60.0
QUEUE = 4096  # edges waiting for `pump`, for factories that call from their own threads

_PULL_UP = {"up": True, "down": False, "none": None}
# What a pin factory answers when a line is not to be had.
_TROUBLE = (OSError, ValueError, gpiozero.GPIOZeroError)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`pull`: the line's own resistor; "none" for boards with circuits of their own, the others for bare contacts.

    Counters: `count` says which edge begins a pulse, `min_pulse_ms` how long it and the rest before it
    must last (an S0 meter's pulse lasts at least 30 ms).
    """

    pull: Literal["up", "down", "none"] = "none"
    count: Literal["rising", "falling"] = "rising"
    min_pulse_ms: Annotated[float, Meta(ge=0)] = 5.0


def options_of(channel: Channel) -> Options:
    return channel.options if isinstance(channel.options, Options) else Options()


@runtime_checkable
class Pumped(Protocol):
    """A factory that delivers edges when asked to, with the kernel's stamps: ours."""

    def filenos(self) -> Sequence[int]: ...

    def pump(self) -> None: ...


def _nanoseconds(ticks: float) -> int:
    """Our factory counts nanoseconds; gpiozero's local ones count seconds of the same clock."""
    return ticks if isinstance(ticks, int) else round(ticks * 1e9)


class _Input:
    """One contact: turns what its pin reports into `Edge`s. The pin holds it weakly, the device strongly."""

    __slots__ = ("__weakref__", "channel", "device", "missed", "pin", "ready", "waiting")

    def __init__(self, channel: int, device: Any, waiting: deque[Edge], ready: Callable[[], None]) -> None:
        self.channel = channel
        self.device = device
        self.pin = device.pin
        self.waiting = waiting
        self.ready = ready
        self.missed = 0

    def on_edge(self, ticks: float, state: Any) -> None:
        """Called by the pin, on any thread. Never raises; when the queue is full the edge becomes a gap."""
        if len(self.waiting) >= QUEUE:
            self.missed += 1
            return
        gap = getattr(self.pin, "gap", 0) + self.missed
        self.missed = 0
        self.waiting.append(Edge(self.channel, _nanoseconds(ticks), 1 if state else 0, gap))
        self.ready()


class _Counter:
    """One pulse input. The pin holds it weakly, the device strongly."""

    __slots__ = ("__weakref__", "count", "device", "pin")

    def __init__(self, device: Any, count: PulseCount) -> None:
        self.device = device
        self.pin = device.pin
        self.count = count
        self.pin.bounce = None
        self.pin.edges = "both"
        self.pin.when_changed = self.on_edge

    def on_edge(self, ticks: float, state: Any) -> None:
        self.count.edge(_nanoseconds(ticks), 1 if state else 0)


class _Output:
    """One relay, and the level it is safe at."""

    __slots__ = ("device", "pin", "ref", "safe")

    def __init__(self, ref: ChannelRef, safe: int, device: Any) -> None:
        self.ref = ref
        self.safe = safe
        self.device = device
        self.pin = device.pin


class GpioDevice:
    """Lines over a gpiozero pin factory, which it closes when it is closed.

    Implements DigitalInputs, Counters and DigitalOutputs. Raises DeviceFault if a line is not to be had, with
    all lines given back.
    """

    bus = ""
    self_timed = True

    def __init__(
        self,
        factory: gpiozero.Factory,
        channels: Sequence[Channel],
        *,
        name: str = "gpio",
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._factory = factory
        self._now_ns = now_ns
        self._pumped = isinstance(factory, Pumped)
        self._wake = None if self._pumped else os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._waiting: deque[Edge] = deque()
        self._sink: Callable[[Sequence[Edge]], None] | None = None
        self._inputs: list[_Input] = []
        self._counters: list[_Counter] = []
        self._outputs: list[_Output] = []
        self._closed = False
        self.pulses: Deadlines | None = None
        try:
            for channel in channels:  # relays first: they are safe before anything else is tried
                if channel.kind is Kind.DIGITAL_OUTPUT:
                    self._outputs.append(self._open_output(channel))
            for channel in channels:
                if channel.kind is Kind.DIGITAL_INPUT:
                    device = self._open_input(channel)
                    self._inputs.append(_Input(len(self._inputs), device, self._waiting, self._ready))
                elif channel.kind is Kind.COUNTER:
                    self._counters.append(self._open_counter(channel))
            if self._outputs:
                self.pulses = Deadlines(f"{name}-pulses", self._rest, now_ns)
                # A program that ends without closing may leave its lines driven: some kernels keep them so.
                atexit.register(self.safe)
        except BaseException:
            self.close()
            raise

    def _open_output(self, channel: Channel) -> _Output:
        try:
            device = gpiozero.OutputDevice(
                channel.ref, initial_value=bool(channel.safe), pin_factory=self._factory
            )
        except (DeviceFault, *_TROUBLE) as error:
            raise DeviceFault(f"{channel.user or self.name}: output {channel.ref}: {error}") from error
        return _Output(channel.ref, channel.safe, device)

    def _open_input(self, channel: Channel) -> Any:
        pull_up = _PULL_UP[options_of(channel).pull]
        try:
            return gpiozero.InputDevice(
                channel.ref,
                pull_up=pull_up,
                active_state=True if pull_up is None else None,
                pin_factory=self._factory,
            )
        except (DeviceFault, *_TROUBLE) as error:
            raise DeviceFault(f"{channel.user or self.name}: input {channel.ref}: {error}") from error

    def _open_counter(self, channel: Channel) -> _Counter:
        options = options_of(channel)
        active = 1 if options.count == "rising" else 0
        device = self._open_input(channel)
        level = self._level(device.pin)
        count = PulseCount(
            active, round(options.min_pulse_ms * 1e6), active if level is None else level, self._now_ns()
        )
        return _Counter(device, count)

    def _ready(self) -> None:
        if self._wake is not None and not self._closed:
            os.eventfd_write(self._wake, 1)

    # -- DigitalInputs

    @property
    def stamps(self) -> str:
        return "kernel" if self._pumped else "poll"

    def start(self, sink: Callable[[Sequence[Edge]], None]) -> None:
        """Deliver edges from now on; what happened before is in `levels`."""
        if self._pumped:
            self._factory.pump()  # no handler is set yet: this discards
        for each in self._inputs:
            each.pin.bounce = None
            each.pin.edges = "both"
            each.pin.when_changed = each.on_edge
        self._waiting.clear()
        self._sink = sink

    def filenos(self) -> Sequence[int]:
        if self._closed or not (self._inputs or self._counters):
            return ()
        if self._wake is not None:
            return (self._wake,)
        descriptors: Sequence[int] = self._factory.filenos()
        return descriptors

    def pump(self) -> None:
        if self._closed:
            return
        if self._wake is None:
            self._factory.pump()
        else:
            try:
                os.eventfd_read(self._wake)
            except BlockingIOError:
                pass
        waiting = self._waiting
        if waiting and self._sink is not None:
            # One popleft at a time: other threads may be appending.
            self._sink([waiting.popleft() for _ in range(len(waiting))])

    def levels(self) -> Sequence[int | None]:
        return [self._level(each.pin) for each in self._inputs]

    def _level(self, pin: Any) -> int | None:
        if self._closed:
            return None
        try:
            return 1 if pin.state else 0
        except _TROUBLE:
            return None

    # -- Counters

    def totals(self) -> Sequence[int | None]:
        """Pulses since the device was opened; those of a burst the kernel had to drop are not in it."""
        self.pump()
        return [self._total(each) for each in self._counters]

    def _total(self, counter: _Counter) -> int | None:
        level = self._level(counter.pin)
        if level is None:
            return None
        counter.count.agree(self._now_ns(), level)
        return counter.count.total

    # -- DigitalOutputs

    def write(self, output: int, level: int) -> None:
        """Set a line. The safe level always goes through, and ends a pulse; another one does not end it.

        Raises DeviceFault if it could not be switched: then it is brought to rest.
        """
        line = self._outputs[output]
        pulses = self._open(line) if level == line.safe else self._alive(line)
        with pulses.lock:
            if level != line.safe and output in pulses:
                raise self._fault(line, "is in the middle of a pulse")
            self._set(output, level)
            pulses.cancel(output)

    def pulse(self, output: int, level: int, seconds: float) -> None:
        """Energise a line for `seconds` (up to 60): the thread brings it back to its safe level.

        Raises DeviceFault if it is pulsing already, or could not be switched: then it is brought to rest.
        """
        line = self._outputs[output]
        pulses = self._alive(line)
        if level == line.safe or not 0 < seconds <= MAX_PULSE_S:
            raise self._fault(line, f"cannot pulse to level {level} for {seconds} s")
        with pulses.lock:
            if output in pulses:
                raise self._fault(line, "is in the middle of a pulse")
            # The end is arranged before the beginning is allowed.
            pulses.set(output, self._now_ns() + round(seconds * 1e9))
            self._set(output, level)

    def read_back(self) -> Sequence[int | None]:
        if self.pulses is None:
            return ()
        with self.pulses.lock:
            return [self._level(line.pin) for line in self._outputs]

    def safe(self) -> None:
        """Every line to its safe level now; one that refuses is tried again until it obeys."""
        if self.pulses is None:
            return
        with self.pulses.lock:
            for output in range(len(self._outputs)):
                if self._rest(output):
                    self.pulses.cancel(output)
                else:
                    self.pulses.set(output, self._now_ns())

    def _rest(self, output: int) -> bool:
        """Bring a line to its safe level; False if it refused."""
        line = self._outputs[output]
        try:
            line.pin.state = bool(line.safe)
        except _TROUBLE:
            return False
        return True

    def _set(self, output: int, level: int) -> None:
        """Switch a line; one that refused is brought to rest, and that is tried until it obeys."""
        line = self._outputs[output]
        try:
            line.pin.state = bool(level)
        except _TROUBLE as error:
            self._open(line).set(output, self._now_ns())
            raise self._fault(line, f"cannot be switched: {error}") from error

    def _open(self, line: _Output) -> Deadlines:
        if self._closed or self.pulses is None:
            raise self._fault(line, "is closed")
        return self.pulses

    def _alive(self, line: _Output) -> Deadlines:
        """For what is energised: only while somebody is there to end it."""
        pulses = self._open(line)
        if not pulses.alive:
            raise self._fault(line, "cannot be energised: the thread that ends pulses is gone")
        return pulses

    def _fault(self, line: _Output, what: str) -> DeviceFault:
        return DeviceFault(f"{self.name}: output {line.ref} {what}")

    # -- Device

    def close(self) -> None:
        if self._closed:
            return
        self.safe()
        atexit.unregister(self.safe)
        self._closed = True
        if self.pulses is not None:
            self.pulses.close()
        devices = [each.device for each in self._inputs]
        devices += [each.device for each in self._counters]
        devices += [each.device for each in self._outputs]
        for device in devices:
            try:
                device.close()
            except _TROUBLE:
                pass
        self._factory.close()
        if self._wake is not None:
            os.close(self._wake)
