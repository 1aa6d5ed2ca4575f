"""The whole life of certificates on a station that runs: made, used, renewed, taken back and revoked under open sessions."""

import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.ports import free_port

STARTDT, STARTDT_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
TESTFR, TESTFR_CON = bytes.fromhex("680443000000"), bytes.fromhex("680483000000")
END_OF_INITIALISATION_IS_SHORTER_THAN = 64
PASSPHRASE = "correct horse battery"
STATION = """
format = 1
station = {{ name = "Feeder 12", common_address = 12 }}
events = {{ directory = "events" }}
device.bay = {{ driver = "simulated" }}
[listen.tls]
address = "127.0.0.1"
port = {port}
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
revoked = ["ca.crl"]
[[master]]
name = "scada-a"
identity = {{ issuer = "ca.crt", san = "dns:a.example" }}
role = "operator"
[[master]]
name = "scada-b"
identity = {{ issuer = "ca.crt", san = "dns:b.example" }}
[[point]]
name = "door"
type = "single"
input = {{ device = "bay", line = "door" }}
address = [{{ ioa = 1 }}]
"""


class Drill:
    """An authority, a running station and two masters, all in one directory."""

    def __init__(self, root):
        self.root = root
        self.port = free_port()
        self.ca = root / "ca"
        self.station = root / "station"
        self.station.mkdir()
        self.file = self.station / "station.toml"
        self.file.write_text(STATION.format(port=self.port))
        (root / "passphrase").write_text(PASSPHRASE)
        (root / "passphrase").chmod(0o600)
        self._open = ExitStack()

    def rtu(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "rtu", "certs", *map(str, arguments)],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def at_authority(self, action, *arguments):
        key = [] if action == "revoke" else ["--passphrase-file", self.root / "passphrase"]
        return self.rtu(action, "--ca", self.ca, *key, *arguments)

    def make_master(self, who):
        self.rtu("request", "--key", f"{who}.key", "--name", f"dns:{who}.example")
        self.at_authority("sign", f"{who}.csr", "--profile", "master", "--yes")

    def make_pair(self, *renew):
        (self.root / "feeder-12.crt").unlink(missing_ok=True)
        self.rtu("request", "--station", self.file, *renew)
        self.at_authority("sign", "feeder-12.csr", "--profile", "station", "--yes")
        self.install(self.root / "feeder-12.crt")

    def install(self, file):
        return self.rtu("install", "--station", self.file, file)

    def new_list(self):
        self.at_authority("crl")
        self.install(self.ca / "ca.crl")

    def run(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard, (self.root / "log").open("ab") as log:
            heard.settimeout(60)
            heard.bind(str(self.root / "notify"))
            service = subprocess.Popen(
                [sys.executable, "-m", "rtu", "run", str(self.file)],
                stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": str(self.root / "notify")},
            )
            self._open.callback(service.wait, 30)
            self._open.callback(service.terminate)
            heard.recv(200)

    def log(self):
        return (self.root / "log").read_text()

    def session(self, who):
        """An open, started connection of this master."""
        context = ssl.create_default_context(cafile=self.ca / "ca.crt")
        context.load_cert_chain(self.root / f"{who}.crt", self.root / f"{who}.key")
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        session = self._open.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        session.sendall(STARTDT)
        assert session.recv(6) == STARTDT_CON
        session.recv(END_OF_INITIALISATION_IS_SHORTER_THAN)
        return session

    def serial_of(self, session):
        return x509.load_der_x509_certificate(session.getpeercert(True)).serial_number

    def serial_in(self, file):
        return x509.load_pem_x509_certificate(file.read_bytes()).serial_number

    def close(self):
        self._open.close()


def lives(session):
    """Whether it answers a test frame."""
    session.sendall(TESTFR)
    return session.recv(6) == TESTFR_CON


def ended(session, within_s):
    """Whether the station ends it in time."""
    session.settimeout(within_s)
    try:
        return session.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def drill(tmp_path):
    drill = Drill(tmp_path)
    yield drill
    drill.close()


@pytest.mark.slow
def test_renewal_and_rollback_touch_no_session_and_revocation_ends_one(drill):
    drill.at_authority("init", "--name", "Authority")
    (drill.station / "ca.crt").write_bytes((drill.ca / "ca.crt").read_bytes())
    drill.make_pair()
    for who in ("a", "b"):
        drill.make_master(who)
    drill.new_list()
    drill.run()
    a, b = drill.session("a"), drill.session("b")
    first = drill.serial_of(a)
    assert first == drill.serial_in(drill.station / "station.crt")

    drill.make_pair("--renew")
    assert lives(a)
    assert lives(b)
    renewed = drill.serial_of(drill.session("a"))
    assert renewed == drill.serial_in(drill.station / "station.crt") != first

    drill.rtu("rollback", "--station", drill.file)
    assert lives(b)
    a = drill.session("a")
    assert drill.serial_of(a) == first

    drill.at_authority("revoke", "a", "--reason", "key-compromise")
    began = time.monotonic()
    drill.new_list()
    assert ended(a, within_s=60)
    assert lives(b)
    with pytest.raises((OSError, AssertionError)):
        drill.session("a")
    log = drill.log()
    for record in ("certificate.change", "revocation.change", "session.close"):
        assert f'"event": "{record}"' in log
    print(f"ended {time.monotonic() - began:.1f} s after the list was made")


@pytest.mark.slow
def test_a_power_cut_between_the_files_of_a_pair_is_no_reason_not_to_serve(drill):
    """What `rtu certs` leaves at any moment is a pair; this is what a hand that copies them leaves."""
    drill.at_authority("init", "--name", "Authority")
    (drill.station / "ca.crt").write_bytes((drill.ca / "ca.crt").read_bytes())
    drill.make_pair()
    drill.make_master("b")
    drill.new_list()
    drill.run()
    b = drill.session("b")
    serial = drill.serial_of(b)
    stranger = x509.load_pem_x509_certificate((drill.root / "b.crt").read_bytes())
    (drill.station / "station.crt").write_bytes(stranger.public_bytes(Encoding.PEM))
    assert lives(b)
    assert drill.serial_of(drill.session("b")) == serial
