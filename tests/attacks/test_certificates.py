"""The least of listener, station file and certificate is what a master may, over TLS, with certificates that say a role."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from rtu.config.schema import Role
from rtu.security.certificates import pki
from rtu.security.roles import ROLES, least
from rtu.security.tls.context import client_context
from tests.attacks.attacker import Attacker, asdu, cause

TLS = """
[listen.tls]
address = "127.0.0.1"
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
commands = {commands}
"""
MASTER = """
[[master]]
name = "certified {role}"
identity = {{ issuer = "ca.crt", san = "dns:{role}.example" }}
role = "{role}"
max_connections = 16
"""
TEST = 0x86
"""Activation with the test bit: answered as the real thing, and nothing moves."""


def may(master: Attacker) -> Role:
    """What a master turns out to be."""
    asked = [asdu(45, 5003, b"\x01", cause=TEST), asdu(112, 1005, bytes(4) + b"\x01", cause=TEST)]
    answers = {each[0]: cause(each) for each in master.ask(asked)}
    operates, loads = answers[45] == (7, False), answers[112] == (7, False)
    assert operates or not loads
    return "engineer" if loads else "operator" if operates else "viewer"


@pytest.mark.parametrize("commands", [True, False])
def test_the_least_of_listener_station_file_and_certificate(
    make_station, tmp_path: Path, commands: bool
) -> None:
    ca = pki.make_ca("CA")
    ca.write(tmp_path / "ca.crt")
    pki.issue(ca, "station", "station", ["ip:127.0.0.1"]).write(
        tmp_path / "station.crt", tmp_path / "station.key"
    )
    entries = "".join(MASTER.format(role=role) for role in ROLES)
    station = make_station(lambda text: text + TLS.format(commands=str(commands).lower()) + entries)
    found = {}
    for entry, certified in product(ROLES, (None, *ROLES)):
        certificate, key = tmp_path / f"{entry}-{certified}.crt", tmp_path / f"{entry}-{certified}.key"
        pki.issue(ca, "master", "master", [f"dns:{entry}.example"], role=certified).write(certificate, key)
        context = client_context([tmp_path / "ca.crt"], certificate, key)
        context.check_hostname = False
        with Attacker(station.ports["tls"], "127.0.0.1", context=context).start() as master:
            found[entry, certified] = may(master)
    listener: Role = "engineer" if commands else "viewer"
    assert found == {
        (entry, certified): least(listener, entry, certified or "engineer")
        for entry, certified in product(ROLES, (None, *ROLES))
    }
    assert station.moved == []
