"""A field side in virtual time: devices made of lists, a loop that only remembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from hw.interface import Channel, Condition, Context, Device, Edge, Kind, Sample
from rtu.clock import VirtualClock
from rtu.config.channels import ChannelMap
from rtu.config.schema import Device as DeviceTable
from rtu.config.schema import StationFile
from rtu.field import devices as devices_module
from rtu.field.buses import Bus, Buses
from rtu.field.chains import build_chains
from rtu.field.devices import OpenDevices, open_devices
from rtu.field.field import Field
from rtu.points.build import build_signals
from rtu.points.model import Address, Cause, Signal, Value
from rtu.points.table import PointTable


class FakeDevice:
    """Inputs of every kind; `bus` "" makes it a quick device on the loop."""

    def __init__(self, clock: VirtualClock, channels: Sequence[Channel], bus: str = "") -> None:
        self.clock = clock
        self.bus = bus
        self.stamps = "kernel"
        count = {kind: sum(channel.kind is kind for channel in channels) for kind in Kind}
        self.level: list[int | None] = [0] * count[Kind.DIGITAL_INPUT]
        self.volts = [0.0] * count[Kind.ANALOG_INPUT]
        self.condition = Condition.GOOD
        self.total: list[int | None] = [0] * count[Kind.COUNTER]
        self.pending: list[Edge] = []
        self.sink: Callable[[Sequence[Edge]], None] = lambda edges: None
        self.before_levels: Callable[[], None] = lambda: None
        self.closed = False
        self.fault: Exception | None = None

    def start(self, sink: Callable[[Sequence[Edge]], None]) -> None:
        self.sink = sink

    def filenos(self) -> Sequence[int]:
        return [] if self.bus else [17]

    def pump(self) -> None:
        edges, self.pending = self.pending, []
        if edges:
            self.sink(edges)

    def levels(self) -> Sequence[int | None]:
        self.before_levels()
        if self.fault is not None:
            raise self.fault
        return list(self.level)

    def scan(self) -> Sequence[Sample]:
        return [Sample(volts, self.condition, self.clock.now_ns()) for volts in self.volts]

    def totals(self) -> Sequence[int | None]:
        return list(self.total)

    def close(self) -> None:
        self.closed = True

    def move(self, channel: int, level: int, gap: int = 0) -> None:
        """The contact moves and the kernel has an edge of it."""
        self.level[channel] = level
        self.pending.append(Edge(channel, self.clock.now_ns(), level, gap))


class FakeLoop:
    """Remembers readers, and runs what threads post when `run` is called."""

    def __init__(self) -> None:
        self.readers: dict[int, Callable[..., Any]] = {}
        self.posted: list[Callable[[], None]] = []

    def add_reader(self, fd: int, callback: Callable[..., Any], *args: Any) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> bool:
        return self.readers.pop(fd, None) is not None

    def call_soon_threadsafe(self, callback: Callable[..., Any], *args: Any) -> Any:
        self.posted.append(callback)

    def run(self) -> None:
        while self.posted:
            self.posted.pop(0)()


class StillBuses(Buses):
    """Buses without threads: their turns are taken by the test."""

    def get(self, name: str) -> Bus:
        if name not in self._buses:
            self._buses[name] = self.make(name)
        return self._buses[name]


class Recorder:
    def __init__(self) -> None:
        self.states: list[tuple[int, bytes]] = []

    def changed(self, signal: Signal, value: Value) -> None: ...

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        self.states.append((address.signal, octets))

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None: ...


class Station:
    """A station whose devices are fakes of driver "fake"; `broken` names those that do not open."""

    def __init__(self, points: list[dict[str, Any]], buses: dict[str, str]) -> None:
        self.clock = VirtualClock()
        self.loop = FakeLoop()
        self.lines: list[str] = []
        self.threads: list[tuple[str, Callable[[], None]]] = []
        self.broken: dict[str, Exception] = {}
        self.bus_names = buses
        self.fakes: dict[str, FakeDevice] = {}
        for ioa, point in enumerate(points, 1):
            point["address"] = [{"ioa": ioa}]
        raw = {"format": 1, "station": {"name": "S", "common_address": 1}, "point": points}
        self.file = msgspec.structs.replace(
            msgspec.convert(raw, StationFile),
            device={name: DeviceTable(driver="fake", config=None) for name in buses},
        )
        self.sink = Recorder()
        self.table = PointTable(build_signals(self.file), self.clock, self.sink)
        self.map = ChannelMap(self.file)
        self.buses = StillBuses(self.clock, self.loop.call_soon_threadsafe)

    # The driver

    name = "fake"

    def open(self, config: Any, channels: Sequence[Channel], context: Context) -> Device:
        if context.name in self.broken:
            raise self.broken[context.name]
        device = FakeDevice(self.clock, channels, self.bus_names[context.name])
        self.fakes[context.name] = device
        return device

    # The station

    def begin(self) -> Field:
        self.devices: OpenDevices = open_devices(self.file, self.map, self.lines.append)
        self.field = Field(
            build_chains(self.file, self.map, self.table, self.clock),
            self.devices,
            self.clock,
            loop=self.loop,
            buses=self.buses,
            log=self.lines.append,
            run=lambda name, work: self.threads.append((name, work)),
        )
        self.field.start()
        return self.field

    def value(self, name: str) -> Value:
        return self.table.value(self.table.index(name))

    def turn(self, bus: str) -> None:
        """Let the bus take one turn, and the loop what came of it."""
        self.buses.get(bus).turn()
        self.loop.run()


@pytest.fixture
def make_station(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Station]:
    def make(points: list[dict[str, Any]], **buses: str) -> Station:
        station = Station(points, buses)
        monkeypatch.setattr(devices_module, "driver", {"fake": station}.get)
        return station

    return make
