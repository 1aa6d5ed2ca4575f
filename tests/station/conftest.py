"""A whole station in virtual time, its masters on the other end of the octets, its relays recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hw.interface import DeviceFault
from rtu.clock import SECOND, MasterDiscipline, VirtualClock
from rtu.config.channels import ChannelMap
from rtu.config.schema import Role, StationFile
from rtu.events.journal import Keeper
from rtu.events.log import EventLog
from rtu.iec104.asdu import ASDU, InformationObject
from rtu.iec104.link import AsduReceived, Closed, Link, LinkParameters
from rtu.iec104.link import Role as LinkRole
from rtu.outputs.build import build_commands
from rtu.outputs.outputs import Outputs
from rtu.outputs.ports import make_ports
from rtu.points.build import build_signals
from rtu.points.composed import compose
from rtu.points.model import Value
from rtu.points.station_time import StationTime
from rtu.points.table import PointTable
from rtu.station import initialisation, locks, parameters
from rtu.station.build_files import build_files, build_history, file_addresses
from rtu.station.client import Peer
from rtu.station.freezing import ClockFreezes
from rtu.station.groups import RedundancyGroup
from rtu.station.new_files import announce_new_files
from rtu.station.periodic import PeriodicTransmission
from rtu.station.periods import Periods
from rtu.station.session import Session
from rtu.station.station import Station
from rtu.station.synchronisation import Synchronisation
from rtu.station.system_points import SystemPoints, Tls, Watched
from rtu.station.totals import IntegratedTotals
from rtu.station.traffic import Traffic

BOOT = "the boot of the machine under all rigs"

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
        self.levels = [0] * 16
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
    watchers: list[Callable[[str, dict[str, object]], None]] = field(default_factory=list)
    failed: bool = False

    def record(self, event: str, **fields: object) -> bool:
        self.records.append({"event": event, **fields})
        for watcher in self.watchers:
            watcher(event, fields)
        return True

    def events(self) -> list[str]:
        return [str(record["event"]) for record in self.records]


class AtOnce:
    """Background work that is done at once; while `held` is a list, when the test lets it go."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[..., Any], ...]] | None = None

    def submit(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None:
        if self.held is not None:
            self.held.append((work, done, failed))
            return
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            done(result)

    def let_go(self) -> None:
        jobs, self.held = self.held or [], None
        for job in jobs:
            self.submit(*job)


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

    def __init__(
        self,
        text: str = STATION,
        *,
        capacity: int = 1000,
        k: int = 12,
        store: Keeper | None = None,
        base: Path = Path("/nonexistent"),
    ) -> None:
        file = msgspec.convert(tomllib.loads(text), StationFile)
        # Whatever it says: nothing is written but below `base`.
        file = msgspec.structs.replace(file, events=msgspec.structs.replace(file.events, directory="state"))
        self.text, self.file = text, file
        sets = file.clock.source == "master"
        self.master_clock = (
            MasterDiscipline(round(file.clock.valid_for_s * SECOND), lambda: self.clock.offset_ns)
            if sets
            else None
        )
        self.clock = VirtualClock(discipline=self.master_clock)
        if sets:
            self.clock.hold(0)
        time = StationTime(
            file.clock.zone, summer_time=file.clock.summer_time, day_of_week=file.clock.day_of_week
        )
        self.restarts: list[str] = []  # why
        self.audit = AuditList()
        self.tls: Tls | None = None
        self.signals = build_signals(file)
        addresses = [address for signal in self.signals for address in signal.addresses]
        self.log = EventLog(
            ("main", "other"),
            self.clock,
            addresses,
            capacity=capacity,
            first=[
                a
                for s in self.signals
                for a in s.addresses
                if s.name in {point.name for point in file.point if point.type in file.events.first}
            ],
            overflow=[a for s in self.signals if s.system == "events.lost" for a in s.reports],
            store=store,
            time_tag=time.tag,
            report=self.audit.record,
        )
        self.background = AtOnce()
        self.warnings: list[str] = []
        self.history = build_history(file, self.log, self.signals, self.clock, time)
        self.table = PointTable(self.signals, self.clock, self.history or self.log, time)
        for name, total in self.log.counters.items():
            self.table.restore(self.table.index(name), total, 0)
        for name, state in self.log.last_states.items():
            if not self.signals[self.table.index(name)].system:
                self.table.restore(self.table.index(name), *state)
        self.relays = Relays(self.clock)
        commands = build_commands(file, ChannelMap(file), self.signals)
        ports = make_ports(commands, {"field": self.relays}, self.clock, lambda bus, job, done: None)
        self.outputs = Outputs(
            commands,
            ports,
            self.table,
            self.clock,
            self.audit,
            alarm=partial(locks.remember, self.log),
            protocol=file.protocol,
            locked=locks.remembered(self.log.meta),
        )
        self.watched = Watched(
            self.clock,
            self.log,
            self.outputs,
            lambda: self.tls,
            file.listen.plain is not None,
            lambda: self.audit.failed,
        )
        system = SystemPoints(self.table, self.watched, self.log.last_states)
        self.audit.watchers.append(system.recorded)
        compose(file, self.table)
        files = build_files(
            file,
            base,
            table=self.table,
            history=self.history,
            clock=self.clock,
            time=time,
            background=self.background,
            record=self.audit.record,
            log=self.warnings.append,
        )
        common_addresses = tuple(sorted({1, *(address.ca for address in addresses), *file_addresses(file)}))
        self.station = Station(
            common_addresses=common_addresses,
            parameters=LinkParameters(k=k, w=max(1, k * 2 // 3)),
            clock=self.clock,
            table=self.table,
            log=self.log,
            outputs=self.outputs,
            totals=IntegratedTotals(
                self.table,
                self.clock,
                self.log,
                {point.name: point.freeze for point in file.point if point.freeze is not None},
                time,
                self.history,
            ),
            periods=Periods(self.table, self.log),
            groups={name: RedundancyGroup(g, common_addresses) for name, g in self.log.groups.items()},
            audit=self.audit,
            traffic=Traffic(self.clock),
            time=time,
            protocol=file.protocol,
            initialisation=initialisation.cause(self.log.meta, BOOT, text),
            restart=self.restarts.append,
            master_clock=self.master_clock,
            files=files,
        )
        if file.protocol.parameters != "off":
            parameters.restore(self.table, self.log)
            self.station.periods.restore()
        for group in self.station.groups.values():
            self.log.subscribe(group.wake)
        self.masters: list[Master] = []

    @property
    def now(self) -> float:
        return self.clock.now_ns() / SECOND

    def begin(self) -> Rig:
        """The first scan is over: everything was read once and is off."""
        Synchronisation(self.station)
        initialisation.started(self.log, BOOT, self.text)
        for signal in self.signals:
            if not signal.system and signal.kind in (
                "single",
                "double",
                "step",
                "bitstring",
                "measured",
                "counter",
            ):
                self.set(signal.name, 1 if signal.kind == "double" else 0)
        self.table.finish_start()
        PeriodicTransmission(self.station)
        announce_new_files(self.station)
        ClockFreezes(self.station)
        return self

    def set(self, name: str, value: float, quality: int = 0) -> None:
        """A reading arrives."""
        self.table.update(self.table.index(name), Value(value, quality, self.clock.now_ns()))

    def connect(
        self, *, group: str = "main", role: Role = "engineer", commands: tuple[str, ...] | None = None
    ) -> Master:
        """A master's TCP connection was admitted."""
        peer = Peer(f"master of {group}", "192.0.2.1", role, group, commands)
        master = Master(self, Session(self.station, peer, self.now, lambda: None))
        self.masters.append(master)
        return master

    def master(self, **how: object) -> Master:
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
