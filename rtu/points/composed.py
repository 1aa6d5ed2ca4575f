"""Which signals are made of other signals, and of which: from the station file to what keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from rtu.config.schema import Point, StationFile

from .packed import Packed
from .protection import CIRCUITS, STARTS, Protection, ProtectionStart, ProtectionTrip
from .table import PointTable


def compose(file: StationFile, table: PointTable) -> None:
    """Make every signal with `of` follow its members from now on.

    Call it when the table has been restored, before the first reading.
    """
    for point in file.point:
        if point.of is not None:
            _compose(point, table)


def _compose(point: Point, table: PointTable) -> None:
    index = table.index(point.name)
    since = None if point.since is None else table.index(point.since)
    match point.type, point.of:
        case "packed", list() as names:
            Packed(table, index, [table.index(name) if name else None for name in names])
        case "protection", str() as name:
            Protection(table, index, table.index(name), since)
        case "protection_start", dict() as names:
            ProtectionStart(table, index, _by_bit(names, STARTS, table))
        case "protection_trip", dict() as names:
            ProtectionTrip(table, index, _by_bit(names, CIRCUITS, table), since)


def _by_bit(names: Mapping[str, str], bits: Mapping[str, int], table: PointTable) -> dict[int, int]:
    return {bits[element]: table.index(name) for element, name in names.items()}
