"""Starting: the first scan, and devices that do not open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hw.interface import Context, DeviceFault
from rtu.points.model import GOOD, NEVER_READ

POINTS = [
    {"name": "door", "type": "single", "input": {"device": "field", "line": 4}},
    {"name": "level", "type": "float", "input": {"device": "adc", "channel": 0}},
]


def make(make_station: Callable[..., Any]) -> Any:
    return make_station([dict(point) for point in POINTS], field="", adc="i2c-1")


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def first_scan_waits_for_the_bus(station: Any) -> None:
    scan = asyncio.ensure_future(station.field.first_scan())
    await settle()
    assert not scan.done()
    station.turn("i2c-1")
    assert await scan is True


def test_the_first_scan_is_over_when_every_device_answered(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.begin()
    asyncio.run(first_scan_waits_for_the_bus(station))


def test_the_first_scan_does_not_wait_for_ever(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    field = station.begin()

    async def body() -> bool:
        scan = asyncio.ensure_future(field.first_scan(timeout_s=5))
        await settle()
        station.clock.advance(5)
        return bool(await scan)

    assert asyncio.run(body()) is False


def test_the_first_scan_does_not_wait_for_what_did_not_open(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"adc": DeviceFault("no answer at 0x48: check SDA and SCL")}
    field = station.begin()
    assert asyncio.run(field.first_scan()) is True


def test_a_device_that_does_not_open_leaves_the_others_alone(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"field": DeviceFault("line 4 is in use")}
    station.begin()
    station.turn("i2c-1")
    assert station.value("door") == NEVER_READ
    assert station.value("level").quality == GOOD
    assert station.devices.faults == {"field": "line 4 is in use"}
    assert station.lines == ['device "field": line 4 is in use']


def test_a_device_that_gives_no_edges_is_polled_and_leaves_the_others_alone(
    make_station: Callable[..., Any],
) -> None:
    def refuse(sink: object) -> None:
        raise OSError("no interrupts")

    def open_without_edges(config: Any, channels: Any, context: Context) -> Any:
        device = opened(config, channels, context)
        device.start = refuse
        return device

    station = make(make_station)
    opened, station.open = station.open, open_without_edges
    station.begin()
    station.turn("i2c-1")
    assert station.value("door").quality == station.value("level").quality == GOOD
    assert station.lines == ['device "field": no edges, its contacts are only polled: OSError: no interrupts']


def test_it_is_tried_again_off_the_loop_and_read_once_it_opens(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"field": DeviceFault("line 4 is in use")}
    station.begin()
    station.clock.advance(10)
    ((name, work),) = station.threads
    assert name == "open field"
    station.clock.advance(30)
    assert len(station.threads) == 1  # not again while it is being tried
    work()
    station.loop.run()
    assert [line for line in station.lines if "field" in line] == ['device "field": line 4 is in use']
    station.clock.advance(10)
    station.broken = {}
    station.threads[1][1]()
    assert station.value("door") == NEVER_READ
    station.loop.run()
    assert station.value("door").quality == GOOD
    assert station.lines[-1] == 'device "field": opened'
    assert not station.devices.faults
    station.clock.advance(60)
    assert len(station.threads) == 2


def test_whoever_asked_hears_of_a_device_that_opens_later(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"field": DeviceFault("busy")}
    station.begin()
    heard: list[str] = []
    station.devices.when_opened(lambda name, device: heard.append(name))
    station.broken = {}
    station.devices.adopt("field", station.devices.attempt("field"))
    assert heard == ["field"]


def test_a_driver_that_breaks_or_is_missing_is_one_line(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"field": KeyError("x")}
    station.begin()
    assert station.devices.faults["field"] == "its driver failed: KeyError: 'x'"
    station.file.device["field"] = type(station.file.device["field"])(driver="none", config=None)
    station.begin()
    assert "install the package" in station.devices.faults["field"]


def test_closing_closes_every_device_and_those_that_open_later(make_station: Callable[..., Any]) -> None:
    station = make(make_station)
    station.broken = {"adc": DeviceFault("away")}
    station.begin()
    station.devices.close()
    assert station.fakes["field"].closed
    station.broken = {}
    station.devices.adopt("adc", station.devices.attempt("adc"))
    assert station.fakes["adc"].closed
    assert station.devices.get("adc") is None
