"""Child process: masters that come over TLS, four at a time from an address each, and go again; with port 0 nobody comes, in the same time."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from bench.certificates import master_context
from bench.master import Master

TOGETHER = 4
APART_S = 0.05


def main(port: int, where: Path, count: int) -> None:
    context = master_context(where)

    def visit(source: str) -> None:
        Master(port, context=context, source=source).close()

    print("ready", flush=True)
    for _ in range(max(1, count // TOGETHER)):
        if port:
            visits = [threading.Thread(target=visit, args=(f"127.0.0.{2 + i}",)) for i in range(TOGETHER)]
            for each in visits:
                each.start()
            for each in visits:
                each.join()
        time.sleep(APART_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
