"""`python -m bench`: run the benchmarks, or those named, and print one table each."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from . import (
    codec,
    floods,
    footprint,
    instructions,
    interrogation,
    latency,
    offline,
    startup,
    throughput,
    tls,
)
from .report import machine, shown

BENCHMARKS = {
    "throughput": throughput,
    "interrogation": interrogation,
    "latency": latency,
    "offline": offline,
    "footprint": footprint,
    "startup": startup,
    "tls": tls,
    "floods": floods,
    "codec": codec,
    "instructions": instructions,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of: {', '.join(BENCHMARKS)} (default: all)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples: a look, not a result")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    unknown = set(args.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    facts = machine()
    for name, value in facts.items():
        print(f"{name}: {shown(value)}")
    found = {}
    for name in args.names or BENCHMARKS:
        tables = BENCHMARKS[name].run(args.quick)
        for table in tables:
            print(f"\n{table}", flush=True)
        found[name] = [{"name": table.name, "note": table.note, "rows": table.rows} for table in tables]
    if args.json is not None:
        args.json.write_text(
            json.dumps({"machine": facts, "results": found}, indent=2, default=asdict), encoding="utf-8"
        )


main()
