"""The station's log in a real journal: systemd-journald in a mount namespace of its own, asked as docs/audit.md says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

JOURNALD = Path("/lib/systemd/systemd-journald")

INSIDE = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal /run/log/journal
{journald} & journald=$!
{python} -c '{program}'
journalctl --sync
journalctl --no-pager --output=json --all
echo ---
journalctl --no-pager --output=cat RTU_EVENT=command.execute RTU_IOA=5001
echo ---
journalctl --no-pager --output=cat -p alert --since today
kill $journald
"""

PROGRAM = """
import logging, os, socket, sys, threading
from pathlib import Path
from rtu.clock import VirtualClock
from rtu.security.audit.trail import Audit
from rtu.security.audit.journald import SOCKET
from rtu.cli.logs import log_to_stderr

while not os.path.exists(SOCKET) or not os.path.exists("/run/systemd/journal/stdout"):
    threading.Event().wait(0.05)
stdout = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
stdout.connect("/run/systemd/journal/stdout")
stdout.sendall(b"outstation\\n\\n6\\n1\\n0\\n0\\n0\\n")
os.dup2(stdout.fileno(), 2)
status = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{status.st_dev}:{status.st_ino}"
log_to_stderr()
forged = "scada-a\\n<0>tls.accept: CN=admin\\nPRIORITY=0"
audit = Audit(VirtualClock())
assert audit.record("tls.refuse", peer="203.0.113.9", reason=forged, id="IEC62351-3:2.4")
assert audit.record("command.execute", who="scada", ioa=5001)
logging.getLogger("rtu.server").warning("who is %s", forged)
"""


def journald():
    if not JOURNALD.exists() or shutil.which("unshare") is None or os.geteuid() != 0:
        reason = "needs systemd-journald, unshare and root"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)


def test_nobody_can_forge_a_record_and_each_is_found_by_its_fields():
    journald()
    script = INSIDE.format(journald=JOURNALD, python=sys.executable, program=PROGRAM)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    everything, executed, alerts = done.stdout.split("---\n")
    entries = [json.loads(line) for line in everything.splitlines()]
    ours = [entry for entry in entries if entry.get("SYSLOG_IDENTIFIER") == "outstation"]
    assert [(entry["PRIORITY"], entry["_TRANSPORT"]) for entry in ours] == [
        ("1", "journal"),
        ("5", "journal"),
        ("4", "journal"),
    ], done.stderr
    assert not [entry for entry in entries if entry.get("PRIORITY") == "0"]
    refused, command, other = ours
    assert refused["RTU_EVENT_ID"] == "IEC62351-3:2.4"
    assert "\n" not in refused["MESSAGE"]
    assert command["RTU_PREV"] == refused["RTU_HASH"]
    assert (other["RTU_LOGGER"], other["MESSAGE"].count("\n")) == ("rtu.server", 2)
    assert [json.loads(line)["event"] for line in executed.splitlines()] == ["command.execute"]
    assert [json.loads(line)["event"] for line in alerts.splitlines()] == ["tls.refuse"]
