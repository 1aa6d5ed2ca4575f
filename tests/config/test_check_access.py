"""Who may get in: what is said of listeners, masters and the files TLS needs."""

from __future__ import annotations

import pytest

TLS = """\
format = 1
[station]
name = "s"
common_address = 12
[listen.tls]
certificate = "station.crt"
private_key = "station.key"
trusted = ["ca.crt"]
[[master]]
name = "a"
identity = { issuer = "ca.crt", san = "dns:a.example" }
"""
PLAIN = """\
format = 1
[station]
name = "s"
common_address = 12
[listen.plain]
address = "10.8.0.2"
[[master]]
name = "a"
from = ["10.8.0.1"]
"""
HASH = "AB:" * 31 + "ab"


@pytest.mark.parametrize(
    "text",
    [
        TLS,
        PLAIN,
        TLS
        + f'[[master]]\nname = "b"\nidentity = {{ spki_sha256 = "{HASH}" }}\nfrom = ["::1", "10.0.0.0/8"]\n',
        TLS.replace("certificate", 'address = "::"\ncertificate', 1),
        TLS.replace("trusted =", "pinned ="),
        PLAIN + '[[master]]\nname = "b"\nfrom = ["10.8.0.3", "10.8.1.0/24"]\n',
        TLS.replace('san = "dns:a.example" }', 'san = "dns:a.example" }\nfrom = ["10.0.0.1"]')
        + '[[master]]\nname = "b"\nidentity = { issuer = "ca.crt", san = "dns:a.example" }\nfrom = ["10.0.0.2"]\n',
    ],
)
def test_what_is_right_is_left_alone(complaints, text):
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'format = 1\n[station]\nname = "s"\ncommon_address = 12\n',
            ["1: warning: no listener is configured: no master can connect; add [listen.tls]"],
        ),
        (
            TLS.split("[[master]]", maxsplit=1)[0],
            ["5: warning: listen.tls: no master can use it, for none has an `identity`"],
        ),
        (
            PLAIN.split("[[master]]", maxsplit=1)[0],
            ["5: warning: listen.plain: no master can use it, for none is without `identity`"],
        ),
        (
            PLAIN.replace("[[master]]", "commands = true\n[[master]]"),
            ["7: warning: listen.plain: whoever can send from a master's address can operate outputs"],
        ),
        (
            PLAIN.replace("10.8.0.2", "tunnel"),
            ['6: listen.plain.address: "tunnel" is not an IP address'],
        ),
        (
            TLS.replace("[[master]]", '[listen.plain]\naddress = "10.8.0.2"\nport = 19998\n[[master]]')
            + '[[master]]\nname = "b"\nfrom = ["::1"]\n',
            ["11: listen.plain.port: 19998 is the port of listen.tls too"],
        ),
        (
            TLS.replace('trusted = ["ca.crt"]\n', ""),
            [
                "5: listen.tls: nobody is trusted: name the certificates of authorities in `trusted`, "
                "or masters' own in `pinned`"
            ],
        ),
        (
            TLS.replace("trusted =", 'crl_policy = "require"\ntrusted ='),
            [
                '8: listen.tls.crl_policy: "require" lets nobody in without `revoked`: '
                "name the lists of the authorities"
            ],
        ),
        (
            PLAIN.replace('from = ["10.8.0.1"]', 'role = "viewer"'),
            ['7: master "a": without `identity` it needs `from`, the networks it may come from'],
        ),
        (
            TLS + '[[master]]\nname = "b"\nfrom = ["10.8.0.1"]\n',
            ['12: master "b": without `identity` it can come over plain TCP only: add [listen.plain]'],
        ),
        (
            PLAIN + '[[master]]\nname = "b"\nidentity = { issuer = "ca.crt", san = "dns:b" }\n',
            ['12: master "b": with `identity` it can come over TLS only: add [listen.tls]'],
        ),
        (
            PLAIN.replace("10.8.0.1", "10.8.0.1/24"),
            ['9: master "a": from: "10.8.0.1/24" is not a network: write 10.8.0.0/24 or 10.8.0.1'],
        ),
        (
            PLAIN.replace("10.8.0.1", "scada-a"),
            [
                '9: master "a": from: "scada-a" is not a network: '
                "write an address (10.1.0.5) or a network (10.1.0.0/24)"
            ],
        ),
        (
            PLAIN.replace("10.8.0.1", "::ffff:10.8.0.1"),
            ['9: master "a": from: write "::ffff:10.8.0.1" as an IPv4 address'],
        ),
        (
            TLS.replace(', san = "dns:a.example"', ""),
            ['11: master "a": identity needs issuer and san, or spki_sha256'],
        ),
        (
            TLS.replace("dns:a.example", "a.example"),
            [
                '11: master "a": identity.san: write "dns:NAME", "uri:URI", "ip:ADDRESS" or "email:ADDRESS", '
                'not "a.example"'
            ],
        ),
        (
            TLS.replace('issuer = "ca.crt", san = "dns:a.example"', 'spki_sha256 = "abc"'),
            ['11: master "a": identity.spki_sha256 must be 64 hexadecimal digits'],
        ),
        (
            TLS + '[[master]]\nname = "b"\nidentity = { issuer = "ca.crt", san = "dns:a.example" }\n',
            [
                '12: master "b": cannot be told from master "a" (line 9): '
                "give them different identities, or networks in `from` that do not overlap"
            ],
        ),
        (
            PLAIN + '[[master]]\nname = "b"\nfrom = ["10.0.0.0/8"]\n',
            [
                '10: master "b": cannot be told from master "a" (line 7): '
                "give them different identities, or networks in `from` that do not overlap"
            ],
        ),
        (
            PLAIN + '[[master]]\nname = "a"\nfrom = ["10.9.0.0/24"]\n',
            ['11: master "a": another master has that name (line 7)'],
        ),
        (
            PLAIN + 'group = "a\\u001b"\n',
            ['10: master "a": group "a\\x1b" holds characters that cannot be printed'],
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(complaints, text, expected):
    assert complaints(text) == [f"station.toml:{each}" for each in expected]


def listing(good: str, commands: str, role: str = "operator") -> str:
    return good.replace('name = "m"\n', f'name = "m"\nrole = "{role}"\ncommands = {commands}\n')


@pytest.mark.parametrize("commands", ["[]", '["q0.operate"]', '["q0.*", "limit"]', '["*"]', '["?imit"]'])
def test_a_list_may_name_commands_and_patterns_of_them(complaints, good, commands):
    assert complaints(listing(good, commands)) == []


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ('["limit", "q0.operat"]', 'commands: no command "q0.operat", did you mean "q0.operate"?'),
        ('["q9.*"]', 'commands: no command "q9.*"'),
        ('["Q0.*"]', 'commands: no command "Q0.*"'),
        ('["remote"]', 'commands: no command "remote"'),
    ],
)
def test_a_list_that_names_no_command_is_a_mistake(complaints, good, commands, expected):
    assert complaints(listing(good, commands)) == [f'station.toml:10: master "m": {expected}']


def test_a_list_may_name_a_command_that_has_a_mistake_of_its_own(complaints, good):
    text = listing(good, '["limit"]').replace("max = 10", "max = -10")
    assert [line for line in complaints(text) if "master" in line] == []


def test_a_list_for_a_viewer_is_probably_not_meant(complaints, good):
    (found,) = complaints(listing(good, '["limit"]', "viewer"))
    assert found == 'station.toml:10: warning: master "m": commands has no effect: a viewer gives none'


def test_a_warning_stops_nothing(look):
    found = look('format = 1\n[station]\nname = "s"\ncommon_address = 12\n')
    assert found.file is not None
    assert found.errors == ()
    assert len(found.warnings) == 1


def test_files_are_looked_for_beside_the_station_file(complaints, tmp_path):
    assert [line.split("cannot read ")[0] for line in complaints(TLS, check_files=True)] == [
        "station.toml:6: listen.tls.certificate: ",
        "station.toml:7: listen.tls.private_key: ",
        "station.toml:8: listen.tls.trusted: ",
        'station.toml:11: master "a": identity.issuer: ',
    ]
    for name in ("station.crt", "station.key", "ca.crt"):
        (tmp_path / name).touch()
    assert complaints(TLS, check_files=True) == []


def test_a_key_that_systemd_hands_over_is_not_looked_for(complaints, tmp_path):
    for name in ("station.crt", "ca.crt"):
        (tmp_path / name).touch()
    assert complaints(TLS.replace('"station.key"', '"credential:station.key"'), check_files=True) == []


def test_a_file_that_cannot_be_read_is_named_with_the_reason(complaints, tmp_path):
    for name in ("station.crt", "ca.crt"):
        (tmp_path / name).touch()
    (tmp_path / "station.key").mkdir()
    (found,) = complaints(TLS, check_files=True)
    assert found == "station.toml:7: listen.tls.private_key: cannot read station.key: Is a directory"
