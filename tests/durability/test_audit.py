"""The audit trail survives what happens to stations: it is killed at any moment, and its disk fills up.

Killed in a run of CI: 15 times; by `make soak`: 1,000 times.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from rtu.security.audit.chain_check import check
from tests.scale import scale

KILLS = scale(15, 1000)
ROOT = Path(__file__).parents[2]
WORKLOAD = "tests.durability.audit_workload"


def at_work(where):
    return subprocess.Popen(
        [sys.executable, "-m", WORKLOAD, where], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_whatever_was_kept_is_there_after_a_kill_and_the_chain_is_whole(tmp_path):
    chance = random.Random(62351)
    where, before = tmp_path / "audit", 0
    for _ in range(KILLS):
        with at_work(where) as process:
            most = chance.randrange(1, 2000)
            told = [process.stdout.readline() for _ in range(most)]
            process.kill()
            told += process.stdout.readlines()
        kept = int(next(line for line in reversed(told) if line.endswith("\n")))
        verdict = check(where)
        assert [each for each in verdict.breaks if "not written whole" not in each.text] == []
        assert before < kept <= verdict.head.seq
        before = verdict.head.seq
    oldest = min(where.glob("*"))
    with at_work(where) as process:  # for as long as it takes until the oldest gives way
        while oldest.exists():
            assert process.stdout.readline()
        process.kill()
        process.stdout.read()
    verdict = check(where)
    assert verdict.first > 1
    assert [each for each in verdict.breaks if "not written whole" not in each.text] == []


FULL = """
set -e
mount -t tmpfs -o size=200k tmpfs {where}
{python} -m tests.durability.audit_on_a_full_disk {where}
"""


def test_a_disk_that_is_really_full_takes_the_records_when_there_is_room(tmp_path):
    if os.geteuid() != 0:
        reason = "mounting a small disk needs root"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)
    script = FULL.format(where=tmp_path, python=sys.executable)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
