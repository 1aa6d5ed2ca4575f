"""What a newcomer does first: clone, `make demo`, and look at it from a second terminal."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port

CHECKOUT = Path(__file__).parents[1]
WITHIN_S = 60


@pytest.fixture
def clone(tmp_path):
    if not (CHECKOUT / ".git").exists() or shutil.which("git") is None or shutil.which("make") is None:
        if "CI" in os.environ:
            pytest.fail("CI must be able to clone and make")
        pytest.skip("needs git, make and a checkout with its history")
    subprocess.run(["git", "clone", "--quiet", CHECKOUT, tmp_path / "outstation"], check=True)
    return tmp_path / "outstation"


@pytest.mark.slow
def test_make_demo_serves_within_a_minute(clone, tmp_path):
    tls, plain = free_port(), free_port()
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")
    } | {"XDG_RUNTIME_DIR": str(tmp_path)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.settimeout(WITHIN_S)
        heard.bind(str(tmp_path / "notify"))
        with subprocess.Popen(
            ["make", "demo", f"ARGS=--tls-port {tls} --plain-port {plain}"],
            cwd=clone,
            env=environment | {"NOTIFY_SOCKET": str(tmp_path / "notify")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as made:
            try:
                assert heard.recv(200).startswith(b"READY=1")
                probed = subprocess.run(
                    [clone / ".venv/bin/rtu", "probe", "demo", "--port", str(tls), "--interrogate"],
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
            finally:
                os.killpg(made.pid, signal.SIGINT)
                told, _ = made.communicate(timeout=60)
    assert probed.returncode == 0, probed.stdout + probed.stderr + told
    assert "station interrogation" in probed.stdout
