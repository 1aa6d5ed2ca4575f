"""The audit trail: who came, who was refused, what was commanded; one line of JSON per record.

Values may come from strangers, so each is bounded and escaped: no octet of theirs can end a record or begin one.
Records are numbered without gaps, over restarts too, and each names the hash of the one before it (`chain`). The same line
goes into the chained files and to the logger `rtu.audit`, which leads to the journal or to standard error.
"""

from __future__ import annotations

import json
import logging
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TextIO

from rtu.clock import MILLISECOND, SECOND, Clock

from .bounds import Bounds
from .chain import NOTHING, Head, Link, digest
from .events import Severity, kind_of

MAX_TEXT = 256
"""Characters of a value."""

Watcher = Callable[[str, Mapping[str, object]], object]

_LEVELS = {
    Severity.NOTICE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ALARM: logging.WARNING,  # an error is a fault of this station, an alarm need not be
}

_log = logging.getLogger(__name__)


class Chain(Protocol):
    """Where lines are kept: `rtu.security.audit.chain_file`."""

    head: Head
    last: Link | None
    reason: str
    notes: deque[tuple[str, dict[str, object]]]
    news: Callable[[], None]

    def open(self) -> None: ...
    def append(self, line: bytes, head: Head) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """`failed`: the files do not take records, for `reason`; `records`: made since the start; `head`: the newest."""

    failed: bool
    reason: str
    records: int
    head: Head


class TrailHandler(logging.StreamHandler[TextIO]):
    """Writes the trail to a stream and, unlike other handlers, does not hide it when that fails."""

    def handleError(self, record: logging.LogRecord) -> None:
        raise  # noqa: PLE0704 - called while the error is being handled


class Audit:
    """Makes records, and has them kept. Belongs to the loop; not for use from other threads.

    Without a `chain` they only go to the logger. The files are opened with the first record.
    """

    def __init__(
        self, clock: Clock, *, chain: Chain | None = None, logger: logging.Logger | None = None
    ) -> None:
        self._clock = clock
        self._chain = chain
        self._logger = logger if logger is not None else logging.getLogger("rtu.audit")
        # An audit trail does not depend on how talkative the rest of the program was asked to be.
        self._logger.setLevel(logging.INFO)
        self._bounds = Bounds(clock, self._suppressed)
        self._watchers: list[Watcher] = []
        self._head = NOTHING
        self._records = 0
        self._open = self._telling = False

    def record(self, event: str, **fields: object) -> bool:
        """Write a record of `event`, such as "command.execute", "tls.accept" or "plain.refuse".

        Values other than numbers, booleans and None are shown as text. The names `seq`, `prev`, `time`, `time_valid`,
        `event` and `severity` belong to the record itself; `id` is the event's identifier if it is another than the
        one in the catalogue. False when nobody took the record, neither the files nor the log; never raises.
        """
        if not self._bounds.admit(event, fields):
            return True
        return self._write(event, fields)

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher(event, fields)` called after each record. It must be quick."""
        self._watchers.append(watcher)

    @property
    def previous_end(self) -> str:
        """How the station ended last time: "stop", or "unexpected"; "" if nothing is known of a last time."""
        self._open_chain()
        last = self._chain.last if self._chain is not None else None
        if last is None:
            return ""
        return "stop" if last.event == "stop" else "unexpected"

    def status(self) -> AuditStatus:
        reason = self._chain.reason if self._chain is not None else ""
        return AuditStatus(bool(reason), reason, self._records, self._head)

    def close(self, reason: str) -> None:
        """Tell what was suppressed and not told yet, and last of all that the station stops."""
        self._bounds.close()
        self._write("stop", {"reason": reason})
        if self._chain is not None:
            self._chain.close()

    def _open_chain(self) -> None:
        if self._open:
            return
        self._open = True
        if self._chain is not None:
            self._chain.open()
            self._chain.news = self._tell_notes
            self._head = self._chain.head
            self._tell_notes()

    def _write(self, event: str, fields: Mapping[str, object]) -> bool:
        self._open_chain()
        unix_ns, valid = self._clock.wall(self._clock.now_ns())
        kind = kind_of(event, fields.get("id"))
        seq = self._head.seq + 1
        own = {
            "seq": seq,
            "prev": self._head.hash,
            "time": _iso(unix_ns),
            "time_valid": valid,
            "event": event,
            "id": kind.id,
            "severity": kind.severity.value,
        }
        record = own | {name: _plain(value) for name, value in fields.items()} | own
        line = json.dumps(record, ensure_ascii=True, allow_nan=False)
        octets = line.encode("ascii")
        self._head = Head(seq, digest(octets))
        self._records += 1
        kept = self._chain is not None and self._chain.append(octets, self._head)
        try:
            more = {"audit": record | {"hash": self._head.hash}}
            self._logger.log(_LEVELS[kind.severity], "%s", line, extra=more)
            kept = True
        except (OSError, ValueError):  # nobody reads the log any more, or it is closed
            pass
        self._show(event, fields)
        self._tell_notes()
        return kept

    def _show(self, event: str, fields: Mapping[str, object]) -> None:
        for watcher in self._watchers:
            try:
                watcher(event, fields)
            except Exception:  # whoever looks on must not keep a record from being made
                _log.exception("a watcher of the audit trail failed")

    def _tell_notes(self) -> None:
        """Put on record what happened to the files."""
        if self._chain is None or self._telling:
            return
        self._telling = True
        try:
            while self._chain.notes:
                event, fields = self._chain.notes.popleft()
                if event == "audit.gap":  # the numbers go on where the files say
                    missing = fields["missing"]
                    assert isinstance(missing, int)
                    self._head = Head(self._chain.head.seq + missing, self._head.hash)
                self._write(event, fields)
        finally:
            self._telling = False

    def _suppressed(self, event: str, source: str, count: int) -> None:
        self._write("suppressed", {"of": event, "peer": source, "count": count})


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
            if not text.isascii():  # half a surrogate pair is no JSON
                text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def _iso(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ns % SECOND // MILLISECOND:03d}Z"
