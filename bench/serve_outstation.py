"""Child process: the station itself, `rtu.app.Outstation` with everything `rtu run` gives it and a store on the disk.

What is measured comes from where a driver would bring it: `table.update` on the loop, or, with "edge", a line of
gpiozero's MockFactory behind the driver `gpio`. The points have no input, which a station file would not be allowed;
nothing else differs from one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import hw.gpio
import hw.gpiod_factory
from bench.subject import (
    BITSTRING_IOA,
    BITSTRINGS,
    CA,
    EVENT_IOA,
    EVENT_POINTS,
    FLOAT_IOA,
    SINGLE_IOA,
    SINGLES_IOA,
    answer,
    facts,
)
from rtu.app import Outstation
from rtu.cli.run import settle
from rtu.config import schema
from rtu.points.model import GOOD, Value

LINE = 17
CAPACITY = 110_000
"""Room for the events of `bench.offline` and for what a restarted station adds: that it cannot read its bitstrings."""
CHUNK = 200
"""Changes between two turns of the loop: about what a wake-up with many edges brings."""


def station_file(directory: str, each: int, *, masters: int, edge: bool, tls: bool) -> schema.StationFile:
    """So many each of single points and measured values; or, for none, one single point, the bitstrings and the event points."""
    line = schema.Input(device="field", line=LINE, debounce_ms=0, scan_ms=1000) if edge else None
    points = [
        *_points("single", "single", SINGLES_IOA, each),
        *_points("float", "float", FLOAT_IOA, each),
    ] or [
        schema.Point(name="single", type="single", input=line, address=[schema.Address(ioa=SINGLE_IOA)]),
        *_points("word", "bitstring", BITSTRING_IOA, BITSTRINGS),
        *_points("event", "single", EVENT_IOA, EVENT_POINTS),
    ]
    device = schema.Device(driver="gpio", config=hw.gpio.Config())
    plain = schema.ListenPlain(address="127.0.0.1", port=0)
    secured = schema.ListenTls(
        address="127.0.0.1", port=0, certificate="station.crt", private_key="station.key", trusted=["ca.crt"]
    )
    known = (
        [schema.Master(name="bench", identity=schema.Identity(issuer="ca.crt", san="dns:master.bench"))]
        if tls
        else [schema.Master(name=f"bench.{i}", from_=[f"127.0.0.{1 + i}"]) for i in range(masters)]
    )
    return schema.StationFile(
        format=1,
        station=schema.Station(name="Bench", common_address=CA),
        events=schema.Events(directory=directory, capacity=CAPACITY),
        listen=schema.Listen(tls=secured) if tls else schema.Listen(plain=plain),
        master=known,
        device={"field": device} if edge else {},
        point=points,
    )


def _points(name: str, kind: schema.PointType, first: int, count: int) -> list[schema.Point]:
    return [
        schema.Point(name=f"{name}.{i}", type=kind, address=[schema.Address(ioa=first + i)])
        for i in range(count)
    ]


class Bench:
    """The station, and the lines that come in for it."""

    def __init__(self, outstation: Outstation, pin: Any) -> None:
        self._outstation = outstation
        self._pin = pin
        self._stamps: list[int] = []
        self._on = False
        self._rest = b""
        self.over = asyncio.Event()

    def read(self, octets: bytes) -> None:
        """Obey every complete line; the loop calls this when there is one."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self._obey(line.split())
        if not octets:
            self.over.set()

    def _obey(self, words: list[bytes]) -> None:
        match words:
            case [b"set"]:
                self._set()
            case [b"stamps"]:
                answer(self._stamps)
                self._stamps.clear()
            case [b"burst", count]:
                self._burst(1, int(count))
            case [b"events", count]:
                self._events(0, int(count))
            case [b"facts"]:
                log = self._outstation.log
                pending = sum(group.pending for group in log.groups.values())
                answer(facts(committed=log.committed, head=log.head, pending=pending))
            case _:
                self.over.set()

    def _set(self) -> None:
        self._on = not self._on
        self._stamps.append(now := time.monotonic_ns())
        if self._pin is None:
            self._outstation.table.update(0, Value(self._on, GOOD, now))
        elif self._on:
            self._pin.drive_high()
        else:
            self._pin.drive_low()

    def _burst(self, first: int, last: int) -> None:
        update = self._outstation.table.update
        for number in range(first, min(first + CHUNK, last + 1)):
            update(1 + number % BITSTRINGS, Value(number, GOOD, time.monotonic_ns()))
        if first + CHUNK > last:
            answer({"accepted": last})
        else:
            asyncio.get_running_loop().call_soon(self._burst, first + CHUNK, last)

    def _events(self, first: int, end: int) -> None:
        update, now = self._outstation.table.update, time.monotonic_ns
        for number in range(first, min(first + CHUNK, end)):
            lap, place = divmod(number, EVENT_POINTS)
            update(1 + BITSTRINGS + place, Value(lap % 2 == 0, GOOD, now()))
        if first + CHUNK >= end:
            answer({"accepted": end})
        else:
            asyncio.get_running_loop().call_soon(self._events, first + CHUNK, end)


async def main(base: str, *options: str) -> None:
    """`base` is the station's directory; options: "edge", "tls", "points=N" (of each kind), "masters=N"."""
    logging.disable(logging.INFO)
    numbers = dict(each.split("=") for each in options if "=" in each)
    each = int(numbers.get("points", 0))
    pins = pin = None
    if "edge" in options:
        from gpiozero.pins.mock import MockFactory

        pins = MockFactory()
        hw.gpiod_factory.GpiodFactory = lambda chip, log: pins  # type: ignore[assignment, misc]
        pin = pins.pin(LINE)
    file = station_file(
        "events",
        each,
        masters=int(numbers.get("masters", 1)),
        edge="edge" in options,
        tls="tls" in options,
    )
    outstation = Outstation(file, Path(base))
    for index, value in enumerate([False] * each + [float(i) for i in range(each)]):
        outstation.table.update(index, Value(value, GOOD, time.monotonic_ns()))
    await outstation.start()
    settle()
    bench = Bench(outstation, pin)
    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: bench.read(os.read(0, 4096)))
    answer({"port": outstation.listeners[0].port})
    await bench.over.wait()
    loop.remove_reader(0)
    await outstation.stop("the benchmark is over")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
