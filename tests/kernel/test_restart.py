"""A watchdog nobody feeds restarts the test kernel, and the program inside with it."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTBED = Path(__file__).resolve().parent / "testbed"

HANG_IN_THE_FIRST_LIFE = """
import os, signal
from simhw import load_module
print("boot", os.environ["TESTBED_BOOT"], flush=True)
if os.environ["TESTBED_BOOT"] == "1":
    load_module("softdog", "soft_margin=1")
    watchdog = open("/dev/watchdog", "wb", buffering=0)
    signal.pause()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("kernel")
def test_a_program_that_hangs_is_restarted_with_its_kernel() -> None:
    command = [sys.executable, str(TESTBED / "run.py"), "--timeout", "120", "--"]
    command += [sys.executable, "-c", HANG_IN_THE_FIRST_LIFE]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("boot")] == ["boot 1", "boot 2"]
