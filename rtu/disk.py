"""Files that are replaced whole: whoever reads one finds what was there before or what is there now."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, octets: bytes) -> None:
    """Put `octets` in the place of a file, all of them or none, also if the power fails. Blocks; raises OSError."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
