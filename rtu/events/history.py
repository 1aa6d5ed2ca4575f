"""The latest events, kept to be read as a text file; it stands between the point table and the event log.

Every report passes through it to the log, unchanged. What is kept of one is what the log gets, by reference; text is
made of it only when somebody asks. It begins with the start of the station and holds the newest `capacity` events,
whoever has or has not been sent them.

The text is UTF-8: a line of headings, then a line per event, oldest first, fields separated by semicolons (a name that
holds one is in double quotes).

    time;iv;name;value;quality;cause
    2026-11-22T18:35:24.123Z;;q0.position;2;;SPONT
    2026-11-22T18:35:25.004Z;IV;line.current;-12.5;OV NT;RETREM

`time` is UTC to the millisecond and `iv` says IV where the station's clock was not set; an event from before it was
set is given its time once it is. `value` is in engineering units for measured values, 0/1 for single and 0..3 for
double points, hexadecimal for words of bits. `quality` names the bits that are set, `cause` the cause of transmission.
A signal with several addresses makes one line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from rtu.clock import MILLISECOND, SECOND, Clock, WallTime
from rtu.iec104.catalogue import TYPES
from rtu.iec104.catalogue import Cause as CauseOfTransmission
from rtu.iec104.elements import (
    BCR,
    BSI,
    DIQ,
    NVA,
    OCI,
    R32,
    SCD,
    SEP,
    SIQ,
    SPE,
    SVA,
    VTI,
    CP56Time2a,
    Element,
)
from rtu.points.model import Address, Cause, Signal, Value
from rtu.points.report import ReportSink
from rtu.points.station_time import UTC, StationTime

HEADING = "time;iv;name;value;quality;cause\n"
MAX_TEXT = 0xFFFFFF
"""Octets of the longest text: what a length of file can say."""

_TAG = CP56Time2a.SIZE
_TAG_MINUTE = 5
_IV = 0x80
_CAUSES = {int(cause): cause.name for cause in CauseOfTransmission}
_QUALITY = ((0x01, "OV"), (0x08, "EI"), (0x10, "BL"), (0x20, "SB"), (0x40, "NT"), (0x80, "IV"))


class Event(NamedTuple):
    """A report as it was made. `mono_ns` is when, as well as it is known without reading the time tag."""

    address: Address
    octets: bytes
    cause: Cause
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Extract:
    """Events to be written out, and how to tell their time. Safe to use in another thread."""

    events: Sequence[Event]
    names: Sequence[str]
    time: StationTime
    epoch: WallTime  # the wall time of the monotonic clock's zero, as known when this was made
    since_ns: int | None = None  # nanoseconds since 1970; None: from the oldest
    until_ns: int | None = None
    _minutes: dict[bytes, int] = field(default_factory=dict)

    def text(self) -> bytes:
        """The file. Of more than fits a file, the newest that do."""
        lines: list[bytes] = []
        left = MAX_TEXT - len(HEADING)
        for event in reversed(self.events):
            moment = self._moment(event)
            if not self._asked_for(moment.unix_ns):
                continue
            line = self._line(event, moment).encode()
            left -= len(line)
            if left < 0:
                break
            lines.append(line)
        lines.append(HEADING.encode())
        lines.reverse()
        return b"".join(lines)

    def _asked_for(self, unix_ns: int) -> bool:
        return (self.since_ns is None or unix_ns >= self.since_ns) and (
            self.until_ns is None or unix_ns <= self.until_ns
        )

    def _moment(self, event: Event) -> WallTime:
        """Its time tag if that can be trusted, else what the clock makes of its stamp by now."""
        octets = event.octets
        if event.address.time_tagged and not octets[-_TAG_MINUTE] & _IV:
            minute_ns = self._minute_ns(octets[-_TAG_MINUTE:])
            return WallTime(
                minute_ns + int.from_bytes(octets[-_TAG:-_TAG_MINUTE], "little") * MILLISECOND, True
            )
        return WallTime(event.mono_ns + self.epoch.unix_ns, self.epoch.valid)

    def _minute_ns(self, tag: bytes) -> int:
        """The minute a time tag without its milliseconds is in; most are in the same as the one before."""
        found = self._minutes.get(tag)
        if found is None:
            found = self._minutes[tag] = self.time.unix_ns(CP56Time2a.decode(bytes(2) + tag))
        return found

    def _line(self, event: Event, moment: WallTime) -> str:
        address, octets, cause, _ = event
        first, *others = _elements(address.event_type, octets)
        quality = getattr(others[0] if others else first, "quality", getattr(first, "quality", 0))
        if isinstance(first, BCR) and first.invalid:
            quality = _IV
        second, ns = divmod(moment.unix_ns, SECOND)
        return (
            f"{_second(second)}.{ns // MILLISECOND:03d}Z;{'' if moment.valid else 'IV'};"
            f"{self.names[address.signal]};{_value(first, address.step)};{_bits(quality)};{_CAUSES.get(cause.cot, cause.cot)}\n"
        )


class History:
    """A ReportSink in front of another. Belongs to the loop."""

    def __init__(
        self,
        sink: ReportSink,
        signals: Iterable[Signal],
        clock: Clock,
        capacity: int,
        time: StationTime = UTC,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._time = time
        self._events: deque[Event] = deque(maxlen=capacity)
        signals = tuple(signals)
        self._names = tuple(_field(signal.name) for signal in signals)
        # One of the addresses that a signal is reported as stands for all; if it can be, one with its time.
        self._noted = frozenset(
            (chosen.index, chosen.event_type)
            for signal in signals
            if signal.reports
            for chosen in [max(signal.reports, key=lambda address: address.time_tagged)]
        )
        self.changed_ns = clock.now_ns()
        """When the newest event was made, or the history begun (CLOCK_MONOTONIC)."""

    def changed(self, signal: Signal, value: Value) -> None:
        """To the log."""
        self._sink.changed(signal, value)

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        """An event: noted, and to the log."""
        self._note(address, octets, cause)
        self._sink.state(address, octets, cause)

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None:
        """A measured value: noted if each of its changes is kept, and to the log."""
        if every:
            self._note(address, octets, cause)
        self._sink.measured(address, octets, cause, every)

    def extract(self, since_ns: int | None = None, until_ns: int | None = None) -> Extract:
        """What is there now, of the time from `since_ns` to `until_ns` (both included; None: no limit)."""
        epoch = self._clock.wall(0)
        return Extract(tuple(self._events), self._names, self._time, epoch, since_ns, until_ns)

    def _note(self, address: Address, octets: bytes, cause: Cause) -> None:
        if (address.index, address.event_type) not in self._noted:
            return
        now = mono = self._clock.now_ns()
        if address.time_tagged and octets[-_TAG_MINUTE] & _IV:
            # Its own time by a clock that is wrong: what counts is how long ago that was by the same clock.
            tag = CP56Time2a.decode(octets, len(octets) - _TAG)
            mono = now - max(0, self._clock.wall(now).unix_ns - self._time.unix_ns(tag))
        self._events.append(Event(address, octets, cause, mono))
        self.changed_ns = mono


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if ";" in text or '"' in text else text


def _elements(type_id: int, octets: bytes) -> list[Element]:
    """Those in front of the time tag."""
    elements: list[Element] = []
    at = 0
    for element in TYPES[type_id].layout:
        if element is CP56Time2a:
            break
        elements.append(element.decode(octets, at))
        at += element.SIZE
    return elements


def _value(element: Element, step: float) -> str:
    match element:
        case SIQ(spi=on):
            return "1" if on else "0"
        case DIQ(dpi=state) | SEP(state=state):
            return str(state)
        case VTI(value=position, transient=moving):
            return f"{position} moving" if moving else str(position)
        case BSI(bits=bits):
            return f"{bits:08X}"
        case NVA(raw=raw) | SVA(value=raw):
            return f"{raw * step:.7g}"
        case R32(value=real):
            return f"{real:.7g}"
        case BCR(count=total):
            return str(total)
        case SCD(status=status, changed=changed):
            return f"{status:04X} {changed:04X}"
        case SPE() | OCI():
            return element.encode().hex().upper()
    raise AssertionError(f"no event: {element}")


@lru_cache(maxsize=256)
def _bits(quality: int) -> str:
    return " ".join(name for bit, name in _QUALITY if quality & bit)


@lru_cache(maxsize=64)
def _second(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC_ZONE):%Y-%m-%dT%H:%M:%S}"
