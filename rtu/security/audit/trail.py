"""The audit trail: who came, who was refused, what was commanded; one line of JSON per record.

Values may come from strangers, so each is bounded and escaped: no octet of theirs can end a record or begin one.
Records are numbered without gaps. What anyone on the network can cause without being admitted is bounded per source:
the surplus of a period is counted and told in one summary record.
"""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from rtu.clock import MILLISECOND, SECOND, Clock, Timer

STRANGERS = frozenset({"tls.refuse", "plain.refuse"})
"""Events that need no admission to cause. Their field `peer` is the address of the source, without a port."""

ALARMS = STRANGERS | {
    "clock.refuse",
    "command.refuse",
    "cyclic.refuse",
    "file.refuse",
    "parameter.refuse",
    "request.refuse",
    "reset.refuse",
}
"""Events logged as warnings."""

PERIOD_S = 60
BURST = 5
"""Records per period, event and source."""
MAX_SOURCES = 64
"""Sources told apart within a period; all further ones count as one, "others"."""
MAX_TEXT = 256
"""Characters of a value."""

_OTHERS = "others"


@dataclass(slots=True)
class _Tally:
    written: int = 0
    suppressed: int = 0


class TrailHandler(logging.StreamHandler[TextIO]):
    """Writes the trail to a stream and, unlike other handlers, does not hide it when that fails."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # noqa: PLE0704 - called while the error is being handled


class Audit:
    """Writes records to the logger `rtu.audit`: refusals as warnings, the rest as information.

    `first` is the number of the first record. Belongs to the loop; not for use from other threads.
    """

    def __init__(self, clock: Clock, *, first: int = 1, logger: logging.Logger | None = None) -> None:
        self._clock = clock
        self._next = first
        self._logger = logger if logger is not None else logging.getLogger("rtu.audit")
        # An audit trail does not depend on how talkative the rest of the program was asked to be.
        self._logger.setLevel(logging.INFO)
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._period: Timer | None = None

    def record(self, event: str, **fields: object) -> bool:
        """Write a record of `event`, such as "command.execute", "tls.accept" or "plain.refuse".

        Values other than numbers, booleans and None are shown as text. The names `seq`, `time`, `time_valid` and
        `event` belong to the record itself. False when it could not be written; never raises.
        """
        if event in STRANGERS and not self._within_bounds(event, str(fields.get("peer", ""))):
            return True
        return self._write(event, fields)

    def close(self) -> None:
        """Tell what was suppressed in the period that has not ended yet."""
        if self._period is not None:
            self._period.cancel()
            self._end_period()

    def _write(self, event: str, fields: Mapping[str, object]) -> bool:
        unix_ns, valid = self._clock.wall(self._clock.now_ns())
        own = {"seq": self._next, "time": _iso(unix_ns), "time_valid": valid, "event": event}
        self._next += 1
        record = own | {name: _plain(value) for name, value in fields.items()} | own
        level = logging.WARNING if event in ALARMS else logging.INFO
        try:
            self._logger.log(level, "%s", json.dumps(record, ensure_ascii=True, allow_nan=False))
        except (OSError, ValueError):  # nobody reads the log any more, or it is closed
            return False
        return True

    def _within_bounds(self, event: str, source: str) -> bool:
        if self._period is None:
            end = self._clock.now_ns() + PERIOD_S * SECOND
            self._period = self._clock.call_at(end, self._end_period)
        key = (event, source[:MAX_TEXT])
        if key not in self._tallies and len(self._tallies) >= MAX_SOURCES:
            key = (event, _OTHERS)
        tally = self._tallies.setdefault(key, _Tally())
        if tally.written < BURST:
            tally.written += 1
            return True
        tally.suppressed += 1
        return False

    def _end_period(self) -> None:
        tallies, self._tallies, self._period = self._tallies, {}, None
        for (event, source), tally in tallies.items():
            if tally.suppressed:
                self._write("suppressed", {"of": event, "peer": source, "count": tally.suppressed})


def _plain(value: object) -> object:
    """Numbers and truth values as they are, anything else as bounded text."""
    match value:
        case bool() | int() | None:
            return value
        case float() if math.isfinite(value):
            return value
        case bytes() | bytearray():
            text = value.hex()
        case _:
            text = str(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def _iso(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ns % SECOND // MILLISECOND:03d}Z"
