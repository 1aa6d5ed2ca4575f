"""The field side as one thing to start and stop: every open device is read, every other is tried again.

Edges come through the loop's readers. A quick device (no bus) is also read as a whole on the loop each scan period,
which finds edges that were lost; a device on a bus is read on the thread of that bus and watched for silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from hw.interface import Device
from rtu.clock import SECOND, Clock, Timer

from .buses import Buses, Poll
from .chains import Chains
from .devices import OpenDevices
from .freshness import Freshness
from .inputs import DeviceInputs, Reading
from .reopening import Reopening, Run, on_daemon_thread
from .statistics import Statistics


class Loop(Protocol):
    """The part of an asyncio loop that is needed."""

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> None: ...
    def remove_reader(self, fd: int) -> bool: ...
    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any: ...


class Field:
    """All inputs of the station.

        field = Field(build_chains(file, channel_map, table, clock), devices, clock, loop=loop, buses=buses)
        field.start()
        await field.first_scan()
        table.finish_start()

    `buses` outlive it: outputs use the same threads.
    """

    def __init__(
        self,
        chains: Mapping[str, Chains],
        devices: OpenDevices,
        clock: Clock,
        *,
        loop: Loop,
        buses: Buses,
        log: Callable[[str], None] = lambda line: None,
        run: Run = on_daemon_thread,
    ) -> None:
        self.statistics = Statistics()
        self._chains = chains
        self._devices = devices
        self._clock = clock
        self._loop = loop
        self._buses = buses
        self._log = log
        self._reopening = Reopening(devices, clock, loop.call_soon_threadsafe, run)
        self._inputs: dict[str, DeviceInputs] = {}
        self._awaited: set[str] = set()
        self._scanned = asyncio.Event()
        self._pumps: dict[int, list[Callable[[], None]]] = {}
        self._undo: list[Callable[[], None]] = []
        self._running = False

    def start(self) -> None:
        """Begin reading. Quick devices are read before this returns."""
        self._running = True
        self._awaited = {name for name in self._chains if name in self._devices.open}
        self._devices.when_opened(self._bind)
        for name, device in list(self._devices.open.items()):
            self._bind(name, device)
        self._reopening.start()
        if not self._awaited:
            self._scanned.set()

    @property
    def reads(self) -> bool:
        """Whether any open device has inputs. One for outputs only is not read, and proves nothing by its silence."""
        return any(name in self._chains for name in self._devices.open)

    def trouble(self, name: str) -> str:
        """Why a device is not read as it should be: it is not open, or does not answer; "" while all is well."""
        if name not in self._devices.open:
            return self._devices.faults.get(name, "it is closed")
        inputs = self._inputs.get(name)
        return inputs.trouble if inputs is not None else ""

    async def first_scan(self, timeout_s: float = 5.0) -> bool:
        """Wait until every open device was read once; False when `timeout_s` passed before."""
        timer = self._clock.call_at(self._clock.now_ns() + round(timeout_s * SECOND), self._scanned.set)
        await self._scanned.wait()
        timer.cancel()
        return not self._awaited

    def stop(self) -> None:
        """Read nothing more. Bus threads end with `Buses.stop`, devices close with `OpenDevices.close`."""
        self._running = False
        self._reopening.stop()
        for fd in self._pumps:
            self._loop.remove_reader(fd)
        self._pumps.clear()
        while self._undo:
            self._undo.pop()()

    def _bind(self, name: str, device: Device) -> None:
        chains = self._chains.get(name)
        if chains is None or not self._running:
            return
        inputs = DeviceInputs(name, device, chains, self._clock, statistics=self.statistics, log=self._log)
        self._inputs[name] = inputs
        inputs.begin()
        if inputs.bus:
            self._read_on_bus(inputs)
        else:
            self._read_on_loop(inputs)

    def _read_on_loop(self, inputs: DeviceInputs) -> None:
        contacts = inputs.contacts
        if contacts is not None:
            for fd in contacts.filenos():
                self._add_reader(fd, contacts.pump)
        poll = _LoopPoll(self._clock, inputs)
        poll.run()
        self._undo.append(poll.stop)
        self._answered(inputs.name)

    def _read_on_bus(self, inputs: DeviceInputs) -> None:
        freshness = Freshness(self._clock, inputs.period_ns, inputs.silent)

        def deliver(batch: object) -> None:
            if self._running and isinstance(batch, Reading):
                freshness.heard()
                inputs.take(batch)
                self._answered(inputs.name)

        bus = self._buses.get(inputs.bus)
        poll = Poll(inputs.period_ns, inputs.scan, deliver)
        bus.add(poll)
        freshness.start()
        self._undo += [lambda: bus.remove(poll), freshness.stop]

    def _add_reader(self, fd: int, pump: Callable[[], None]) -> None:
        """Devices of one backend may share a descriptor; what wakes one then wakes all of them."""
        pumps = self._pumps.setdefault(fd, [])
        pumps.append(pump)
        self._loop.add_reader(fd, pump if len(pumps) == 1 else partial(_pump_all, pumps))

    def _answered(self, name: str) -> None:
        self._awaited.discard(name)
        if not self._awaited:
            self._scanned.set()


def _pump_all(pumps: list[Callable[[], None]]) -> None:
    for pump in pumps:
        pump()


class _LoopPoll:
    """Reads a quick device each period, on the loop."""

    def __init__(self, clock: Clock, inputs: DeviceInputs) -> None:
        self._clock = clock
        self._inputs = inputs
        self._timer: Timer | None = None

    def run(self) -> None:
        self._timer = self._clock.call_at(self._clock.now_ns() + self._inputs.period_ns, self.run)
        self._inputs.poll()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
