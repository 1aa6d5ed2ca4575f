"""Rules of the house that no linter knows."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "rtu").rglob("*.py"), *(ROOT / "hw").rglob("*.py")])
OUTPUT_PROTOCOLS = {"DigitalOutputs", "AnalogOutputs"}


def place(path):
    return path.relative_to(ROOT).as_posix()


def named(path):
    """Every name a module uses, imported or as an attribute."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", [p for p in SOURCES if place(p).startswith("rtu/")], ids=place)
def test_only_outputs_can_name_an_output_driver(path):
    if not place(path).startswith("rtu/outputs/"):
        assert not OUTPUT_PROTOCOLS & set(named(path))


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_every_file_states_its_one_idea(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


@pytest.mark.parametrize("path", [p for p in SOURCES if place(p).startswith("rtu/iec104/")], ids=place)
def test_the_protocol_knows_no_clock_socket_thread_or_log(path):
    forbidden = {"asyncio", "socket", "threading", "time", "logging", "ssl", "selectors"}
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level
    }
    assert not forbidden & imported


def test_gpl_code_is_never_imported_by_the_product():
    for path in SOURCES:
        assert "c104" not in set(named(path)), place(path)
