"""Our own station as a subject: its directory on a real disk, and certificates where they are wanted."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rtu.security.pki import issue, make_ca

from .subject import OURS, Kind, Subject

DISK = Path("/var/tmp")
"""Not /tmp, which may be memory."""


@contextlib.contextmanager
def directory() -> Iterator[Path]:
    """Where a station keeps its events; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="outstation-bench-", dir=DISK) as name:
        yield Path(name)


@contextlib.contextmanager
def running(kind: Kind, *arguments: str) -> Iterator[Subject]:
    """A server of any kind, stopped at the end."""
    with contextlib.ExitStack() as stack:
        if kind.module == OURS.module:
            where = stack.enter_context(directory())
            if "tls" in kind.arguments:
                certificates(where)
            arguments = (str(where), *kind.arguments, *arguments)
        subject = Subject(kind, arguments)
        stack.callback(subject.stop)
        if "tls" in kind.arguments:
            subject.context = master_context(where)
        yield subject


def certificates(where: Path) -> None:
    """An authority, the station's certificate and the master's."""
    ca = make_ca("Bench authority", days=2)
    ca.write(where / "ca.crt")
    issue(ca, "station", "station", ["ip:127.0.0.1"], days=2).write(
        where / "station.crt", where / "station.key"
    )
    issue(ca, "master", "master", ["dns:master.bench"], days=2).write(
        where / "master.crt", where / "master.key"
    )


def master_context(where: Path) -> ssl.SSLContext:
    """What the master presents and accepts."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(where / "ca.crt"))
    context.check_hostname = False
    context.load_cert_chain(where / "master.crt", where / "master.key")
    return context
