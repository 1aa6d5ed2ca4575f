"""From the station file to the processing of every input, by device and by the place of the channel there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from rtu.clock import MILLISECOND, SECOND, Clock
from rtu.config.channels import ChannelMap
from rtu.config.schema import Input, Point, StationFile
from rtu.points.contact import Contact
from rtu.points.counter import Counter
from rtu.points.double_point import DoublePoint
from rtu.points.measurement import Measurement, Rounded
from rtu.points.model import Value
from rtu.points.scaling import Line, LiveZero
from rtu.points.table import PointTable

FAULT_NS = SECOND
"""Longest time both contacts of a double point may be made before that is told."""

_WHOLE = {"step": (-64, 63), "bitstring": (0, 0xFFFF_FFFF)}
"""Least and greatest of the whole numbers that are read like measurements, by type of point."""

Sink = Callable[[Value], None]
T = TypeVar("T")
_Places = defaultdict[int, list[T]]


@dataclass(frozen=True, slots=True)
class Chains:
    """The inputs of one device, in the order it was opened with; several points may use one channel."""

    contacts: list[tuple[Contact, ...]]
    measurements: list[tuple[Measurement, ...]]
    counters: list[tuple[Counter, ...]]
    scan_ns: int


def build_chains(
    file: StationFile, channel_map: ChannelMap, table: PointTable, clock: Clock
) -> dict[str, Chains]:
    """The chains of every device that has inputs, ending in `table.update`.

    Totals go on from what the table knows: restore it first. Raises ValueError for a range that cannot be scaled.
    """
    contacts: dict[str, _Places[Contact]] = defaultdict(_places)
    measurements: dict[str, _Places[Measurement]] = defaultdict(_places)
    counters: dict[str, _Places[Counter]] = defaultdict(_places)
    periods: dict[str, list[float]] = defaultdict(list)
    update = table.update
    for point in file.point:
        source = point.input
        if source is None:
            continue
        index = table.index(point.name)
        sink: Sink = partial(update, index)
        for role, contact in _contacts(point, source, sink, clock).items():
            device, channel = channel_map.input(point.name, role)
            contacts[device][channel].append(contact)
        if point.type not in {"single", "double"}:
            device, channel = channel_map.input(point.name, "channel")
            if point.type == "counter":
                counters[device][channel].append(Counter(sink, int(table.value(index).value)))
            else:
                measurements[device][channel].append(_measurement(point, source, sink))
        periods[source.device].append(source.scan_ms)
    return {
        device: Chains(
            _in_order(contacts[device]),
            _in_order(measurements[device]),
            _in_order(counters[device]),
            round(min(scan_ms) * MILLISECOND),
        )
        for device, scan_ms in periods.items()
    }


def _contacts(point: Point, source: Input, sink: Sink, clock: Clock) -> dict[str, Contact]:
    """The contacts of a point by the key of the file that names them."""
    debounce_ns = round(source.debounce_ms * MILLISECOND)

    def contact(sink: Sink) -> Contact:
        return Contact(clock, sink, debounce_ns=debounce_ns, invert=source.invert)

    if point.type == "single":
        return {"line": contact(sink)}
    if point.type == "double":
        transit_ns = round(source.transit_ms * MILLISECOND)
        double = DoublePoint(
            clock, sink, transit_ns=transit_ns, fault_ns=min(transit_ns, FAULT_NS), settle_ns=debounce_ns
        )
        return {"open": contact(double.open_contact), "closed": contact(double.closed_contact)}
    return {}


def _measurement(point: Point, source: Input, sink: Sink) -> Measurement:
    if point.type in _WHOLE:
        sink = Rounded(sink, *_WHOLE[point.type])
    shunted = source.shunt_ohm is not None and source.from_V is None
    range_ = source.from_mA or source.from_V
    return Measurement(
        sink,
        gain=1000 / source.shunt_ohm if shunted and source.shunt_ohm else 1.0,
        line=Line(*range_, *source.to) if range_ and source.to else None,
        live_zero=LiveZero(*range_) if range_ and source.live_zero else None,
    )


def _places() -> _Places[T]:
    return defaultdict(list)


def _in_order(places: _Places[T]) -> list[tuple[T, ...]]:
    return [tuple(places[place]) for place in range(len(places))]
