"""From points of the file to signals."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rtu.config.schema import StationFile
from rtu.points.build import build_signals
from rtu.points.model import GOOD, Reporting, Signal


def build(*points: dict[str, Any]) -> tuple[Signal, ...]:
    station = {"name": "S", "common_address": 12}
    return build_signals(msgspec.convert({"format": 1, "station": station, "point": points}, StationFile))


@pytest.mark.parametrize(
    ("type_", "kind", "type_id", "event_type", "size"),
    [
        ("single", "single", 1, 30, 1),
        ("double", "double", 3, 31, 1),
        ("step", "step", 5, 32, 2),
        ("bitstring", "bitstring", 7, 33, 5),
        ("normalized", "measured", 9, 34, 3),
        ("scaled", "measured", 11, 35, 3),
        ("float", "measured", 13, 36, 5),
        ("counter", "counter", 15, 37, 5),
    ],
)
def test_each_type_has_its_identifications(
    type_: str, kind: str, type_id: int, event_type: int, size: int
) -> None:
    (signal,) = build({"name": "p", "type": type_, "address": [{"ioa": 1}, {"ioa": 2, "time_tag": False}]})
    tagged, plain = signal.addresses
    assert signal.kind == kind
    assert (tagged.type_id, tagged.event_type, tagged.time_tagged) == (type_id, event_type, True)
    assert (plain.type_id, plain.event_type, plain.time_tagged) == (type_id, type_id, False)
    assert len(tagged.encode(0, GOOD)) == size


def test_signals_and_addresses_are_numbered_as_they_come() -> None:
    signals = build(
        {"name": "a", "type": "single", "address": [{"ioa": 5}, {"ioa": 3, "ca": 77}]},
        {"name": "b", "type": "double", "address": [{"ioa": 4}]},
    )
    addresses = [address for signal in signals for address in signal.addresses]
    assert [signal.index for signal in signals] == [0, 1]
    assert [(a.index, a.signal, a.ca, a.ioa) for a in addresses] == [
        (0, 0, 12, 5),
        (1, 0, 77, 3),
        (2, 1, 12, 4),
    ]


def test_a_measured_point_may_take_another_form_at_each_address() -> None:
    (signal,) = build(
        {
            "name": "i",
            "type": "float",
            "unit": "A",
            "report": {"deadband": 2.0, "at_least_s": 600, "keep": "every"},
            "address": [
                {"ioa": 1},
                {"ioa": 2, "type": "scaled", "resolution": 0.1},
                {"ioa": 3, "type": "normalized", "nominal": 400},
            ],
        }
    )
    assert [address.type_id for address in signal.addresses] == [13, 11, 9]
    assert signal.addresses[1].encode(12.3, GOOD) == (123).to_bytes(2, "little") + b"\0"
    assert signal.addresses[2].encode(200, GOOD) == (16384).to_bytes(2, "little") + b"\0"
    assert signal.reporting == Reporting(2.0, 600, "every")
    assert signal.unit == "A"


@pytest.mark.parametrize(("group", "groups"), [(None, ()), (3, (3,)), ([5, 1, 5], (1, 5))])
def test_interrogation_groups_may_be_one_or_several(group: object, groups: tuple[int, ...]) -> None:
    (signal,) = build({"name": "p", "type": "single", "address": [{"ioa": 1, "group": group}]})
    assert signal.addresses[0].groups == groups


def test_a_value_of_the_station_itself_says_which() -> None:
    (signal,) = build({"name": "lost", "type": "bitstring", "system": "events.lost", "address": [{"ioa": 1}]})
    assert signal.system == "events.lost"
