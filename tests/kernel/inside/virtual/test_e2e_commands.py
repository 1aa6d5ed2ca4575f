"""From a command on TLS to the relay lines and back: what moves, for how long, and that nothing else ever does.

Virtual time: the pulses are measured to some microseconds, and a selection that times out takes no time. Starting a
station is dear there, so all tests of this file share one; each has a connection of its own and finds the bay at rest.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from control_centre import ControlCentre, double_command, reports
from feeder import write_station
from firmware import Firmware
from simhw import SimChip
from switchgear import (
    BAY,
    BAY_REMOTE,
    OFF,
    ON,
    PULSE_MS,
    Q0_CLOSE,
    Q0_ENABLE,
    Q0_OPERATE,
    Q0_POSITION,
    Q8_OPEN,
    Q8_OPERATE,
    REMOTE,
    SELECT_TIMEOUT_S,
    SETTLED_S,
    Bay,
    answer,
    bay_on,
    interrogated,
)

from rtu.iec104.catalogue import Cause, TypeID

AFTERWARDS_S = 5  # longer than any pulse
PULSE_NS = PULSE_MS * 1_000_000
JITTER_NS = 1_000_000  # a thread of the station wakes up and makes its system calls


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("station")


@pytest.fixture(scope="module")
def started(folder: Path) -> Iterator[Bay]:
    with SimChip() as chip, bay_on(chip) as bay, Firmware(write_station(folder, BAY)) as firmware:
        firmware.wait_ready()
        yield bay


@pytest.fixture
def bay(started: Bay) -> Bay:
    started.stand_open()
    started.forget()
    return started


@pytest.fixture
def scada(folder: Path, bay: Bay) -> Iterator[ControlCentre]:
    """A master that knows the breaker to be open and the bay to be remote."""
    with ControlCentre(folder) as centre:
        centre.listen(SETTLED_S)
        known = interrogated(centre)
        assert (known[Q0_POSITION].value, known[BAY_REMOTE].value) == (OFF, True)
        yield centre


def test_a_selected_command_pulses_its_relay_and_ends_with_the_breakers_answer(
    bay: Bay, scada: ControlCentre
) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    assert bay.moved() == {}
    scada.send(double_command(Q0_OPERATE, ON))
    bay.wait(Q0_ENABLE, 1)
    bay.close_breaker()
    confirmation, information, termination = scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)
    assert (confirmation.cause, confirmation.negative) == (Cause.ACTCON, False)
    (report,) = reports(information)
    assert (report.type_id, report.cause, report.ioa) == (TypeID.M_DP_TB_1, Cause.RETREM, Q0_POSITION)
    assert (report.value, report.quality) == (ON, 0)
    assert (termination.type_id, termination.negative) == (TypeID.C_DC_NA_1, False)
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {Q0_CLOSE: [1, 0], Q0_ENABLE: [1, 0]}
    (coil_on, _), (coil_off, _) = bay.changes(Q0_CLOSE)
    (enable_on, _), (enable_off, _) = bay.changes(Q0_ENABLE)
    assert coil_on < enable_on < enable_off < coil_off
    assert PULSE_NS <= enable_off - enable_on < PULSE_NS + JITTER_NS


def test_an_active_low_relay_is_pulsed_low(bay: Bay, scada: ControlCentre) -> None:
    assert answer(scada, double_command(Q8_OPERATE, OFF, select=True))
    assert answer(scada, double_command(Q8_OPERATE, OFF))
    assert not scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)[-1].negative
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {Q8_OPEN: [0, 1]}
    (start, _), (end, _) = bay.changes(Q8_OPEN)
    assert PULSE_NS <= end - start < PULSE_NS + JITTER_NS


def test_a_breaker_that_does_not_move_ends_the_command_negatively(bay: Bay, scada: ControlCentre) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    assert answer(scada, double_command(Q0_OPERATE, ON))
    (termination,) = scada.until(lambda asdu: asdu.cause == Cause.ACTTERM)
    assert termination.negative
    assert bay.moved() == {Q0_CLOSE: [1, 0], Q0_ENABLE: [1, 0]}


def test_a_select_alone_moves_nothing_and_is_over_after_its_time(bay: Bay, scada: ControlCentre) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    assert scada.listen(SELECT_TIMEOUT_S + 1) == []
    assert not answer(scada, double_command(Q0_OPERATE, ON))
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {}


def test_an_execute_without_a_select_moves_nothing(bay: Bay, scada: ControlCentre) -> None:
    assert not answer(scada, double_command(Q0_OPERATE, ON))
    assert not answer(scada, double_command(Q8_OPERATE, ON))
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {}


def test_an_execute_that_is_not_what_was_selected_moves_nothing(bay: Bay, scada: ControlCentre) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    assert not answer(scada, double_command(Q0_OPERATE, OFF))
    assert not answer(scada, double_command(Q0_OPERATE, ON))  # the selection is gone, too
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {}


def test_a_select_does_not_outlive_its_connection(folder: Path, bay: Bay, scada: ControlCentre) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    scada.close()
    with ControlCentre(folder) as again:
        assert not answer(again, double_command(Q0_OPERATE, ON))
        assert answer(again, double_command(Q0_OPERATE, ON, select=True))  # nobody else has it any more
        again.listen(AFTERWARDS_S)
    assert bay.moved() == {}


def test_an_interlock_that_opens_between_select_and_execute_stops_the_command(
    bay: Bay, scada: ControlCentre
) -> None:
    assert answer(scada, double_command(Q0_OPERATE, ON, select=True))
    bay.chip.pull(REMOTE, 0)
    scada.until_report(BAY_REMOTE)
    assert not answer(scada, double_command(Q0_OPERATE, ON))
    scada.listen(AFTERWARDS_S)
    assert bay.moved() == {}
