"""Which drivers are installed: what `importlib.metadata` would say, found without it."""

import sys
from importlib.metadata import entry_points

import pytest

from hw.installed import ENTRY_POINTS, installed, load


def test_it_finds_what_importlib_metadata_finds():
    assert installed() == {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def test_only_the_group_is_read_and_the_first_on_the_path_counts(tmp_path, monkeypatch):
    for place, value in (("one", "a.b:DRIVER"), ("two", "other:DRIVER")):
        info = tmp_path / place / "chip-1.dist-info"
        info.mkdir(parents=True)
        (info / "entry_points.txt").write_text(
            f"[console_scripts]\nfirst = x:y\n\n[{ENTRY_POINTS}]\n# none = x:y\nchip = {value}\n[later]\nlast = x:y\n"
        )
    monkeypatch.setattr(sys, "path", [str(tmp_path / "absent"), str(tmp_path / "one"), str(tmp_path / "two")])
    assert installed() == {"chip": "a.b:DRIVER"}


def test_a_driver_that_is_not_where_it_is_said_to_be_cannot_be_imported():
    with pytest.raises(ImportError):
        load("hw.installed:NOTHING")
