"""From a contact that moves to a foreign master on TLS: the state, and the time the kernel saw it."""

import time
from pathlib import Path

import pytest
from feeder import write_station
from firmware import Firmware
from foreign_master import ForeignMaster, Message
from simhw import SimChip, set_clock_synchronised

TRIP, OPEN, CLOSED = 3, 5, 6  # lines
FEEDER = """
[device.field]
driver = "gpio"
chip = "sim-gpio"
[[point]]
name = "protection.trip"
type = "single"
input = { device = "field", line = 3, pull = "down", debounce_ms = 200 }
address = [{ ioa = 1012 }]
[[point]]
name = "q0.position"
type = "double"
input = { device = "field", open = 5, closed = 6, pull = "down", debounce_ms = 5, transit_ms = 800 }
address = [{ ioa = 1001 }]
"""
BOUNCES = 6
TAG_IV = 0x80  # in the third octet of CP56Time2a
MS = 1_000_000

Moment = tuple[int, int]
"""Wall time just before and just after something, in ns."""


def pull(chip: SimChip, line: int, level: int) -> Moment:
    before = time.time_ns()
    chip.pull(line, level)
    return before, time.time_ns()


def bounce(chip: SimChip, line: int, level: int) -> list[Moment]:
    """A contact that closes badly: for 12 ms it comes and goes, then it stays."""
    moments = []
    for n in range(2 * BOUNCES + 1):
        moments.append(pull(chip, line, level ^ n % 2))
        time.sleep(0.001)
    return moments


def assert_stamped(tag_ms: int, moment: Moment) -> None:
    """CP56Time2a counts whole milliseconds, rounded down; the station may misjudge its clock by one."""
    before, after = moment
    assert before // MS - 1 <= tag_ms <= after // MS + 1


def time_tag(asdu: Message) -> bytes:
    return bytes.fromhex(asdu["raw"])[-7:]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("synchronised", [True, False])
def test_a_contact_reaches_a_foreign_master_with_the_time_of_its_first_edge(
    tmp_path: Path, chip: SimChip, synchronised: bool
) -> None:
    if synchronised:
        set_clock_synchronised()
    with Firmware(write_station(tmp_path, FEEDER)) as firmware:
        firmware.wait_ready()
        with ForeignMaster(tmp_path) as scada:
            train = bounce(chip, TRIP, 1)
            trip_asdu, trip = scada.report(1012)
            opened = pull(chip, OPEN, 1)
            scada.report(1001, lambda position: position["value"] == 1)
            pull(chip, OPEN, 0)
            time.sleep(0.02)  # the drive travels
            closed = pull(chip, CLOSED, 1)
            position_asdu, position = scada.report(1001, lambda position: position["value"] == 2)
    assert opened[1] < closed[0]
    assert (trip_asdu["type"], trip_asdu["cause"]) == ("M_SP_TB_1", 3)
    assert (trip["value"], trip["quality"]) == (True, 0)
    assert_stamped(trip["ms"], train[0])
    assert train[-1][0] - train[0][1] > 10 * MS  # so it cannot have been the last edge
    assert (position_asdu["type"], position_asdu["cause"]) == ("M_DP_TB_1", 3)
    assert position["quality"] == 0
    assert_stamped(position["ms"], closed)
    for asdu in (trip_asdu, position_asdu):
        assert bool(time_tag(asdu)[2] & TAG_IV) is not synchronised
