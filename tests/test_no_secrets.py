"""What is in the repository may be read by anybody: no key, no certificate, no password is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Put together here, or this file would be the first one found.
DASHES = "-" * 5
BEGIN = re.compile(rf"{DASHES}BEGIN [A-Z0-9 ]+{DASHES}\s+[A-Za-z0-9+/=]{{16}}".encode())
PUBLIC_NUMBERS = re.compile(rf"{DASHES}BEGIN (DH PARAMETERS|PUBLIC KEY){DASHES}".encode())
KEY_FILES = {".key", ".p12", ".pfx", ".jks", ".crt", ".cer", ".csr", ".der", ".crl"}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip(f"not a checkout: {listed.stderr.decode().strip()}")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_of_the_repository_is_a_key_or_a_certificate():
    assert [path for path in tracked() if path.suffix in KEY_FILES] == []


def test_no_file_of_the_repository_holds_a_key_or_a_certificate():
    found = [
        path
        for path in tracked()
        if any(not PUBLIC_NUMBERS.match(match.group()) for match in BEGIN.finditer(path.read_bytes()))
    ]
    assert found == []
