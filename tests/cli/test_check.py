"""`rtu check` tells what a station file says, in lines for a person and in JSON for a script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtu.cli.main import main

STATION = """
format = 1
[station]
name = "s"
common_address = 12
[listen.plain]
address = "10.8.0.2"
commands = true
[[master]]
name = "desk"
from = ["10.8.0.1"]
role = "operator"
{commands}
[device.bay]
driver = "simulated"
[[command]]
name = "lamp"
type = "single"
output = {{ device = "bay", on = "light", latched = true }}
address = [{{ ioa = 1 }}]
"""


def checked(path: Path, commands: str, *options: str) -> int:
    path.write_text(STATION.format(commands=commands))
    return main(["check", *options, str(path)])


@pytest.mark.parametrize(
    ("commands", "said", "told"),
    [
        ("", "desk: operator, group desk", None),
        ('commands = ["l*"]', "desk: operator of l*, group desk", ["l*"]),
        ("commands = []", "desk: operator of none, group desk", []),
    ],
)
def test_it_says_which_commands_a_master_may_give(tmp_path, capsys, commands, said, told):
    assert checked(tmp_path / "station.toml", commands) == 0
    assert f"{said}, over plain, from 10.8.0.1\n" in capsys.readouterr().out
    assert checked(tmp_path / "station.toml", commands, "--json") == 0
    (master,) = json.loads(capsys.readouterr().out)["station"]["masters"]
    assert master["commands"] == told
