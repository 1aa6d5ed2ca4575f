"""A server of any kind as a subject; ours with its directory on a real disk, and certificates where they are wanted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .certificates import certificates, master_context
from .subject import OURS, Kind, Subject

DISK = Path("/var/tmp")
"""Not /tmp, which may be memory."""


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """Where a station keeps its events; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="outstation-bench-", dir=DISK) as name:
        yield Path(name)


@contextlib.contextmanager
def running(kind: Kind) -> Iterator[Subject]:
    """A server of any kind, stopped at the end."""
    with contextlib.ExitStack() as stack:
        if kind.module == OURS.module:
            where = stack.enter_context(directory())
            if "tls" in kind.arguments:
                certificates(where)
            arguments = (str(where), *kind.arguments)
        else:
            arguments = kind.arguments
        subject = Subject(kind, arguments)
        stack.callback(subject.stop)
        if "tls" in kind.arguments:
            subject.context = master_context(where)
        yield subject
