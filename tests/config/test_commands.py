"""`rtu check` and `rtu points`: what a person and what a script sees of a station file."""

from __future__ import annotations

import argparse
import csv
import io
import json
from pathlib import Path

import pytest

from rtu.cli import check, points

ROOT = Path(__file__).parents[2]


def run(module, *arguments):
    parser = argparse.ArgumentParser(prog="rtu")
    module.add_parser(parser.add_subparsers())
    args = parser.parse_args([module.__name__.rsplit(".", 1)[-1], *map(str, arguments)])
    return args.run(args)


def simulated(tmp_path, **changes):
    """The demonstration station, with words of it replaced."""
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path = tmp_path / "station.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_check_summarises_a_good_file(capsys, tmp_path):
    for name in ("station.crt", "station.key", "ca.crt"):
        (tmp_path / name).touch()
    assert run(check, simulated(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "station   Demo feeder bay, common address 1\n" in out
    assert "1 counter, 2 double, 8 float, 6 single, 1 step" in out
    assert "listens   tls, every address port 19998, commands too\n" in out
    assert "          plain, 127.0.0.1 port 2404, no commands\n" in out
    assert "control-centre: engineer, group control-centre, over tls" in out
    assert out.endswith("verdict   can be used\n")


def test_check_tells_mistakes_on_stderr_and_exits_with_2(capsys, tmp_path):
    path = simulated(tmp_path, buchholz="bucholz")
    assert run(check, "--no-files", path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert 'device "bay": transformer.bucholz: no digital input' in err
    assert err.endswith("1 mistake\n")


def test_check_wants_the_files_of_tls_unless_told_otherwise(capsys, tmp_path):
    assert run(check, simulated(tmp_path)) == 2
    assert "listen.tls.certificate: cannot read" in capsys.readouterr().err
    assert run(check, "--no-files", simulated(tmp_path)) == 0


def test_check_tells_warnings_and_goes_on(capsys, tmp_path):
    path = simulated(tmp_path, **{"[events]": "[protocol]\nw = 9\n[events]"})
    assert run(check, "--no-files", path) == 0
    out, err = capsys.readouterr()
    assert "warning: protocol.w (9) should be" in err
    assert out.endswith("verdict   can be used, 1 warning\n")


@pytest.mark.parametrize(
    ("changes", "valid"), [({}, True), ({"common_address = 1": "common_address = 0"}, False)]
)
def test_check_speaks_json(capsys, tmp_path, changes, valid):
    assert run(check, "--json", "--no-files", simulated(tmp_path, **changes)) == (0 if valid else 2)
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is valid
    assert (told["station"] is not None) is valid
    assert [mistake["line"] for mistake in told["mistakes"]] == ([] if valid else [7])


def test_points_lists_every_address_once(capsys, tmp_path):
    assert run(points, "--format", "json", simulated(tmp_path)) == 0
    rows = json.loads(capsys.readouterr().out)
    by_ioa = {row["ioa"]: row for row in rows}
    assert len(by_ioa) == len(rows)
    assert by_ioa[1001] == {
        "name": "q0.position",
        "kind": "point",
        "type": "double",
        "ca": 1,
        "ioa": 1001,
        "type_ids": ["M_DP_NA_1", "M_DP_TB_1"],
        "groups": [1],
        "unit": "",
    }
    assert by_ioa[2101]["type_ids"] == ["M_ME_NB_1", "M_ME_TE_1"]
    assert by_ioa[5001]["kind"] == "command"
    assert "C_DC_NA_1" in by_ioa[5001]["type_ids"]


def test_points_writes_csv(capsys, tmp_path):
    assert run(points, "--format", "csv", simulated(tmp_path)) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["name"] == "q0.position"
    assert rows[0]["type_ids"] == "M_DP_NA_1 M_DP_TB_1"


def test_points_writes_a_table_in_columns(capsys, tmp_path):
    assert run(points, simulated(tmp_path)) == 0
    title, first, *_ = capsys.readouterr().out.splitlines()
    assert title.index("ioa") == first.index("1001")
    assert title.index("type_ids") == first.index("M_DP_NA_1")


def test_points_of_a_wrong_file_are_its_mistakes(capsys, tmp_path):
    path = simulated(tmp_path, **{"ioa = 1002": "ioa = 1001"})
    assert run(points, path) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert 'point "q8.position": ioa 1001 is already used by "q0.position"' in err


MADE = """
[[point]]
name = "alarms"
type = "packed"
of = ["bay.remote", "transformer.buchholz"]
address = [ { ioa = 7000 } ]
[[point]]
name = "trip"
type = "protection"
of = "transformer.buchholz"
address = [ { ioa = 7001 } ]
[[point]]
name = "angle"
type = "normalized"
input = { device = "bay", channel = "i.l1" }
report = { keep = "every" }
address = [ { ioa = 7002, quality = false, time_tag = "both" } ]
[files]
event_log = { ioa = 7100 }
[[record]]
name = "fault"
trigger = { "transformer.buchholz" = "on" }
points = ["angle"]
address = { ioa = 7200 }
"""


def test_every_type_is_shown(capsys, tmp_path):
    path = simulated(tmp_path)
    path.write_text(path.read_text() + MADE)
    assert run(check, "--no-files", path) == 0
    out = capsys.readouterr().out
    assert "8 float, 1 normalized, 1 packed, 1 protection, 6 single" in out
    assert "files     event log\nrecords   fault\n" in out
    assert run(points, path, "--format", "json") == 0
    types = {row["name"]: row["type_ids"] for row in json.loads(capsys.readouterr().out)}
    assert types["alarms"] == ["M_PS_NA_1"]
    assert types["trip"] == ["M_EP_TD_1"]
    assert types["angle"] == ["M_ME_ND_1", "M_ME_TD_1"]
