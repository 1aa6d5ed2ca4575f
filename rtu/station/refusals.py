"""What one connection was refused: all of it counted, and put on record at a bounded rate, each with its reason.

Commands are not among these: every one of them is on record by itself.
"""

from __future__ import annotations

from rtu.clock import SECOND, Clock
from rtu.iec104.catalogue import TYPES
from rtu.outputs.trail import AuditSink

RECORDS = 10
"""So many records in PERIOD_S; the first of the next period says how many were left out."""
PERIOD_S = 10


class Refusals:
    """`total` counts since the connection was accepted."""

    def __init__(self, audit: AuditSink, clock: Clock, master: str, address: str) -> None:
        self.total = 0
        self._audit = audit
        self._clock = clock
        self._master, self._address = master, address
        self._since_ns = clock.now_ns()
        self._records = 0
        self._left_out = 0

    def note(self, type_id: int, ca: int, ioa: int | None, reason: str) -> None:
        """A request for this type and object was refused."""
        self.total += 1
        now = self._clock.now_ns()
        if now - self._since_ns >= PERIOD_S * SECOND:
            self._since_ns, self._records = now, 0
        if self._records >= RECORDS:
            self._left_out += 1
            return
        self._records += 1
        more = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        self._audit.record(
            "request.refuse",
            master=self._master,
            peer=self._address,
            type=TYPES[type_id].name if type_id in TYPES else str(type_id),
            ca=ca,
            ioa=ioa,
            reason=reason,
            **more,
        )
