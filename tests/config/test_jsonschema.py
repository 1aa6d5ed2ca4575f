"""The JSON Schema: what editors are told is what the loader takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from hw.installed import ENTRY_POINTS, load
from rtu.config.jsonschema import schema, text

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def own_drivers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = project["entry-points"][ENTRY_POINTS]
    return {name: load(value) for name, value in named.items()}


def test_the_schema_in_the_tree_is_current(own_drivers):
    committed = (ROOT / "config" / "rtu.schema.json").read_text(encoding="utf-8")
    assert text(own_drivers) == committed, "run: python -m rtu.config.jsonschema > config/rtu.schema.json"


def test_devices_take_the_keys_of_their_driver(own_drivers):
    device = schema(own_drivers)["$defs"]["Device"]
    by_driver = {one["properties"]["driver"]["const"]: one for one in device["oneOf"]}
    assert set(by_driver) == set(own_drivers)
    assert "bus" in by_driver["ads1115"]["properties"]
    assert by_driver["ads1115"]["required"] == ["driver", "bus"]


def test_inputs_take_the_keys_of_every_driver(own_drivers):
    properties = schema(own_drivers)["$defs"]["Input"]["properties"]
    assert "For devices of driver ads1115." in properties["range_V"]["description"]
    assert "options" not in properties


def test_keys_have_descriptions(own_drivers):
    definitions = schema(own_drivers)["$defs"]
    assert "acknowledg" in definitions["Protocol"]["properties"]["k"]["description"]
    assert all(node["description"] for node in definitions.values())


def test_nothing_may_be_null(own_drivers):
    assert '"null"' not in json.dumps(schema(own_drivers))


@pytest.mark.parametrize("name", ["demo.toml", "every-type.toml", "field.toml"])
def test_the_examples_follow_the_schema(own_drivers, name):
    validator = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    document = tomllib.loads((ROOT / "config" / name).read_text(encoding="utf-8"))
    checker = validator.Draft202012Validator(schema(own_drivers))
    assert [error.message for error in checker.iter_errors(document)] == []


def test_a_wrong_key_breaks_the_schema(own_drivers):
    validator = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    document = tomllib.loads((ROOT / "config" / "demo.toml").read_text(encoding="utf-8"))
    document["point"][0]["input"]["debouce_ms"] = 5
    checker = validator.Draft202012Validator(schema(own_drivers))
    assert any("debouce_ms" in error.message for error in checker.iter_errors(document))
