"""What certs/README.md tells people to type does what it says there.

The three machines of the page are three directories, and each command is run in a terminal, where somebody types the
pass phrase and the answers. Whatever differs each time (digests, serial numbers, dates) is not compared.
"""

import os
import pty
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "certs" / "README.md"
PASSPHRASE = "correct horse battery"
STATION = """
format = 1
station = { name = "Feeder 12", common_address = 12 }
events = { directory = "events" }
device.bay = { driver = "simulated" }
[[point]]
name = "door"
type = "single"
input = { device = "bay", line = "door" }
address = [{ ioa = 1 }]
"""

_PROMPT = re.compile(r"^(authority\$|station#|scada\$) (.*)$")
_PROGRESS = re.compile(r"[-.+*]+")  # of openssl
_ANSWERS = {
    "Pass phrase": PASSPHRASE,
    "The same again:": PASSPHRASE,
    "Type yes to sign:": "yes",
}
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{4}( [0-9a-f]{4}){15}\b"), "DIGEST"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\b[0-9A-F]{30,40}\b"), "SERIAL"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"days left: \d+"), "days left: N"),
    (re.compile(r"subject=CN ?= ?"), "subject=CN="),  # OpenSSL 3.0, and 3.2
)


def commands():
    """Machine, command and the lines it prints, in the order of the page."""
    found = []
    for line in PAGE.read_text().splitlines():
        if not line.startswith("    "):
            continue
        text = line[4:]
        if prompt := _PROMPT.match(text):
            found.append((prompt[1], prompt[2], []))
        else:
            found[-1][2].append(text.rstrip())
    return found


def alike(text):
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def matches(expected, printed):
    """Line by line; `...` stands for any lines."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and alike(expected[0]) == alike(printed[0]) and matches(expected[1:], printed[1:])


class World:
    """The three machines and the stick, below one directory."""

    def __init__(self, root):
        self.root = root
        self.service = None
        self.at = {}
        for prompt, name in (("authority$", "authority"), ("station#", "station"), ("scada$", "scada")):
            self.at[prompt] = root / name
            self.at[prompt].mkdir()
        for name in ("etc", "stick", "bin"):
            (root / name).mkdir()
        self.port = free_port()
        # The station file and the port are the only things that are said differently on the page.
        rtu = self.root / "bin" / "rtu"
        rtu.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{self.root / "bin" / "as_here.py"}" "$@"\n')
        rtu.chmod(0o755)
        (self.root / "bin" / "as_here.py").write_text(
            "import sys\nfrom pathlib import Path\nimport rtu.cli.certs, rtu.cli.way_in\n"
            f"rtu.cli.certs.STATION = Path({str(self.file)!r})\nrtu.cli.way_in.TLS_PORT = {self.port}\n"
            "from rtu.cli.main import main\nsys.exit(main())\n"
        )

    @property
    def file(self):
        return self.root / "etc" / "station.toml"

    def here(self, text):
        return text.replace("/etc/outstation", str(self.root / "etc")).replace(
            "/media/stick", str(self.root / "stick")
        )

    def told(self, text):
        return (
            text.replace(str(self.root / "etc"), "/etc/outstation")
            .replace(str(self.root / "stick"), "/media/stick")
            .replace(str(self.port), "19998")
        )

    def run(self, prompt, command):
        if command.startswith("systemctl restart"):
            return self.restart()
        if command.startswith("cd "):
            self.at[prompt] = Path(self.here(command[3:]))
            return []
        return self.in_terminal(self.here(command), self.at[prompt])

    def in_terminal(self, command, where):
        ours, theirs = pty.openpty()
        environment = os.environ | {"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "COLUMNS": "200"}
        environment.pop("OPENSSL_CONF", None)
        with subprocess.Popen(
            ["setsid", "--ctty", "--wait", "sh", "-c", command],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=where, env=environment,
        ):  # fmt: skip
            os.close(theirs)
            said, answered = "", 0
            with suppress(OSError):  # which is how the end of a terminal is told
                while octets := os.read(ours, 4096):
                    said += octets.decode()
                    for question, answer in _ANSWERS.items():
                        if question in said[answered:] and said.endswith(": "):
                            answered = len(said)
                            os.write(ours, f"{answer}\n".encode())
        os.close(ours)
        lines = said.replace("\r", "").splitlines()
        return [self.told(line.rstrip()) for line in lines if not _PROGRESS.fullmatch(line)]

    def restart(self):
        self.stop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard, (self.root / "log").open("ab") as log:
            heard.settimeout(60)
            heard.bind(str(self.root / "notify"))
            self.service = subprocess.Popen(
                [sys.executable, "-m", "rtu", "run", str(self.file)],
                stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": str(self.root / "notify")},
            )
            heard.recv(200)
        return []

    def stop(self):
        if self.service is not None:
            self.service.terminate()
            self.service.wait(30)
            (self.root / "notify").unlink()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    (table,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    world.file.write_text(STATION + table.replace("[listen.tls]", f"[listen.tls]\nport = {world.port}"))
    for name in ("station.cnf", "master.cnf"):
        shutil.copy(ROOT / "certs" / name, world.at["authority$"])
    yield world
    world.stop()


@pytest.mark.slow
def test_the_walk_through_goes_as_it_says(world):
    done = []
    for prompt, command, expected in commands():
        printed = world.run(prompt, command)
        done.append(f"{prompt} {command}")
        assert matches(expected, printed), "\n".join(
            [*done[-3:], "printed:", *printed, "the page says:", *expected]
        )
    assert len(done) > 30


def test_each_action_is_in_the_walk_through():
    from rtu.cli.certs import _WHERE

    typed = {command.split()[2] for _, command, _ in commands() if command.startswith("rtu certs ")}
    assert typed == set(_WHERE)


def test_a_master_made_with_openssl_carries_its_role(world):
    from rtu.security.certificates import documents
    from rtu.security.certificates.role import certificate_role

    wanted = [command for prompt, command, _ in commands() if command.startswith("openssl")][:3]
    for command in wanted:
        world.run("authority$", command)
    (made,) = documents.certificates(world.at["authority$"] / "master.crt")
    assert certificate_role(made) == "operator"
