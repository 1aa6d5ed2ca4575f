"""How the station is, at one moment: what `rtu status` shows, what its `--json` prints, and what metrics are made of.

The structs are the JSON. Keys are added when there is more to tell, and never change their meaning. Names come from the
station file; of a master that is connected nothing but its address comes from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from rtu.clock import SECOND
from rtu.field.statistics import Statistics
from rtu.outputs.states import State
from rtu.station.session import Session
from rtu.station.system_points import CURRENT, EXPIRING_DAYS, REFUSED_FOR_S, Tls, Watched

from .report import Parts, StatusReport


class Listener(msgspec.Struct, frozen=True):
    """One way in. `address` is empty for every address."""

    name: str
    address: str
    port: int
    commands: bool
    connections: int
    max_connections: int


class RevocationList(msgspec.Struct, frozen=True):
    """`state` is "valid", or why certificates of this authority cannot be judged by it."""

    issuer: str
    next_update: str | None
    state: str


class TlsState(msgspec.Struct, frozen=True):
    """`reason` says why nobody can get in, or which file is not in use. Times are UTC."""

    usable: bool
    reason: str
    not_after: str | None
    days_left: int | None
    lists: list[RevocationList]


class Connection(msgspec.Struct, frozen=True):
    """One connection of a master, see `rtu.station.traffic.Counters`.

    `state`: "started", "standby" while another connection of its group is started, or "stopped".
    """

    listener: str
    address: str
    port: int
    role: str
    state: str
    since_s: float
    heard_s: float
    received: int
    sent: int


class Traffic(msgspec.Struct, frozen=True):
    """All connections of a master since the start. APDUs by format (i, s, u), octets, requests refused, faults."""

    connections: int = 0
    received: dict[str, int] = {}
    sent: dict[str, int] = {}
    octets_received: int = 0
    octets_sent: int = 0
    refused: int = 0
    faults: int = 0


class Master(msgspec.Struct, frozen=True):
    """Someone who may connect, connected or not. `over`: "tls" or "plain"."""

    name: str
    role: str
    group: str
    over: str
    connections: list[Connection]
    traffic: Traffic


class Group(msgspec.Struct, frozen=True):
    """A redundancy group: rows that wait for it, rows lost since it exists, and since the start of the program."""

    name: str
    started: bool
    waiting: int
    lost: int
    lost_since_start: int


class LockGroup(msgspec.Struct, frozen=True):
    """`state` as in `rtu.outputs.states`; `who` is the master whose command is selected or runs."""

    name: str
    state: str
    command: str
    who: str
    reason: str


class Device(msgspec.Struct, frozen=True):
    """`error` is why it is not open or does not answer; "" while all is well."""

    name: str
    driver: str
    error: str


class Clock(msgspec.Struct, frozen=True):
    source: str
    synchronised: bool
    time: str


class Events(msgspec.Struct, frozen=True):
    """The event log's file: `fault` is why it takes no events; the times are from an event to its commit."""

    fault: str | None
    commits: int
    last_commit_ms: float
    longest_commit_ms: float


class AuditTrail(msgspec.Struct, frozen=True):
    """`seq` and `hash` are those of the newest record."""

    failed: bool
    reason: str
    records: int
    seq: int
    hash: str


class Inputs(msgspec.Struct, frozen=True):
    """Counts since the start, see `rtu.field.statistics`."""

    scans: int
    scan_errors: int
    silences: int
    edges: int
    lost_edges: int


class Status(msgspec.Struct, frozen=True):
    """The whole. `warnings` are what somebody should look after, in one line each; `records` counts audit records."""

    version: str
    station: str
    common_addresses: list[int]
    points: int
    configuration: str
    started: str
    up_s: float
    clock: Clock
    listeners: list[Listener]
    tls: TlsState | None
    masters: list[Master]
    groups: list[Group]
    lock_groups: list[LockGroup]
    late_commands: int
    devices: list[Device]
    inputs: Inputs
    events: Events
    audit: AuditTrail
    recording: bool
    longest_stall_s: float
    records: dict[str, int]
    warnings: list[str]


def status_of(report: StatusReport) -> Status:
    """As it is at this moment."""
    parts, station = report.parts, report.parts.station
    now_ns = station.clock.now_ns()
    unix_ns, synchronised = station.clock.wall(now_ns)
    up_s = report.up_s
    audit = parts.audit()
    status = Status(
        version=parts.version,
        station=parts.file.name,
        common_addresses=list(station.common_addresses),
        points=len(station.table.signals),
        configuration=parts.configuration,
        started=_utc(unix_ns / SECOND - up_s),
        up_s=round(up_s, 3),
        clock=Clock(parts.file.clock, synchronised, _utc(unix_ns / SECOND)),
        listeners=list(_listeners(parts)),
        tls=_tls(parts.watched),
        masters=list(_masters(parts, now_ns / SECOND)),
        groups=[
            Group(
                name,
                group.holder is not None,
                group.events.pending,
                group.events.lost,
                group.events.lost - report.lost[name],
            )
            for name, group in station.groups.items()
        ],
        lock_groups=[
            LockGroup(each.name, each.state.value, each.command, each.who, each.reason)
            for each in station.outputs.status()
        ],
        late_commands=station.outputs.late,
        devices=[
            Device(name, driver, parts.field.trouble(name)) for name, driver in parts.file.drivers.items()
        ],
        inputs=_inputs(parts.field.statistics),
        events=Events(
            parts.store.fault,
            parts.store.commits,
            round(parts.store.window_last_ms, 3),
            round(parts.store.window_max_ms, 3),
        ),
        audit=AuditTrail(audit.failed, audit.reason, audit.records, *audit.head),
        recording=parts.recording(),
        longest_stall_s=round(station.outputs.longest_stall_s, 3),
        records=dict(report.records),
        warnings=[],
    )
    return msgspec.structs.replace(status, warnings=list(_warnings(status, parts.watched)))


def _listeners(parts: Parts) -> Iterator[Listener]:
    ways = Counter(way.station.port for way in parts.station.traffic.ways.values())
    for name, port in parts.ports():
        entry = parts.file.listen.tls if name == "tls" else parts.file.listen.plain
        assert entry is not None
        yield Listener(name, entry.address, port, entry.commands, ways[port], entry.max_connections)


def _masters(parts: Parts, now: float) -> Iterator[Master]:
    traffic = parts.station.traffic
    names = {port: name for name, port in parts.ports()}
    totals = traffic.totals()
    for master in parts.file.masters:
        connections = [
            _connection(session, names.get(way.station.port, ""), way.peer.port, now)
            for session, way in traffic.ways.items()
            if way.master == master.name and isinstance(session, Session)
        ]
        total = totals.get(master.name)
        yield Master(
            master.name,
            master.role,
            master.group or master.name,
            "plain" if master.identity is None else "tls",
            connections,
            Traffic()
            if total is None
            else Traffic(
                total.connections,
                total.received._asdict(),
                total.sent._asdict(),
                total.octets_received,
                total.octets_sent,
                total.refused,
                total.faults,
            ),
        )


def _connection(session: Session, listener: str, port: int, now: float) -> Connection:
    counters = session.counters
    state = "started" if session.started else "stopped" if session.group.holder is None else "standby"
    return Connection(
        listener,
        session.peer.address,
        port,
        session.peer.role,
        state,
        round(now - counters.since, 3),
        round(now - counters.heard, 3),
        sum(counters.received),
        sum(counters.sent),
    )


def _tls(watched: Watched) -> TlsState | None:
    tls = watched.tls()
    if tls is None:
        return None
    return TlsState(tls.usable, tls.reason, _moment(tls.not_after), watched.days_left(), list(_lists(tls)))


def _lists(tls: Tls) -> Iterator[RevocationList]:
    for each in tls.lists:
        yield RevocationList(each.issuer, _moment(each.next_update), each.state)


def _inputs(statistics: Statistics) -> Inputs:
    return Inputs(
        statistics.scans,
        statistics.scan_errors,
        statistics.silences,
        statistics.edges,
        statistics.lost,
    )


def _warnings(status: Status, watched: Watched) -> Iterator[str]:
    """What somebody should look after, the worst first."""
    for lock in status.lock_groups:
        if lock.state == State.LOCKED.value:
            yield f'lock group "{lock.name}" is locked: {lock.reason}; mend it, then `rtu unlock`'
    if status.events.fault is not None:
        yield f"events are kept in memory only: {status.events.fault}"
    if status.audit.failed:
        yield f"the audit trail is not kept: {status.audit.reason}"
    for device in status.devices:
        if device.error:
            yield f'device "{device.name}": {device.error}'
    if status.tls is not None:
        yield from _tls_warnings(status.tls)
    for group in status.groups:
        if group.lost_since_start:
            yield f'group "{group.name}" lost events since the start: {group.lost_since_start}'
        if not group.started:
            yield f'group "{group.name}": no connection of its masters is started; events that wait: {group.waiting}'
    if status.clock.source != "none" and not status.clock.synchronised:
        yield "the clock is not synchronised: time tags are marked as invalid"
    if watched.refused():
        yield f"a connection was refused in the last {REFUSED_FOR_S / 60:g} minutes: the audit trail says whose"


def _tls_warnings(tls: TlsState) -> Iterator[str]:
    if not tls.usable:
        yield f"nobody can connect over TLS: {tls.reason}"
    elif tls.reason:
        yield f"TLS: {tls.reason}"
    if tls.days_left is not None and tls.days_left < 0:
        yield "the station's certificate has expired"
    elif tls.days_left is not None and tls.days_left < EXPIRING_DAYS:
        yield f"the station's certificate expires in {tls.days_left} days"
    for each in tls.lists:
        if each.state != CURRENT:
            yield f"revocation list of {each.issuer}: {each.state}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else _utc(moment.timestamp())


def _utc(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
