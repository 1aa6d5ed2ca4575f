"""From points of the file to signals."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rtu.config.schema import StationFile
from rtu.points.build import build_signals
from rtu.points.model import GOOD, IV, Reporting, Signal


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


@pytest.mark.parametrize(
    ("type_", "of", "kind", "type_id", "size", "tagged"),
    [
        ("packed", ["a"], "packed", 20, 5, False),
        ("protection", "a", "protection", 38, 3, True),
        ("protection_start", {"l1": "a"}, "protection", 39, 4, True),
        ("protection_trip", {"l1": "a"}, "protection", 40, 4, True),
    ],
)
def test_what_is_made_of_others_has_one_identification(
    type_: str, of: object, kind: str, type_id: int, size: int, tagged: bool
) -> None:
    (signal,) = build({"name": "p", "type": type_, "of": of, "address": [{"ioa": 1}]})
    (address,) = signal.addresses
    assert (signal.kind, signal.is_state) == (kind, True)
    assert (address.type_id, address.event_type, address.time_tagged) == (type_id, type_id, tagged)
    assert len(address.encode(0, GOOD)) == size


def test_a_normalised_value_without_quality_is_reported_with_it_and_its_time() -> None:
    (signal,) = build(
        {
            "name": "i",
            "type": "normalized",
            "address": [
                {"ioa": 1, "nominal": 4, "quality": False},
                {"ioa": 2, "nominal": 4, "quality": False, "time_tag": False},
            ],
        }
    )
    assert [(a.type_id, a.event_type) for a in signal.addresses] == [(21, 34), (21, 21)]
    assert [a.encode(1, IV).hex() for a in signal.addresses] == ["0020", "0020"]
    assert [a.encode(1, IV).hex() for a in signal.reports] == ["002080", "0020"]


def test_double_transmission_reports_each_address_without_time_then_with_it() -> None:
    (signal,) = build(
        {"name": "p", "type": "single", "address": [{"ioa": 1, "time_tag": "both"}, {"ioa": 2}]}
    )
    assert [a.time_tagged for a in signal.addresses] == [True, True]
    assert [(a.index, a.ioa, a.event_type) for a in signal.reports] == [(0, 1, 1), (0, 1, 30), (1, 2, 30)]


def test_a_signal_reports_its_addresses_unless_told_otherwise() -> None:
    (signal,) = build({"name": "p", "type": "single", "address": [{"ioa": 1}, {"ioa": 2, "time_tag": False}]})
    assert signal.reports == signal.addresses


def test_a_step_is_what_one_raw_number_stands_for() -> None:
    (signal,) = build(
        {
            "name": "i",
            "type": "float",
            "address": [
                {"ioa": 1},
                {"ioa": 2, "type": "scaled", "resolution": 0.1},
                {"ioa": 3, "type": "scaled"},
                {"ioa": 4, "type": "normalized", "nominal": 400},
            ],
        }
    )
    assert [address.step for address in signal.addresses] == [1.0, 0.1, 1.0, 400 / 32768]


def test_a_point_may_have_no_address() -> None:
    (signal,) = build({"name": "p", "type": "single", "address": []})
    assert signal.addresses == signal.reports == ()
