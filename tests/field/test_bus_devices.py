"""Devices on a bus: scanned on its thread, watched for silence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hw.interface import Condition
from rtu.points.model import GOOD, IV, NT, OV

POINTS = [
    {
        "name": "line.current",
        "type": "float",
        "input": {
            "device": "adc",
            "channel": "A0",
            "shunt_ohm": 100,
            "from_mA": [4, 20],
            "to": [0, 400],
            "live_zero": True,
        },
    },
    {
        "name": "tap",
        "type": "step",
        "input": {"device": "adc", "channel": "A1", "from_V": [0, 10], "to": [-10, 10]},
    },
    {"name": "energy", "type": "counter", "input": {"device": "adc", "channel": "P"}},
    {"name": "flap", "type": "single", "input": {"device": "adc", "line": "D"}},
    {"name": "alarms", "type": "bitstring", "input": {"device": "adc", "channel": "R40001"}},
]


def begin(make_station: Callable[..., Any]) -> Any:
    station = make_station([dict(point) for point in POINTS], adc="i2c-1")
    station.begin()
    device = station.fakes["adc"]
    device.volts = [1.2, 7.6, 0xF0A5_0001]
    device.total = [40]
    station.turn("i2c-1")
    return station


def test_a_scan_feeds_every_point_of_the_device(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    assert station.value("line.current").value == pytest.approx(200)
    assert station.value("tap")[:2] == (5, GOOD)
    assert station.value("alarms")[:2] == (0xF0A5_0001, GOOD)
    assert station.value("energy")[:2] == (40, GOOD)
    assert station.value("flap")[:2] == (0, GOOD)
    assert station.field.statistics.scans == 1


def test_it_is_scanned_once_a_period(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.turn("i2c-1")
    assert station.field.statistics.scans == 1
    station.clock.advance(1)
    station.turn("i2c-1")
    assert station.field.statistics.scans == 2


def test_contacts_on_a_bus_are_polled_and_debounced(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.fakes["adc"].stamps = "poll"
    station.clock.advance(1)
    station.fakes["adc"].level[0] = 1
    moved = station.clock.now_ns()
    station.turn("i2c-1")
    station.clock.advance(0.005)
    assert station.value("flap") == (1, GOOD, moved)


def test_edges_a_bus_device_brings_keep_their_stamps(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.clock.advance(0.9)
    moved = station.clock.now_ns()
    station.fakes["adc"].move(0, 1)
    station.clock.advance(0.1)
    station.turn("i2c-1")
    station.clock.advance(0.01)
    assert station.value("flap") == (1, GOOD, moved)
    assert (station.field.statistics.edges, station.field.statistics.resyncs) == (1, 0)


def test_edges_that_came_before_the_device_was_lost_are_not_lost_with_it(
    make_station: Callable[..., Any],
) -> None:
    station = begin(make_station)
    station.sink.states.clear()
    station.clock.advance(0.5)
    station.fakes["adc"].move(0, 1)
    station.clock.advance(0.5)
    station.fakes["adc"].fault = RuntimeError("gone")
    station.turn("i2c-1")
    flap = station.table.index("flap")
    assert [octets[0] for signal, octets in station.sink.states if signal == flap] == [1, IV | 1]


def test_conditions_of_samples_become_quality(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    seen = []
    for condition in (Condition.STALE, Condition.FAILED, Condition.OVERFLOW, Condition.GOOD):
        station.fakes["adc"].condition = condition
        station.clock.advance(1)
        station.turn("i2c-1")
        seen.append(station.value("line.current").quality)
    assert seen == [NT, IV | NT, OV, GOOD]
    assert station.field.statistics.scan_errors == 2


def test_a_scan_that_hangs_makes_its_points_not_topical_then_invalid(
    make_station: Callable[..., Any],
) -> None:
    station = begin(make_station)
    names = [point["name"] for point in POINTS]
    station.clock.advance(1.9)
    assert [station.value(str(name)).quality for name in names] == [GOOD] * 5
    station.clock.advance(0.1)
    assert [station.value(str(name)).quality for name in names] == [NT, NT, GOOD, NT, NT]
    station.clock.advance(8)
    assert [station.value(str(name)).quality for name in names] == [IV | NT, IV | NT, IV, IV | NT, IV | NT]
    assert station.value("line.current").value == pytest.approx(200)
    assert station.field.statistics.silences == len(station.lines) == 1
    station.turn("i2c-1")
    assert [station.value(str(name)).quality for name in names] == [GOOD] * 5
    station.clock.advance(2)
    assert station.value("tap").quality == NT


def test_a_device_tells_its_trouble_while_it_has_one(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    told = [station.field.trouble("adc")]
    for condition in (Condition.FAILED, Condition.GOOD):
        station.fakes["adc"].condition = condition
        station.clock.advance(1)
        station.turn("i2c-1")
        told.append(station.field.trouble("adc"))
    station.clock.advance(10)
    told.append(station.field.trouble("adc"))
    station.turn("i2c-1")
    told.append(station.field.trouble("adc"))
    silent = 'no reading for too long; look at bus "i2c-1"'
    assert told == ["", "not everything of it can be read", "", silent, ""]


def test_a_counter_goes_on_from_the_restored_total(make_station: Callable[..., Any]) -> None:
    station = make_station([dict(point) for point in POINTS], adc="i2c-1")
    station.table.restore(station.table.index("energy"), 1000, GOOD)
    station.begin()
    station.fakes["adc"].total = [2]
    station.turn("i2c-1")
    assert station.value("energy")[:2] == (1002, GOOD)


def test_a_batch_that_arrives_after_stop_is_dropped(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.clock.advance(1)
    station.fakes["adc"].total = [50]
    station.buses.get("i2c-1").turn()
    station.field.stop()
    station.loop.run()
    assert station.value("energy").value == 40
    assert station.buses.get("i2c-1").turn() is None


@pytest.mark.parametrize(
    ("register", "word", "quality"), [(1.0, 1, GOOD), (2.0**32, 0xFFFF_FFFF, OV), (-1.0, 0, OV)]
)
def test_a_bitstring_is_a_word_of_32_bits(
    make_station: Callable[..., Any], register: float, word: int, quality: int
) -> None:
    station = begin(make_station)
    station.table.finish_start()
    station.fakes["adc"].volts[2] = register
    station.clock.advance(1)
    station.turn("i2c-1")
    assert station.value("alarms")[:2] == (word, quality)
    (event,) = [octets for signal, octets in station.sink.states if signal == 4]
    assert event[:5] == word.to_bytes(4, "little") + bytes([quality])
