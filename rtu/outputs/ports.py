"""The last step before the hardware: the only place that calls an output driver.

A quick device is called at once. A device on a bus is called on the thread of that bus, through `Submit`, and answers
later. Either way the caller gets exactly one answer, on the loop, and never an exception:

* whatever the driver raises is a fault, said in one line;
* a bus that does not answer within `ANSWER_WITHIN_S` has failed;
* a job that may be forbidden is asked about once more when its turn comes: nothing is energised late, or after it was
  given up;
* what brings a line to rest nothing forbids: it is done however much waits, in its turn, for what was told to switch
  before it must not switch after it. There are few: a lock group releases its lines once before somebody has to unlock it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from hw.interface import AnalogOutputs, Device, DigitalOutputs
from rtu.clock import SECOND, Clock, Timer

from .commands import Command

T = TypeVar("T")
D = TypeVar("D", DigitalOutputs, AnalogOutputs)


class Submit(Protocol):
    """Runs `job` on the thread of `bus`, in turn, then `done` on the loop.

    May raise at once when the queue is full, but never refuses what `must` be done: then neither is called.
    """

    def __call__(
        self, bus: str, job: Callable[[], None], done: Callable[[], None], *, must: bool = False
    ) -> None: ...


Done = Callable[[str], None]
"""Told of the fault, or "" when all went well."""
Levels = Sequence[int | None]
Forbids = Callable[[], str]
"""Asked on the thread of the bus, right before the job is done: why it must not be any more, or ""."""

ANSWER_WITHIN_S = 5.0


class DigitalPort:
    """The digital outputs of one device, or of the place where it should be."""

    def __init__(self, name: str, devices: Mapping[str, Device], clock: Clock, submit: Submit) -> None:
        self._caller: _Caller[DigitalOutputs] = _Caller(name, self._find, clock, submit)
        self._name = name
        self._devices = devices

    @property
    def is_open(self) -> bool:
        return self._find() is not None

    @property
    def self_timed(self) -> bool:
        """False only if the device is there and says that it does not end a pulse by itself."""
        device = self._find()
        return device is None or device.self_timed

    def write(self, output: int, level: int, done: Done, *, forbids: Forbids | None = None) -> None:
        """Set a line for good; what nothing forbids is to bring it to rest."""
        self._caller.call(
            lambda device: device.write(output, level),
            lambda _, fault: done(fault),
            forbids=forbids,
            must=forbids is None,
        )

    def pulse(self, output: int, level: int, seconds: float, done: Done, *, forbids: Forbids) -> None:
        """Energise for `seconds`; the driver ends it."""
        self._caller.call(
            lambda device: device.pulse(output, level, seconds),
            lambda _, fault: done(fault),
            forbids=forbids,
        )

    def read_back(self, done: Callable[[Levels], None]) -> None:
        """Every output's level; nothing at all if the device failed."""
        self._caller.call(lambda device: device.read_back(), lambda levels, _: done(levels or ()))

    def safe(self) -> None:
        """Everything to rest, on a bus as soon as its turn comes."""
        self._caller.call(lambda device: device.safe(), lambda _, fault: None, must=True)

    def _find(self) -> DigitalOutputs | None:
        device = self._devices.get(self._name)
        return device if isinstance(device, DigitalOutputs) else None


class AnalogPort:
    """The analogue outputs of one device, or of the place where it should be."""

    def __init__(self, name: str, devices: Mapping[str, Device], clock: Clock, submit: Submit) -> None:
        self._caller: _Caller[AnalogOutputs] = _Caller(name, self._find, clock, submit)
        self._name = name
        self._devices = devices

    @property
    def is_open(self) -> bool:
        return self._find() is not None

    def set(self, output: int, value: float, done: Done, *, forbids: Forbids) -> None:
        """Write a set-point in engineering units."""
        self._caller.call(
            lambda device: device.set(output, value), lambda _, fault: done(fault), forbids=forbids
        )

    def _find(self) -> AnalogOutputs | None:
        device = self._devices.get(self._name)
        return device if isinstance(device, AnalogOutputs) else None


@dataclass(frozen=True, slots=True)
class Ports:
    """The output devices of a station by name."""

    digital: Mapping[str, DigitalPort]
    analog: Mapping[str, AnalogPort]

    def absent(self, command: Command) -> str:
        """The name of a device this command needs and that is not open, or ""."""
        for line in command.lines:
            if not self.digital[line.device].is_open:
                return line.device
        setpoint = command.setpoint
        if setpoint is not None and not self.analog[setpoint.device].is_open:
            return setpoint.device
        return ""

    def safe(self) -> None:
        """Every digital output to rest."""
        for port in self.digital.values():
            port.safe()


def make_ports(
    commands: Iterable[Command], devices: Mapping[str, Device], clock: Clock, submit: Submit
) -> Ports:
    """Ports for every device the commands name.

    `devices` holds those that are open at any moment: one that is not answers with a fault until it is.
    """
    digital = {line.device: None for command in commands for line in command.lines}
    analog = {command.setpoint.device: None for command in commands if command.setpoint is not None}
    return Ports(
        {name: DigitalPort(name, devices, clock, submit) for name in digital},
        {name: AnalogPort(name, devices, clock, submit) for name in analog},
    )


class _Caller(Generic[D]):
    """Calls one device, where it must be called; `find` gives it while it is open and has such outputs."""

    def __init__(self, name: str, find: Callable[[], D | None], clock: Clock, submit: Submit) -> None:
        self._name = name
        self._find: Callable[[], D | None] = find
        self._clock = clock
        self._submit = submit

    def call(
        self,
        job: Callable[[D], T],
        done: Callable[[T | None, str], None],
        *,
        forbids: Forbids | None = None,
        must: bool = False,
    ) -> None:
        device = self._find()
        if device is None:
            done(None, f"device {self._name} is not open")
            return
        errand = _Errand(self._name, lambda: job(device), done, self._clock, forbids)
        if not device.bus:
            errand.run()
            errand.finish()
            return
        errand.wait()
        try:
            self._submit(device.bus, errand.run, errand.finish, must=must)
        except Exception as error:  # however the bus refuses, the caller gets its one answer
            errand.give_up(f"{self._name}: {error}")


class _Errand(Generic[T]):
    """One call, underway. `run` belongs to the thread of the bus, the rest to the loop."""

    def __init__(
        self,
        name: str,
        job: Callable[[], T],
        done: Callable[[T | None, str], None],
        clock: Clock,
        forbids: Forbids | None,
    ) -> None:
        self._name = name
        self._job = job
        self._done = done
        self._clock = clock
        self._forbids = forbids
        self._timer: Timer | None = None
        self._over = False
        self._result: T | None = None
        self._fault = f"{name}: the bus was not reached"

    def wait(self) -> None:
        when = self._clock.now_ns() + round(ANSWER_WITHIN_S * SECOND)
        self._timer = self._clock.call_at(
            when, lambda: self.give_up(f"{self._name}: the bus does not answer")
        )

    def run(self) -> None:
        # What brings to rest nothing forbids: it is done even if nobody waits for it any more.
        if self._forbids is not None and (objection := "given up" if self._over else self._forbids()):
            self._fault = f"{self._name}: {objection}"
            return
        try:
            self._result = self._job()
            self._fault = ""
        except Exception as error:  # DeviceFault by contract; but no bug of a driver may end the loop
            self._fault = str(error) or f"{self._name}: {type(error).__name__}"

    def finish(self) -> None:
        if not self._over:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()
            self._done(self._result, self._fault)

    def give_up(self, fault: str) -> None:
        self._result, self._fault = None, fault
        self.finish()
