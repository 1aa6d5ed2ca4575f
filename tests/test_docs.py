"""What the documentation says of the station file, the log and itself is so."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rtu.config import schema
from rtu.config.load import examine

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "certs" / "README.md", *DOCS.glob("*.md")])
DRIVERS_OWN = {"config", "options"}
"""Stand for the keys of whatever driver a device has."""

NO_RECORDS = {"events.lost", "events.unsaved", "events.db", "clock.told", "clock.unsynchronised"}
"""Points, a file, a remembered value."""

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_FENCE = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EVENT = re.compile(
    r'"((?:clock|command|cyclic|events|file|parameter|request|reset|security|session|store|trace)\.[a-z_]+)"'
)


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def tables() -> Iterator[type[schema.Table]]:
    for one in vars(schema).values():
        if isinstance(one, type) and issubclass(one, schema.Table) and one is not schema.Table:
            yield one


def keys() -> Iterator[tuple[str, str, object]]:
    """Table, key and default of every key; `NODEFAULT` for a required one."""
    for table in tables():
        for field in msgspec.structs.fields(table):
            if field.encode_name not in DRIVERS_OWN:
                default: object = field.default
                if field.default_factory is not msgspec.NODEFAULT:
                    default = field.default_factory()
                yield table.__name__, field.encode_name, default


def as_printed(default: object) -> str:
    if default is msgspec.NODEFAULT:
        return "**required**"
    if default is None:
        return "absent"
    if isinstance(default, msgspec.Struct):
        return "defaults of the table"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, str):
        return f'`"{default}"`'
    if isinstance(default, int | float):
        return f"{default:.10g}"
    assert not default
    return "empty"


@pytest.fixture(scope="module")
def rows() -> set[tuple[str, str]]:
    """Key and default of every row of a table on the page of the station file."""
    text = (DOCS / "station-file.md").read_text()
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()]
    return {(row[0].strip("`"), row[2]) for row in cells if len(row) == 4}


@pytest.mark.parametrize(("table", "key", "default"), list(keys()))
def test_every_key_of_the_station_file_is_explained_with_its_default(rows, table, key, default):
    assert (key, as_printed(default)) in rows, f"{table}.{key} = {as_printed(default)}"


def test_every_word_a_key_takes_is_named():
    text = (DOCS / "station-file.md").read_text()
    words = set(schema.PointType.__args__) | set(schema.CommandType.__args__)
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_record_of_the_log_is_listed():
    text = (DOCS / "operate.md").read_text()
    told = {
        name
        for folder in ("events", "outputs", "server", "station")
        for file in (ROOT / "rtu" / folder).glob("*.py")
        for name in _EVENT.findall(file.read_text())
    } - NO_RECORDS
    assert len(told) > 20
    assert [name for name in sorted(told) if f"`{name}`" not in text] == []


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = _HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", each.strip().lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page):
    broken = []
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_in_toml_is_toml(page):
    for text in _FENCE.findall(page.read_text()):
        tomllib.loads(text)


def test_the_whole_station_of_the_readme_can_be_used(tmp_path):
    (text,) = _FENCE.findall((ROOT / "README.md").read_text())
    path = tmp_path / "station.toml"
    path.write_text(text)
    found = examine(path, check_files=False)
    assert [str(mistake) for mistake in found.mistakes] == []
