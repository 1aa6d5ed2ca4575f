"""`rtu` itself: quick, helpful, and one line when something is wrong."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from rtu.cli import main as cli


class Command:
    """A sub-command that does what the test wants."""

    def __init__(self, outcome):
        self.outcome = outcome

    def add_parser(self, sub):
        sub.add_parser("probe").set_defaults(run=self.run)

    def run(self, args):
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def command(monkeypatch):
    def install(outcome):
        monkeypatch.setattr(cli, "import_module", lambda name: Command(outcome))

    return install


def test_the_version_is_that_of_the_distribution(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"rtu {version('outstation')}\n"


def test_help_names_every_command_and_loads_none():
    script = (
        "import sys; from rtu.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'asyncio', 'ssl', 'cryptography', 'msgspec', 'gpiod', 'rtu.iec104'} & set(sys.modules)\n"
        "print('loaded:', sorted(heavy))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "loaded: []" in shown
    assert all(name in shown for name in cli.COMMANDS)


def test_no_command_and_an_unknown_command_are_usage_errors(capsys):
    for arguments in ([], ["prove"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
    assert "usage: rtu" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_is_the_commands(code, command):
    command(code)
    assert cli.main(["probe"]) == code


def test_ctrl_c_is_no_traceback(command):
    command(KeyboardInterrupt())
    assert cli.main(["probe"]) == cli.INTERRUPTED


def test_an_error_of_the_system_is_one_line(command):
    command(FileNotFoundError(2, "No such file or directory", "station.toml"))
    with pytest.raises(SystemExit) as caught:
        cli.main(["probe"])
    assert caught.value.code == "rtu: station.toml: No such file or directory"


def test_a_missing_part_of_the_installation_is_one_line(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'gpiod'")

    monkeypatch.setattr(cli, "import_module", broken)
    with pytest.raises(SystemExit) as caught:
        cli.main(["probe"])
    assert caught.value.code == "rtu: probe cannot start: No module named 'gpiod': install outstation again"


def test_a_reader_that_goes_away_ends_the_command_quietly():
    script = (
        "import sys\n"
        "from rtu.cli import main as cli\n"
        "class Command:\n"
        "    def add_parser(self, sub): sub.add_parser('probe').set_defaults(run=self.run)\n"
        "    def run(self, args):\n"
        "        while True: print('a line')\n"
        "cli.import_module = lambda name: Command()\n"
        "sys.exit(cli.main(['probe']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "a line\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1
