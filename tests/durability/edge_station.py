"""Child process: a whole station whose contacts move by themselves, to be killed at any moment.

    edge_station.py DIRECTORY EDGES_PER_SECOND

Each edge goes the way of a real one: a line of gpiozero's MockFactory, the driver `gpio`, the point table, the event
store on the disk. It prints one line of JSON, {"port": N}, as soon as masters may connect. "quiet" on its standard input ends
the edges and is answered with how many there were.
"""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

import msgspec
from gpiozero.pins.mock import MockFactory

import hw.gpiod_factory
from rtu.app import Outstation
from rtu.config import schema
from rtu.config.load import load

LINES = range(4, 20)
FIRST_IOA = 1000
TICK_S = 0.005

STATION = """
format = 1
[station]
name = "edges"
common_address = 1
[events]
directory = "events"
[clock]
source = "master"
[listen.plain]
address = "127.0.0.1"
port = 2404
[device.field]
driver = "gpio"
[[point]]
name = "lost"
type = "bitstring"
system = "events.lost"
address = [{ ioa = 900 }]
""" + "".join(
    f"""
[[point]]
name = "contact.{line}"
type = "single"
input = {{ device = "field", line = {line}, debounce_ms = 0, scan_ms = 500 }}
address = [{{ ioa = {FIRST_IOA + line} }}]
"""
    for line in LINES
)

MASTERS = """
[[master]]
name = "a"
from = ["127.0.0.1/32"]
group = "main"
max_connections = 8
[[master]]
name = "b"
from = ["127.0.0.2/32"]
group = "main"
max_connections = 8
"""


class Edges:
    """Moves one line after the other, at a steady rate, no line twice within a tick: every event has a time tag of its own."""

    def __init__(self, pins: MockFactory, rate: float) -> None:
        self._pins = [pins.pin(line) for line in LINES]
        self._rate = rate
        self._levels = [0] * len(self._pins)
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.count = 0
        self._timer = self._loop.call_soon(self._tick)

    def stop(self) -> None:
        self._timer.cancel()

    def _tick(self) -> None:
        due = int((self._loop.time() - self._began) * self._rate)
        for _ in range(min(due - self.count, len(self._pins))):
            line = self.count % len(self._pins)
            self._levels[line] ^= 1
            pin = self._pins[line]
            pin.drive_high() if self._levels[line] else pin.drive_low()
            self.count += 1
        self._timer = self._loop.call_later(TICK_S, self._tick)


async def main(directory: str, rate: str) -> None:
    logging.disable(logging.CRITICAL)
    pins = MockFactory()
    hw.gpiod_factory.GpiodFactory = lambda chip, log: pins  # type: ignore[assignment, misc]
    base = Path(directory)
    station_file = base / "station.toml"
    station_file.write_text(STATION + MASTERS, encoding="utf-8")
    file = load(station_file)
    plain = schema.ListenPlain(address="127.0.0.1", port=0)
    outstation = Outstation(msgspec.structs.replace(file, listen=schema.Listen(plain=plain)), base)
    await outstation.start()
    edges = Edges(pins, float(rate))
    over = asyncio.Event()

    def told() -> None:
        if os.read(0, 100):
            edges.stop()
            print(json.dumps({"edges": edges.count}), flush=True)
        else:
            over.set()

    asyncio.get_running_loop().add_reader(0, told)
    print(json.dumps({"port": outstation.listeners[0].port}), flush=True)
    await over.wait()
    await outstation.stop("the test is over")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
