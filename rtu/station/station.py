"""What the application functions work on: the parts of one running station, put together once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rtu.clock import Clock, MasterDiscipline
from rtu.config import schema
from rtu.events.log import EventLog
from rtu.iec104.elements import COI
from rtu.iec104.link import LinkParameters
from rtu.outputs.outputs import Outputs
from rtu.outputs.trail import AuditSink
from rtu.points.station_time import UTC, StationTime
from rtu.points.table import PointTable

from .filing import Files
from .groups import RedundancyGroup
from .periods import Periods
from .totals import IntegratedTotals
from .traffic import Traffic


def _nothing_to_restart(reason: str) -> None:
    """A station that is not a program."""


@dataclass(frozen=True, slots=True)
class Station:
    """One station. Owned by the loop; nothing here locks."""

    common_addresses: tuple[int, ...]
    parameters: LinkParameters
    clock: Clock
    table: PointTable
    log: EventLog
    outputs: Outputs
    totals: IntegratedTotals
    periods: Periods
    groups: Mapping[str, RedundancyGroup]
    audit: AuditSink
    traffic: Traffic
    protocol: schema.Protocol = field(default_factory=schema.Protocol)
    time: StationTime = UTC  # the only one that makes and reads time tags
    initialisation: COI = field(default=COI(0))
    restart: Callable[[str], None] = _nothing_to_restart  # called with the reason, perhaps more than once
    master_clock: MasterDiscipline | None = None  # set when `[clock] source = "master"`
    files: Files | None = None  # set when there are any
