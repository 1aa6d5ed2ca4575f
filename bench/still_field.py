"""A driver for `rtu run` under measurement: as many contacts and measurements as are asked for, which never move.

What a station of so many points costs by itself shows only when no hardware is read. It has no bus, no edges, no
threads and no descriptors; each scan gives the same levels and values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from hw.interface import Channel, Condition, Context, Edge, Kind, Sample


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No keys of its own."""


class StillDevice:
    """Contacts and measurements at once."""

    bus = ""
    stamps = "kernel"

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._levels = [0 for each in channels if each.kind is Kind.DIGITAL_INPUT]
        self._values = [1.0 for each in channels if each.kind is Kind.ANALOG_INPUT]

    def start(self, sink: Callable[[Sequence[Edge]], None]) -> None: ...

    def filenos(self) -> Sequence[int]:
        return ()

    def pump(self) -> None: ...

    def levels(self) -> Sequence[int]:
        return self._levels

    def scan(self) -> Sequence[Sample]:
        now = time.monotonic_ns()
        return [Sample(value, Condition.GOOD, now) for value in self._values]

    def close(self) -> None: ...


class StillDriver:
    """`driver = "still"`; any channel name will do."""

    name = "still"
    config_type = Options
    channel_type = Options
    kinds = frozenset({Kind.DIGITAL_INPUT, Kind.ANALOG_INPUT})

    def check(self, config: Options, channels: Sequence[Channel]) -> list[str]:
        return []

    def open(self, config: Options, channels: Sequence[Channel], context: Context) -> StillDevice:
        return StillDevice(channels)


DRIVER = StillDriver()


def install(where: Path) -> None:
    """Make it an installed driver for every process that has `where` on its path."""
    info = where / "bench_still-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-still\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[outstation.drivers]\nstill = {__name__}:DRIVER\n", encoding="utf-8"
    )
