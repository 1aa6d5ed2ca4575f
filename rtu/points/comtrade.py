"""Disturbance records as COMTRADE files of IEEE C37.111-1999 (IEC 60255-24:2001), ASCII.

A record is two texts, the configuration (.cfg) and the data (.dat), lines ending in CR LF, characters beyond ASCII
as "?".

* Samples come when something changes: the sampling rate is 0 and each line of data has its own time, in microseconds
  since the first. The first line is the beginning of the record, the last its end. Between two lines nothing changed.
* A measured value and a step position is one analogue channel. Its numbers are 0..99998, and a times number plus b is
  the value in the point's unit, to a 99998th of the span the record covers.
* A single point is one status channel, a double point two ("NAME open", "NAME closed"), a word of bits one per bit
  ("NAME 1" the least significant).
* Every point has a status channel "NAME invalid" besides: 1 while the value is marked IV or NT; the other channels of
  the point show the value it was left with.
* Times are UTC. That the clock was not set then, and which point was the trigger, the format cannot say; the station
  the device is named after is that of the station file, the device is the name of the record. The line frequency is
  not known, 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from operator import attrgetter
from typing import NamedTuple

from rtu.clock import SECOND

from .model import IV, NT, Kind, Value

MAX_NUMBER = 99_998
_MICROSECOND = 1_000
_BITS: dict[Kind, int] = {"bitstring": 32, "packed": 16, "protection": 8}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A point that is recorded."""

    name: str
    kind: Kind
    unit: str = ""


class Sample(NamedTuple):
    """A point, by its place in the record, took a value at `mono_ns`."""

    mono_ns: int
    point: int
    value: float
    quality: int


@dataclass(frozen=True, slots=True)
class Recording:
    """What happened: the values of all points at `start_ns`, and what they became until `end_ns` (monotonic).

    `unix_ns` is the wall time at `trigger_ns`, `valid` whether the clock was set.
    """

    station: str
    name: str
    points: tuple[Recorded, ...]
    start: tuple[Value, ...]
    samples: tuple[Sample, ...]
    start_ns: int
    trigger_ns: int
    end_ns: int
    unix_ns: int
    valid: bool


class Comtrade(NamedTuple):
    """The two files."""

    cfg: bytes
    dat: bytes


class _Analogue(NamedTuple):
    point: int
    name: str
    unit: str


class _Status(NamedTuple):
    name: str
    state: Callable[[Sequence[float], Sequence[int]], bool]


def comtrade(recording: Recording) -> Comtrade:
    """The files of a record. Takes its time: some ten microseconds per sample."""
    analogues = [
        _Analogue(at, point.name, point.unit)
        for at, point in enumerate(recording.points)
        if point.kind in ("measured", "step")
    ]
    statuses = [one for at, point in enumerate(recording.points) for one in _statuses(at, point)]
    scales = [_scale(recording, analogue.point) for analogue in analogues]
    lines: list[str] = []
    for number, (mono_ns, values, qualities) in enumerate(_states(recording), 1):
        fields = [number, (mono_ns - recording.start_ns) // _MICROSECOND]
        fields += [round((values[one.point] - b) / a) for one, (a, b) in zip(analogues, scales, strict=True)]
        fields += [int(one.state(values, qualities)) for one in statuses]
        lines.append(",".join(map(str, fields)))
    start_unix_ns = recording.unix_ns - (recording.trigger_ns - recording.start_ns)
    configuration = [
        f"{_text(recording.station)},{_text(recording.name)},1999",
        f"{len(analogues) + len(statuses)},{len(analogues)}A,{len(statuses)}D",
        *(
            f"{n},{_text(one.name)},,,{_text(one.unit)},{a:.9g},{b:.9g},0,0,{MAX_NUMBER},1,1,P"
            for n, one, (a, b) in zip(count(1), analogues, scales)
        ),
        *(f"{n},{_text(one.name)},,,0" for n, one in enumerate(statuses, 1)),
        "0",
        "0",
        f"0,{len(lines)}",
        _moment(start_unix_ns),
        _moment(recording.unix_ns),
        "ASCII",
        "1",
    ]
    return Comtrade(_file(configuration), _file(lines))


def _statuses(at: int, point: Recorded) -> Iterator[_Status]:
    name = point.name
    if point.kind == "single":
        yield _Status(name, lambda values, _: bool(values[at]))
    elif point.kind == "double":
        yield _Status(f"{name} open", lambda values, _: bool(int(values[at]) & 1))
        yield _Status(f"{name} closed", lambda values, _: bool(int(values[at]) & 2))
    else:
        for bit in range(_BITS.get(point.kind, 0)):
            yield _Status(f"{name} {bit + 1}", lambda values, _, bit=bit: bool(int(values[at]) >> bit & 1))  # type: ignore[misc]
    yield _Status(f"{name} invalid", lambda _, qualities: bool(qualities[at] & (IV | NT)))


def _states(recording: Recording) -> Iterator[tuple[int, Sequence[float], Sequence[int]]]:
    """All values at the start, at each change, and at the end; what changed in one microsecond, together."""
    values = [value.value for value in recording.start]
    qualities = [value.quality for value in recording.start]
    at = recording.start_ns
    for mono_ns, point, value, quality in sorted(recording.samples, key=attrgetter("mono_ns")):
        if (mono_ns - recording.start_ns) // _MICROSECOND > (at - recording.start_ns) // _MICROSECOND:
            yield at, values, qualities
            at = mono_ns
        values[point], qualities[point] = value, quality
    yield at, values, qualities
    if recording.end_ns - at >= _MICROSECOND:
        yield recording.end_ns, values, qualities


def _scale(recording: Recording, point: int) -> tuple[float, float]:
    """Factor and offset that put all values of a point into 0..MAX_NUMBER."""
    told = [recording.start[point].value]
    told += [sample.value for sample in recording.samples if sample.point == point]
    low = min(told)
    return (max(told) - low) / MAX_NUMBER or 1.0, low


def _text(text: str) -> str:
    return text.replace(",", " ").encode("ascii", "replace").decode()[:64]


def _moment(unix_ns: int) -> str:
    second, ns = divmod(unix_ns, SECOND)
    return f"{datetime.fromtimestamp(second, UTC):%d/%m/%Y,%H:%M:%S}.{ns // _MICROSECOND:06d}"


def _file(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
