"""No event is lost: not while no master is there, not with a connection that breaks, not when the station is killed.

What is committed is read from a copy of the event store's files, also while the station runs and holds them locked:
opening the copy plays its write-ahead log up to the last complete transaction, as a restart would.
"""

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby, islice
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from control_centre import NEVER_ACKNOWLEDGING, PATIENCE_S, ControlCentre, Report, reports
from feeder import COMMON_ADDRESS, GROUP, write_station
from firmware import Firmware
from simhw import SimChip

from rtu.clock import VirtualClock
from rtu.config.schema import Address, Point, Station, StationFile
from rtu.events.log import EventLog
from rtu.events.store import Store
from rtu.iec104.asdu import ASDU
from rtu.iec104.catalogue import Cause, TypeID
from rtu.points.build import build_signals

LINES = range(8)
FIRST_IOA = 1100
FEEDER = '[device.field]\ndriver = "gpio"\nchip = "sim-gpio"\n' + "".join(
    f"""
[[point]]
name = "contact.{line}"
type = "single"
input = {{ device = "field", line = {line}, debounce_ms = 0 }}
address = [{{ ioa = {FIRST_IOA + line} }}]
"""
    for line in LINES
)
K = 12  # I frames the station sends without an acknowledgement
MS = 1_000_000


class Move(NamedTuple):
    """A contact that moved, and the wall time in ns just before and just after."""

    ioa: int
    level: int
    before_ns: int
    after_ns: int


def moves(chip: SimChip) -> Iterator[Move]:
    """One contact after the other moves, in an order that looks like chance; without end."""
    chance = random.Random(104)
    level = dict.fromkeys(LINES, 0)
    while True:
        line = chance.choice(LINES)
        level[line] ^= 1
        before = time.time_ns()
        chip.pull(line, level[line])
        yield Move(FIRST_IOA + line, level[line], before, time.time_ns())


ADDRESSES = [
    address
    for signal in build_signals(
        StationFile(
            format=1,
            station=Station(name="contacts", common_address=COMMON_ADDRESS),
            point=[
                Point(name=f"contact.{line}", type="single", address=[Address(ioa=FIRST_IOA + line)])
                for line in LINES
            ],
        )
    )
    for address in signal.addresses
]


class Row(NamedTuple):
    """An event as it goes over the wire: address, and element with time tag."""

    ioa: int
    octets: bytes


class Stored(NamedTuple):
    """What a restart would find in the event store: the last number the master acknowledged, and what it is still owed."""

    acknowledged: int
    owed: list[Row]


def stored(station: Path) -> Stored:
    copy = station.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(station.with_name("events"), copy, ignore=shutil.ignore_patterns("control"))
    clock = VirtualClock()
    store = Store.open(copy, clock)
    assert not store.set_aside
    log = EventLog((GROUP,), clock, ADDRESSES, store=store)
    group = log.groups[GROUP]
    owed: list[Row] = []
    while (batch := group.next_states()) is not None:
        owed += rows_of(batch.asdu)
    found = Stored(log.position.states - len(owed), owed)
    log.close()
    return found


def wait_stored(station: Path, condition: Callable[[Stored], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    found = None
    while found is None or not condition(found):
        assert time.monotonic() < deadline, f"the store holds only {found}"
        with suppress(AssertionError):  # copied in the middle of a checkpoint
            found = stored(station)


def rows_of(octets: bytes) -> list[Row]:
    """The events of an ASDU of M_SP_TB_1, octet by octet; nothing of an end of initialisation."""
    asdu = ASDU.decode(octets)
    if asdu.type_id == TypeID.M_EI_NA_1:
        return []
    assert (asdu.type_id, asdu.cause, asdu.sequence) == (TypeID.M_SP_TB_1, Cause.SPONT, False)
    size = len(octets[6:]) // len(asdu.objects)
    return [
        Row(int.from_bytes(octets[at : at + 3], "little"), octets[at + 3 : at + size])
        for at in range(6, len(octets), size)
    ]


def all_reports(asdus: Iterable[bytes]) -> list[Report]:
    return [report for octets in asdus for report in reports(ASDU.decode(octets))]


def receive(scada: ControlCentre, enough: Callable[[list[bytes]], bool]) -> list[bytes]:
    came = [scada.receive_octets()]
    while not enough(came):
        came.append(scada.receive_octets())
    return came


def receive_rows(scada: ControlCentre, wanted: int) -> list[bytes]:
    """ASDUs with so many events."""
    return receive(scada, lambda came: sum(len(rows_of(octets)) for octets in came) >= wanted)


def receive_until_cut(scada: ControlCentre) -> list[bytes]:
    came: list[bytes] = []
    try:
        while True:
            came.append(scada.receive_octets())
    except ConnectionError:
        return came


def is_of(move: Move, told: Report) -> bool:
    """Whether a report is of this move; CP56Time2a counts whole milliseconds, and the station may misjudge by one."""
    assert told.unix_ns is not None
    on_time = move.before_ns // MS - 1 <= told.unix_ns // MS <= move.after_ns // MS + 1
    return on_time and (told.ioa, told.value) == (move.ioa, move.level)


def assert_told(told: Sequence[Report], moved: Sequence[Move]) -> None:
    """Every move is told once, in order, with its own time."""
    assert [(report.ioa, report.value) for report in told] == [(move.ioa, move.level) for move in moved]
    for report, move in zip(told, moved, strict=True):
        assert is_of(move, report)
        assert report.quality == 0
    by_ioa = attrgetter("ioa")
    for _, line in groupby(sorted(told, key=by_ioa), by_ioa):
        stamps = [report.unix_ns or 0 for report in line]
        assert stamps == sorted(stamps)


def test_a_thousand_changes_wait_for_a_master_and_survive_a_connection_that_breaks(
    tmp_path: Path, chip: SimChip
) -> None:
    with Firmware(write_station(tmp_path, FEEDER)) as firmware:
        firmware.wait_ready()
        moved = list(islice(moves(chip), 1000))
        with ControlCentre(tmp_path, NEVER_ACKNOWLEDGING) as careless:
            cut_off = receive(careless, lambda came: len(came) == K)
        with ControlCentre(tmp_path) as scada:
            came = receive_rows(scada, 1000)
        assert came[:K] == cut_off
        assert_told(all_reports(came), moved)
        assert firmware.stop() == 0


def test_a_station_that_is_killed_loses_no_committed_event_and_repeats_no_acknowledged_one(
    tmp_path: Path, chip: SimChip
) -> None:
    station = write_station(tmp_path, FEEDER)
    contacts = moves(chip)
    moved: list[Move] = []
    with Firmware(station) as firmware:
        firmware.wait_ready()
        moved += islice(contacts, 200)
        with ControlCentre(tmp_path) as scada:
            assert_told(all_reports(receive_rows(scada, 200)), moved)
            scada.stop()
        wait_stored(station, lambda found: found.acknowledged == 200)

        killed = threading.Event()

        def go_on_moving() -> None:
            while not killed.is_set():
                moved.append(next(contacts))
                time.sleep(0.001)

        with ControlCentre(tmp_path, NEVER_ACKNOWLEDGING) as careless:
            wind = threading.Thread(target=go_on_moving)
            wind.start()
            try:
                wait_stored(station, lambda found: len(found.owed) >= 300)
                firmware.kill()
            finally:
                killed.set()
                wind.join()
            unacknowledged = receive_until_cut(careless)
    left = stored(station)
    assert left.acknowledged == 200
    assert 300 <= len(left.owed) <= len(moved) - 200
    told_before = [row for octets in unacknowledged for row in rows_of(octets)]
    assert told_before
    assert told_before == left.owed[: len(told_before)]

    with Firmware(station) as firmware:
        firmware.wait_ready()
        last = next(contacts)
        with ControlCentre(tmp_path) as scada:
            came = receive(scada, lambda came: any(is_of(last, told) for told in all_reports(came[-1:])))
    told = [row for octets in came for row in rows_of(octets)]
    owed = len(left.owed)
    assert told[:owed] == left.owed
    assert_told(all_reports(came)[:owed], moved[200 : 200 + owed])
    missed = all_reports(came)[owed:]  # contacts that moved unseen are told once, as they are found
    assert len(missed) <= len(LINES) + 1
    assert is_of(last, missed[-1])
