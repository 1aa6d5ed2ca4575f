"""Child process: c104 (lib60870-C, GPL), which is imported here and nowhere else."""

from __future__ import annotations

import socket
import sys
import time
from typing import Any

import c104

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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(points: int) -> None:
    port = free_port()
    server = c104.Server(ip="127.0.0.1", port=port)
    station: Any = server.add_station(common_address=CA)
    single = station.add_point(io_address=SINGLE_IOA, type=c104.Type.M_SP_TB_1)
    bitstrings = [
        station.add_point(io_address=BITSTRING_IOA + index, type=c104.Type.M_BO_TB_1)
        for index in range(0 if points else BITSTRINGS)
    ]
    events = [
        station.add_point(io_address=EVENT_IOA + index, type=c104.Type.M_SP_TB_1)
        for index in range(0 if points else EVENT_POINTS)
    ]
    for index in range(points):
        station.add_point(io_address=SINGLES_IOA + index, type=c104.Type.M_SP_NA_1).value = False
        point = station.add_point(io_address=FLOAT_IOA + index, type=c104.Type.M_ME_NC_1)
        point.value = float(index)
    server.start()
    answer({"port": port})
    stamps: list[int] = []
    on = False
    for line in sys.stdin:
        match line.split():
            case ["set"]:
                on = not on
                stamps.append(time.monotonic_ns())
                single.value = on
                single.transmit(cause=c104.Cot.SPONTANEOUS)
            case ["stamps"]:
                answer(stamps)
                stamps.clear()
            case ["burst", count]:
                accepted = 0
                for number in range(1, int(count) + 1):
                    point = bitstrings[number % BITSTRINGS]
                    point.value = c104.Byte32(number)
                    accepted += bool(point.transmit(cause=c104.Cot.SPONTANEOUS))
                answer({"accepted": accepted})
            case ["events", count]:
                accepted = 0
                for number in range(int(count)):
                    lap, place = divmod(number, EVENT_POINTS)
                    events[place].value = lap % 2 == 0
                    accepted += bool(events[place].transmit(cause=c104.Cot.SPONTANEOUS))
                answer({"accepted": accepted})
            case ["facts"]:
                answer(facts())
            case _:
                break
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
