"""What a disk asks for: patience, and files that are replaced whole, so that a reader finds the old one or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PATIENCE_S = 30.0
"""How long the station, when it stops, waits for a disk at a time."""


def replace_file(path: Path, octets: bytes) -> None:
    """Put `octets` in the place of a file, all of them or none, also if the power fails. Blocks; raises OSError."""
    beside = path.with_name(path.name + ".new")
    try:
        with beside.open("wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
