"""What the relays do while the station starts, stops or dies: nothing, or what ends a pulse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_centre import LONG_PULSE, ControlCentre, double_command, reports
from feeder import write_station
from firmware import Firmware
from simhw import SimChip
from switchgear import (
    BAY,
    BAY_REMOTE,
    LONG_PULSE_MS,
    OFF,
    ON,
    Q0_CLOSE,
    Q0_ENABLE,
    Q0_OPERATE,
    Q0_POSITION,
    Q8_CLOSE,
    Q8_OPEN,
    Q8_OPERATE,
    Bay,
    answer,
    bay_on,
    interrogated,
)

from rtu.iec104.asdu import ASDU


@pytest.fixture
def station(tmp_path: Path) -> Path:
    return write_station(tmp_path, BAY)


@pytest.fixture
def bay(chip: SimChip) -> Iterator[Bay]:
    with bay_on(chip) as bay:
        yield bay


def close(ioa: int, *, select: bool = False) -> ASDU:
    """Close a switch with a pulse that outlasts the test."""
    return double_command(ioa, ON, select=select, qu=LONG_PULSE)


def select(scada: ControlCentre, bay: Bay) -> None:
    """Select both switches to be closed, as soon as it is reported that this is allowed."""
    bay.stand_open()
    awaited = {Q0_POSITION: OFF, BAY_REMOTE: True}
    while awaited:  # the position is debounced and the key switch is not, but either may be told first
        for report in reports(scada.receive()):
            if awaited.get(report.ioa) == report.value:
                del awaited[report.ioa]
    assert answer(scada, close(Q0_OPERATE, select=True))
    assert answer(scada, close(Q8_OPERATE, select=True))


def test_no_relay_moves_when_the_station_starts_stops_or_is_killed(station: Path, bay: Bay) -> None:
    with Firmware(station) as firmware:
        firmware.wait_ready()
        assert firmware.stop() == 0
    with Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(station.parent) as scada:
            select(scada, bay)
            firmware.kill()
    with Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(station.parent) as scada:
            assert not answer(scada, close(Q0_OPERATE))
            assert not answer(scada, close(Q8_OPERATE))
    assert bay.moved() == {}


def test_a_station_killed_during_its_pulses_lets_go_and_does_not_resume(station: Path, bay: Bay) -> None:
    with Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(station.parent) as scada:
            select(scada, bay)
            scada.send(close(Q0_OPERATE))
            scada.send(close(Q8_OPERATE))
            bay.wait(Q0_ENABLE, 1)
            bay.wait(Q8_CLOSE, 1)
            firmware.kill()
    killed = {Q0_CLOSE: [1, 0], Q0_ENABLE: [1, 0], Q8_CLOSE: [0, 1]}
    assert bay.moved() == killed
    with Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(station.parent) as scada:
            interrogated(scada)
        assert firmware.stop() == 0
    assert bay.moved() == killed


def test_a_station_stopped_during_its_pulses_ends_them_at_once(station: Path, bay: Bay) -> None:
    with Firmware(station) as firmware:
        firmware.wait_ready()
        with ControlCentre(station.parent) as scada:
            select(scada, bay)
            assert answer(scada, close(Q8_OPERATE))
            assert firmware.stop() == 0
    assert bay.moved() == {Q8_CLOSE: [0, 1]}
    (start, _), (end, _) = bay.changes(Q8_CLOSE)
    assert end - start < LONG_PULSE_MS * 1_000_000
    assert bay.chip.value(Q8_OPEN) == 1
