"""Floods of connections, from where masters may come and from where none may: the good master does not notice.

`rtu run` as a child process, the flood as another, real sockets between. Nothing is timed: the good master's session
stays, its commands are confirmed and its events arrive, and the memory of the station stays what it was.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rtu.security.certificates import pki
from rtu.security.tls.context import client_context
from tests.attacks.attacker import Attacker, asdu

sys.path.append(str(Path(__file__).resolve().parents[1] / "kernel/testbed"))

from firmware import Firmware  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = [f"127.0.2.{n}" for n in range(1, 9)]
UNLISTED = [f"127.9.0.{n}" for n in range(1, 9)]
ROUNDS = 60
GROWTH_KIB = 8 * 1024
RECORDS_KIB = 256
"""Far below one record for each of the flood's connections."""

STATION = """\
format = 1
station = { name = "flooded", common_address = 1 }
clock = { source = "none" }
events = { directory = "events" }
[listen.tls]
address = "127.0.0.1"
port = %(tls)d
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[listen.plain]
address = "127.0.0.1"
port = %(plain)d
[[master]]
name = "good"
identity = { issuer = "ca.crt", san = "dns:good.example" }
from = ["127.0.0.0/16"]
role = "operator"
[[master]]
name = "other"
from = ["127.0.0.0/16"]
[device.bay]
driver = "simulated"
events = false
[[point]]
name = "light"
type = "single"
input = { device = "bay", line = "light" }
address = [{ ioa = 1001 }]
[[command]]
name = "light.switch"
type = "single"
output = { device = "bay", on = "light", latched = true }
feedback = { point = "light", within_s = 30 }
address = [{ ioa = 5001 }]
"""


class Flooded:
    """The station, and the good master: started, over TLS, from an address of its own."""

    def __init__(self, where: Path, ports: dict[str, int]) -> None:
        self.ports = ports
        ca = pki.make_ca("Flooded CA")
        ca.write(where / "ca.crt")
        pki.issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
            where / "station.crt", where / "station.key"
        )
        pki.issue(ca, "good", "master", ["dns:good.example"]).write(where / "good.crt", where / "good.key")
        file = where / "station.toml"
        file.write_text(STATION % ports)
        self.firmware = Firmware(file)
        self.firmware.wait_ready()
        context = client_context([where / "ca.crt"], where / "good.crt", where / "good.key")
        context.check_hostname = False
        self.good = Attacker(ports["tls"], "127.0.1.1", context=context).start()

    def resident_kib(self) -> int:
        status = Path(f"/proc/{self.firmware.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])

    def serve(self, rounds: int) -> None:
        """Commands of the good master, one after the other: each confirmed, its event told, terminated."""
        good = self.good
        for number in range(rounds):
            good.answers.clear()
            good.ask([asdu(45, 5001, bytes((number % 2 == 0,)))])
            good.take_until(lambda: any(each[0] == 45 and each[2] == 10 for each in good.answers))
            told = [(each[0], each[2]) for each in good.answers if each[0] in (45, 30)]
            assert told == [(45, 7), (30, 11), (45, 10)], number

    def close(self) -> None:
        self.good.socket.close()
        self.firmware.close()


@pytest.fixture
def flooded(tmp_path: Path, free_ports: dict[str, int]) -> Iterator[Flooded]:
    station = Flooded(tmp_path, free_ports)
    yield station
    station.close()


@contextmanager
def flood(kind: str, port: int, sources: list[str]) -> Iterator[dict[str, int]]:
    """As long as the block lasts; what is yielded is filled when it is over."""
    counts: dict[str, int] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "bench.flood", kind, str(port), *sources],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            yield counts
            child.stdin.close()
            counts.update(json.loads(child.stdout.readline()))
        finally:
            child.kill()


@pytest.mark.parametrize("sources", [ALLOWED, UNLISTED], ids=["allowed", "unlisted"])
@pytest.mark.parametrize(
    ("kind", "door"),
    [("silent", "tls"), ("hello", "tls"), ("drip", "tls"), ("silent", "plain"), ("drip", "plain")],
)
def test_the_good_master_is_served_through_a_flood(flooded, kind, door, sources):
    flooded.serve(2)
    before = flooded.resident_kib()
    with flood(kind, flooded.ports[door], sources) as counts:
        flooded.serve(ROUNDS)
        most = flooded.resident_kib()
    assert counts["opened"] >= 500
    assert most - before < GROWTH_KIB, (before, most)
    log = flooded.firmware.log.read_text()
    assert not re.search(r'"session.close".*"good"', log)
    # On the plain port a listed address is a master, and each newer connection takes the place of its oldest.
    assert (f'"{door}.refuse"' in log) or (door == "plain" and log.count('"plain.accept"') >= 16)
    assert len(log) < RECORDS_KIB * 1024


def test_who_was_kept_waiting_by_a_flood_gets_in_after_it(flooded):
    """And meanwhile from an address of its own: no address has more than its share."""
    with flood("silent", flooded.ports["tls"], ALLOWED[:1]):
        flooded.good.socket.close()
        again = Attacker(flooded.ports["tls"], "127.0.1.2", context=flooded.good.socket.context).start()
        flooded.good = again
        flooded.serve(2)
    flooded.serve(2)
