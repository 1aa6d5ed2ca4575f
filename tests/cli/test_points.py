"""`rtu points`: every address of a station, with what is sent there."""

import csv
import json
from pathlib import Path

import pytest

from rtu.cli.main import main

EXAMPLE = Path(__file__).parents[2] / "config" / "every-type.toml"
TRANSFER = [f"F_{kind}_NA_1" for kind in ("FR", "SR", "SC", "LS", "AF", "SG")] + ["F_DR_TA_1"]


@pytest.fixture
def points(capsys):
    assert main(["points", str(EXAMPLE), "--format", "json"]) == 0
    return {row["ioa"]: row for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize(
    ("ioa", "name", "kind"),
    [
        (7001, "event log", "event_log"),
        (7002, "from-the-control-centre.bin", "inbox"),
        (7101, "breaker trips", "record"),
        (7103, "breaker trips", "record"),
    ],
)
def test_files_have_addresses_too(points, ioa, name, kind):
    row = points[ioa]
    assert (row["name"], row["kind"], row["type"], row["ca"]) == (name, "file", kind, 1)
    assert row["type_ids"][:7] == TRANSFER
    assert ("F_SC_NB_1" in row["type_ids"]) == (kind == "event_log")


def test_there_are_as_many_addresses_of_records_as_are_kept(points):
    assert [ioa for ioa, row in points.items() if row["type"] == "record"] == [7101, 7102, 7103]


@pytest.mark.parametrize(("ioa", "type_id"), [(3001, "M_IT_TB_1"), (3002, "M_IT_TB_1"), (3003, "M_IT_NA_1")])
def test_a_total_has_the_one_type_it_is_told_as(points, ioa, type_id):
    assert points[ioa]["type_ids"] == [type_id]


def test_every_format_has_the_files(capsys):
    for form in ("table", "csv"):
        assert main(["points", str(EXAMPLE), "--format", form]) == 0
        out = capsys.readouterr().out
        assert "F_SC_NB_1" in out
    rows = list(csv.DictReader(out.splitlines()))
    assert rows[-1]["ioa"] == "7103"
