"""`rtu lift-clock [STATION.toml]`: at boot, a clock that is behind what the station has seen is set to that.

A board without a battery wakes up in the past, where every certificate is "not yet valid". It is certainly later than the
last write of the event log and of the audit trail, and than this program was built: their files' times were given by
this machine's own clock, never by a master. The clock is only ever set forward, and not at all once a time service has
set it. One that is years beyond the program's own age was wrong when it was written, and does not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .firewall import STATION

if TYPE_CHECKING:
    from rtu.config.schema import StationFile

LONGEST_LIFE_S = 20 * 31_556_952
"""Twenty years after it was built no station still runs this program."""

KERNEL_ERROR_S = 16.0
"""What the kernel takes its clock's error for while nobody has set it."""


def add_parser(sub: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = sub.add_parser(
        "lift-clock",
        help="at boot: set a clock that is behind to the newest time the station knows",
        description="Sets the system clock forward to the newest file of the station, never back, and never one that"
        " a time service has set. For outstation-clock.service; needs CAP_SYS_TIME.",
    )
    parser.add_argument(
        "station", type=Path, nargs="?", default=STATION, metavar="STATION.toml", help=f"default: {STATION}"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import rtu
    from rtu.clock import SECOND, KernelDiscipline
    from rtu.config.load import ConfigError, load

    try:
        file = load(args.station, check_files=False)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    built = Path(rtu.__file__).stat().st_mtime
    synchronised = KernelDiscipline(round(KERNEL_ERROR_S * SECOND)).synchronised(time.monotonic_ns())
    print(lift(built, seen(file, args.station.resolve().parent), synchronised))
    return 0


def seen(file: StationFile, base: Path) -> Iterator[float]:
    """When the station's own files were last written, seconds since 1970."""
    events = base / file.events.directory
    for directory in (events, base / file.audit.directory if file.audit.directory else events / "audit"):
        try:
            yield from [entry.stat().st_mtime for entry in directory.iterdir() if entry.is_file()]
        except OSError:
            continue  # none yet


def lift(
    built: float,
    seen: Iterable[float],
    synchronised: bool,
    now: Callable[[], float] = time.time,
    set_clock: Callable[[float], None] = lambda to: time.clock_settime(time.CLOCK_REALTIME, to),
) -> str:
    """Set the clock forward if it must be; says in one line what was done. Raises OSError when it may not be set."""
    if synchronised:
        return "the clock is synchronised already: left as it is"
    newest = max((when for when in seen if when <= built + LONGEST_LIFE_S), default=built)
    newest = max(newest, built)
    before = now()
    if before >= newest:
        return "the clock is not behind anything the station has seen: left as it is"
    set_clock(newest)
    return f"the clock was at {_written(before)} and is set forward to {_written(newest)}, the newest time the station has seen"


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
