"""Tells every started master that may read files when there is a new one: the directory, spontaneously (cause 3)."""

from __future__ import annotations

from rtu.iec104.catalogue import Cause, TypeID
from rtu.security.roles import permits

from .filing import Line
from .session import Session
from .station import Station


def announce_new_files(station: Station) -> None:
    """From now on."""
    files = station.files
    if files is None:
        return

    def announce(ca: int) -> None:
        for group in station.groups.values():
            master = group.holder
            if isinstance(master, Session) and permits(master.peer.role, TypeID.F_SC_NA_1):
                files.directory(Line(master, ca, 0, 0, 0, False), Cause.SPONT, _nothing)

    files.on_new = announce


def _nothing() -> None:
    """A directory without files is not told unasked."""
