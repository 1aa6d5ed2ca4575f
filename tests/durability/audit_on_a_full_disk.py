"""Child process: an audit trail on a disk so small that it fills up, and then has room again.

audit_on_a_full_disk.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from rtu.security.audit.chain_check import check
from rtu.security.audit.chain_file import RETRY_NS
from tests.security.chained import Trail, events, records


def main(disk: str) -> None:
    ballast = Path(disk, "ballast")
    ballast.write_bytes(bytes(150_000))
    trail = Trail(Path(disk, "audit"))
    while not trail.audit.status().failed:
        trail.commands(1, reason="x" * 200)
    assert "No space left" in trail.audit.status().reason
    trail.commands(10)
    trail.clock.advance(ns=3 * RETRY_NS)
    assert trail.audit.status().failed
    ballast.unlink()
    trail.clock.advance(ns=RETRY_NS)
    assert not trail.audit.status().failed
    trail.commands(1)
    where = Path(disk, "audit")
    assert check(where).breaks == ()
    assert [record["seq"] for record in records(where)] == list(range(1, trail.audit.status().head.seq + 1))
    assert events(where).count("audit.fault") == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
