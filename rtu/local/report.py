"""What a status is made from: the parts of the station, and what is counted from its start on.

It is light: `rtu.local.status`, which makes the status of it, need not be imported before somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rtu.clock import SECOND
from rtu.config import schema
from rtu.events.store import Store
from rtu.field.field import Field
from rtu.security.audit.trail import AuditStatus
from rtu.station.station import Station
from rtu.station.system_points import Watched


class Described(NamedTuple):
    """What of the station file is shown: of many points the whole would be most of what the program needs."""

    name: str
    clock: str
    listen: schema.Listen
    masters: Sequence[schema.Master]
    drivers: Mapping[str, str]

    @classmethod
    def of(cls, file: schema.StationFile) -> Described:
        drivers = {name: device.driver for name, device in file.device.items()}
        return cls(file.station.name, file.clock.source, file.listen, tuple(file.master), drivers)


class Parts(NamedTuple):
    """What is looked at. `ports` are the listeners that are open: name and port."""

    version: str
    configuration: str
    file: Described
    station: Station
    field: Field
    store: Store
    watched: Watched
    audit: Callable[[], AuditStatus]
    ports: Callable[[], Iterable[tuple[str, int]]]
    recording: Callable[[], bool]


class StatusReport:
    """Made at the start of the station, which is when it begins to count.

    `records`: audit records by event. `lost`: rows each group had lost by then.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.records: Counter[str] = Counter()
        self.lost = {name: group.events.lost for name, group in parts.station.groups.items()}
        self._started_ns = parts.station.clock.now_ns()

    @property
    def up_s(self) -> float:
        """Since the start, seconds."""
        return (self.parts.station.clock.now_ns() - self._started_ns) / SECOND

    def recorded(self, event: str, fields: Mapping[str, object]) -> None:
        """To be told of every record of the audit trail; a summary counts for all it stands for."""
        self.records[event] += 1
        if event == "suppressed" and isinstance(count := fields.get("count"), int):
            self.records[str(fields.get("of"))] += count
