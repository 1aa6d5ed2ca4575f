"""The rendered firewall between two networks of a real kernel: who gets through, who does not, and what is counted.

A namespace for the station, one for everybody else; every "host" is an address there. Ports are the real ones.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from rtu.security.certificates import pki

NEEDED = ("ip", "nft", "unshare")
pytestmark = pytest.mark.skipif(
    (os.geteuid() != 0 or any(shutil.which(tool) is None for tool in NEEDED)) and "CI" not in os.environ,
    reason=f"needs root, and {', '.join(NEEDED)}",
)

STATION, MASTER, OTHER_MASTER, ENGINEER, SERVER, STRANGER = (f"192.0.2.{n}" for n in (1, 10, 11, 20, 30, 66))
STATION6, MASTER6, STRANGER6 = (f"2001:db8::{n}" for n in (1, 10, 66))
PATIENCE_S = 1.0
"""How long a connection is tried that is to be dropped; one that is let through takes a millisecond."""

TLS_ONLY = f"""
format = 1
station = {{ name = "walled", common_address = 1 }}
events = {{ directory = "events" }}
device.bay = {{ driver = "simulated" }}
[[master]]
name = "a"
identity = {{ issuer = "ca.crt", san = "dns:a.example" }}
from = ["{MASTER}", "{MASTER6}"]
[listen.tls]
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
"""
PLAIN_TOO = (
    TLS_ONLY
    + f"""
[listen.plain]
address = "{STATION}"
interface = "inside"
[[master]]
name = "b"
from = ["{OTHER_MASTER}"]
"""
)
SERVE = """
import socket, sys
held = []
for port in map(int, sys.argv[1:]):
    listening = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=100)
    held.append(listening)
print("listening", flush=True)
sys.stdin.read()
"""
CONNECT = """
import socket, sys
source, address, port, times, patience, hold = *sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), sys.argv[6] == "hold"
family = socket.AF_INET6 if ":" in address else socket.AF_INET
held = []
for _ in range(times):
    connection = socket.socket(family)
    connection.settimeout(patience)
    connection.bind((source, 0))
    try:
        connection.connect((address, int(port)))
        print("open", flush=True)
    except TimeoutError:
        print("silence", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
    held.append(connection) if hold else connection.close()
"""


class Networks:
    """The station's network and the one around it."""

    def __init__(self) -> None:
        mark = token_hex(3)
        self.station, self.outside = f"rtu-{mark}", f"out-{mark}"
        self._running: list[subprocess.Popen[str]] = []

    def make(self) -> None:
        for name in (self.station, self.outside):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip(
            "-n",
            self.station,
            "link",
            "add",
            "inside",
            "type",
            "veth",
            "peer",
            "outside",
            "netns",
            self.outside,
        )
        for name, link, addresses in (
            (self.station, "inside", (STATION, STATION6)),
            (self.outside, "outside", (MASTER, OTHER_MASTER, ENGINEER, SERVER, STRANGER, MASTER6, STRANGER6)),
        ):
            for address in addresses:
                length, nodad = ("64", ("nodad",)) if ":" in address else ("24", ())
                _ip("-n", name, "address", "add", f"{address}/{length}", "dev", link, *nodad)
            _ip("-n", name, "link", "set", link, "up")

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()
        for name in (self.station, self.outside):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def start(self, where: str, *command: str, **more: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", where, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,  # type: ignore[call-overload]
        )
        self._running.append(process)
        return process

    def serve(self, where: str, *ports: int) -> None:
        """Somebody listens there, whatever the firewall says."""
        serving = self.start(where, sys.executable, "-c", SERVE, *map(str, ports))
        assert serving.stdout is not None
        assert serving.stdout.readline() == "listening\n"

    def connect(
        self,
        source: str,
        port: int,
        *,
        to: str = "",
        times: int = 1,
        patience_s: float = PATIENCE_S,
        hold: bool = False,
    ) -> list[str]:
        """What becomes of connections from an address, one after the other: open, silence, or why not."""
        where = self.station if source in (STATION, STATION6) else self.outside
        to = to or (STATION6 if ":" in source else STATION)
        arguments = (source, to, port, times, patience_s, "hold" if hold else "close")
        connecting = self.start(where, sys.executable, "-c", CONNECT, *map(str, arguments))
        return connecting.communicate(timeout=60)[0].splitlines()

    def nft(self, *words: str) -> str:
        command = ["ip", "netns", "exec", self.station, "nft", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def counted(self, name: str) -> int:
        found = re.search(r"packets (\d+)", self.nft("list", "counter", "inet", "outstation", name))
        assert found is not None
        return int(found[1])


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def networks() -> Iterator[Networks]:
    made = Networks()
    try:
        made.make()
        yield made
    finally:
        made.close()


@pytest.fixture
def walled(networks: Networks, tmp_path: Path) -> Callable[[str], Networks]:
    """The networks with the firewall of a station file, as `rtu firewall apply` loads it."""

    def wall(text: str) -> Networks:
        path = tmp_path / "station.toml"
        path.write_text(text)
        # A /run of its own: where systemd runs the machine its units must not hear of this.
        own_run = 'mount -t tmpfs tmpfs /run && exec "$@"'
        applied = networks.start(
            networks.station, "unshare", "--mount", "sh", "-c", own_run, "sh",
            sys.executable, "-m", "rtu", "firewall", "apply", str(path),
        )  # fmt: skip
        told, complaints = applied.communicate(timeout=60)
        assert applied.returncode == 0, complaints
        assert told == "rules loaded\n"
        return networks

    return wall


def test_a_known_master_gets_through_over_both_families(walled):
    networks = walled(TLS_ONLY)
    networks.serve(networks.station, 19998)
    assert networks.connect(MASTER, 19998) == ["open"]
    assert networks.connect(MASTER6, 19998) == ["open"]
    assert networks.counted("tls_known") == 2


def test_a_stranger_hears_nothing_is_counted_and_remembered(walled):
    networks = walled(TLS_ONLY)
    networks.serve(networks.station, 19998)
    assert networks.connect(STRANGER, 19998) == ["silence"]
    assert networks.connect(STRANGER6, 19998) == ["silence"]
    assert networks.counted("tls_unknown") >= 2
    assert STRANGER in networks.nft("list", "set", "inet", "outstation", "offenders")
    assert STRANGER6 in networks.nft("list", "set", "inet", "outstation", "offenders6")


def test_without_plain_its_port_is_closed_to_masters_too_though_something_listens(walled):
    networks = walled(TLS_ONLY)
    networks.serve(networks.station, 2404)
    assert networks.connect(MASTER, 2404) == ["silence"]


def test_with_plain_its_own_masters_get_through_and_nobody_else(walled):
    networks = walled(PLAIN_TOO)
    networks.serve(networks.station, 2404, 19998)
    assert networks.connect(OTHER_MASTER, 2404) == ["open"]
    assert networks.connect(MASTER, 2404) == ["silence"]
    assert networks.connect(OTHER_MASTER, 19998) == ["silence"]
    assert networks.counted("plain_known") == 1
    assert networks.counted("plain_unknown") >= 1


def test_plain_without_masters_of_its_own_lets_nobody_through(walled):
    networks = walled(PLAIN_TOO.split('[[master]]\nname = "b"')[0])
    networks.serve(networks.station, 2404)
    assert "elements" not in networks.nft("list", "set", "inet", "outstation", "plain_masters")
    assert networks.connect(MASTER, 2404) == ["silence"]
    assert networks.connect(OTHER_MASTER, 2404) == ["silence"]


def test_plain_on_another_interface_is_closed(walled):
    networks = walled(PLAIN_TOO.replace('"inside"', '"wg0"'))
    networks.serve(networks.station, 2404)
    assert networks.connect(OTHER_MASTER, 2404) == ["silence"]


def test_one_master_cannot_hold_more_connections_than_its_share(walled):
    networks = walled(TLS_ONLY.replace("[listen.tls]", "max_connections = 2\n[listen.tls]"))
    networks.serve(networks.station, 19998)
    assert networks.connect(MASTER, 19998, times=5, hold=True) == ["open"] * 4 + ["silence"]
    assert networks.counted("tls_too_many") >= 1
    assert networks.connect(MASTER6, 19998) == ["open"]  # another address has a share of its own


def test_one_master_cannot_come_more_often_than_its_share(walled):
    networks = walled(TLS_ONLY.replace("[listen.tls]", "max_connections = 1\n[listen.tls]"))
    networks.serve(networks.station, 19998)
    came = networks.connect(MASTER, 19998, times=6, patience_s=0.3)
    assert came[:2] == ["open", "open"]
    assert "silence" in came
    assert networks.counted("tls_too_fast") + networks.counted("tls_too_many") >= 1


def test_everything_else_is_closed(walled):
    networks = walled(TLS_ONLY)
    networks.serve(networks.station, 22, 8080)
    assert networks.connect(MASTER, 8080) == ["silence"]
    assert networks.connect(ENGINEER, 22) == ["silence"]
    assert networks.counted("other_dropped") >= 2


def test_engineers_reach_ssh_from_their_networks_only(walled):
    networks = walled(TLS_ONLY + f'[firewall]\nssh = ["{ENGINEER}"]\n')
    networks.serve(networks.station, 22)
    assert networks.connect(ENGINEER, 22) == ["open"]
    assert networks.connect(MASTER, 22) == ["silence"]


def test_the_station_connects_to_its_log_server_and_to_nobody_else(walled):
    networks = walled(TLS_ONLY + f'[[audit.server]]\nhost = "{SERVER}"\ntrusted = ["ca.crt"]\n')
    networks.serve(networks.outside, 6514, 443)
    assert networks.connect(STATION, 6514, to=SERVER) == ["open"]
    assert networks.connect(STATION, 443, to=SERVER) == ["silence"]
    assert networks.connect(STATION, 6514, to=STRANGER) == ["silence"]
    assert networks.counted("output_dropped") >= 2


# The station itself, without any firewall -------------------------------------------------------------------------


@pytest.fixture
def run(networks: Networks, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """`rtu run` in the station's network, as soon as it serves."""
    ca = pki.make_ca("authority")
    ca.write(tmp_path / "ca.crt")
    pki.issue(ca, "station", "station", ["dns:walled.example"]).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)

        def started(text: str) -> subprocess.Popen[str]:
            path = tmp_path / "station.toml"
            path.write_text(text)
            process = networks.start(
                networks.station,
                sys.executable, "-m", "rtu", "run", str(path),
                env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
            )  # fmt: skip
            assert manager.recv(300).startswith(b"READY=1"), process.communicate()[1]
            return process

        yield started


def test_a_port_that_is_not_configured_is_not_open(networks, run):
    run(TLS_ONLY)
    assert networks.connect(MASTER, 19998) == ["open"]
    assert networks.connect(MASTER, 2404) == ["Connection refused"]


def _remove_the_key(folder: Path) -> str:
    (folder / "station.key").unlink()
    return TLS_ONLY


def _spoil_the_certificate(folder: Path) -> str:
    (folder / "station.crt").write_text("-----BEGIN CERTIFICATE-----\n")
    return TLS_ONLY


def _lose_the_revocation_list(folder: Path) -> str:
    return TLS_ONLY.replace(
        'trusted = ["ca.crt"]', 'trusted = ["ca.crt"]\nrevoked = ["ca.crl"]\ncrl_policy = "require"'
    )


@pytest.mark.parametrize("fault", [_remove_the_key, _spoil_the_certificate, _lose_the_revocation_list])
def test_a_fault_of_tls_never_opens_plain(networks, run, tmp_path, fault):
    run(fault(tmp_path))
    handshake = (
        "import socket, ssl, sys\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n"
        f"raw = socket.create_connection(('{STATION}', 19998), timeout=10, source_address=('{MASTER}', 0))\n"
        "try:\n"
        "    secured = context.wrap_socket(raw)\n"
        "    print('served' if secured.recv(1) else 'closed')\n"
        "except OSError:\n"
        "    print('closed')\n"
    )
    tried = networks.start(networks.outside, sys.executable, "-c", handshake)
    assert tried.communicate(timeout=60)[0] == "closed\n"
    assert networks.connect(MASTER, 2404) == ["Connection refused"]
    assert networks.connect(STATION, 2404, to="127.0.0.1") != ["open"]
