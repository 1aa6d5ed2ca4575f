"""From the station file to signals with their addresses, and what each of these reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from rtu.config import schema
from rtu.iec104.catalogue import TAGGED

from .encoding import (
    Encode,
    encode_bitstring,
    encode_counter,
    encode_double,
    encode_float,
    encode_single,
    encode_step,
    normalized,
    normalized_alone,
    scaled,
)
from .model import Address, Kind, Reporting, Signal
from .packed import encode_changes, encode_states
from .protection import encode_event, encode_operation

TYPE_IDS = {
    "single": 1,
    "double": 3,
    "step": 5,
    "bitstring": 7,
    "normalized": 9,
    "scaled": 11,
    "float": 13,
    "counter": 15,
    "packed": 20,
    "protection": 38,
    "protection_start": 39,
    "protection_trip": 40,
}
"""Type identification in interrogation by the name the file uses."""

NORMALIZED_ALONE = 21
"""Normalised without quality. What is reported with a time is the normalised value with quality."""

_TAGGED = {**TAGGED, NORMALIZED_ALONE: TAGGED[9]}

_KINDS: dict[str, Kind] = {
    "single": "single",
    "double": "double",
    "step": "step",
    "bitstring": "bitstring",
    "counter": "counter",
    "packed": "packed",
    "protection": "protection",
    "protection_start": "protection",
    "protection_trip": "protection",
}

_ENCODERS: dict[str, Encode] = {
    "single": encode_single,
    "double": encode_double,
    "step": encode_step,
    "bitstring": encode_bitstring,
    "float": encode_float,
    "counter": encode_counter,
    "packed": encode_states,
    "protection": encode_event,
    "protection_start": encode_operation,
    "protection_trip": encode_operation,
}


def build_signals(file: schema.StationFile) -> tuple[Signal, ...]:
    """Every point of the file in its order; signals and addresses are numbered from 0 as they come."""
    signals = []
    reporting = cache(Reporting)  # most points have the same
    next_address = 0
    for index, point in enumerate(file.point):
        addresses = tuple(
            _address(next_address + offset, index, point, address, file.station.common_address)
            for offset, address in enumerate(point.address)
        )
        next_address += len(addresses)
        signals.append(
            Signal(
                index,
                point.name,
                _KINDS.get(point.type, "measured"),
                addresses,
                reporting(
                    point.report.deadband,
                    point.report.at_least_s,
                    point.report.keep,
                    point.report.cyclic_s,
                    point.report.background_s,
                ),
                point.unit,
                point.system or "",
                tuple(
                    report
                    for address, wanted in zip(addresses, point.address, strict=True)
                    for report in _reports(address, wanted)
                ),
            )
        )
    return tuple(signals)


def _address(
    index: int, signal: int, point: schema.Point, address: schema.Address, station_ca: int
) -> Address:
    form = address.type or point.type
    alone = form == "normalized" and not address.quality
    type_id = NORMALIZED_ALONE if alone else TYPE_IDS[form]
    group = address.group
    return Address(
        index,
        signal,
        address.ca or station_ca,
        address.ioa,
        type_id,
        _TAGGED.get(type_id, type_id) if address.time_tag else type_id,
        () if group is None else tuple(sorted({group} if isinstance(group, int) else set(group))),
        _encoder(form, address),
        _step(form, address),
    )


def _reports(address: Address, wanted: schema.Address) -> Iterator[Address]:
    """What a change of one address is told as.

    With double transmission without its time first, then with it. That order is our choice, the standard leaves it
    open: so the newer one, which a control centre keeps, is the one that says when.
    """
    if wanted.time_tag == "both":
        yield replace(address, event_type=address.type_id)
    if address.type_id == TYPE_IDS["packed"]:
        yield replace(address, encode=encode_changes)
    elif address.type_id == NORMALIZED_ALONE and address.time_tagged:
        yield replace(address, encode=normalized(wanted.nominal or 1.0))
    else:
        yield address


def _encoder(form: str, address: schema.Address) -> Encode:
    if form == "scaled":
        return scaled(address.resolution or 1.0)
    if form == "normalized":
        return (normalized if address.quality else normalized_alone)(address.nominal or 1.0)
    return _ENCODERS[form]


def _step(form: str, address: schema.Address) -> float:
    if form == "scaled":
        return address.resolution or 1.0
    if form == "normalized":
        return (address.nominal or 1.0) / 32768
    return 1.0
