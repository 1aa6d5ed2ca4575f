"""What is said of ports, of plain TCP, of the firewall's keys and of paths that the unit lets nobody write."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtu.config.load import examine

TLS = '[listen.tls]\ncertificate = "c"\nprivate_key = "k"\ntrusted = ["ca"]\n'
STATION = """\
format = 1
station = { name = "s", common_address = 12 }
LISTEN
[[master]]
name = "a"
identity = { issuer = "ca", san = "dns:a.example" }
"""
PLAIN = STATION.replace('identity = { issuer = "ca", san = "dns:a.example" }', 'from = ["10.8.0.1"]')


@pytest.fixture
def told(tmp_path):
    """What is said of a station with these listeners, without the file's name."""

    def told(text: str, listen: str, more: str = "", base: Path = tmp_path) -> list[str]:
        path = base / "station.toml"
        path.write_text(text.replace("LISTEN\n", listen) + more)
        return [
            f"{'warning: ' if mistake.severity == 'warning' else ''}{mistake.text}"
            for mistake in examine(path, check_files=False).mistakes
        ]

    return told


@pytest.mark.parametrize(
    ("text", "listen", "expected"),
    [
        (STATION, TLS, []),
        (
            STATION,
            TLS + "port = 20000\n",
            ["warning: listen.tls.port: 20000 and not 19998: firewalls, masters and monitoring must be told"],
        ),
        (
            STATION,
            TLS + "port = 2404\n",
            [
                "warning: listen.tls.port: 2404 is known as 104 without protection: everybody will take it for that; use 19998"
            ],
        ),
        (
            STATION,
            TLS + "port = 443\n",
            [
                "warning: listen.tls.port: ports below 1024 need a capability that the unit does not give; use 19998"
            ],
        ),
        (PLAIN, '[listen.plain]\naddress = "10.8.0.2"\n', []),
        (
            PLAIN,
            '[listen.plain]\naddress = "10.8.0.2"\nport = 19998\n',
            [
                "warning: listen.plain.port: 19998 is known as 104 over TLS: everybody will take it for that; use 2404"
            ],
        ),
        (
            PLAIN,
            '[listen.plain]\naddress = "0.0.0.0"\n',
            [
                "warning: listen.plain.address: every network of this machine can reach it without protection: name one address"
            ],
        ),
        (PLAIN, '[listen.plain]\naddress = "0.0.0.0"\ninterface = "wg0"\n', []),
        (
            PLAIN,
            '[listen.plain]\naddress = "10.8.0.2"\ncommands = true\n',
            ["warning: listen.plain: whoever can send from a master's address can operate outputs"],
        ),
    ],
)
def test_what_an_open_port_costs_is_told(told, text, listen, expected):
    assert told(text, listen) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ('ssh = ["192.0.2.0/24"]\nntp = ["2001:db8::1"]\nvpn = ["udp:51820", "tcp:1194"]', []),
        ('ssh = ["engineer"]', ['firewall.ssh: "engineer" is not a network: write 10.1.0.5 or 10.1.0.0/24']),
        (
            'ntp = ["10.1.0.5/24"]',
            ['firewall.ntp: "10.1.0.5/24" is not a network: write 10.1.0.5 or 10.1.0.0/24'],
        ),
        ('vpn = ["udp:70000"]', ['firewall.vpn: "udp:70000": ports end at 65535']),
    ],
)
def test_keys_of_the_firewall_are_networks_and_ports(told, keys, expected):
    assert told(STATION, TLS, f"[firewall]\n{keys}\n") == expected


@pytest.mark.parametrize("text", ["udp", "udp:0", "sctp:5", "udp:51820 accept", 'udp:1"'])
def test_nothing_but_a_protocol_and_a_port_opens_a_tunnel(told, text):
    (complaint,) = told(STATION, TLS, f"[firewall]\nvpn = ['{text}']\n")
    assert complaint.startswith("firewall.vpn")


def test_a_file_the_unit_cannot_write_is_told(tmp_path):
    path = tmp_path / "station.toml"
    text = STATION.replace("LISTEN\n", TLS).replace(
        'issuer = "ca", san = "dns:a.example"', f'spki_sha256 = "{"0" * 64}"'
    )
    for name in ("c", "k", "ca"):
        (tmp_path / name).touch()
    more = '[events]\ndirectory = "/etc/outstation/events"\n[[files.inbox]]\nioa = 9000\nfile = "/usr/share/in.bin"\n'
    path.write_text(text + more)
    assert [mistake.text for mistake in examine(path, check_files=True).warnings] == [
        'events.directory: "/etc/outstation/events" cannot be written under systemd: use a path below /var/lib/outstation',
        'files.inbox: file "/usr/share/in.bin" cannot be written under systemd: use a path below /var/lib/outstation',
    ]


@pytest.mark.parametrize("name", ['wg0"', "eth0;", "eth*", "a b", "x\\n", "${x}"])
def test_names_of_interfaces_mean_nothing_to_a_firewall(told, name):
    (complaint,) = told(STATION, TLS + f'interface = """{name}"""\n')
    assert complaint.startswith("listen.tls.interface")
