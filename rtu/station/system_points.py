"""Points whose value is the station's own state: SOURCES says where each is taken from.

They are looked at every `LOOK_S`, and at once after whatever is put on record. None stands for a state nobody knows,
told as invalid. What was told before a restart and is not so any more is taken back at the start. "events.lost" is not
among them: every redundancy group has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rtu.clock import SECOND, Clock
from rtu.events.log import EventLog
from rtu.outputs.outputs import Outputs
from rtu.points.model import GOOD, IV, Value
from rtu.points.table import PointTable

LOOK_S = 5.0
REFUSED_FOR_S = 600.0
"""How long a refused connection is shown."""
EXPIRING_DAYS = 30
"""A certificate that lasts for less is shown as expiring, until it is replaced."""
REFUSALS = frozenset({"tls.refuse", "plain.refuse"})
CURRENT = "valid"
"""State of a revocation list by which certificates can be judged."""

_DAY_S = 86_400


class RevocationList(Protocol):
    """The newest list of one authority."""

    @property
    def issuer(self) -> str: ...
    @property
    def next_update(self) -> datetime | None: ...
    @property
    def state(self) -> str: ...


class Tls(Protocol):
    """What the TLS listener says of itself."""

    @property
    def usable(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def not_after(self) -> datetime | None: ...
    @property
    def lists(self) -> Sequence[RevocationList]: ...


@dataclass(slots=True)
class Watched:
    """What the values are taken from. `tls` returns None where there is no such listener."""

    clock: Clock
    log: EventLog
    outputs: Outputs
    tls: Callable[[], Tls | None]
    plain_open: bool
    audit_failed: Callable[[], bool]
    refused_ns: int | None = None
    """When the last connection was refused."""

    def synchronised(self) -> bool:
        return self.clock.wall(self.clock.now_ns()).valid

    def days_left(self) -> int | None:
        """Whole days of the station's certificate, negative when it has expired; None if there is none."""
        tls = self.tls()
        if tls is None or tls.not_after is None:
            return None
        now_s = self.clock.wall(self.clock.now_ns()).unix_ns / SECOND
        return int((tls.not_after.timestamp() - now_s) // _DAY_S)

    def refused(self) -> bool:
        return self.refused_ns is not None and self.clock.now_ns() - self.refused_ns < REFUSED_FOR_S * SECOND


Source = Callable[[Watched], float | None]


def _of_days(judge: Callable[[int], bool]) -> Source:
    def source(watched: Watched) -> float | None:
        days = watched.days_left()
        return None if days is None else judge(days)

    return source


def _of_tls(judge: Callable[[Tls], bool]) -> Source:
    def source(watched: Watched) -> float | None:
        tls = watched.tls()
        return None if tls is None else judge(tls)

    return source


SOURCES: Mapping[str, Source] = {
    "events.unsaved": lambda watched: watched.log.fault is not None,
    "certificate.days_left": Watched.days_left,
    "certificate.expiring": _of_days(lambda days: days < EXPIRING_DAYS),
    "certificate.expired": _of_days(lambda days: days < 0),
    "revocation.stale": _of_tls(lambda tls: any(each.state != CURRENT for each in tls.lists)),
    "tls.failed": _of_tls(lambda tls: not tls.usable),
    "plain.open": lambda watched: watched.plain_open,
    "connection.refused": Watched.refused,
    "clock.unsynchronised": lambda watched: not watched.synchronised(),
    "audit.failed": lambda watched: watched.audit_failed(),
    "outputs.locked": lambda watched: watched.outputs.locked,
}
"""By the word of the station file (`system`)."""


class SystemPoints:
    """Keeps them in `table` from the end of its start on; `last_states` are those from before the restart."""

    def __init__(
        self, table: PointTable, watched: Watched, last_states: Mapping[str, tuple[float, int]]
    ) -> None:
        self._table = table
        self._watched = watched
        self._sources = {
            signal.index: SOURCES[signal.system] for signal in table.signals if signal.system in SOURCES
        }
        self._told = {index: last_states.get(table.signals[index].name, (0, GOOD)) for index in self._sources}
        self._begun = self._soon = False
        if self._sources:
            for index in self._sources:
                table.show(index, self._now(index))
            table.when_started(self._begin)

    def recorded(self, event: str, fields: Mapping[str, object]) -> None:
        """To be told of every record of the audit trail: something may have changed."""
        clock = self._watched.clock
        if event in REFUSALS:
            self._watched.refused_ns = clock.now_ns()
        if self._begun and not self._soon:
            # Not now: whoever puts something on record is in the middle of it.
            self._soon = True
            clock.call_at(clock.now_ns(), self._look)

    def _begin(self) -> None:
        for index in self._sources:
            signal, value = self._table.signals[index], self._now(index)
            if not signal.is_state:
                self._table.update(index, value)
            elif self._told[index] == value[:2]:
                self._table.show(index, value)
            else:
                self._table.tell(index, value)
        self._begun = True
        self._again()

    def _again(self) -> None:
        self._look()
        clock = self._watched.clock
        clock.call_at(clock.now_ns() + round(LOOK_S * SECOND), self._again)

    def _look(self) -> None:
        self._soon = False
        for index in self._sources:
            self._table.update(index, self._now(index))

    def _now(self, index: int) -> Value:
        value = self._sources[index](self._watched)
        known = GOOD if value is not None else IV
        return Value(float(value or 0), known, self._watched.clock.now_ns())
