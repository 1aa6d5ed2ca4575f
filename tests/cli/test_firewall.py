"""`rtu firewall` as its user meets it, as root in a network and a /run of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtu.cli.main import main

STATION = """\
format = 1
station = { name = "s", common_address = 1 }
[listen.tls]
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[[master]]
name = "a"
identity = { issuer = "ca.crt", san = "dns:a.example" }
from = ["192.0.2.10"]
[firewall]
ssh = ["192.0.2.20"]
"""

needs_root = pytest.mark.skipif(
    (os.geteuid() != 0 or shutil.which("nft") is None) and "CI" not in os.environ,
    reason="needs root, and nft",
)


@pytest.fixture
def station(tmp_path: Path) -> Path:
    path = tmp_path / "station.toml"
    path.write_text(STATION)
    return path


@pytest.fixture
def machine(tmp_path: Path):
    """Runs a script of commands where nothing is loaded or installed yet; `systemctl` writes down what it is told."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/told\n')
    (tools / "rtu").write_text(f'#!/bin/sh\nexec {sys.executable} -m rtu "$@"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)

    def run(script: str, *, systemd: bool = True) -> str:
        own = "mount -t tmpfs tmpfs /run\n" + ("mkdir -p /run/systemd/system\n" if systemd else "")
        done = subprocess.run(
            ["unshare", "--net", "--mount", "sh", "-c", own + script],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
        )
        return done.stdout + done.stderr

    return run


def test_render_prints_the_rules_and_the_drop_ins(station, capsys):
    assert main(["firewall", "render", str(station)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# outstation.nft\n#!/usr/sbin/nft -f\n")
    assert "# outstation.service.d/50-network.conf\n" in out
    assert "SocketBindAllow=ipv4:tcp:19998\n" in out
    assert err == ""


def test_render_writes_the_files_below_a_directory(station, tmp_path, capsys):
    assert main(["firewall", "render", "--directory", str(tmp_path / "made"), str(station)]) == 0
    made = {
        str(file.relative_to(tmp_path / "made")) for file in (tmp_path / "made").rglob("*") if file.is_file()
    }
    assert made == {
        "outstation.nft",
        "outstation.service.d/50-network.conf",
        "outstation-log.service.d/50-network.conf",
    }
    assert capsys.readouterr().out == ""


def test_what_is_open_wide_is_said(station, capsys):
    station.write_text(STATION.replace('from = ["192.0.2.10"]\n', "").replace('ssh = ["192.0.2.20"]\n', ""))
    main(["firewall", "render", str(station)])
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f'{station}: warning: master "a" may come from anywhere: name its networks in `from`',
        f"{station}: warning: SSH is closed to everybody: name the engineers' networks in firewall.ssh",
    ]


def test_a_file_with_mistakes_changes_nothing(station, capsys):
    station.write_text(STATION.replace("format = 1", "format = 9"))
    assert main(["firewall", "apply", str(station)]) == 2
    assert "station.toml:1: format" in capsys.readouterr().err


@needs_root
def test_apply_makes_it_so_and_check_tells(machine, station, tmp_path):
    told = machine(
        f"rtu firewall check {station} >/dev/null 2>&1; echo $?\n"
        f"rtu firewall apply {station}\n"
        f"rtu firewall check {station}; echo $?\n"
        "cat /run/systemd/system/outstation.service.d/50-network.conf\n"
    )
    assert told.splitlines() == [
        "1",
        "drop-ins installed; a station that runs takes them over with: systemctl restart outstation",
        "rules loaded",
        "the firewall is as the station file says",
        "0",
        "# Made by `rtu firewall` from the station file: change that, not this.",
        "[Service]",
        "SocketBindAllow=ipv4:tcp:19998",
        "SocketBindAllow=ipv6:tcp:19998",
        "IPAddressAllow=192.0.2.10/32",
    ]
    assert (tmp_path / "told").read_text() == "daemon-reload\n"


@needs_root
def test_apply_leaves_alone_what_is_right(machine, station, tmp_path):
    told = machine(
        f"rtu firewall apply {station} >/dev/null\n"
        "nft -a list table inet outstation | head -1\n"
        "nft add element inet outstation offenders '{ 203.0.113.9 }'\n"
        f"rtu firewall apply {station}\n"
        "nft -a list table inet outstation | head -1\n"
        "nft list set inet outstation offenders | grep -c 203.0.113.9\n"
    ).splitlines()
    assert told[0] == told[1]
    assert told[2:] == ["1"]
    assert (tmp_path / "told").read_text() == "daemon-reload\n"


@needs_root
@pytest.mark.parametrize(
    "change",
    [
        "nft add element inet outstation tls_masters '{ 203.0.113.9 }'",
        "nft insert rule inet outstation input accept",
        "nft add rule inet outstation output accept",
        "nft flush ruleset",
        "echo SocketBindAllow=any >>/run/systemd/system/outstation.service.d/50-network.conf",
        "rm /run/systemd/system/outstation-log.service.d/50-network.conf",
    ],
)
def test_a_change_by_hand_is_told_and_undone(machine, station, change):
    told = machine(
        f"rtu firewall apply {station} >/dev/null\n{change}\n"
        f"rtu firewall check {station} >/dev/null 2>&1; echo $?\n"
        f"rtu firewall apply {station} >/dev/null\n"
        f"rtu firewall check {station}; echo $?\n"
    )
    assert told.splitlines() == ["1", "the firewall is as the station file says", "0"]


BROKEN = "mkdir /run/bin; printf '#!/bin/sh\\nexit 1\\n' >/run/bin/{tool}; chmod +x /run/bin/{tool}\n"


@needs_root
def test_without_the_packet_filter_the_unit_has_its_rights_all_the_same(machine, station):
    told = machine(
        BROKEN.format(tool="nft") + f"PATH=/run/bin:$PATH rtu firewall apply {station}; echo $?\n"
        "grep -c SocketBindAllow /run/systemd/system/outstation.service.d/50-network.conf\n"
    ).splitlines()
    assert told[0].startswith("drop-ins installed")
    assert told[1:3] == ["1", "2"]
    assert told[3] == "rtu: nft: ended with 1"


@needs_root
def test_drop_ins_that_systemd_did_not_read_are_installed_again(machine, station):
    told = machine(
        BROKEN.format(tool="systemctl") + f"PATH=/run/bin:$PATH rtu firewall apply {station}\n"
        f"rtu firewall apply {station}\n"
    )
    assert told.splitlines()[0] == "rules loaded"
    assert told.splitlines()[1].startswith("drop-ins installed")
    assert "rtu: systemctl: ended with 1" in told


@needs_root
def test_where_systemd_does_not_run_there_are_rules_only(machine, station):
    told = machine(f"rtu firewall apply {station}\nls /run\nrtu firewall check {station}", systemd=False)
    assert told.splitlines() == ["rules loaded", "the firewall is as the station file says"]


@needs_root
def test_without_the_right_to_it_is_one_line(machine, station):
    told = machine(f"setpriv --bounding-set=-all --inh-caps=-all rtu firewall apply {station}", systemd=False)
    assert told.startswith("rtu: nft: ")
    assert len(told.splitlines()) == 1
