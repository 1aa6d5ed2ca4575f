"""The firewall's unit on a Debian with its own systemd: before the station, and again whenever something took it away."""

from __future__ import annotations

from tests.package.testbed.container import until

FIREWALL, STATION = "outstation-firewall.service", "outstation.service"


def as_the_file_says(board):
    return board.run("rtu", "firewall", "check", check=False).returncode == 0


def test_the_firewall_follows_the_station_file_and_comes_back(station):
    board = station.board
    assert as_the_file_says(board)
    assert board.property(FIREWALL, "ActiveState") == "active"

    # A port that was added is open after a restart of the station alone, in all three locks.
    file = board.told("cat", "/etc/outstation/station.toml")
    plain = '[listen.plain]\naddress = "192.0.2.1"\n[[master]]\nname = "viewer"\nfrom = ["192.0.2.2"]\n'
    board.put("/etc/outstation/station.toml", f"{file}\n{plain}")
    assert not as_the_file_says(board)
    board.run("systemctl", "restart", STATION)
    assert as_the_file_says(board)
    assert station.master.reaches(2404)

    # Debian's own service throws everything away; the station's rules come back with it.
    board.run("systemctl", "start", "nftables")
    board.run("systemctl", "restart", FIREWALL)
    for how in ("restart", "reload"):
        board.run("systemctl", how, "nftables")
        until(lambda: as_the_file_says(board), f"the rules after a {how} of nftables")

    # And it is closed again as soon as it is taken out of the file.
    board.put("/etc/outstation/station.toml", f"{file}\n")
    board.run("systemctl", "restart", STATION)
    assert as_the_file_says(board)
    assert not station.master.reaches(2404)
    assert station.master.reaches(19998)
