"""Cyclic transmission (cause 1) and background scan (cause 2).

Each period has one timer. When it falls due, every started connection is asked to tell the
objects of that period, after everything else it has to say; what still waits from the last time is
not asked for twice, and while no connection is started nothing is kept (IEC 60870-5-101, 7.4.6-7).
"""

from __future__ import annotations

from functools import partial

from rtu.iec104.catalogue import Cause
from rtu.points.image import Run

from .periods import Period
from .session import Session
from .station import Station
from .transmission import Part


class PeriodicTransmission:
    """The timers of all periods, from construction on."""

    def __init__(self, station: Station) -> None:
        self._station = station
        for period in station.periods.all:
            self._schedule(period, station.clock.now_ns())

    def _schedule(self, period: Period, last_ns: int) -> None:
        now = self._station.clock.now_ns()
        due = last_ns + period.period_ns
        if due <= now:  # the loop was late by more than a period: do not catch up
            due = now + period.period_ns
        self._station.clock.call_at(due, lambda: self._tell(period, due))

    def _tell(self, period: Period, due_ns: int) -> None:
        for group in self._station.groups.values():
            if isinstance(group.holder, Session):
                self._ask(period, group.holder)
        self._schedule(period, due_ns)

    def _ask(self, period: Period, session: Session) -> None:
        for run in period.runs:
            part = Part(run.addresses, partial(self._data, run, period.cause, session))
            session.transmission.periodic((period.cause, run), part)
        session.wake()

    def _data(self, run: Run, cause: Cause, session: Session) -> bytes:
        return self._station.table.image.asdu(run, cause, 0, session.group.events.overlay())
