"""A disk that is full or read-only, a real one: it is told, nothing stops, and everything is saved when it can be again."""

import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from control_centre import PATIENCE_S, ControlCentre, Report, reports
from feeder import write_station
from firmware import Firmware
from simhw import SimChip

from rtu.iec104.asdu import ASDU

IOA, UNSAVED = 1101, 1901
FEEDER = f"""
[device.field]
driver = "gpio"
chip = "sim-gpio"
[[point]]
name = "contact"
type = "single"
input = {{ device = "field", line = 1, debounce_ms = 0 }}
address = [{{ ioa = {IOA} }}]
[[point]]
name = "unsaved"
type = "single"
system = "events.unsaved"
address = [{{ ioa = {UNSAVED} }}]
"""
MS_RDONLY, MS_REMOUNT = 1, 32
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(target: Path, flags: int, options: str) -> None:
    if _libc.mount(b"none", os.fsencode(target), b"tmpfs", flags, options.encode()):
        raise OSError(ctypes.get_errno(), "mount", str(target))


@contextmanager
def small_disk(target: Path) -> Iterator[Path]:
    target.mkdir()
    _mount(target, 0, "size=1m")
    try:
        yield target
    finally:
        _libc.umount2(os.fsencode(target), 2)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def receive(scada: ControlCentre, enough: Callable[[list[Report]], bool]) -> list[Report]:
    came: list[Report] = []
    deadline = time.monotonic() + PATIENCE_S
    while not enough(came):
        assert time.monotonic() < deadline, f"only {came}"
        came += reports(ASDU.decode(scada.receive_octets()))
    return came


def told(ioa: int, *states: int) -> Callable[[list[Report]], bool]:
    return lambda came: [report.value for report in came if report.ioa == ioa] == list(states)


def test_b_a_disk_that_fills_up_is_told_costs_no_event_and_is_used_again_when_there_is_room(
    tmp_path: Path, chip: SimChip
) -> None:
    station = write_station(tmp_path, FEEDER)
    with small_disk(tmp_path / "events") as disk, Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(tmp_path) as scada:
            filler = fill(disk)
            chip.pull(1, 1)
            receive(scada, lambda came: {(r.ioa, r.value) for r in came} >= {(IOA, 1), (UNSAVED, 1)})
            chip.pull(1, 0)
            receive(scada, told(IOA, 0))
            filler.unlink()
            receive(scada, told(UNSAVED, 0))
            chip.pull(1, 1)
            receive(scada, told(IOA, 1))
        chip.pull(1, 0)
        firmware.stop()
        with Firmware(station) as again:
            again.wait_ready()
            with ControlCentre(tmp_path) as scada:
                # What was told and not acknowledged before is told again, the last of it is new.
                receive(scada, lambda came: [r.value for r in came if r.ioa == IOA][-2:] == [1, 0])


def test_b_a_disk_that_is_read_only_is_told_and_its_events_are_served(tmp_path: Path, chip: SimChip) -> None:
    station = write_station(tmp_path, FEEDER)
    with small_disk(tmp_path / "events") as disk:
        with Firmware(station) as firmware:
            firmware.wait_ready()
            with ControlCentre(tmp_path) as scada:  # its group exists from now on
                chip.pull(1, 1)
                receive(scada, told(IOA, 1))
            chip.pull(1, 0)
            assert firmware.stop() == 0
        _mount(disk, MS_REMOUNT | MS_RDONLY, "size=1m")
        with Firmware(station) as firmware:
            firmware.wait_ready()
            with ControlCentre(tmp_path) as scada:
                came = receive(scada, lambda came: {report.ioa for report in came} >= {IOA, UNSAVED})
                assert [report.value for report in came if report.ioa == UNSAVED] == [1]
                chip.pull(1, 1)
                receive(scada, told(IOA, 1))
                _mount(disk, MS_REMOUNT, "size=1m")
                receive(scada, told(UNSAVED, 0))
