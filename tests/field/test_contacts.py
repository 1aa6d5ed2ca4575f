"""Contacts of a quick device: edges, lost edges, failed reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rtu.points.model import GOOD, IV, NT, OFF, ON, Signal, Value

CONTACTS = [
    {"name": "door", "type": "single", "input": {"device": "field", "line": 4}},
    {
        "name": "q0",
        "type": "double",
        "input": {"device": "field", "open": 17, "closed": 27, "transit_ms": 800},
    },
]


def begin(make_station: Callable[..., Any]) -> Any:
    """Running, with the breaker OFF and the door shut."""
    station = make_station(CONTACTS, field="")
    opened = station.open

    def open_with_breaker_off(*args: Any) -> Any:
        device = opened(*args)
        device.level[1] = 1
        return device

    station.open = open_with_breaker_off
    station.begin()
    station.table.finish_start()
    return station


def test_quick_devices_are_read_before_start_returns(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    assert station.value("door")[:2] == (0, GOOD)
    assert station.value("q0")[:2] == (OFF, GOOD)
    assert station.sink.states == []


def test_an_edge_travels_from_the_descriptor_to_the_report(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    device = station.fakes["field"]
    station.clock.advance(0.1)
    moved = station.clock.now_ns()
    device.move(0, 1)
    station.loop.readers[17]()
    station.clock.advance(0.005)
    assert station.value("door") == Value(1, GOOD, moved)
    assert [octets[0] for _, octets in station.sink.states] == [1]
    assert station.field.statistics.edges == 1


def test_two_contacts_make_one_breaker(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    device = station.fakes["field"]
    device.move(1, 0)
    station.loop.readers[17]()
    station.clock.advance(0.06)
    device.move(2, 1)
    arrived = station.clock.now_ns()
    station.loop.readers[17]()
    station.clock.advance(0.01)
    assert station.value("q0") == Value(ON, GOOD, arrived)
    assert len(station.sink.states) == 1


def test_a_lost_edge_is_made_up_by_the_poll_and_counted(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.fakes["field"].level[0] = 1
    station.clock.advance(1.1)
    assert station.value("door").value == 1
    assert station.field.statistics.resyncs == 1


def test_an_edge_that_crosses_the_poll_is_not_called_lost(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    device = station.fakes["field"]

    def move_once() -> None:
        device.before_levels = lambda: None
        device.move(0, 1)

    device.before_levels = move_once
    station.clock.advance(1.1)
    assert station.value("door").value == 1
    assert (station.field.statistics.resyncs, station.field.statistics.edges) == (0, 1)


def test_dropped_edges_are_counted(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.fakes["field"].move(0, 1, gap=3)
    station.loop.readers[17]()
    assert station.field.statistics.lost == 3


def test_an_unreadable_contact_is_invalid_alone(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    device = station.fakes["field"]
    device.level[0] = None
    station.clock.advance(1.1)
    assert station.value("door")[:2] == (0, IV)
    assert station.value("q0")[:2] == (OFF, GOOD)
    assert station.field.statistics.scan_errors == 1
    device.level[0] = 0
    station.clock.advance(1)
    assert station.value("door")[:2] == (0, GOOD)


def test_a_driver_that_raises_is_a_device_that_cannot_be_read(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.fakes["field"].fault = RuntimeError("oops")
    station.clock.advance(3.1)
    assert station.value("door").quality == station.value("q0").quality == IV
    assert [line for line in station.lines if "oops" in line] == [
        'device "field": its driver failed: RuntimeError: oops'
    ]


def test_what_one_change_runs_into_does_not_cost_the_next(make_station: Callable[..., Any]) -> None:
    points = [
        {"name": f"d{i}", "type": "single", "input": {"device": "field", "line": i, "debounce_ms": 0}}
        for i in range(2)
    ]
    station = make_station(points, field="")
    station.begin()

    def broken(signal: Signal, value: Value) -> None:
        raise RuntimeError("a watcher")

    station.table.watch(0, broken)
    station.fakes["field"].move(0, 1)
    station.fakes["field"].move(1, 1)
    station.loop.readers[17]()
    assert station.value("d1").value == 1
    assert station.field.statistics.chain_errors == 1


def test_what_one_loss_runs_into_does_not_cost_the_next(make_station: Callable[..., Any]) -> None:
    points = [
        {"name": f"d{i}", "type": "single", "input": {"device": "box", "line": i, "debounce_ms": 0}}
        for i in range(2)
    ]
    station = make_station(points, box="i2c-1")
    station.begin()
    station.turn("i2c-1")

    def broken(signal: Signal, value: Value) -> None:
        raise RuntimeError("a watcher")

    station.table.watch(0, broken)
    station.clock.advance(2)
    assert station.value("d1").quality == NT
    assert station.field.statistics.chain_errors == 1


def test_devices_that_share_a_descriptor_are_all_woken(make_station: Callable[..., Any]) -> None:
    points = [
        {"name": name, "type": "single", "input": {"device": name, "line": 1, "debounce_ms": 0}}
        for name in ("a", "b")
    ]
    station = make_station(points, a="", b="")
    station.begin()
    station.fakes["a"].move(0, 1)
    station.fakes["b"].move(0, 1)
    station.loop.readers[17]()
    assert station.value("a").value == station.value("b").value == 1


def test_points_may_share_a_contact(make_station: Callable[..., Any]) -> None:
    line = {"device": "field", "line": 1, "debounce_ms": 0}
    points = [
        {"name": "on", "type": "single", "input": line},
        {"name": "off", "type": "single", "input": {**line, "invert": True}},
    ]
    station = make_station(points, field="")
    station.begin()
    assert (station.value("on").value, station.value("off").value) == (0, 1)
    station.fakes["field"].move(0, 1)
    station.loop.readers[17]()
    assert (station.value("on").value, station.value("off").value) == (1, 0)


def test_after_stop_nothing_is_read(make_station: Callable[..., Any]) -> None:
    station = begin(make_station)
    station.field.stop()
    assert station.loop.readers == {}
    station.fakes["field"].level[0] = 1
    station.clock.advance(60)
    assert station.value("door").value == 0
