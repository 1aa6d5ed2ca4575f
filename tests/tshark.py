"""What tshark reads of a capture file."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

WARNING = "0x600000"


def packets(path: Path, display_filter: str, *names: str) -> list[dict[str, list[str]]]:
    """All values of these fields, for every packet that passes; checksums are checked."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    fields = [argument for name in names for argument in ("-e", name)]
    checked = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
    command = ["tshark", "-r", str(path), "-n", *checked, "-Y", display_filter, "-T", "json", *fields]
    # A file that was cut off is an error, told after all packets that are there.
    told = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    return [
        {name: packet["_source"].get("layers", {}).get(name, []) for name in names}
        for packet in json.loads(told or "[]")
    ]
