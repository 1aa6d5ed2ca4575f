"""What a scanner finds: the ports the station file opens, the suites of its profile, and nothing else.

nmap and `rtu run` in a network namespace of their own, so that every open port there is the station's.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rtu.security.certificates import pki
from rtu.security.tls.profiles import SUITES, TLS_1_3

sys.path.append(str(Path(__file__).resolve().parents[1] / "kernel/testbed"))

from firmware import RTU, Firmware  # type: ignore[import-not-found]

HERE = "127.0.0.1"
ELSEWHERE = "127.0.0.7"

HEAD = """\
format = 1
station = { name = "scanned", common_address = 12 }
clock = { source = "none" }
events = { directory = "events" }
"""
TLS = """
[listen.tls]
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
profile = "{profile}"
[[master]]
name = "a"
identity = {{ issuer = "ca.crt", san = "dns:a.example" }}
"""
PLAIN = """
[listen.plain]
address = "0.0.0.0"
[[master]]
name = "b"
from = ["{source}"]
"""


def cannot(reason: str) -> None:
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


class Namespace:
    """Network of its own, loopback and nothing else."""

    def __init__(self, where: Path, stack: ExitStack) -> None:
        self.where = where
        self._stack = stack
        self._name = f"outstation-scan-{os.getpid()}"
        made = subprocess.run(["ip", "netns", "add", self._name], capture_output=True, text=True, check=False)
        if made.returncode:
            cannot(f"a network namespace cannot be made: {made.stderr.strip()}")
        stack.callback(subprocess.run, ["ip", "netns", "del", self._name], check=True)
        subprocess.run(["ip", "-n", self._name, "link", "set", "lo", "up"], check=True)

    def station(self, text: str) -> None:
        """`rtu run` with this file, until the test is over."""
        file = self.where / "station.toml"
        file.write_text(text)
        firmware = Firmware(file, ("ip", "netns", "exec", self._name, *RTU))
        self._stack.callback(firmware.close)
        firmware.wait_ready()
        self.firmware = firmware

    def nmap(self, *arguments: str) -> str:
        command = ["ip", "netns", "exec", self._name, "nmap", "-n", "-Pn", *arguments, HERE]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout

    def open_ports(self) -> set[int]:
        found = self.nmap("-p-", "-oG", "-")
        return {int(port) for port in re.findall(r"(\d+)/open/tcp", found)}


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Namespace]:
    for program, package in (("nmap", "nmap"), ("ip", "iproute2")):
        if shutil.which(program) is None:
            cannot(f"{program} is not installed: apt-get install {package}")
    with ExitStack() as stack:
        yield Namespace(tmp_path, stack)


@pytest.fixture
def certificates(tmp_path: Path) -> Callable[[str], None]:
    """Writes what `TLS` names, the station's key being of that kind."""

    def write(kind: str = "P-256") -> None:
        ca = pki.make_ca("Scanned CA")
        ca.write(tmp_path / "ca.crt")
        if kind == "P-256":
            made = pki.issue(ca, "station", "station", ["ip:127.0.0.1"])
            made.write(tmp_path / "station.crt", tmp_path / "station.key")
        else:
            _write_rsa(ca, tmp_path)

    return write


def _write_rsa(ca: pki.Issued, where: Path) -> None:
    key, now = rsa.generate_private_key(65537, 2048), dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "station")]))
        .issuer_name(ca.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
    pki.write_file(where / "station.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    octets = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pki.write_file(where / "station.key", octets, 0o600)


@pytest.mark.parametrize(
    ("listeners", "ports"),
    [
        ("", set()),
        (TLS.format(profile="recommended"), {19998}),
        (PLAIN.format(source=ELSEWHERE), {2404}),
        (TLS.format(profile="recommended") + PLAIN.format(source=ELSEWHERE), {19998, 2404}),
    ],
    ids=["none", "TLS", "plain", "both"],
)
def test_what_the_station_file_opens_is_open_and_nothing_else(namespace, certificates, listeners, ports):
    certificates()
    namespace.station(HEAD + listeners)
    assert namespace.open_ports() == ports


IDENTIFY = ("--script", "+iec-identify", "-p")


def test_identification_needs_a_certificate_on_the_secured_port(namespace, certificates):
    certificates()
    namespace.station(HEAD + TLS.format(profile="recommended"))
    assert "ASDU address" not in namespace.nmap(*IDENTIFY, "19998")
    assert '"event": "tls.refuse"' in namespace.firmware.log.read_text()


@pytest.mark.parametrize(("source", "found"), [(ELSEWHERE, False), (HERE, True)], ids=["unlisted", "listed"])
def test_identification_on_the_plain_port_is_for_who_is_listed(namespace, source, found):
    """The listed one shows that the script would find what there is."""
    namespace.station(HEAD + PLAIN.format(source=source))
    assert ("ASDU address: 12" in namespace.nmap(*IDENTIFY, "2404")) is found
    assert ('"event": "plain.refuse"' in namespace.firmware.log.read_text()) is not found


def offered(report: str) -> set[str]:
    """The suites of a report of ssl-enum-ciphers, by their IANA names; of TLS 1.3 nmap has names of its own."""
    found = re.findall(r"^\|\s+(TLS_[A-Z0-9_]+)", report, re.MULTILINE)
    return {name.replace("TLS_AKE_WITH_", "TLS_") for name in found}


def by_iana_name() -> dict[str, str]:
    """From OpenSSL's names to IANA's."""
    text = subprocess.run(
        ["openssl", "ciphers", "-stdname", "ALL:@SECLEVEL=0"], capture_output=True, text=True, check=True
    ).stdout
    return {row.split()[2]: row.split()[0] for row in text.splitlines()}


@pytest.mark.parametrize("kind", ["P-256", "RSA"])
@pytest.mark.parametrize("profile", SUITES)
def test_the_suites_offered_are_those_of_the_profile(namespace, certificates, profile, kind):
    certificates(kind)
    namespace.station(HEAD + TLS.format(profile=profile))
    # One at a time: of several from one address the station refuses some, and nmap takes that for an answer.
    report = namespace.nmap("--max-parallelism", "1", "--script", "+ssl-enum-ciphers", "-p", "19998")
    names = by_iana_name()
    if kind == "P-256":
        fitting = [suite for suite in SUITES[profile] if "ECDSA" in suite]
    else:
        fitting = [suite for suite in SUITES[profile] if "ECDSA" not in suite]
    assert offered(report) == {names[suite] for suite in fitting} | set(TLS_1_3), report
    assert set(re.findall(r"^\|\s+(\S*v\d\S*):", report, re.MULTILINE)) == {"TLSv1.2", "TLSv1.3"}, report
