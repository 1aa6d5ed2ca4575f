"""Records for the systemd journal, by its native protocol: fields, so that no text can end a record or begin one.

A datagram of NAME=value lines; a value with a line feed is sent with its length instead (systemd.journal-fields(7), "Native
Journal Protocol"). On standard error each line would be a record of its own, with a priority of its own choice.
A journal that is away or does not keep up is never waited for: what it does not take is not taken.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

SOCKET = "/run/systemd/journal/socket"
IDENTIFIER = "outstation"
LONGEST = 48 * 1024
"""Octets of a value; all that fits a datagram, which a trace of many calls might not."""

PRIORITIES = {"notice": 5, "warning": 4, "alarm": 1}
"""Of records of the audit trail, by severity: notice, warning, alert."""

_OF_LEVEL = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to this stream goes to the journal (JOURNAL_STREAM, systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or nothing of the system's
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class Journal:
    """Sends records; nothing is kept when they are not taken."""

    def __init__(self, path: str = SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, fields: Iterable[tuple[str, str]]) -> None:
        """Send one record. Raises OSError if the journal does not take it; never waits."""
        self._socket.sendto(b"".join(_field(name, value) for name, value in fields), self._path)

    def close(self) -> None:
        self._socket.close()


class JournalHandler(logging.Handler):
    """For all loggers but the trail's: a record that the journal does not take is lost, and nobody waits."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._journal.send(
                [
                    ("MESSAGE", self.format(record)),
                    ("PRIORITY", str(_priority(record.levelno))),
                    ("SYSLOG_IDENTIFIER", IDENTIFIER),
                    ("RTU_LOGGER", record.name),
                ]
            )
        except OSError:
            pass

    def close(self) -> None:
        self._journal.close()
        super().close()


class JournalTrail(logging.Handler):
    """For the audit trail: MESSAGE is the line as the files have it, each of its fields one of the journal's.

    Raises OSError when the journal does not take a record.
    """

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        told: Mapping[str, object] = record.__dict__["audit"]
        self._journal.send(
            [
                ("MESSAGE", record.getMessage()),
                ("PRIORITY", str(PRIORITIES[str(told["severity"])])),
                ("SYSLOG_IDENTIFIER", IDENTIFIER),
                *(
                    ("RTU_EVENT_ID" if name == "id" else f"RTU_{name.upper()}", _text(value))
                    for name, value in told.items()
                ),
            ]
        )

    def close(self) -> None:
        self._journal.close()
        super().close()


class LineFormatter(logging.Formatter):
    """For standard error: what could end a line is escaped, and the lines of a trace are indented."""

    def format(self, record: logging.LogRecord) -> str:
        lines = super().format(record).split("\n")
        return "\n    ".join(
            "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines
        )


def journal_of_stderr() -> Journal | None:
    """The journal, if standard error leads there."""
    return Journal() if is_journal(sys.stderr) else None


def _field(name: str, value: str) -> bytes:
    octets = value.encode(errors="backslashreplace")[:LONGEST]
    if b"\n" in octets:
        return name.encode() + b"\n" + len(octets).to_bytes(8, "little") + octets + b"\n"
    return name.encode() + b"=" + octets + b"\n"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _priority(level: int) -> int:
    return next((priority for least, priority in _OF_LEVEL if level >= least), 7)
