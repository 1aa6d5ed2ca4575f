"""The checklist itself: no row without a test, no choice that is nowhere, and a report that tells what happened."""

from __future__ import annotations

import importlib
import typing
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from rtu.config.schema import StationFile
from tests.conformance.report import Conformance, read_checklist

CHOICES = sorted(
    {
        place
        for section in read_checklist().values()
        for row in section.values()
        for place in filter(None, row.choice.split(", "))
    }
)


def test_every_row_has_a_test(request: pytest.FixtureRequest) -> None:
    conformance = request.config.pluginmanager.get_plugin("conformance")
    assert isinstance(conformance, Conformance)
    if not conformance.whole:
        pytest.skip("only a run of the whole suite can tell")
    assert conformance.ids == set().union(*conformance.rows.values())


@pytest.mark.parametrize("place", CHOICES)
def test_a_choice_is_where_the_checklist_says(place: str) -> None:
    found: Any = StationFile
    for name in place.split("."):
        if place.startswith("rtu."):
            found = importlib.import_module(name) if found is StationFile else part(found, name)
        else:
            hints = {
                key: hint for table in tables(found) for key, hint in typing.get_type_hints(table).items()
            }
            found = hints[name]


def part(whole: Any, name: str) -> Any:
    """A module of a package, or what a module or class defines."""
    if hasattr(whole, name):
        return getattr(whole, name)
    return importlib.import_module(f"{whole.__name__}.{name}")


def tables(hint: Any) -> list[type[msgspec.Struct]]:
    """The tables a key of the station file can hold: one, many, or none."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    return [table for inner in typing.get_args(hint) for table in tables(inner)]


@pytest.fixture
def conformance() -> Conformance:
    """Two tests of A01, one of A02, none of the others."""
    config = SimpleNamespace(getoption=lambda name: False, args_source=None)
    made = Conformance(config)  # type: ignore[arg-type]
    made.rows = {"tests/b.py::one": {"A01"}, "tests/a.py::other": {"A01", "A02"}}
    return made


def line(conformance: Conformance, row: str) -> str:
    return next(one for one in conformance.report().splitlines() if one.startswith(f"| {row} |"))


def test_a_row_is_passed_when_all_its_tests_are(conformance: Conformance) -> None:
    conformance.outcomes = dict.fromkeys(conformance.rows, "passed")
    assert "| passed | [a.py](../tests/a.py), [b.py](../tests/b.py) |" in line(conformance, "A01")
    assert "2 of 210 rows passed" in conformance.report()


def test_a_row_is_failed_when_one_of_its_tests_is(conformance: Conformance) -> None:
    conformance.outcomes = {"tests/b.py::one": "failed", "tests/a.py::other": "passed"}
    assert "| **failed** |" in line(conformance, "A01")
    assert "| passed |" in line(conformance, "A02")


def test_a_row_is_not_tested_when_its_tests_were_skipped_or_are_not_there(conformance: Conformance) -> None:
    conformance.outcomes = {"tests/a.py::other": "skipped"}
    assert "| **not tested** |" in line(conformance, "A02")
    assert "| **not tested** |" in line(conformance, "M06")
