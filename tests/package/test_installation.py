"""The package on a Debian with its own systemd: installed, upgraded, removed, purged."""

import shutil

from tests.package.conftest import install
from tests.package.testbed.container import until
from tests.package.testbed.site import STATION, STATION_FILE, ready, site

OURS = (
    "/etc/outstation",
    "/var/lib/outstation",
    "/usr/lib/outstation",
    "/run/outstation",
    "/usr/share/doc/outstation",
)


def paths(board):
    """Every file on the board that is not the kernel's or systemd's business of the moment."""
    told = board.told(
        *("find", "/", "-xdev", "-not", "-path", "/var/log/*", "-not", "-path", "/var/cache/*"),
        *(
            "-not",
            "-path",
            "/var/lib/apt/*",
            "-not",
            "-path",
            "/var/lib/dpkg/*",
            "-not",
            "-path",
            "/var/lib/systemd/*",
        ),
        *("-not", "-path", "/tmp/*", "-not", "-path", "/var/tmp/*"),
    )
    return set(told.splitlines())


def kept(board):
    """Numbers and hashes of all records in the audit trail, which `rtu audit verify` must find whole."""
    board.run("rtu", "audit", "verify", STATION)
    return board.told("rtu", "audit", "show", "--json", STATION).splitlines()


def test_without_a_station_file_nothing_is_started_and_the_way_on_is_told(bare, release, packages):
    said = install(bare, packages[release, 1])
    assert f"nothing is started without {STATION}" in said
    assert bare.property("outstation", "ActiveState") == "inactive"
    assert bare.told("systemctl", "is-enabled", "outstation") == "enabled"
    assert bare.told("systemctl", "--failed", "--no-legend") == ""
    assert bare.told("stat", "--format", "%U:%G %a", "/etc/outstation") == "root:outstation 750"
    assert bare.told("rtu", "--version").endswith("0.1.0")


def test_the_program_takes_nothing_from_the_environment_or_the_directory_it_is_called_in(board):
    board.run(
        "sh",
        "-c",
        "mkdir /tmp/trap && echo 'raise SystemExit(99)' | tee /tmp/trap/rtu.py /tmp/trap/argparse.py",
    )
    board.run("sh", "-c", "cd /tmp/trap && PYTHONPATH=/tmp/trap PYTHONSTARTUP=/tmp/trap/rtu.py rtu --version")


def test_a_driver_of_others_is_found(board):
    about = "/usr/local/lib/outstation/thermal-1.dist-info"
    board.run("mkdir", "-p", about)
    board.run(
        "sh", "-c", f"printf '[outstation.drivers]\\nthermal = thermal:DRIVER\\n' >{about}/entry_points.txt"
    )
    board.put(STATION, STATION_FILE.replace("simulated", "thermic"))
    assert "thermal" in board.run("rtu", "check", STATION, check=False).stderr


def test_a_restarted_machine_serves_by_itself(board, tmp_path):
    with site(board, tmp_path) as place:
        board.run("systemctl", "start", "multi-user.target")
        board.run("systemctl", "isolate", "rescue.target", "--no-block")
        until(lambda: board.property("multi-user.target", "ActiveState") == "inactive", "rescue")
        board.run("systemctl", "isolate", "multi-user.target")
        until(lambda: ready(board), "the station")
        assert place.light() == "OFF"


def test_an_upgrade_keeps_configuration_keys_events_and_audit_trail(station, release, packages):
    board = station.board
    station.switch_light("on")
    before = {
        name: board.told("sha256sum", f"/etc/outstation/{name}") for name in ("station.toml", "station.key")
    }
    process, records = board.property("outstation", "MainPID"), kept(board)

    install(board, packages[release, 2])

    assert (
        board.told("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "outstation").split("-")[1][0]
        == "2"
    )
    assert ready(board)
    assert board.property("outstation", "MainPID") != process
    assert {name: board.told("sha256sum", f"/etc/outstation/{name}") for name in before} == before
    assert station.light() == "OFF", "outputs are safe after a restart"
    assert "ON" in station.waiting(), "the event waited through the upgrade"
    assert kept(board)[: len(records)] == records


def test_a_station_that_was_stopped_stays_stopped_through_an_upgrade(station, release, packages):
    station.board.run("systemctl", "stop", "outstation")
    install(station.board, packages[release, 2])
    assert station.board.property("outstation", "ActiveState") == "inactive"


def test_a_station_file_the_new_version_cannot_use_does_not_stop_the_station(station, release, packages):
    board = station.board
    process = board.property("outstation", "MainPID")
    board.put(STATION, "format = 2\n")
    install(board, packages[release, 2])
    assert board.property("outstation", "MainPID") == process
    assert ready(board)


def test_what_is_done_again_does_no_harm(station, release, packages):
    board = station.board
    shutil.copy(packages[release, 1], board.shared)
    board.run("dpkg", "--install", f"/mnt/{packages[release, 1].name}")
    for argument in ("configure", "abort-upgrade", "abort-remove"):
        board.run("/var/lib/dpkg/info/outstation.postinst", argument)
    assert ready(board)
    assert station.light() == "OFF"


def test_a_removal_stops_the_station_and_keeps_what_it_knows(station, release, packages):
    board = station.board
    station.switch_light("on")
    board.run("apt-get", "remove", "--yes", "outstation")
    assert board.run("systemctl", "is-active", "outstation", check=False).stdout.strip() == "inactive"
    assert not station.master.reaches(19998)
    assert board.run("nft", "list", "table", "inet", "outstation", check=False).returncode != 0
    assert board.run("ls", "/usr/lib/outstation", check=False).returncode != 0
    board.run("test", "-s", "/etc/outstation/station.key")

    install(board, packages[release, 1])
    until(lambda: ready(board), "the station")
    assert "ON" in station.waiting(), "the event waited through the removal"


def test_after_a_purge_only_the_user_and_the_groups_are_left(bare, release, packages, tmp_path):
    before = paths(bare)
    install(bare, packages[release, 1])
    with site(bare, tmp_path) as place:
        place.start()
        bare.run("apt-get", "purge", "--yes", "outstation")
    assert sorted(paths(bare) - before) == []
    assert bare.run("sh", "-c", "ls -d " + " ".join(OURS), check=False).stdout == ""
    assert bare.told("getent", "passwd", "outstation").startswith("outstation:")
