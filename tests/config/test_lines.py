"""Positions: every path tomllib finds has a line, no other path has one, and the lines are right."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from rtu.config.lines import locate


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from paths(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from paths(below, (*path, index))


KEYS = st.text(min_size=0, max_size=6) | st.sampled_from(
    ["a", "b-1", "a.b", "]", "[x]", '"', "'", "#", "=", "ä"]
)
SCALARS = (
    st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.text(max_size=12)
    | st.sampled_from(["# no comment", '"""', "'''", "}]", "a\nb", 'x"', "\\", '""', "\r\n"])
    | st.datetimes(min_value=datetime.datetime(1000, 1, 1))
    | st.dates(min_value=datetime.date(1000, 1, 1))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


@settings(max_examples=200)
@given(DOCUMENTS, st.booleans())
def test_the_paths_found_are_those_of_the_document(document: dict[str, Any], multiline: bool) -> None:
    text = tomli_w.dumps(document, multiline_strings=multiline)
    assert set(locate(text)) == set(paths(tomllib.loads(text)))


TRICKY = {
    "dotted keys": 'a.b.c = 1\na."d.e" = 2\na . f = 3\n[g]\nh.i = { j.k = 4 }',
    "quoted keys": '"a b" = 1\n\'c\\d\' = 2\n"\\u0041" = 3\n["]".\'[\'."#"]\n"=" = 4\n"" = 5',
    "comments with brackets": "# [no] x = 1\n[a] # ] [b]\nc = [ # ]\n 1, # , 2 ]\n 2 # }\n]\nd = 1 # [[e]]",
    "multi-line strings": 's = """\n[a]\nb = 1 \\"""\n"" "\n"""\nt = \'\'\'\n[[c]]\n\'\' \'\'\'\nu = """x"""""',
    "one-line strings": 's = "a # \\" [ \\\\"\nt = \'b \\\'\nu = ""\nv = \'\'\nw = """"""\nx = \'\'\'\'\'\'',
    "inline tables in arrays": "a = [ { b = 1, c = [ { d = 2 } ] }, { },\n { e = '}' } , ]\nf = [ [ ], [ 1 ] ]",
    "arrays of tables": "[[a]]\nb = 1\n[a.c]\nd = 2\n[[a.e]]\nf = 3\n[[a.e]]\n[a.e.g]\nh = 4\n[[a]]\n[[a.e]]\ni = 5",
    "implied tables": "[a.b.c]\nd = 1\n[a]\ne = 2\n[f]\n[f.g]",
    "dates": "a = 1979-05-27 07:32:00 # x\nb = [1979-05-27T07:32:00Z, 07:32:00.5]\nc = { d = 1979-05-27 }",
    "carriage returns": "a = 1\r\n[b]\r\n# c\r\nd = [\r\n 1,\r\n]\r\ne = true\r\n",
    "nothing": "",
    "no final newline": "a = 1 #",
}


@pytest.mark.parametrize("name", TRICKY)
def test_tricky_documents_are_walked_whole(name: str) -> None:
    text = TRICKY[name]
    assert set(locate(text)) == set(paths(tomllib.loads(text)))


def test_a_key_has_the_line_it_stands_on() -> None:
    lines = locate(
        "\n".join(
            [
                "# a station",  # 1
                "format = 1",
                "[station]",
                'name = """',
                "two lines",
                '"""',
                "common_address = 12",  # 7
                "[[point]]",
                'name = "p"',
                "input = { device = 'field', line = 17 }",
                "address = [",
                "  { ioa = 1 },",  # 12
                "  # another",
                "  { ioa = 2, group = [",
                "    1,",
                "  ] },",
                "]",
                "[point.report]",  # 18
                "deadband = 2",
                "[[point]]",
                "",
                "[device.field]",  # 22
                "driver = 'gpio'",
            ]
        )
    )
    assert lines[("format",)] == 2
    assert lines[("station",)] == 3
    assert lines[("station", "name")] == 4
    assert lines[("station", "common_address")] == 7
    assert lines[("point",)] == 8
    assert lines[("point", 0, "input", "line")] == 10
    assert lines[("point", 0, "address")] == 11
    assert lines[("point", 0, "address", 0, "ioa")] == 12
    assert lines[("point", 0, "address", 1, "group")] == 14
    assert lines[("point", 0, "address", 1, "group", 0)] == 15
    assert lines[("point", 0, "report")] == 18
    assert lines[("point", 0, "report", "deadband")] == 19
    assert lines[("point", 1)] == 20
    assert lines[("device",)] == 22
    assert lines[("device", "field", "driver")] == 23


def test_a_table_has_the_line_of_its_header_even_when_implied_before() -> None:
    lines = locate("[a.b]\nc = 1\n[a]\nd = 2")
    assert lines[("a",)] == 3
    assert lines[("a", "b")] == 1
