"""Where the log of the program goes: to the journal by its own protocol, if that is behind standard error; else lines there."""

from __future__ import annotations

import logging

LINE = "%(levelname).1s %(name)s: %(message)s"
"""How a log record is written."""


def log_to_stderr() -> None:
    """One record per line, or per entry of the journal; both add the time."""
    from rtu.security.audit.journald import JournalHandler, JournalTrail, LineFormatter, journal_of_stderr
    from rtu.security.audit.trail import TrailHandler

    journal = journal_of_stderr()
    handler: logging.Handler
    trail: logging.Handler
    if journal is not None:
        handler, trail = JournalHandler(journal), JournalTrail(journal)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler, trail = logging.StreamHandler(), TrailHandler()
        handler.setFormatter(LineFormatter(LINE))
        trail.setFormatter(logging.Formatter(LINE))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    audit = logging.getLogger("rtu.audit")
    audit.addHandler(trail)
    audit.propagate = False  # the trail's own handler says when a record could not be written
