"""The frame around the program under test works, shown with a small program that holds a relay."""

import sys
from pathlib import Path

import pytest
from firmware import Firmware
from simhw import LineRecorder, SimChip

HOLD_A_RELAY = """
import os, signal, socket, sys, gpiod
from gpiod.line import Direction, Value
chip = open(sys.argv[1]).read()
settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.INACTIVE)
request = gpiod.request_lines(chip, config={20: settings})
request.set_value(20, Value.ACTIVE)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
systemd.sendto(b"STATUS=here\\nREADY=1", os.environ["NOTIFY_SOCKET"])
while True:
    signal.pause()
"""


@pytest.fixture
def station(tmp_path: Path, chip: SimChip) -> Path:
    file = tmp_path / "station.toml"
    file.write_text(chip.path)
    return file


def test_a_program_runs_until_it_is_stopped(station: Path, chip: SimChip) -> None:
    with Firmware(station, (sys.executable, "-c", HOLD_A_RELAY)) as firmware:
        firmware.wait_ready()
        assert chip.value(20) == 1
        assert firmware.stop() == 7


def test_a_killed_program_lets_go_of_its_relay_and_the_recorder_shows_it(
    station: Path, chip: SimChip
) -> None:
    with LineRecorder(chip, 20) as relay:
        with Firmware(station, (sys.executable, "-c", HOLD_A_RELAY)) as firmware:
            firmware.wait_ready()
            assert [level for _, level in relay.changes] == [1]
            firmware.kill()
        assert [level for _, level in relay.changes] == [1, 0]


def test_a_program_that_ends_too_early_is_reported_with_what_it_said(station: Path) -> None:
    complaint = pytest.raises(AssertionError, match="ended with 1 before it was ready:\nno such chip")
    with Firmware(station, (sys.executable, "-c", "exit('no such chip')")) as firmware, complaint:
        firmware.wait_ready()
