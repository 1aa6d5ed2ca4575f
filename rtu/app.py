"""The composition root: puts one station together, starts it in the right order, and stops it.

Start: journal, outputs safe, inputs, first scan, listeners, ready. Stop: listeners, outputs to
their safe state, journal. This is the only file that sees everything; it decides nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rtu import __version__
from rtu.background import BackgroundThread, awaited
from rtu.clock import (
    MILLISECOND,
    SECOND,
    Discipline,
    FreeDiscipline,
    KernelDiscipline,
    MasterDiscipline,
    SystemClock,
)
from rtu.config import schema
from rtu.config.channels import ChannelMap
from rtu.events.log import EventLog
from rtu.events.store import Store, StoreInUse
from rtu.field.buses import Buses
from rtu.field.chains import build_chains
from rtu.field.devices import OpenDevices, open_devices
from rtu.field.field import Field
from rtu.iec104.link import LinkParameters
from rtu.local.report import Described, Parts, StatusReport
from rtu.local.service import ServiceManager
from rtu.local.serving import feed_watchdog, keep_told, serving
from rtu.local.socket import Asked, Function, LocalSocket, socket_path
from rtu.local.trace import trace_functions
from rtu.local.unlock import unlock
from rtu.outputs.build import build_commands
from rtu.outputs.outputs import Outputs
from rtu.outputs.ports import make_ports
from rtu.outputs.validate import UnsafeCommands, require_safe
from rtu.points.build import build_signals
from rtu.points.composed import compose
from rtu.points.model import Address, Signal
from rtu.points.station_time import StationTime
from rtu.points.table import PointTable
from rtu.security.audit.chain import directory_of
from rtu.security.audit.chain_file import ChainFile
from rtu.security.audit.trail import Audit
from rtu.security.certificates.certificate_time import CertificateTime
from rtu.security.identity import Gate, GateError
from rtu.security.tls.context import TlsError
from rtu.server.listener import Door, Listener, ListenError
from rtu.server.policing import Policing
from rtu.server.recording import Recording
from rtu.station import initialisation, locks, parameters
from rtu.station.build_files import build_files, build_history, file_addresses
from rtu.station.freezing import ClockFreezes
from rtu.station.groups import RedundancyGroup
from rtu.station.new_files import announce_new_files
from rtu.station.periodic import PeriodicTransmission
from rtu.station.periods import Periods
from rtu.station.station import Station
from rtu.station.synchronisation import Synchronisation, keep, last_told
from rtu.station.system_points import SystemPoints, Tls, Watched
from rtu.station.totals import IntegratedTotals
from rtu.station.traffic import Traffic

if TYPE_CHECKING:  # imported where needed: a station without TLS goes without the library it takes
    from rtu.local.status import Status
    from rtu.security.tls.contexts import Contexts

FIRST_SCAN_S = 5.0
"""How long listeners wait for devices that do not answer."""

AHEAD_S = 1.0
"""After a master was let in, before work is done for the next one: the first one's interrogation comes first."""

CANNOT_START = 1
"""Exit code when something outside the station file keeps the station from starting."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_log = logging.getLogger("rtu")


class Outstation:
    """A station made from its file. `start`, then `stop` once; files it names are relative to `base`.

    The devices are open, their outputs safe, as soon as it exists.
    """

    def __init__(self, file: schema.StationFile, base: Path) -> None:
        """Raises StoreInUse or GateError: one line each that says what to do."""
        loop = asyncio.get_running_loop()
        self.restarting: asyncio.Future[str] = loop.create_future()
        """Done, with the reason, when a master asked for a restart."""
        discipline = _discipline(file.clock)
        self._slowest_scan_ms = max((point.input.scan_ms for point in file.point if point.input), default=0.0)
        self.clock = SystemClock(discipline, loop)
        self._audit_thread = BackgroundThread(loop.call_soon_threadsafe, "audit")
        chain = ChainFile(directory_of(file, base), file.audit.max_octets, self.clock, self._audit_thread)
        self.audit = Audit(self.clock, chain=chain)
        station_time = StationTime(
            file.clock.zone, summer_time=file.clock.summer_time, day_of_week=file.clock.day_of_week
        )
        gate = Gate(file.master, base)
        channels = ChannelMap(file)
        signals = build_signals(file)
        self._commands = commands = build_commands(file, channels, signals)
        self._store = Store.open(base / file.events.directory, self.clock)
        # Before anything is stamped. A clock that nobody ever sets is followed as it is.
        if not isinstance(discipline, FreeDiscipline):
            self.clock.hold(last_told(self._store.restored.meta))
        self._boot, self._configuration = _boot(), _fingerprint(file)
        addresses = [address for one in signals for address in one.addresses]
        self.log = EventLog(
            list(dict.fromkeys(master.group or master.name for master in file.master)),
            self.clock,
            addresses,
            capacity=file.events.capacity,
            measured_capacity=file.events.measured_capacity,
            first=_first(file, signals),
            overflow=[a for one in signals if one.system == "events.lost" for a in one.reports],
            store=self._store,
            time_tag=station_time.tag,
            report=self.audit.record,
        )
        self._cause = initialisation.cause(self.log.meta, self._boot, self._configuration)
        self.history = build_history(file, self.log, signals, self.clock, station_time)
        self.table = PointTable(signals, self.clock, self.history or self.log, station_time)
        _restore(self.table, self.log)
        totals = IntegratedTotals(
            self.table,
            self.clock,
            self.log,
            {point.name: point.freeze for point in file.point if point.freeze is not None},
            station_time,
            self.history,
        )
        periods = Periods(self.table, self.log)
        if file.protocol.parameters != "off":
            parameters.restore(self.table, self.log)
            periods.restore()
        # Last of all that can fail: no line is claimed for a station that is not to be.
        self.devices: OpenDevices = open_devices(file, channels, _log.warning)
        self.buses = Buses(self.clock, loop.call_soon_threadsafe)
        self.outputs = Outputs(
            commands,
            make_ports(commands, self.devices.open, self.clock, self.buses.submit),
            self.table,
            self.clock,
            self.audit,
            alarm=self._alarm,
            protocol=file.protocol,
            locked=locks.remembered(self.log.meta),
        )
        self.field = Field(
            build_chains(file, channels, self.table, self.clock),
            self.devices,
            self.clock,
            loop=loop,
            buses=self.buses,
            log=_log.warning,
        )
        self.background = BackgroundThread(loop.call_soon_threadsafe, "files")
        files = build_files(
            file,
            base,
            table=self.table,
            history=self.history,
            clock=self.clock,
            time=station_time,
            background=self.background,
            record=self.audit.record,
            log=_log.warning,
        )
        common_addresses = _common_addresses(file, addresses)
        self.station = Station(
            common_addresses=common_addresses,
            parameters=LinkParameters(
                **{name: getattr(file.protocol, name) for name in ("k", "w", "t1", "t2", "t3")}
            ),
            clock=self.clock,
            table=self.table,
            log=self.log,
            outputs=self.outputs,
            totals=totals,
            periods=periods,
            groups={
                name: RedundancyGroup(group, common_addresses) for name, group in self.log.groups.items()
            },
            audit=self.audit,
            traffic=Traffic(self.clock),
            time=station_time,
            protocol=file.protocol,
            initialisation=self._cause,
            restart=self._restart,
            master_clock=discipline if isinstance(discipline, MasterDiscipline) else None,
            files=files,
        )
        for group in self.station.groups.values():
            self.log.subscribe(group.wake)
        self._tracing = BackgroundThread(loop.call_soon_threadsafe, "trace")
        self._traced_from_start = file.trace.at_start
        traces = base / (file.trace.directory or Path(file.events.directory, "trace"))
        self.recording = Recording(
            self.station.traffic, traces, file.trace.max_octets, self._tracing, self.audit.record
        )
        self._tls = file.listen.tls
        self._tls_thread = BackgroundThread(loop.call_soon_threadsafe, "tls")
        self.contexts = self._make_contexts(file, base)
        self.listeners = [Listener(self.station, gate, door) for door in _doors(file.listen, self.contexts)]
        watched = Watched(
            self.clock,
            self.log,
            self.outputs,
            self._tls_status,
            file.listen.plain is not None,
            lambda: self.audit.status().failed,
        )
        self.audit.watch(SystemPoints(self.table, watched, self.log.last_states).recorded)
        compose(file, self.table)  # of the station's own points too
        self.report = StatusReport(
            Parts(
                version=__version__,
                configuration=self._configuration,
                file=Described.of(file),
                station=self.station,
                field=self.field,
                store=self._store,
                watched=watched,
                audit=self.audit.status,
                ports=lambda: [(listener.name, listener.port) for listener in self.listeners],
                recording=lambda: self.recording.on,
            )
        )
        self.audit.watch(self.report.recorded)
        functions: dict[str, Function] = {
            "status": self._status,
            "unlock": partial(unlock, self.outputs),
            **trace_functions(
                self.station.traffic,
                self.recording,
                [master.name for master in file.master],
                self.audit.record,
            ),
        }
        self.local = LocalSocket(socket_path(file, base), functions, self.audit.record)

    async def start(self) -> None:
        """Read the inputs, then let masters in. Raises UnsafeCommands or ListenError."""
        require_safe(self._commands, self.devices.open)
        proof = asyncio.create_task(self._prove_tls())
        Synchronisation(self.station)
        locks.forget_others(self.log, [each.name for each in self.outputs.status()], self.audit.record)
        self.field.start()
        if not await self.field.first_scan(FIRST_SCAN_S):
            _log.warning("not every device answered within %g s; serving what is known", FIRST_SCAN_S)
        self.table.finish_start()
        PeriodicTransmission(self.station)
        announce_new_files(self.station)
        ClockFreezes(self.station)
        if self._traced_from_start:
            self.recording.start("station file")
        if not await proof:
            self.listeners = [listener for listener in self.listeners if listener.name != "tls"]
        for listener in self.listeners:
            listener.open()
            if self.contexts is not None and listener.name == "tls":
                Policing(self.clock, self.contexts, listener).start()
            if listener.name == "plain":
                self._warn_of_plain(listener.port)
        await self.local.open()
        initialisation.started(self.log, self._boot, self._configuration)
        self.audit.record(
            "start",
            station=",".join(map(str, self.station.common_addresses)),
            version=__version__,
            configuration=self._configuration,
            changed=self._cause.changed,
            cause=self._cause.cause,
            previous_end=self.audit.previous_end,
        )

    async def stop(self, reason: str) -> None:
        """Let nobody in any more, outputs to their safe state, and everything to the disk."""
        # Bottom up; a step that fails keeps no other from being taken.
        with ExitStack() as steps:
            steps.callback(self.clock.stop)
            steps.callback(self._audit_thread.close)
            steps.callback(self.audit.close, reason)
            steps.callback(self.log.close)
            steps.callback(self.background.close)
            steps.callback(self._tls_thread.close)
            steps.callback(self._tracing.close)
            steps.callback(self.recording.stop, "station", "the station stops")
            steps.callback(keep, self.station)
            steps.callback(self.devices.close)
            steps.callback(self.buses.stop)  # what brings outputs to rest is still done
            steps.callback(self.outputs.safe)
            steps.callback(self.field.stop)
            self.outputs.retire("the station stops")  # while one way in is closed the next is still open
            await self.local.close()
            for listener in self.listeners:
                await listener.close("the station stops")

    def tell(self, service: ServiceManager) -> None:
        """Tell the service manager that masters can come; from then on how many there are, and that all of it moves."""
        ports = [(listener.name, listener.port) for listener in self.listeners]
        keep_told(
            service, self.clock, serving(len(self.table.signals), ports), self.station, self.audit.watch
        )
        patience_ns = 3 * round(self._slowest_scan_ms * MILLISECOND)
        feed_watchdog(service, self.clock, self.field, patience_ns)

    def _make_contexts(self, file: schema.StationFile, base: Path) -> Contexts | None:
        """What TLS needs.

        Files that cannot be used are no reason not to record events: they are read anew when they have changed, and
        until then every connection is refused.
        """
        if file.listen.tls is None:
            return None
        from rtu.security.tls.contexts import Contexts

        contexts = Contexts(
            file.listen.tls,
            base,
            base / file.events.directory / "revocation",
            now=CertificateTime(),
            background=self._tls_thread,
            soon=partial(asyncio.get_running_loop().call_later, AHEAD_S),
            record=self.audit.record,
        )
        contexts.load()
        status = contexts.status()
        if not status.usable:
            _log.error("%s; until then nobody can connect over TLS", status.reason)
        elif status.reason:
            _log.warning("%s", status.reason)
        return contexts

    async def _prove_tls(self) -> bool:
        """Whether TLS keeps out whom it has to; if not, its port stays closed and everything else runs."""
        if self._tls is None or self.contexts is None:
            return True
        from rtu.security.tls.self_test import prove

        try:
            await awaited(self._tls_thread, partial(prove, self._tls))
        except Exception as error:  # whatever it is that does not work, nobody comes in by it
            reason = str(error) if isinstance(error, TlsError) else f"self-test of TLS: {error}"
            _log.error("%s; the TLS port stays closed", reason)
            self.contexts.fail(reason)
            return False
        return True

    def _alarm(self, lock_group: str, reason: str) -> None:
        """A lock group was locked for `reason`, or unlocked: ""."""
        if reason:
            _log.error('lock group "%s" is locked: %s', lock_group, reason)
        else:
            _log.warning('lock group "%s" is unlocked', lock_group)
        locks.remember(self.log, lock_group, reason)

    def _status(self, asked: Asked) -> Status:
        from rtu.local.status import status_of  # hundreds of kilobytes that not every station is asked for

        return status_of(self.report)

    def _warn_of_plain(self, port: int) -> None:
        file = self.report.parts.file
        assert file.listen.plain is not None
        _log.warning(
            "plain TCP on %s:%d is open: whoever can send from an address of %s is taken for it, %s",
            file.listen.plain.address,
            port,
            " or ".join(master.name for master in file.masters if master.identity is None) or "nobody",
            "commands included" if file.listen.plain.commands else "but for commands",
        )

    def _tls_status(self) -> Tls | None:
        return self.contexts.status() if self.contexts is not None else None

    def _restart(self, reason: str) -> None:
        initialisation.reset(self.log, self._boot)
        _resolve(self.restarting, reason)


async def serve(
    load: Callable[[], schema.StationFile],
    base: Path,
    service: ServiceManager,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Run a station until SIGTERM, SIGINT or SIGHUP; returns the exit code.

    Its file is loaded at every start and not kept: of many points it is most of what they need. When a master restarts
    it, it ends as it always does and is made anew; what cannot be made anew is the service manager's to restart.
    `on_ready` is called at every start.
    """
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[str] = loop.create_future()
    # A terminal that is closed must not kill it: some kernels keep lines driven then.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, partial(_resolve, stopping, signal.Signals(number).name))
    try:
        while True:
            await _live(load, base, service, stopping, on_ready)
            if stopping.done():
                return 0
            service.alive()
    except (StoreInUse, GateError, ListenError, UnsafeCommands) as error:
        _log.error("%s", error)
        return CANNOT_START


async def _live(
    load: Callable[[], schema.StationFile],
    base: Path,
    service: ServiceManager,
    stopping: asyncio.Future[str],
    on_ready: Callable[[], None],
) -> None:
    """One life of the station: until `stopping`, or until a master restarts it."""
    outstation = Outstation(load(), base)
    reason = "an error of the station"
    try:
        await outstation.start()
        outstation.tell(service)
        on_ready()
        await asyncio.wait((stopping, outstation.restarting), return_when=asyncio.FIRST_COMPLETED)
        reason = (stopping if stopping.done() else outstation.restarting).result()
    except (ListenError, UnsafeCommands) as error:
        reason = str(error)
        raise
    finally:
        if not outstation.restarting.done():
            service.stopping()
        await outstation.stop(reason)


def _resolve(future: asyncio.Future[str], result: str) -> None:
    if not future.done():
        future.set_result(result)


def _boot() -> str:
    """Names this boot of the machine; "" if nothing does."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _fingerprint(file: schema.StationFile) -> str:
    """The same for files that say the same."""
    said = msgspec.json.encode(file, enc_hook=str, order="deterministic")
    return hashlib.sha256(said).hexdigest()


def _discipline(clock: schema.Clock) -> Discipline:
    match clock.source:
        case "ntp":
            return KernelDiscipline(round(clock.max_error_ms * MILLISECOND))
        case "master":
            return MasterDiscipline(round(clock.valid_for_s * SECOND))
        case "none":
            return FreeDiscipline()


def _doors(listen: schema.Listen, contexts: Contexts | None) -> list[Door]:
    """The ways in that the file opens."""
    doors = []
    tls, plain = listen.tls, listen.plain
    if tls is not None:
        doors.append(
            Door(
                "tls",
                tls.address,
                tls.port,
                _most(tls.commands),
                tls.max_connections,
                contexts,
                tls.interface,
            )
        )
    if plain is not None:
        doors.append(
            Door(
                "plain",
                plain.address,
                plain.port,
                _most(plain.commands),
                plain.max_connections,
                interface=plain.interface,
            )
        )
    return doors


def _most(commands: bool) -> schema.Role:
    """The greatest role a listener lets through."""
    return "engineer" if commands else "viewer"


def _first(file: schema.StationFile, signals: tuple[Signal, ...]) -> list[Address]:
    """The addresses whose events go before all others."""
    names = {point.name for point in file.point if point.type in file.events.first}
    return [address for one in signals if one.name in names for address in one.addresses]


def _restore(table: PointTable, log: EventLog) -> None:
    for one in table.signals:
        if one.system:
            continue
        if one.kind == "counter" and one.name in log.counters:
            table.restore(one.index, log.counters[one.name], 0)
        elif one.name in log.last_states:
            table.restore(one.index, *log.last_states[one.name])


def _common_addresses(file: schema.StationFile, addresses: list[Address]) -> tuple[int, ...]:
    used = {address.ca for address in addresses}
    used |= {address.ca for command in file.command for address in command.address if address.ca is not None}
    return tuple(sorted(used | file_addresses(file) | {file.station.common_address}))
