"""From a converter's register to the control centre as a current, and what a chip that fails takes with it: itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_centre import ControlCentre, double_command
from feeder import write_station
from firmware import Firmware
from simhw import I2cStub, SimChip, i2c_stub
from switchgear import (
    BAY,
    BAY_REMOTE,
    ON,
    Q0_CLOSE,
    Q0_ENABLE,
    Q0_OPERATE,
    Q0_POSITION,
    REMOTE,
    SETTLED_S,
    Bay,
    answer,
    bay_on,
    interrogated,
)

from rtu.iec104.catalogue import Cause, TypeID
from rtu.points.model import IV, NT

CURRENT, CURRENT_SCALED = 2001, 2101  # information object addresses
CONVERSION = 0  # register
SCAN_S = 0.1
A_FEW_SCANS_S = 10 * SCAN_S
COUNTS_PER_MA = 32768 * 0.1 / 2.048  # of a converter with +-2.048 V behind 100 ohm
FEEDER = (
    BAY
    + """
[device.adc]
driver = "ads1115"
bus = {bus}
address = 0x48
rate = 860
[[point]]
name = "line.current"
type = "float"
unit = "A"
report = { deadband = 2 }
address = [{ ioa = 2001 }, { ioa = 2101, type = "scaled", resolution = 0.1 }]
[point.input]
device = "adc"
channel = "A0-A1"
shunt_ohm = 100
from_mA = [4, 20]
to = [0, 400]
live_zero = true
scan_ms = 100
"""
)


class Transducer:
    """4 to 20 mA for 0 to 400 A, into the converter."""

    def __init__(self, i2c: I2cStub) -> None:
        self.i2c = i2c

    def give(self, milliamperes: float) -> None:
        self.i2c.set_register16(0x48, CONVERSION, round(milliamperes * COUNTS_PER_MA))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("station")


@pytest.fixture(scope="module")
def started(folder: Path) -> Iterator[tuple[Bay, Transducer]]:
    with SimChip() as chip, bay_on(chip) as bay, i2c_stub(0x48) as i2c:
        station = write_station(folder, FEEDER.replace("{bus}", str(i2c.bus)))
        with Firmware(station) as firmware:
            firmware.wait_ready()
            yield bay, Transducer(i2c)


@pytest.fixture
def bay(started: tuple[Bay, Transducer]) -> Bay:
    bay, _ = started
    bay.stand_open()
    bay.forget()
    return bay


@pytest.fixture
def transducer(started: tuple[Bay, Transducer]) -> Transducer:
    _, transducer = started
    transducer.give(4)
    return transducer


@pytest.fixture
def scada(folder: Path, bay: Bay, transducer: Transducer) -> Iterator[ControlCentre]:
    """A master that knows how everything stands: no current."""
    with ControlCentre(folder) as centre:
        centre.listen(SETTLED_S)
        known = interrogated(centre)
        assert {report.quality for report in known.values()} == {0}
        assert known[CURRENT].value == pytest.approx(0, abs=0.1)
        yield centre


def test_a_register_arrives_as_a_current_with_its_time(scada: ControlCentre, transducer: Transducer) -> None:
    transducer.give(12)
    came = scada.until_report(CURRENT, within_s=A_FEW_SCANS_S) + scada.until_report(CURRENT_SCALED)
    current, scaled = came
    assert (current.type_id, current.cause, current.quality) == (TypeID.M_ME_TF_1, Cause.SPONT, 0)
    assert current.value == pytest.approx(200, abs=0.1)
    assert (scaled.type_id, scaled.value, scaled.quality) == (TypeID.M_ME_TE_1, 2000, 0)
    assert current.unix_ns == scaled.unix_ns


def test_a_current_below_the_live_zero_is_a_broken_wire(scada: ControlCentre, transducer: Transducer) -> None:
    transducer.give(0)
    came = scada.until_report(CURRENT, lambda report: bool(report.quality & IV), A_FEW_SCANS_S)
    assert {report.quality for report in came if report.ioa == CURRENT} == {NT, IV}
    transducer.give(20)
    restored = scada.until_report(CURRENT, lambda report: report.quality == 0, A_FEW_SCANS_S)[-1]
    assert restored.value == pytest.approx(400, abs=0.1)


def test_a_chip_that_leaves_the_bus_makes_its_points_invalid_and_nothing_else(
    bay: Bay, scada: ControlCentre, transducer: Transducer
) -> None:
    transducer.i2c.unplug(0x48)
    came = scada.until_report(CURRENT, lambda report: bool(report.quality & IV), A_FEW_SCANS_S)
    assert {report.ioa for report in came} <= {CURRENT, CURRENT_SCALED}
    scada.listen(SETTLED_S)
    known = interrogated(scada)
    assert {ioa for ioa, report in known.items() if report.quality} == {CURRENT, CURRENT_SCALED}
    assert all(known[ioa].quality & (IV | NT) for ioa in (CURRENT, CURRENT_SCALED))

    bay.chip.pull(REMOTE, 0)
    (event,) = scada.until_report(BAY_REMOTE)
    assert (event.type_id, event.value, event.quality) == (TypeID.M_SP_TB_1, False, 0)
    bay.chip.pull(REMOTE, 1)
    scada.until_report(BAY_REMOTE, lambda report: report.value == 1)

    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    assert answer(scada, double_command(Q0_OPERATE, ON))
    bay.close_breaker()
    came_after = scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)
    assert not came_after[-1].negative
    assert interrogated(scada)[Q0_POSITION].value == ON
    assert bay.moved() == {Q0_CLOSE: [1, 0], Q0_ENABLE: [1, 0]}

    transducer.i2c.plug(0x48)
    transducer.give(12)
    back = scada.until_report(CURRENT, lambda report: report.quality == 0, A_FEW_SCANS_S)[-1]
    assert back.value == pytest.approx(200, abs=0.1)
