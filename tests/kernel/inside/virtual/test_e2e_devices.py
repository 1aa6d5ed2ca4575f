"""Devices that are not there: at the start, or later for a while. The station serves without them and finds them again.

Virtual time, because a missing device is looked for every ten seconds only.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_centre import ControlCentre, double_command, single_command
from feeder import write_station
from firmware import Firmware
from simhw import LineRecorder, SimChip
from switchgear import BAY, BAY_REMOTE, ON, Q8_CLOSE, Q8_OPERATE, REMOTE, Bay, answer, bay_on, interrogated

from rtu.iec104.catalogue import Cause, TypeID
from rtu.points.model import IV, NT

DOOR, HORN = 1101, 5101  # information object addresses
DOOR_LINE, HORN_LINE = 3, 20
LOOKED_FOR_S = 60.0  # some attempts
EXPANDER = f"""
[device.expander]
driver = "gpio"
chip = "usb-gpio"
[[point]]
name = "kiosk.door"
type = "single"
input = {{ device = "expander", line = {DOOR_LINE}, pull = "down" }}
address = [{{ ioa = {DOOR} }}]
[[command]]
name = "horn"
type = "single"
output = {{ device = "expander", on = {HORN_LINE}, active_low = true }}
address = [{{ ioa = {HORN} }}]
"""


def plugged_in() -> SimChip:
    """The expander: its board pulls the active-low relay up."""
    expander = SimChip(label="usb-gpio")
    expander.pull(HORN_LINE, 1)
    return expander


@pytest.fixture
def bay(chip: SimChip) -> Iterator[Bay]:
    with bay_on(chip) as bay:
        yield bay


@pytest.fixture
def station(tmp_path: Path, bay: Bay) -> Iterator[Firmware]:
    """Running without the expander."""
    with Firmware(write_station(tmp_path, BAY + EXPANDER)) as firmware:
        firmware.wait_ready()
        bay.stand_open()
        yield firmware


@pytest.fixture
def scada(tmp_path: Path, station: Firmware) -> Iterator[ControlCentre]:
    with ControlCentre(tmp_path) as centre:
        centre.until_report(BAY_REMOTE, lambda report: report.value == 1)
        yield centre


def said(station: Firmware, about: str) -> list[str]:
    return [line for line in station.log.read_text().splitlines() if about in line]


def assert_only_the_door_is_unknown(scada: ControlCentre) -> None:
    known = interrogated(scada)
    assert {ioa for ioa, report in known.items() if report.quality} == {DOOR}
    assert known[DOOR].quality & IV


def assert_door_and_horn_work(scada: ControlCentre, expander: SimChip, horn: LineRecorder) -> None:
    expander.pull(DOOR_LINE, 1)
    (event,) = scada.until_report(DOOR)
    assert (event.type_id, event.cause, event.value, event.quality) == (TypeID.M_SP_TB_1, Cause.SPONT, 1, 0)
    assert horn.changes == []
    assert answer(scada, single_command(HORN, True))
    assert not scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)[-1].negative
    assert [level for _, level in horn.changes] == [0, 1]


def test_a_device_that_is_missing_at_the_start_costs_its_points_and_commands_only(
    bay: Bay, station: Firmware, scada: ControlCentre
) -> None:
    assert_only_the_door_is_unknown(scada)
    assert interrogated(scada)[DOOR].quality & NT
    assert not answer(scada, single_command(HORN, True))
    scada.listen(LOOKED_FOR_S)
    assert not answer(scada, single_command(HORN, True))
    bay.chip.pull(REMOTE, 0)
    assert scada.until_report(BAY_REMOTE)[-1].value == 0
    assert answer(scada, double_command(Q8_OPERATE, ON, select=True))
    assert answer(scada, double_command(Q8_OPERATE, ON))
    assert not scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)[-1].negative
    assert bay.moved() == {Q8_CLOSE: [0, 1]}
    (line,) = said(station, 'device "expander"')
    assert "no GPIO chip 'usb-gpio'; there are: gpiochip" in line
    assert "[sim-gpio]" in line


def test_a_device_that_appears_later_is_opened_without_a_restart(
    station: Firmware, scada: ControlCentre
) -> None:
    scada.listen(LOOKED_FOR_S)
    assert not answer(scada, single_command(HORN, True))
    with plugged_in() as expander, LineRecorder(expander, HORN_LINE) as horn:
        (found,) = scada.until_report(DOOR, within_s=LOOKED_FOR_S)
        assert (found.value, found.quality) == (0, 0)
        assert len(said(station, 'device "expander": opened')) == 1
        assert_door_and_horn_work(scada, expander, horn)
        assert all(report.quality == 0 for report in interrogated(scada).values())
        assert station.stop() == 0


def test_a_device_that_is_unplugged_and_plugged_in_again_works_again(
    tmp_path: Path, chip: SimChip, bay: Bay
) -> None:
    expander = plugged_in()
    with Firmware(write_station(tmp_path, BAY + EXPANDER)) as firmware:
        firmware.wait_ready()
        bay.stand_open()
        with ControlCentre(tmp_path) as scada:
            scada.until_report(BAY_REMOTE, lambda report: report.value == 1)
            expander.pull(DOOR_LINE, 1)
            scada.until_report(DOOR, lambda report: report.value == 1)
            expander.close()
            lost = scada.until_report(DOOR, lambda report: bool(report.quality & IV))[-1]
            assert lost.value == 1
            assert_only_the_door_is_unknown(scada)
            assert not answer(scada, single_command(HORN, True))
            with plugged_in() as again, LineRecorder(again, HORN_LINE) as horn:
                back = scada.until_report(DOOR, within_s=LOOKED_FOR_S)[-1]
                assert (back.value, back.quality) == (0, 0)
                assert_door_and_horn_work(scada, again, horn)
                assert firmware.stop() == 0
    assert bay.moved() == {}
