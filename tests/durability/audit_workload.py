"""Child process: an audit trail at work on real files and a real thread, to be killed at any moment.

    audit_workload.py DIRECTORY

Prints the number of each record after `record` returned that it was kept.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from rtu.background import BackgroundThread
from rtu.clock import FreeDiscipline, SystemClock
from rtu.security.audit.chain_file import ChainFile
from rtu.security.audit.trail import Audit


async def main(directory: str) -> None:
    loop = asyncio.get_running_loop()
    logger = logging.Logger("nobody listens")
    logger.addHandler(_Deaf())
    clock = SystemClock(FreeDiscipline(), loop)
    thread = BackgroundThread(loop.call_soon_threadsafe, "audit")
    audit = Audit(clock, chain=ChainFile(Path(directory), 1_048_576, clock, thread), logger=logger)
    assert audit.record("start")
    while True:
        for _ in range(20):
            assert audit.record("command.execute", who="scada", reason="x" * 200)
            print(audit.status().head.seq, flush=True)
        await asyncio.sleep(0)


class _Deaf(logging.Handler):
    """So that only the files can have kept a record."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
