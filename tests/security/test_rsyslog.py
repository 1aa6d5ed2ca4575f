"""The trail as rsyslog receives it: configured as docs/audit.md says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from rtu.config.schema import LogServer
from rtu.security.audit.chain_check import check
from rtu.security.audit.sender import Sender
from rtu.security.certificates import pki
from tests.security.chained import Trail, lines

DEADLINE_S = 30
PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
DRIVERS = ("gtls", "ossl")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def driver():
    """The TLS driver that is installed with rsyslog; a skip or, in CI, a failure when there is none."""
    found = [name for name in DRIVERS for path in Path("/usr/lib").glob(f"*/rsyslog/lmnsd_{name}.so")]
    if shutil.which("rsyslogd") is None or not found:
        reason = "rsyslogd with rsyslog-gnutls or rsyslog-openssl is not installed"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)
    return found[0]


@pytest.fixture
def server(tmp_path):
    """rsyslogd with the configuration of the page; its port, and the file it writes."""
    name = driver()
    ca = pki.make_ca("Logs CA")
    ca.write(tmp_path / "ca.crt")
    for common_name, profile in (("logs", "station"), ("rtu", "master")):
        issued = pki.issue(ca, common_name, profile, [f"dns:{common_name}.example", "ip:127.0.0.1"])
        issued.write(tmp_path / f"{common_name}.crt", tmp_path / f"{common_name}.key")
    port, log = free_port(), tmp_path / "log"
    (text,) = re.findall(r"^```rsyslog\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    text = text.replace("/etc/rsyslog.d/", f"{tmp_path}/").replace("/var/log/outstation.log", str(log))
    text = text.replace("6514", str(port)).replace('"gtls"', f'"{name}"')
    (tmp_path / "rsyslog.conf").write_text(text)
    command = ["rsyslogd", "-n", "-f", tmp_path / "rsyslog.conf", "-i", tmp_path / "pid"]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(command, stderr=said, stdout=said) as process,
    ):
        try:
            yield port, log
        finally:
            process.terminate()
    print((tmp_path / "said").read_text())


def test_every_record_reaches_rsyslog_whole_and_in_order(server, tmp_path):
    port, log = server
    where = tmp_path / "audit"
    trail = Trail(where)
    trail.record("tls.refuse", peer="203.0.113.9", reason='said "]\\\n<0>', id="IEC62351-3:2.4")
    trail.commands(300)
    certificates = {"trusted": ["ca.crt"], "certificate": "rtu.crt", "private_key": "rtu.key"}
    sender = Sender(LogServer(host="127.0.0.1", port=port, **certificates), tmp_path, where, "rtu-0007")
    stop = threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    while not sender.run(stop, once=True):  # it takes a moment to listen
        assert time.monotonic() < deadline
        stop.wait(0.1)
    kept = []
    while len(kept) < 301:
        assert time.monotonic() < deadline, kept
        stop.wait(0.05)
        kept = log.read_bytes().splitlines() if log.exists() else []
    assert [line.partition(b"] ")[2] for line in kept] == lines(where)
    copy = tmp_path / "copy"
    copy.mkdir()
    strip = ["grep", "-o", '{"seq": .*', log]  # as the page says
    (copy / "audit-000001.jsonl").write_bytes(subprocess.run(strip, capture_output=True, check=True).stdout)
    assert check(copy, trail.audit.status().head).breaks == ()
    assert b'MNEMONIC="TLS_CERT_REVOKED" SqNum="1" PeerInfo="203.0.113.9"' in kept[0]


def test_rsyslog_takes_nothing_from_somebody_without_a_certificate(server, tmp_path):
    port, log = server
    where = tmp_path / "audit"
    Trail(where).commands(3)
    server = LogServer(host="127.0.0.1", port=port, trusted=["ca.crt"])
    sender, stop = Sender(server, tmp_path, where, "rtu-0007"), threading.Event()
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            stop.wait(0.1)
    assert not sender.run(stop, once=True)
    assert not log.exists() or b"command.execute" not in log.read_bytes()
