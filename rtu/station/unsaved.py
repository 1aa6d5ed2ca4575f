"""The station's own point "events.unsaved": on while events are kept in memory only, because the disk does not take them.

The log tells the trouble before there is a point table, and again whenever it comes or goes; what was told before a restart and
is over by now is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rtu.clock import Clock
from rtu.points.model import GOOD, Value
from rtu.points.table import PointTable

SYSTEM = "events.unsaved"
_SAYS = {"store.fault": 1, "store.recovered": 0}


class Unsaved:
    """Stands between the event log and the audit trail: `report` is what the log tells, `record` where that goes."""

    def __init__(self, clock: Clock, record: Callable[..., object]) -> None:
        self._clock = clock
        self._record = record
        self._state = 0
        self._table: PointTable | None = None

    def report(self, event: str, **details: object) -> None:
        """Pass on what the log tells, and show what it means for the point."""
        self._record(event, **details)
        if event in _SAYS:
            self._state = _SAYS[event]
            if self._table is not None:
                for index in _indexes(self._table):
                    self._table.update(index, self._now())

    def show(self, table: PointTable, last_states: Mapping[str, tuple[float, int]]) -> None:
        """From now on the point is in this table; `last_states` are those from before the restart."""
        self._table = table
        for index in _indexes(table):
            told = last_states.get(table.signals[index].name, (0, GOOD))
            if told != (self._state, GOOD):
                table.tell(index, self._now())

    def _now(self) -> Value:
        return Value(self._state, GOOD, self._clock.now_ns())


def _indexes(table: PointTable) -> list[int]:
    return [signal.index for signal in table.signals if signal.system == SYSTEM]
