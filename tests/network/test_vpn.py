"""docs/vpn.md in truth: its files and its commands on two machines, and what a tunnel's ups and downs do to a station.

A "machine" has network, processes, /etc, /run and /media of its own. Between the two is a cable, which is the internet.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rtu.security.certificates import pki

NEEDED = ("ip", "nft", "unshare", "nsenter", "wg", "wg-quick", "openvpn")
LACKING = [tool for tool in NEEDED if shutil.which(tool) is None] + [
    tool
    for tool in ("wireguard-go",)
    if shutil.which(tool) is None and not Path("/sys/module/wireguard").exists()
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        (os.geteuid() != 0 or bool(LACKING) or not Path("/dev/net/tun").exists()) and "CI" not in os.environ,
        reason=f"needs root, /dev/net/tun, and {', '.join(NEEDED)}, wireguard-go",
    ),
]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "vpn.md").read_text()
DEADLINE_S = 60.0
CABLE = {"station": "192.0.2.12", "centre": "192.0.2.1"}
SERVICES = {
    "systemctl enable --now wg-quick@wg0": "wg-quick up wg0",
    "systemctl enable --now openvpn-server@rtu": "cd /etc/openvpn/server && openvpn --config rtu.conf --daemon --log /run/openvpn.log",
    "systemctl enable --now openvpn-client@rtu": "cd /etc/openvpn/client && openvpn --nobind --config rtu.conf --daemon --log /run/openvpn.log",
}
"""What the units of Debian do, for machines without systemd."""

UNATTENDED = {"certs init": "--no-passphrase", "certs sign": "--yes"}
STATION = """
format = 1
station = { name = "Feeder 12", common_address = 12 }
events = { directory = "/run/events" }
protocol = { t1 = 12 }
clock = { source = "none" }
device.bay = { driver = "simulated" }
[[point]]
name = "energy"
type = "counter"
input = { device = "bay", channel = "energy.pulses" }
freeze = { by = "clock", every_s = 1, tell = true }
address = [{ ioa = 3001 }]
"""
"""Something happens each second, and its time tag says which. `t1` is longer than the `t2` of the master."""

_PROMPT = re.compile(r"^    (\w+)[#$] (.*)$", re.MULTILINE)
_CONFIG = re.compile(r"^```ini\n# (\w+): (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
SETUP = """
mkdir -p "$1/own" "$1/media/stick"
mount -t tmpfs tmpfs "$1/own"
mkdir "$1/own/upper" "$1/own/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/own/upper,workdir=$1/own/work" /etc
mount --bind "$1/media" /media
mount -t tmpfs tmpfs /run
mkdir -p /run/wireguard /etc/outstation /etc/wireguard /etc/openvpn/server /etc/openvpn/client
ip link set lo up
echo ready
exec cat
"""


class Machine:
    """`do` runs a command of a shell there and returns what it prints."""

    def __init__(self, name: str, shared: Path) -> None:
        self.name = name
        self._process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-e", "-c", SETUP, "sh", str(shared)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._started: list[subprocess.Popen[str]] = []
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self.pid = int(children.read_text())

    def start(self, command: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "sh", "-c", command],
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **more,
        )  # fmt: skip
        self._started.append(process)
        return process

    def do(self, command: str) -> str:
        process = self.start(command, stderr=subprocess.STDOUT)
        told, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, f"{self.name}: {command}: {told}"
        return told

    def can(self, command: str) -> bool:
        process = self.start(command, stderr=subprocess.DEVNULL)
        process.communicate(timeout=DEADLINE_S)
        return process.returncode == 0

    def write(self, path: str, text: str) -> None:
        self.do(f"mkdir -p {Path(path).parent}")
        writing = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-m", "sh", "-c", f"umask 077; cat > {path}"],
            input=text, text=True, check=True,
        )  # fmt: skip
        assert writing.returncode == 0

    def close(self) -> None:
        self._process.kill()
        for process in (self._process, *self._started):
            process.communicate()


class Internet:
    """The two machines, and the authority's directory, which is at the centre."""

    def __init__(self, shared: Path) -> None:
        self.station, self.centre = Machine("station", shared), Machine("centre", shared)
        self._log = shared / "log"
        self._shared = shared

    def close(self) -> None:
        self.station.close()
        self.centre.close()

    def connect(self) -> None:
        subprocess.run(
            ["nsenter", "-t", str(self.station.pid), "-n", "ip", "link", "add", "eth0",
             "type", "veth", "peer", "name", "eth0", "netns", str(self.centre.pid)],
            check=True,
        )  # fmt: skip
        for name, address in CABLE.items():
            self.machine(name).do(f"ip address add {address}/24 dev eth0 && ip link set eth0 up")

    def machine(self, name: str) -> Machine:
        return self.station if name == "station" else self.centre

    def set_up(self, section: str, more: str = "", toml: str = "") -> None:
        """Do what a section of the page says; `more` goes into the station file, in place of its own part if `toml`."""
        text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
        (own,) = _TOML.findall(text)
        public: dict[str, str] = {}
        first, *_ = (at for at in _PROMPT.finditer(text) if "systemctl" in at[2])
        for prompt in _PROMPT.finditer(text):
            if prompt.start() == first.start():
                self._write_files(text, public)
                self.station.write("/etc/outstation/station.toml", STATION + more + (toml or own))
            said = self._type(prompt[1], prompt[2])
            if "wg pubkey" in prompt[2]:
                public[f"{prompt[1].upper()}_PUBLIC_KEY"] = said.strip()

    def _write_files(self, text: str, public: dict[str, str]) -> None:
        for name, path, content in _CONFIG.findall(text):
            filled = re.sub(r"\w+_PUBLIC_KEY", lambda found: public[found[0]], content)
            self.machine(name).write(path, filled)

    def _type(self, where: str, command: str) -> str:
        if command == "systemctl restart outstation":
            self.run_station()
            return ""
        if command.startswith("rtu probe"):  # the tunnel takes its time
            until(lambda: self.centre.can(command))
            return ""
        for words, option in UNATTENDED.items():
            command = command.replace(words, f"{words} {option}")
        command = SERVICES.get(command, command)
        home = self._shared / where
        home.mkdir(exist_ok=True)
        return self.machine(where).do(f"cd {home} && {command}")

    def run_station(self) -> None:
        with self._log.open("w") as log:
            self.station.start(
                "echo $$ > /run/station.pid; exec rtu run /etc/outstation/station.toml", stderr=log
            )

    def logged(self, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self._log.read_text().splitlines())

    def opens(self, address: str, port: int) -> str:
        """What becomes of a connection from the centre, by whatever way leads there."""
        code = (
            f"import socket\n"
            f"try: socket.create_connection(({address!r}, {port}), 2); print('open')\n"
            f"except OSError as error: print(type(error).__name__)"
        )
        return self.centre.do(f'{sys.executable} -c "{code}"').strip()


class Seconds:
    """A master that listens at the centre; `seen` are the seconds whose events it got, in the order they came."""

    def __init__(self, internet: Internet, address: str) -> None:
        self._centre = internet.centre
        self._probe = internet.centre.start(
            f"echo $$ > /run/probe.pid; exec rtu probe {address} --plain --interrogate --json --listen 600",
            stderr=subprocess.STDOUT,
        )
        self.seen: list[datetime] = []

    def take(self, number: int) -> list[datetime]:
        assert self._probe.stdout is not None
        while len(self.seen) < number:
            line = self._probe.stdout.readline()
            assert line.startswith("{"), line
            told = json.loads(line)
            if told.get("type") == "M_IT_TB_1":
                self.seen.append(datetime.fromisoformat(told["time"]).replace(microsecond=0))
        return self.seen

    def vanish(self) -> None:
        self._centre.do("kill -9 $(cat /run/probe.pid)")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def consecutive(seconds: list[datetime]) -> bool:
    return all(later - one == timedelta(seconds=1) for one, later in pairwise(seconds))


@pytest.fixture
def internet(tmp_path: Path) -> Iterator[Internet]:
    made = Internet(tmp_path)
    try:
        made.connect()
        yield made
    finally:
        made.close()


TUNNELS = pytest.mark.parametrize(
    ("section", "address", "interface"),
    [("WireGuard", "10.9.0.12", "wg0"), ("OpenVPN", "10.8.0.12", "tun0")],
    ids=["wireguard", "openvpn"],
)


@TUNNELS
def test_the_page_makes_a_tunnel_and_the_master_reaches_plain_through_it_alone(
    internet, section, address, interface
):
    internet.set_up(section)  # ends with a probe that got its answers
    assert internet.opens(address, 2404) == "open"
    assert internet.opens(CABLE["station"], 2404) == "TimeoutError"  # the firewall of the page
    internet.station.do("nft delete table inet outstation")
    assert internet.opens(CABLE["station"], 2404) == "ConnectionRefusedError"
    # Whoever shares the cable sends to the tunnel's address without the tunnel.
    internet.centre.do(f"ip route replace {address}/32 via {CABLE['station']} dev eth0 src {CABLE['centre']}")
    assert internet.opens(address, 2404) == "ConnectionRefusedError"


def test_an_address_alone_is_reached_past_the_tunnel(internet):
    """Why the page wants `interface`."""
    (own,) = _TOML.findall(PAGE.split("\n## WireGuard\n")[1].split("\n## ")[0])
    internet.set_up("WireGuard", toml=own.replace('interface = "wg0"\n', ""))
    internet.station.do("nft delete table inet outstation")
    internet.centre.do(f"ip route replace 10.9.0.12/32 via {CABLE['station']} dev eth0 src {CABLE['centre']}")
    assert internet.opens("10.9.0.12", 2404) == "open"


@TUNNELS
def test_events_of_a_tunnel_that_was_dead_arrive_in_order(internet, section, address, interface):
    internet.set_up(section)
    before = Seconds(internet, address)
    first = before.take(3)
    assert consecutive(first)
    assert not internet.logged("session.close", "t1")
    internet.centre.do("ip link set eth0 down")
    until(lambda: internet.logged("session.close", "t1"))
    before.vanish()
    internet.centre.do("ip link set eth0 up")
    until(lambda: internet.opens(address, 2404) == "open")
    after = Seconds(internet, address).take(8)
    assert consecutive(after)
    # What was under way when the tunnel died comes once more.
    assert after[0] <= before.seen[-1] + timedelta(seconds=1)
    assert after[-1] > before.seen[-1] + timedelta(seconds=4)


def test_an_interface_that_is_taken_away_and_made_anew_is_served_again(internet):
    internet.set_up("WireGuard")
    before = Seconds(internet, "10.9.0.12")
    before.take(2)
    index = internet.station.do("ip -oneline link show wg0").split(":")[0]
    internet.station.do("wg-quick down wg0")
    until(lambda: internet.logged("session.close", "wg0 is gone"))
    before.vanish()
    internet.station.do("ip tuntap add between mode tun")
    internet.station.do("wg-quick up wg0")
    assert internet.station.do("ip -oneline link show wg0").split(":")[0] != index
    until(lambda: internet.logged("wg0 is there"))
    after = Seconds(internet, "10.9.0.12").take(5)
    assert consecutive(after)
    assert after[0] <= before.seen[-1] + timedelta(seconds=1)


def test_a_station_starts_before_its_tunnel(internet):
    internet.set_up("WireGuard")
    internet.station.do("wg-quick down wg0")
    internet.station.do("kill $(cat /run/station.pid)")
    until(lambda: internet.logged('"event": "stop"'))
    internet.run_station()
    until(lambda: internet.logged("wg0 is not an interface of this machine now"))
    until(lambda: internet.logged('"event": "start"'))
    internet.station.do("wg-quick up wg0")
    until(lambda: internet.centre.can("rtu probe 10.9.0.12 --plain --interrogate"))


def test_tls_inside_the_tunnel(internet):
    (own,) = _TOML.findall(PAGE.split("\n## TLS inside the tunnel\n")[1].split("\n## ")[0])
    authority = pki.make_ca("masters' authority")
    station = pki.issue(authority, "Feeder 12", "station", ["ip:10.9.0.12"])
    master = pki.issue(authority, "scada-a", "master", ["dns:scada-a.example"])
    for machine, files in (
        (internet.station, {"station.crt": station.certificate_pem, "station.key": station.key_pem}),
        (internet.centre, {"scada-a.crt": master.certificate_pem, "scada-a.key": master.key_pem}),
    ):
        for name, pem in {**files, "ca.crt": authority.certificate_pem}.items():
            machine.write(f"/etc/outstation/{name}", pem.decode())
    plain = _TOML.findall(PAGE.split("\n## WireGuard\n")[1].split("\n## ")[0])[0]
    assert "[listen.plain]" in plain
    both = own + plain.split("[firewall]")[0].replace('"control-centre"', '"plain"')
    internet.set_up("WireGuard", toml=both)
    files = "--ca ca.crt --cert scada-a.crt --key scada-a.key"
    assert "C_IC_NA_1" in internet.centre.do(
        f"cd /etc/outstation && rtu probe 10.9.0.12 {files} --interrogate"
    )
    internet.station.do("nft delete table inet outstation")
    assert internet.opens(CABLE["station"], 19998) == "ConnectionRefusedError"
