"""A key in a TPM (of software): the program serves with it, or says that it cannot; cryptography's own OpenSSL goes on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rtu.security.tls.libcrypto import CONFIGURATION

CONFIG = f"""
.include {CONFIGURATION}
[outstation]
providers = providers
[providers]
default = default_provider
tpm2 = tpm2_provider
[default_provider]
activate = 1
[tpm2_provider]
activate = 1
"""

STATION = """
import ssl, sys
from pathlib import Path
from rtu.security.tls.libcrypto import configure
configure()
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from rtu.config.schema import ListenTls
from rtu.security.certificates import pki
from rtu.security.tls.self_test import prove
from rtu.security.tls.context import shake_hands, throw_away_client
from tests.tls_parts import Tls
where = Path(sys.argv[1])
ca = pki.make_ca("CA")
ca.write(where / "ca.crt")
key = load_pem_public_key((where / "station.pub").read_bytes())
certificate = pki.sign(ca, key, "station", "station", ["ip:127.0.0.1"])
(where / "station.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
listen = ListenTls(certificate="station.crt", private_key="station.key", trusted=["ca.crt"])
prove(listen)
tls = Tls(listen, where)
status = tls.contexts.status()
print(status.usable, status.reason)
if status.usable:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3) * 3:
        context = tls.take()
        context.verify_mode = ssl.CERT_NONE
        shake_hands(context, throw_away_client(version))
    print("served")
"""


def free_ports() -> tuple[int, int]:
    """Two in a row, as the library that talks to the TPM expects."""
    while True:
        with socket.socket() as one, socket.socket() as two, suppress(OSError, OverflowError):
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            two.bind(("127.0.0.1", port + 1))
            return port, port + 1


@contextmanager
def tpm(where: Path) -> Iterator[dict[str, str]]:
    """Runs one; what the environment of whoever uses it needs."""
    (where / "state").mkdir()
    port, control = free_ports()
    server = [f"--server=type=tcp,port={port}", f"--ctrl=type=tcp,port={control}"]
    process = subprocess.Popen(
        [
            "swtpm", "socket", "--tpm2", f"--tpmstate=dir={where / 'state'}", *server,
            "--flags=not-need-init,startup-clear",
        ]
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            # Looked up, not connected to: it takes one visitor, and leaves with it.
            listening = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
            if f":{port} " in listening:
                break
        config = where / "openssl.cnf"
        config.write_text(CONFIG)
        yield {
            **os.environ,
            "OPENSSL_CONF": str(config),
            "TPM2OPENSSL_TCTI": f"swtpm:host=127.0.0.1,port={port}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
    finally:
        process.kill()
        process.wait()


def missing() -> str:
    if shutil.which("swtpm") is None or not list(Path("/usr/lib").glob("*/ossl-modules/tpm2.so")):
        return "install swtpm and tpm2-openssl"
    return ""


def test_a_key_in_a_tpm_serves_or_is_told_not_to(tmp_path: Path) -> None:
    if reason := missing():
        assert "CI" not in os.environ, reason
        pytest.skip(reason)
    with tpm(tmp_path) as environment:

        def run(*command: str) -> str:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            return done.stdout

        key = str(tmp_path / "station.key")
        run("openssl", "genpkey", "-propquery", "?provider=tpm2", "-algorithm", "EC",
            "-pkeyopt", "group:P-256", "-out", key)  # fmt: skip
        assert "TSS2 PRIVATE KEY" in Path(key).read_text()
        Path(key).chmod(0o600)
        run("openssl", "pkey", "-in", key, "-pubout", "-out", str(tmp_path / "station.pub"))
        told = run(sys.executable, "-c", STATION, str(tmp_path))
    usable = told.startswith("True")
    assert usable or "the private key does not sign" in told  # as on Debian 12, whose provider cannot
    assert ("served" in told) is usable
