"""A whole station in virtual time, its masters on the other end of the octets, its relays recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest

from hw.interface import DeviceFault
from rtu.clock import SECOND, VirtualClock
from rtu.config.channels import ChannelMap
from rtu.config.schema import Role, StationFile
from rtu.events.log import EventLog
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.link import AsduReceived, Closed, Link, LinkParameters
from rtu.iec104.link import Role as LinkRole
from rtu.outputs.build import build_commands
from rtu.outputs.outputs import Outputs
from rtu.outputs.ports import make_ports
from rtu.points.build import build_signals
from rtu.points.model import Value
from rtu.points.table import PointTable
from rtu.station.client import Peer
from rtu.station.groups import RedundancyGroup
from rtu.station.periodic import PeriodicTransmission
from rtu.station.session import Session
from rtu.station.station import Station
from rtu.station.totals import IntegratedTotals

STATION = """
format = 1
[station]
name = "Feeder 12"
common_address = 1
[device.field]
driver = "recorded"
config = {}
[[point]]
name = "door"
type = "single"
address = [ { ioa = 100, group = 1 }, { ioa = 105 }, { ca = 2, ioa = 100 } ]
[[point]]
name = "q0.position"
type = "double"
address = [ { ioa = 200, group = [1, 2] } ]
[[point]]
name = "tap"
type = "step"
address = [ { ioa = 300 } ]
[[point]]
name = "lost"
type = "bitstring"
system = "events.lost"
address = [ { ioa = 400 } ]
[[point]]
name = "current"
type = "float"
report = { deadband = 1.0, cyclic_s = 10, background_s = 60 }
address = [ { ioa = 700, group = 2 }, { ioa = 710, type = "scaled", resolution = 0.1 } ]
[[point]]
name = "energy"
type = "counter"
address = [ { ioa = 800, group = 1 } ]
[[command]]
name = "lamp"
type = "single"
output = { device = "field", on = 1, off = 2, pulse_ms = { default = 500, short = 100, long = 2000 } }
address = [ { ioa = 2000 } ]
[[command]]
name = "q0.operate"
type = "double"
output = { device = "field", on = 3, off = 4 }
select = { timeout_s = 10 }
feedback = { point = "q0.position", within_s = 5 }
address = [ { ioa = 2100 } ]
[[command]]
name = "power"
type = "float"
output = { device = "field", channel = "p", min = 0, max = 100 }
address = [ { ioa = 2500 } ]
"""


class Relays:
    """Outputs that record what they were told; a pulse ends when the clock says so."""

    bus = ""
    self_timed = True

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.levels = [0] * 8
        self.history: list[tuple[float, int, int]] = []  # seconds, output, level
        self.setpoints: list[tuple[int, float]] = []
        self.fault = ""

    def close(self) -> None:
        self.safe()

    def write(self, output: int, level: int) -> None:
        if self.fault:
            raise DeviceFault(self.fault)
        self._put(output, level)

    def pulse(self, output: int, level: int, seconds: float) -> None:
        self.write(output, level)
        self.clock.call_at(self.clock.now_ns() + round(seconds * SECOND), lambda: self._put(output, 0))

    def read_back(self) -> list[int]:
        return list(self.levels)

    def safe(self) -> None:
        for output, level in enumerate(self.levels):
            if level:
                self._put(output, 0)

    def set(self, output: int, value: float) -> None:
        if self.fault:
            raise DeviceFault(self.fault)
        self.setpoints.append((output, value))

    def _put(self, output: int, level: int) -> None:
        self.levels[output] = level
        self.history.append((self.clock.now_ns() / SECOND, output, level))


@dataclass
class AuditList:
    """The audit trail, to look at."""

    records: list[dict[str, object]] = field(default_factory=list)

    def record(self, event: str, **fields: object) -> bool:
        self.records.append({"event": event, **fields})
        return True

    def events(self) -> list[str]:
        return [str(record["event"]) for record in self.records]


class Master:
    """A controlling station on the other end of a session: everything it got, in order."""

    def __init__(self, rig: Rig, session: Session) -> None:
        self.rig = rig
        self.session = session
        self.link = Link(LinkRole.CONTROLLING, LinkParameters(w=1), rig.now)
        self.asdus: list[ASDU] = []
        self.closed: str | None = None
        self.acknowledging = True

    def start(self) -> Master:
        self.link.start(self.rig.now)
        self.rig.settle()
        return self

    def stop(self) -> None:
        self.link.stop(self.rig.now)
        self.rig.settle()

    def send(
        self, type_id: int, cause: int, ioa: int, *elements: object, ca: int = 1, **header: object
    ) -> None:
        """Send one object and let the station answer."""
        asdu = ASDU(type_id, cause, ca, (InformationObject(ioa, elements),), **header)  # type: ignore[arg-type]
        self.send_octets(asdu.encode())

    def send_together(self, type_id: int, cause: int, ioa: int, *elements: object) -> None:
        """Send one object in the same segment as the next; the station answers when the rig settles."""
        self.link.send(ASDU(type_id, cause, 1, (InformationObject(ioa, elements),)).encode(), self.rig.now)  # type: ignore[arg-type]

    def send_octets(self, octets: bytes) -> None:
        self.link.send(octets, self.rig.now)
        self.rig.settle()

    def disconnect(self) -> None:
        self.session.end("closed by the master")
        self.rig.masters.remove(self)

    def take(self) -> list[ASDU]:
        """What came since the last call."""
        asdus, self.asdus = self.asdus, []
        return asdus

    def exchange(self) -> bool:
        """Move octets both ways once; False when there was nothing to move."""
        now = self.rig.now
        up = self.session.data_to_send(now)
        for event in self.link.receive(up, now):
            match event:
                case AsduReceived(octets):
                    self.asdus.append(ASDU.decode(octets))
                case Closed(reason):
                    self.closed = reason
        down = self.link.data_to_send(now) if self.acknowledging else b""
        if down:
            self.session.receive(down, now)
        if self.session.closed_reason is not None:
            self.closed = self.closed or self.session.closed_reason
        return bool(up or down)


class Rig:
    """The station and everything around it."""

    def __init__(self, text: str = STATION, *, capacity: int = 1000, k: int = 12) -> None:
        file = msgspec.convert(tomllib.loads(text), StationFile)
        self.file = file
        self.clock = VirtualClock()
        self.audit = AuditList()
        self.signals = build_signals(file)
        addresses = [address for signal in self.signals for address in signal.addresses]
        self.log = EventLog(
            ("main", "other"),
            self.clock,
            addresses,
            capacity=capacity,
            overflow=[a for s in self.signals if s.system == "events.lost" for a in s.addresses],
        )
        self.table = PointTable(self.signals, self.clock, self.log)
        self.relays = Relays(self.clock)
        commands = build_commands(file, ChannelMap(file), self.signals)
        ports = make_ports(commands, {"field": self.relays}, self.clock, lambda bus, job, done: None)
        self.outputs = Outputs(commands, ports, self.table, self.clock, self.audit)
        common_addresses = tuple(sorted({1, *(address.ca for address in addresses)}))
        self.station = Station(
            common_addresses=common_addresses,
            parameters=LinkParameters(k=k, w=max(1, k * 2 // 3)),
            clock=self.clock,
            table=self.table,
            log=self.log,
            outputs=self.outputs,
            totals=IntegratedTotals(self.table, self.clock, self.log),
            groups={name: RedundancyGroup(g, common_addresses) for name, g in self.log.groups.items()},
            audit=self.audit,
        )
        for group in self.station.groups.values():
            self.log.subscribe(group.wake)
        self.masters: list[Master] = []

    @property
    def now(self) -> float:
        return self.clock.now_ns() / SECOND

    def begin(self) -> Rig:
        """The first scan is over: everything was read once and is off."""
        for name in ("door", "tap", "current", "energy"):
            self.set(name, 0)
        self.set("q0.position", 1)
        self.table.finish_start()
        PeriodicTransmission(self.station)
        return self

    def set(self, name: str, value: float, quality: int = 0) -> None:
        """A reading arrives."""
        self.table.update(self.table.index(name), Value(value, quality, self.clock.now_ns()))

    def connect(self, *, group: str = "main", role: Role = "engineer") -> Master:
        """A master's TCP connection was admitted."""
        peer = Peer(f"master of {group}", "192.0.2.1", role, group)
        master = Master(self, Session(self.station, peer, self.now, lambda: None))
        self.masters.append(master)
        return master

    def master(self, **how: str) -> Master:
        """Connected and started, its end of initialisation seen."""
        master = self.connect(**how).start()  # type: ignore[arg-type]
        master.take()
        return master

    def settle(self) -> None:
        """Move octets until everybody has said everything."""
        while any([master.exchange() for master in self.masters]):  # noqa: C419 - each of them
            pass

    def advance(self, seconds: float) -> None:
        """Time passes in steps no link timer can hide in."""
        end = self.clock.now_ns() + round(seconds * SECOND)
        while self.clock.now_ns() < end:
            self.clock.advance(ns=min(SECOND // 20, end - self.clock.now_ns()))
            for master in self.masters:
                master.session.on_timer(self.now)
                master.link.on_timer(self.now)
            self.settle()


@pytest.fixture
def rig() -> Rig:
    return Rig().begin()


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    return lambda *args, **kwargs: Rig(*args, **kwargs).begin()
