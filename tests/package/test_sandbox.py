"""The station's unit on a Debian with its own systemd: what it may do, and what becomes of one that hangs."""

import pytest

from tests.package.testbed.container import until
from tests.package.testbed.site import STATION, STATION_FILE, ready

UNIT = "outstation.service"
DROP_INS = "/etc/systemd/system/outstation.service.d"

BIND = "import socket; socket.socket().bind(('', {port}))"
SEND = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('{address}', 9))"


def as_the_unit(board, program):
    """Error of a Python program that the kernel takes for the station: it is in its control group. "" for none."""
    joined = f'echo $$ >/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs && exec python3 -c "{program}"'
    done = board.run("sh", "-c", joined, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def within(board, *command):
    """Run a command of the board in what the station sees as file system."""
    process = board.property(UNIT, "MainPID")
    return board.run("nsenter", "--target", process, "--mount", *command, check=False)


def forbids_ports(board):
    """Debian 12's systemd is made without what SocketBindDeny= needs."""
    return "+BPF_FRAMEWORK" in board.told("systemctl", "--version")


def test_a_master_is_served_and_a_stranger_is_not(station):
    assert station.light() == "OFF"
    assert station.master.reaches(19998)
    assert not station.stranger.reaches(19998)
    assert not station.master.reaches(2404)


def test_the_station_opens_no_port_but_its_own(station):
    if forbids_ports(station.board):
        assert "Operation not permitted" in as_the_unit(station.board, BIND.format(port=2404))
        assert "Operation not permitted" in as_the_unit(station.board, BIND.format(port=8080))
    else:
        assert as_the_unit(station.board, BIND.format(port=2404)) == ""
    # Its own is taken, by itself, which is found out after it was allowed.
    assert "Address already in use" in as_the_unit(station.board, BIND.format(port=19998))


PLAIN = """
[listen.plain]
address = "0.0.0.0"

[[master]]
name = "old-centre"
from = ["192.0.2.2/32"]
"""


def test_plain_needs_the_drop_in_as_well_as_the_station_file(station):
    board = station.board
    board.put(STATION, STATION_FILE + PLAIN)
    board.run("systemctl", "mask", "--runtime", "--now", "outstation-firewall")
    board.run("systemctl", "restart", "--no-block", UNIT)
    if forbids_ports(board):
        until(lambda: "cannot listen on" in board.journal(UNIT), "the refusal")
        assert not station.master.reaches(2404)
    board.run("systemctl", "unmask", "--runtime", "outstation-firewall")
    board.run("systemctl", "restart", UNIT)
    assert station.master.reaches(2404)
    assert not station.stranger.reaches(2404)


def test_the_station_speaks_to_nobody_but_its_masters_even_without_a_firewall(station):
    station.board.run("nft", "delete", "table", "inet", "outstation")
    assert station.master.reaches(19998)
    assert not station.stranger.reaches(19998)
    assert as_the_unit(station.board, SEND.format(address="192.0.2.2")) == ""
    assert "Operation not permitted" in as_the_unit(station.board, SEND.format(address="198.51.100.2"))


@pytest.mark.parametrize(
    "path", ["/etc/outstation/station.toml", "/usr/lib/outstation/rtu/app.py", "/etc/x", "/x"]
)
def test_the_station_writes_nothing_but_its_own_directory(station, path):
    assert "Read-only file system" in within(station.board, "touch", path).stderr
    assert within(station.board, "touch", "/var/lib/outstation/x").returncode == 0


def test_what_the_station_can_write_it_cannot_execute(station):
    for directory in ("/var/lib/outstation", "/tmp", "/run/outstation", "/dev/shm"):
        within(station.board, "install", "-m", "755", "/usr/bin/true", f"{directory}/x")
        done = within(station.board, f"{directory}/x")
        assert "Permission denied" in done.stderr, directory


def test_the_station_opens_no_device_but_lines_and_buses(station):
    station.board.run("mknod", "-m", "666", "/dev/memory", "c", "1", "1")
    program = "open('/dev/memory')"
    assert "Operation not permitted" in as_the_unit(station.board, program)


def test_a_station_that_hangs_is_restarted_with_its_outputs_safe_and_its_events_kept(station):
    board = station.board
    station.switch_light("on")
    board.put(f"{DROP_INS}/watchdog.conf", "[Service]\nWatchdogSec=3\n", "root:root", 0o644)
    board.run("systemctl", "daemon-reload")
    board.run("systemctl", "restart", UNIT)
    station.switch_light("on")
    assert station.light() == "ON"

    board.run("systemctl", "kill", "--signal", "STOP", UNIT)
    until(lambda: board.property(UNIT, "NRestarts") == "1" and ready(board), "the restart")

    assert "Watchdog timeout" in board.journal(UNIT)
    assert station.light() == "OFF"
    assert station.waiting().count("ON") == 2
