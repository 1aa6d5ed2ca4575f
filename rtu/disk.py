"""What a disk asks for: patience, and files that are replaced whole, so that a reader finds the old one or the new one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_S = 30.0
"""How long the station, when it stops, waits for a disk at a time."""


def replace_file(path: Path, octets: bytes, mode: int | None = None) -> None:
    """Put `octets` in the place of a file, all of them or none, also if the power fails. Blocks; raises OSError.

    `mode` is that of the file, whatever the umask; None leaves it to that.
    """
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    sync_directory(path.parent)


def create_file(path: Path, octets: bytes, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Make a file that must not exist yet, on the disk when this returns; nobody else could ever read it.

    `owner` is user and group by number, -1 for our own. Blocks; raises OSError.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        os.fchown(handle, *owner)
        os.fchmod(handle, mode)
        file.write(octets)
        file.flush()
        os.fsync(handle)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Have what was made, renamed and removed in a directory on the disk. Blocks; raises OSError."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """One process at a time works in a directory; others wait. Raises OSError."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
