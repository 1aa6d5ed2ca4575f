"""Child process: hat-drivers' controlled side, with the smallest station around it that answers the same questions.

The library ends at the connection: it keeps no events for a master that is away, and neither does this.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

from hat.drivers import iec104, net

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

GOOD = iec104.IndicationQuality(invalid=False, not_topical=False, substituted=False, blocked=False)
MEASURED = iec104.MeasurementQuality(
    invalid=False, not_topical=False, substituted=False, blocked=False, overflow=False
)


def spontaneous(ioa: int, data: iec104.Data) -> iec104.DataMsg:
    """A spontaneous report with its time."""
    return iec104.DataMsg(
        is_test=False,
        originator_address=0,
        asdu_address=CA,
        io_address=ioa,
        data=data,
        time=iec104.time_from_datetime(datetime.now(UTC)),
        cause=iec104.DataResCause.SPONTANEOUS,
    )


def single(on: bool, ioa: int = SINGLE_IOA) -> iec104.DataMsg:
    value = iec104.SingleValue.ON if on else iec104.SingleValue.OFF
    return spontaneous(ioa, iec104.SingleData(value, GOOD))


def event(number: int) -> iec104.DataMsg:
    lap, place = divmod(number, EVENT_POINTS)
    return single(lap % 2 == 0, EVENT_IOA + place)


def bitstring(number: int) -> iec104.DataMsg:
    data = iec104.BitstringData(iec104.BitstringValue(number.to_bytes(4, "big")), MEASURED)
    return spontaneous(BITSTRING_IOA + number % BITSTRINGS, data)


def interrogated(index: int) -> iec104.DataMsg:
    """One measured value as an interrogation tells it."""
    return present(FLOAT_IOA + index, iec104.FloatingData(iec104.FloatingValue(float(index)), MEASURED))


def present(ioa: int, data: iec104.Data) -> iec104.DataMsg:
    """A value as an interrogation tells it."""
    return iec104.DataMsg(
        is_test=False,
        originator_address=0,
        asdu_address=CA,
        io_address=ioa,
        data=data,
        time=None,
        cause=iec104.DataResCause.INTERROGATED_STATION,
    )


class Station:
    """One single point, the event points, the bitstrings, and `points` each of single points and measured values."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.connections: list[iec104.Connection] = []

    async def on_connection(self, connection: iec104.Connection) -> None:
        self.connections.append(connection)
        connection.async_group.spawn(self._receive, connection)

    async def report(self, message: iec104.DataMsg) -> bool:
        """Send to everyone who listens; False if nobody does."""
        listening = [each for each in self.connections if each.is_open and each.is_enabled]
        for connection in listening:
            await connection.send([message])
        return bool(listening)

    async def _receive(self, connection: iec104.Connection) -> None:
        while True:
            for message in await connection.receive():
                if isinstance(message, iec104.InterrogationMsg):
                    await self._interrogated(connection, message)

    async def _interrogated(self, connection: iec104.Connection, request: iec104.InterrogationMsg) -> None:
        await connection.send([request._replace(cause=iec104.CommandResCause.ACTIVATION_CONFIRMATION)])
        off = iec104.SingleData(iec104.SingleValue.OFF, GOOD)
        await connection.send([present(SINGLES_IOA + index, off) for index in range(self.points)])
        await connection.send([interrogated(index) for index in range(self.points)])
        await connection.send([request._replace(cause=iec104.CommandResCause.ACTIVATION_TERMINATION)])


async def main(points: int) -> None:
    station = Station(points)
    server = await iec104.listen(station.on_connection, net.TcpAddress("127.0.0.1", 0))
    answer({"port": server.info.addresses[0].port})
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    stamps: list[int] = []
    on = False
    while line := await lines.readline():
        match line.split():
            case [b"set"]:
                on = not on
                stamps.append(time.monotonic_ns())
                await station.report(single(on))
            case [b"stamps"]:
                answer(stamps)
                stamps.clear()
            case [b"burst", count]:
                accepted = 0
                for number in range(1, int(count) + 1):
                    accepted += await station.report(bitstring(number))
                answer({"accepted": accepted})
            case [b"events", count]:
                accepted = 0
                for number in range(int(count)):
                    accepted += await station.report(event(number))
                answer({"accepted": accepted})
            case [b"facts"]:
                answer(facts())
            case _:
                break
    await server.async_close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
