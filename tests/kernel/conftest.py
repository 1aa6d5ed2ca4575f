"""The test kernel, for the tests outside of it. Those in `inside` run in it only: see `test_kernel.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

if os.environ.get("TESTBED") != "1":
    collect_ignore = ["inside"]

BUILD = Path(__file__).resolve().parent / "testbed/build_kernel.py"
NOT_HERE, NOT_INSTALLED = 3, 4  # its exit codes


@pytest.fixture(scope="session")
def kernel() -> None:
    """The kernel is there, built now if need be.

    Where it cannot be had the test is skipped with the reason; but in CI on a host that should have it, and
    wherever OUTSTATION_REQUIRE_KERNEL is set, that is a failure.
    """
    built = subprocess.run([sys.executable, BUILD], check=False, capture_output=True, text=True)
    required = "OUTSTATION_REQUIRE_KERNEL" in os.environ
    expected = required or "CI" in os.environ
    if (built.returncode == NOT_HERE and not required) or (
        built.returncode == NOT_INSTALLED and not expected
    ):
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
