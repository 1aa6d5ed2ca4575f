"""What the application functions work on: the parts of one running station, put together once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rtu.clock import Clock, MasterDiscipline
from rtu.events.log import EventLog
from rtu.iec104.link import LinkParameters
from rtu.outputs.outputs import Outputs
from rtu.points.table import PointTable

from .groups import RedundancyGroup
from .totals import IntegratedTotals


class AuditSink(Protocol):
    """Where every action goes on record."""

    def record(self, event: str, **fields: object) -> bool: ...


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
    groups: Mapping[str, RedundancyGroup]
    audit: AuditSink
    master_clock: MasterDiscipline | None = None  # set when `[clock] source = "master"`
