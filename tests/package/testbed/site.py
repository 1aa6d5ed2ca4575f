"""A board on site: a container with the package, a network with masters on it, certificates, and a station file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtu.security.certificates.pki import issue, make_ca

from .container import Container, enter

STATION = "/etc/outstation/station.toml"

STATION_FILE = """
format = 1
station = { name = "Package test", common_address = 1 }

[listen.tls]
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]

[[master]]
name = "control-centre"
identity = { issuer = "ca.crt", san = "dns:control-centre" }
from = ["192.0.2.2/32"]
role = "operator"

[[master]]
name = "stand-by"
identity = { issuer = "ca.crt", san = "dns:stand-by" }
from = ["192.0.2.2/32"]

[device.bay]
driver = "simulated"
events = false

[[point]]
name = "kiosk.light"
type = "single"
input = { device = "bay", line = "light" }
address = [{ ioa = 1015 }]

[[command]]
name = "kiosk.light.switch"
type = "single"
output = { device = "bay", on = "light", latched = true }
feedback = { point = "kiosk.light", within_s = 2 }
address = [{ ioa = 5015 }]
"""
LIGHT, SWITCH = 1015, 5015


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A computer on a cable of its own to the board; the board's address on it is `board`."""

    process: int
    board: str

    def reaches(self, port: int) -> bool:
        """Whether a TCP connection to the board comes about within 2 s."""
        return (
            self._run("timeout", "2", "bash", "-c", f"exec 3<>/dev/tcp/{self.board}/{port}").returncode == 0
        )

    def probe(self, credentials: Path, *requests: str) -> list[dict[str, Any]]:
        """What `rtu probe` was told, for its `requests`. Raises AssertionError if one was not confirmed."""
        done = self._run(
            *(sys.executable, "-m", "rtu", "probe", self.board, "--json"),
            *("--ca", credentials.with_name("ca.crt")),
            *("--cert", credentials.with_suffix(".crt"), "--key", credentials.with_suffix(".key")),
            *requests,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return enter(self.process, ("--net",), command, check=False)


@contextmanager
def neighbour(board: Container, name: str, network: str) -> Iterator[Neighbour]:
    """A neighbour at `network`.2, the board at `network`.1, on the board's interface `name`."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
    ) as there:
        try:
            assert there.stdout is not None
            there.stdout.readline()  # the network is there
            commands = (
                (board.init, f"link add {name} type veth peer name eth0 netns {there.pid}"),
                (board.init, f"addr add {network}.1/24 dev {name}"),
                (board.init, f"link set {name} up"),
                (there.pid, f"addr add {network}.2/24 dev eth0"),
                (there.pid, "link set eth0 up"),
            )
            for process, words in commands:
                enter(process, ("--net",), ("ip", *words.split()))
            yield Neighbour(there.pid, f"{network}.1")
        finally:
            there.kill()


class Site:
    """The board, its master at 192.0.2.2 with two certificates, and a stranger at 198.51.100.2."""

    def __init__(self, board: Container, master: Neighbour, stranger: Neighbour, credentials: Path) -> None:
        self.board, self.master, self.stranger = board, master, stranger
        self.control_centre, self.stand_by = credentials / "control-centre", credentials / "stand-by"

    def start(self) -> None:
        """Start the station; returns when it is ready. Raises AssertionError with what it logged if it does not get so."""
        if self.board.run("systemctl", "start", "outstation", check=False).returncode:
            raise AssertionError(self.board.told("journalctl", "--no-pager", "--unit", "outstation*"))

    def switch_light(self, state: str) -> None:
        """Have the control centre operate the output."""
        self.master.probe(self.control_centre, "--single", f"{SWITCH}={state}")

    def light(self) -> object:
        """The output, as the control centre is told it by an interrogation."""
        told = self.master.probe(self.control_centre, "--interrogate")
        (value,) = (
            each["value"] for each in told if each.get("ioa") == LIGHT and "interrogat" in each["cause"]
        )
        return value

    def waiting(self) -> list[object]:
        """Values of the light's events that waited for the stand-by centre, which fetches them."""
        told = self.master.probe(self.stand_by, "--listen", "1")
        return [
            each["value"] for each in told if each.get("ioa") == LIGHT and "interrogat" not in each["cause"]
        ]


@contextmanager
def site(board: Container, work: Path) -> Iterator[Site]:
    """A site with the network, the certificates and the station file in place, and nothing started."""
    ca = make_ca("Package test", days=90)
    ca.write(work / "ca.crt", work / "ca.key")
    issue(ca, "station", "station", ["ip:192.0.2.1"], days=90).write(
        work / "station.crt", work / "station.key"
    )
    for name in ("control-centre", "stand-by"):
        issue(ca, name, "master", [f"dns:{name}"], days=90).write(work / f"{name}.crt", work / f"{name}.key")
    with neighbour(board, "lan", "192.0.2") as master, neighbour(board, "other", "198.51.100") as stranger:
        for name in ("ca.crt", "station.crt", "station.key"):
            board.put(f"/etc/outstation/{name}", (work / name).read_bytes())
        board.put(STATION, STATION_FILE)
        yield Site(board, master, stranger, work)


def ready(board: Container) -> bool:
    """Whether the station has reported itself ready to systemd."""
    return board.property("outstation", "ActiveState") == "active"
