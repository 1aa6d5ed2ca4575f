"""The audit trail of the outputs: one record for each operation and each refusal, written before anything moves.

command.select         a selection was made
command.execute        an output is about to be operated
command.result         what became of it
command.refuse         a request was refused, or discarded because of its time tag
command.cancel         a selection ended unused
command.test           a request with the test bit was answered
command.unlock         somebody took a lock away
command.unlock_refuse  somebody could not, because a line is not read back at rest
"""

from __future__ import annotations

import logging
from typing import Protocol

from .request import Request

_log = logging.getLogger(__name__)


class AuditSink(Protocol):
    """Where records go."""

    def record(self, event: str, **fields: object) -> bool:
        """False when it could not be kept: then nothing may move."""
        ...


class Trail:
    """Writes records; says so when one could not be written, and never raises."""

    def __init__(self, audit: AuditSink) -> None:
        self._audit = audit

    def record(self, event: str, command: str, request: Request, reason: str = "", **more: object) -> bool:
        """A record about a request. False if it could not be written: then nothing may move."""
        return self.write(
            event,
            who=request.who or str(request.owner),
            group=request.group,
            originator=request.originator,
            command=command,
            type_id=request.type_id,
            ca=request.ca,
            ioa=request.ioa,
            value=request.value,
            qualifier=request.qualifier,
            reason=reason,
            **more,
        )

    def write(self, event: str, **fields: object) -> bool:
        try:
            kept = self._audit.record(event, **fields)
        except Exception:  # a sink that fails in its own way has not kept it either
            _log.exception("the audit trail failed")
            kept = False
        if not kept:
            _log.error("the audit record %s could not be written", event)
        return kept
