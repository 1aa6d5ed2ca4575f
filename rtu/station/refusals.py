"""What one connection was refused: all of it counted, and put on record at a bounded rate, each with its reason.

Commands that `rtu.outputs` refused are not among these: each of them is on record by itself. But they are looked at, as
everything that is refused at an address, for somebody who tries one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtu.clock import SECOND, Clock
from rtu.iec104.catalogue import TYPES
from rtu.outputs.trail import AuditSink

from .sweep import ADDRESSES, Sweep
from .sweep import PERIOD_S as SWEEP_S

RECORDS = 10
"""So many records of a kind in PERIOD_S; the first of the next period says how many were left out."""
PERIOD_S = 10

SWEEP = "outstation:10.3"


@dataclass(slots=True)
class _Tally:
    """The records of one kind: of one security event, or of what is none. No kind hides behind another."""

    since_ns: int
    records: int = 0
    left_out: int = 0


class Refusals:
    """`total` counts since the connection was accepted."""

    def __init__(self, audit: AuditSink, clock: Clock, master: str, address: str, sweep: Sweep) -> None:
        self.total = 0
        self._audit = audit
        self._clock = clock
        self._master, self._address = master, address
        self._sweep = sweep
        self._tallies: dict[str, _Tally] = {}

    def note(self, type_id: int, ca: int, ioa: int | None, reason: str, id: str = "") -> None:
        """A request for this type and object was refused; `id` when that is a security event."""
        self.total += 1
        now = self._clock.now_ns()
        self._look(now, ca, ioa or 0)
        tally = self._tallies.setdefault(id, _Tally(now))
        if now - tally.since_ns >= PERIOD_S * SECOND:
            tally.since_ns, tally.records = now, 0
        if tally.records >= RECORDS:
            tally.left_out += 1
            return
        tally.records += 1
        more: dict[str, object] = {"left_out": tally.left_out} if tally.left_out else {}
        tally.left_out = 0
        self._audit.record(
            "request.refuse",
            master=self._master,
            peer=self._address,
            type=TYPES[type_id].name if type_id in TYPES else str(type_id),
            ca=ca,
            ioa=ioa,
            reason=reason,
            **({"id": id} if id else {}),
            **more,
        )

    def refused_command(self, ca: int, ioa: int) -> None:
        """A command was refused, and is on record already."""
        self._look(self._clock.now_ns(), ca, ioa)

    def _look(self, now_ns: int, ca: int, ioa: int) -> None:
        if self._sweep.refused(now_ns, ca, ioa):
            self._audit.record(
                "security.sweep",
                master=self._master,
                peer=self._address,
                ca=ca,
                ioa=ioa,
                reason=f"more than {ADDRESSES} different objects were refused within {SWEEP_S} s",
                id=SWEEP,
            )
