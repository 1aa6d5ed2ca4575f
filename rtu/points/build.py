"""From the station file to signals with their addresses."""

from __future__ import annotations

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
    scaled,
)
from .model import Address, Kind, Reporting, Signal

TYPE_IDS = {
    "single": 1,
    "double": 3,
    "step": 5,
    "bitstring": 7,
    "normalized": 9,
    "scaled": 11,
    "float": 13,
    "counter": 15,
}
"""Type identification without time tag by the name the file uses."""

_KINDS: dict[str, Kind] = {
    "single": "single",
    "double": "double",
    "step": "step",
    "bitstring": "bitstring",
    "counter": "counter",
}

_ENCODERS: dict[str, Encode] = {
    "single": encode_single,
    "double": encode_double,
    "step": encode_step,
    "bitstring": encode_bitstring,
    "float": encode_float,
    "counter": encode_counter,
}


def build_signals(file: schema.StationFile) -> tuple[Signal, ...]:
    """Every point of the file in its order; signals and addresses are numbered from 0 as they come."""
    signals = []
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
                Reporting(
                    point.report.deadband,
                    point.report.at_least_s,
                    point.report.keep,
                    point.report.cyclic_s,
                    point.report.background_s,
                ),
                point.unit,
                point.system or "",
            )
        )
    return tuple(signals)


def _address(
    index: int, signal: int, point: schema.Point, address: schema.Address, station_ca: int
) -> Address:
    form = address.type or point.type
    type_id = TYPE_IDS[form]
    group = address.group
    return Address(
        index,
        signal,
        address.ca or station_ca,
        address.ioa,
        type_id,
        TAGGED[type_id] if address.time_tag else type_id,
        () if group is None else tuple(sorted({group} if isinstance(group, int) else set(group))),
        _encoder(form, address),
    )


def _encoder(form: str, address: schema.Address) -> Encode:
    if form == "scaled":
        return scaled(address.resolution or 1.0)
    if form == "normalized":
        return normalized(address.nominal or 1.0)
    return _ENCODERS[form]
