"""The self-test of TLS finds what it is there to find: each safeguard taken away is told, and the program runs on."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from rtu.app import Outstation
from rtu.config.load import load
from rtu.config.schema import ListenTls
from rtu.security.certificates.pki import issue, make_ca
from rtu.security.tls import context as tls
from rtu.security.tls import self_test
from rtu.security.tls.context import TlsError
from rtu.security.tls.libcrypto import CONFIGURATION

LISTEN = ListenTls(certificate="s", private_key="k", trusted=["c"])
IN_A_NEW_PROCESS = """
from rtu.security.tls.libcrypto import configure
configure()
import ssl
from rtu.config.schema import ListenTls
from rtu.security.tls.self_test import prove
prove(ListenTls(certificate="s", private_key="k", trusted=["c"], profile="{profile}"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
print([suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.3"])
"""


def new_process(profile: str = "recommended", **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if name != "OPENSSL_CONF"}
    return subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS.format(profile=profile)],
        env=own | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("profile", ["recommended", "iec62351-3"])
def test_a_program_that_configures_openssl_first_passes(profile: str) -> None:
    done = new_process(profile)
    assert done.returncode == 0, done.stderr
    assert "TLS_AES_128_CCM_SHA256" in done.stdout
    assert "CHACHA20" not in done.stdout


def test_a_configuration_of_ones_own_has_to_include_ours(tmp_path: Path) -> None:
    other = tmp_path / "openssl.cnf"
    other.write_text("openssl_conf = other\n[other]\n")
    done = new_process(OPENSSL_CONF=str(other))
    assert done.returncode != 0
    told = done.stderr.splitlines()[-1]
    assert "TLS_CHACHA20_POLY1305_SHA256" in told
    assert f"has to include {CONFIGURATION}" in told
    other.write_text(f".include {CONFIGURATION}\n")
    assert new_process(OPENSSL_CONF=str(other)).returncode == 0


def without_verification(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_NONE


def without_duty(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL


def without_good_suites(context: ssl.SSLContext) -> None:
    context.set_ciphers("AES256-SHA")


def without_tls_1_3(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_verification, "a master of another authority was let in"),
        (without_duty, "nobody was let in"),
        (without_good_suites, "a good master was refused"),
        (without_tls_1_3, "the suites of TLS 1.3 are none"),
    ],
)
def test_a_safeguard_that_is_gone_is_found(monkeypatch, spoil, words) -> None:  # type: ignore[no-untyped-def]
    def assemble(*args: object, **how: object) -> ssl.SSLContext:
        context = tls.assemble(*args, **how)  # type: ignore[arg-type]
        spoil(context)
        return context

    monkeypatch.setattr(self_test, "assemble", assemble)
    with pytest.raises(TlsError, match=words):
        self_test.prove(LISTEN)


STATION = """
format = 1
station = { name = "bay", common_address = 1 }
events = { directory = "events" }
[listen.tls]
address = "127.0.0.1"
port = %d
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[listen.plain]
address = "127.0.0.1"
port = %d
[[master]]
name = "a"
identity = { issuer = "ca.crt", san = "dns:a" }
[[master]]
name = "b"
from = ["127.0.0.1"]
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("works", [True, False])
def test_when_it_fails_the_tls_port_stays_closed_and_everything_else_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, works: bool
) -> None:
    if not works:

        def fail(listen: ListenTls) -> None:
            raise TlsError("self-test of TLS: nobody was let in: report this")

        monkeypatch.setattr(self_test, "prove", fail)
    ca = make_ca("CA")
    ca.write(tmp_path / "ca.crt")
    issue(ca, "station", "station").write(tmp_path / "station.crt", tmp_path / "station.key")
    tls_port, plain = free_port(), free_port()
    path = tmp_path / "station.toml"
    path.write_text(STATION % (tls_port, plain))

    async def main() -> None:
        station = Outstation(load(path), tmp_path)
        try:
            await station.start()
            assert refused(tls_port) is not works
            assert not refused(plain)
            assert station.contexts is not None
            status = station.contexts.status()
            assert status.usable is works
            assert works or "nobody was let in" in status.reason
        finally:
            await station.stop("the test is over")

    asyncio.run(main())
    assert ("the TLS port stays closed" in caplog.text) is not works
