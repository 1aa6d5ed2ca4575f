"""What a station file may say of log servers."""

from __future__ import annotations

import pytest

from rtu.config.load import examine

SERVER = """\
[[audit.server]]
host = "logs.example"
trusted = ["logs-ca.crt"]
certificate = "station.crt"
private_key = "credential:station.key"
"""
AFTER = 3


@pytest.fixture
def mistakes(tmp_path):
    (tmp_path / "logs-ca.crt").touch()
    (tmp_path / "station.crt").touch()

    def mistakes(text):
        path = tmp_path / "station.toml"
        path.write_text('format = 1\nstation = { name = "s", common_address = 1 }\n\n' + text)
        return [(each.line - AFTER, each.text) for each in examine(path, check_files=True).errors]

    return mistakes


def test_two_servers_are_left_alone(mistakes):
    assert mistakes(SERVER + SERVER.replace("logs.", "backup.")) == []


def test_the_same_server_twice(mistakes):
    ((line, text),) = mistakes(SERVER + SERVER)
    assert (line, text) == (7, 'audit.server: "logs.example" port 6514 is a server already (line 4)')


@pytest.mark.parametrize(
    ("there", "missing"), [("certificate", "private_key"), ("private_key", "certificate")]
)
def test_a_certificate_needs_its_key(mistakes, there, missing):
    text = "\n".join(line for line in SERVER.splitlines() if not line.startswith(missing))
    ((_, told),) = mistakes(text + "\n")
    assert told == f'audit.server: "{missing}" is missing: a certificate needs its key'


def test_files_that_are_not_there(mistakes, tmp_path):
    ((line, text),) = mistakes(SERVER.replace("logs-ca", "logs"))
    assert line == 3
    assert text == f"audit.server.trusted: cannot read {tmp_path}/logs.crt: No such file or directory"


def test_a_server_that_is_trusted_by_nobody(mistakes):
    assert any("trusted" in text for _, text in mistakes('[[audit.server]]\nhost = "a"\ntrusted = []\n'))
