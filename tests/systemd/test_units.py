"""The units: how little of the machine they leave to each program, and that systemd understands every line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
MOST = {  # exposure as systemd counts it, times ten: 0 is nothing, 100 is everything
    "outstation.service": 18,
    "outstation-log.service": 12,
    "outstation-clock.service": 14,
    "outstation-firewall.service": 28,
}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and "CI" not in os.environ,
    reason="systemd-analyze is not installed",
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def settings(unit: str) -> list[tuple[str, str]]:
    lines = (UNITS / unit).read_text().splitlines()
    return [
        (key, value) for key, mark, value in (line.partition("=") for line in lines) if mark and key[0] != "#"
    ]


def test_every_unit_is_measured():
    assert {unit.name for unit in UNITS.glob("*.service")} == set(MOST)


@needs_systemd
@pytest.mark.parametrize("unit", MOST)
def test_what_is_left_of_the_machine_is_little(unit):
    told = analyze("security", "--offline=true", "--no-pager", f"--threshold={MOST[unit]}", str(UNITS / unit))
    assert told.returncode == 0, told.stdout + told.stderr


@needs_systemd
def test_systemd_understands_every_line(tmp_path):
    for unit in UNITS.glob("*.service"):
        text = unit.read_text().replace("/usr/bin/rtu", shutil.which("true") or "")
        (tmp_path / unit.name).write_text(text)
    told = analyze("verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service"))))
    assert (told.returncode, told.stdout + told.stderr) == (0, "")


@pytest.mark.parametrize(
    "unit", ["outstation.service", "outstation-log.service", "outstation-firewall.service"]
)
def test_the_network_is_forbidden_until_the_station_file_allows_it(unit):
    told = settings(unit)
    assert ("SocketBindDeny", "any") in told
    assert ("IPAddressDeny", "any") in told
    assert [key for key, _ in told if key in ("SocketBindAllow", "IPAddressAllow")] == []


def test_an_unattended_station_is_restarted_for_ever_and_as_soon_as_at_first():
    told = dict(settings("outstation.service"))
    assert told["Restart"] == "always"
    assert told["StartLimitIntervalSec"] == "0"
    assert "RestartSteps" not in told


@pytest.mark.parametrize("unit", MOST)
def test_however_often_a_unit_is_started_systemd_does_not_give_it_up(unit):
    assert ("StartLimitIntervalSec", "0") in settings(unit)


def test_the_station_reads_its_file_anew_only_when_it_is_restarted():
    # SIGHUP ends it; a reload that stops the station would be a trap.
    assert "ExecReload" not in dict(settings("outstation.service"))


def test_stopping_waits_longer_than_the_station_waits_for_its_disk():
    from rtu.disk import PATIENCE_S

    assert float(dict(settings("outstation.service"))["TimeoutStopSec"]) >= 2 * PATIENCE_S


def test_groups_the_unit_names_exist_wherever_it_is_installed():
    made = set(re.findall(r"^g (\w+)", (UNITS / "sysusers.d" / "outstation.conf").read_text(), re.MULTILINE))
    assert set(dict(settings("outstation.service"))["SupplementaryGroups"].split()) <= made


@pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None and "CI" not in os.environ,
    reason="systemd-sysusers is not installed",
)
def test_the_user_is_made_with_its_groups(tmp_path):
    (tmp_path / "etc").mkdir()
    conf = UNITS / "sysusers.d" / "outstation.conf"
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(conf)], check=True, capture_output=True)
    users = (tmp_path / "etc" / "passwd").read_text()
    groups = (tmp_path / "etc" / "group").read_text()
    assert re.search(r"^outstation:x:\d+:\d+:.*:/usr/sbin/nologin$", users, re.MULTILINE)
    assert set(re.findall(r"^(\w+):", groups, re.MULTILINE)) == {"gpio", "i2c", "dialout", "outstation"}
