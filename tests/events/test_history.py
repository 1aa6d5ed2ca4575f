"""The text of the latest events."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import pytest

from rtu.clock import SECOND, VirtualClock
from rtu.events import history as module
from rtu.events.history import HEADING, History
from rtu.points.encoding import encode_bitstring, encode_double, encode_single, encode_step, scaled
from rtu.points.model import IV, NT, OV, Address, Cause, Reporting, Signal, Value
from rtu.points.station_time import StationTime
from rtu.points.table import PointTable


@dataclass
class Log:
    """Takes what the history passes on."""

    got: list[tuple[Any, ...]] = field(default_factory=list)

    def changed(self, signal: Signal, value: Value) -> None:
        self.got.append(("changed", signal, value))

    def state(self, address: Address, octets: bytes, cause: Cause) -> None:
        self.got.append(("state", address, octets, cause))

    def measured(self, address: Address, octets: bytes, cause: Cause, every: bool) -> None:
        self.got.append(("measured", address, octets, cause, every))


def address(
    index: int, signal: int, type_id: int, event_type: int, encode: Any, step: float = 1.0
) -> Address:
    return Address(index, signal, 1, 100 + index, type_id, event_type, (), encode, step)


EVERY = Reporting(keep="every")
SIGNALS = (
    Signal(0, "door", "single", (address(0, 0, 1, 30, encode_single), address(1, 0, 1, 1, encode_single))),
    Signal(1, 'q0; "bay"', "double", (address(2, 1, 3, 31, encode_double),)),
    Signal(2, "tap", "step", (address(3, 2, 5, 5, encode_step),)),
    Signal(3, "bits", "bitstring", (address(4, 3, 7, 33, encode_bitstring),)),
    Signal(4, "Ström", "measured", (address(5, 4, 11, 35, scaled(0.1), 0.1),), EVERY),
    Signal(5, "now and then", "measured", (address(6, 5, 11, 35, scaled(0.1), 0.1),)),
    Signal(6, "nowhere", "single", ()),
)


class Desk:
    """A history between a table and a log."""

    def __init__(self, capacity: int = 100, zone: str = "UTC") -> None:
        self.clock = VirtualClock()
        self.log = Log()
        time = StationTime(zone)
        self.history = History(self.log, SIGNALS, self.clock, capacity, time)
        self.table = PointTable(SIGNALS, self.clock, self.history, time)
        self.table.finish_start()

    def set(self, name: str, value: float, quality: int = 0) -> None:
        self.table.update(self.table.index(name), Value(value, quality, self.clock.now_ns()))

    @property
    def lines(self) -> list[str]:
        heading, *lines = self.history.extract().text().decode().splitlines()
        assert heading + "\n" == HEADING
        return lines


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_every_report_is_passed_on_as_it_is(desk: Desk) -> None:
    desk.set("door", 1)
    desk.set("now and then", 5)
    kinds = [what for what, *_ in desk.log.got]
    assert kinds == ["changed", "state", "state", "measured"]
    assert desk.log.got[-1][-1] is False


def test_an_event_is_a_line(desk: Desk) -> None:
    desk.set("door", 1)
    desk.clock.advance(1.0049)
    desk.set('q0; "bay"', 2, NT | IV)
    assert desk.lines == [
        "2026-07-15T12:00:00.000Z;;door;1;;SPONT",
        '2026-07-15T12:00:01.004Z;;"q0; ""bay""";2;NT IV;SPONT',
    ]


def test_values_are_told_as_people_read_them(desk: Desk) -> None:
    desk.set("tap", -5)
    desk.set("bits", 0xAB)
    desk.set("Ström", -12.5)
    desk.set("Ström", 9999, OV)
    desk.set("now and then", 3)  # superseded by the next, so no event
    desk.set("nowhere", 1)  # not told
    assert [line.split(";")[2:] for line in desk.lines] == [
        ["tap", "-5", "", "SPONT"],
        ["bits", "000000AB", "", "SPONT"],
        ["Ström", "-12.5", "", "SPONT"],
        ["Ström", "3276.7", "OV", "SPONT"],
    ]


def test_the_cause_is_told(desk: Desk) -> None:
    desk.table.attribute(0, Cause(11, 5, "main"))
    desk.set("door", 1)
    assert desk.lines[0].endswith(";RETREM")


@pytest.mark.parametrize(
    ("type_id", "octets", "told"),
    [
        (37, struct.pack("<iB", 12345, 3), "12345;"),
        (37, struct.pack("<iB", -1, 0x83), "-1;IV"),
        (20, struct.pack("<HHB", 5, 4, 0x40), "0005 0004;NT"),
        (38, bytes((2 | 0x08, 10, 0)), "2;EI"),
        (39, bytes((0x21, 0x10, 10, 0)), "21;BL"),
        (40, bytes((0x01, 0, 10, 0)), "01;"),
        (36, struct.pack("<fB", 1.5, 0), "1.5;"),
        (34, struct.pack("<hB", 16384, 0), "16384;"),
    ],
)
def test_other_kinds_of_events_can_be_told(type_id: int, octets: bytes, told: str) -> None:
    clock = VirtualClock()
    one = address(0, 0, type_id, type_id, None)
    history = History(Log(), [Signal(0, "x", "single", (one,))], clock, 10)
    time = b"" if type_id == 20 else StationTime().tag(clock.wall(clock.now_ns()))
    history.state(one, octets + time, Cause(3))
    assert history.extract().text().decode().splitlines()[1] == f"2026-07-15T12:00:00.000Z;;x;{told};SPONT"


def test_the_newest_are_kept() -> None:
    desk = Desk(capacity=3)
    for second in range(10):
        desk.set("door", 1 - second % 2)
        desk.clock.advance(1)
    assert [line[17:19] for line in desk.lines] == ["07", "08", "09"]


def test_time_is_utc_whatever_the_tags_are() -> None:
    desk = Desk(zone="Europe/Berlin")
    desk.set("door", 1)
    desk.set("tap", 1)  # no tag
    assert [line[:27] for line in desk.lines] == [
        "2026-07-15T12:00:00.000Z;;d",
        "2026-07-15T12:00:00.000Z;;t",
    ]


def test_what_was_before_the_clock_was_set_gets_its_time_when_it_is() -> None:
    desk = Desk()
    desk.clock.valid = False
    stamp = desk.clock.now_ns()
    desk.clock.advance(0.5)
    desk.table.update(0, Value(1, 0, stamp))  # told half a second after it happened
    desk.set("tap", 1)
    assert [line[:27] for line in desk.lines] == [
        "2026-07-15T12:00:00.000Z;IV",
        "2026-07-15T12:00:00.500Z;IV",
    ]
    desk.clock.advance(60)
    desk.clock.offset_ns += 3600 * SECOND
    desk.clock.valid = True
    assert [line[:26] for line in desk.lines] == ["2026-07-15T13:00:00.000Z;;", "2026-07-15T13:00:00.500Z;;"]


def test_what_was_before_a_later_step_of_the_clock_keeps_its_time(desk: Desk) -> None:
    desk.set("door", 1)
    desk.clock.offset_ns += 3600 * SECOND
    assert desk.lines[0].startswith("2026-07-15T12:00:00.000Z")


def test_an_extract_is_of_its_time_both_ends_included(desk: Desk) -> None:
    for second in range(5):
        desk.set("door", 1 - second % 2)
        desk.clock.advance(1)
    start = 1_784_116_800 * SECOND
    text = desk.history.extract(start + SECOND, start + 3 * SECOND).text().decode()
    assert [line[17:19] for line in text.splitlines()[1:]] == ["01", "02", "03"]


def test_an_extract_stays_as_it_is(desk: Desk) -> None:
    desk.set("door", 1)
    extract = desk.history.extract()
    desk.set("door", 0)
    assert len(extract.text().splitlines()) == 2


def test_of_more_than_a_file_can_hold_the_newest_are_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = len("2026-07-15T12:00:00.000Z;;door;1;;SPONT\n")
    monkeypatch.setattr(module, "MAX_TEXT", len(HEADING) + 2 * line + line // 2)
    for second in range(5):
        desk.set("door", 1 - second % 2)
        desk.clock.advance(1)
    assert [line[17:19] for line in desk.lines] == ["03", "04"]
