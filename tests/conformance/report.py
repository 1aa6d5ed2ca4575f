"""Which rows of the checklist are proved, by which tests: docs/conformance.md, kept true by the tests themselves.

A test belongs to the rows its name begins with (`test_a14_a16_an_apdu_may_come_in_pieces`) and to those of
`@pytest.mark.checklist("A02")`, which a single parameter may carry too. `--conformance-report` runs the tests that
belong to a row, and no others, and writes the report. A run of the whole suite in CI compares it instead. A run of
some tests by name does neither.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKLIST = Path(__file__).with_name("checklist.toml")
REPORT = ROOT / "docs" / "conformance.md"
OPTION = "--conformance-report"
MARKER = "checklist"

_IN_NAME = re.compile(r"test_((?:[a-m]\d\d_)+)", re.IGNORECASE)

HEADER = """\
# Conformance

What a controlled station of IEC 60870-5-104 is asked, what it has to do, and whether this one does it. The list is
this project's own, in the spirit of the test cases of IEC TS 60870-5-604; passing it is no certificate.

Every row is one or more tests of this repository, and this page is written by them: `make conformance`. No foreign
software is needed for that; what foreign masters make of the same station is tested besides, in
[tests/interop](../tests/interop). CI runs the same tests and fails when this page is not what they show.

P0 is a connection on which nothing was said yet, P1 one that is started and whose first events are acknowledged. The
timers are t1 = 3 s, t2 = 1 s, t3 = 4 s and the windows k = 12, w = 8 unless a row says otherwise. "Mirrored with 44"
is the request itself with that cause and P/N = 1, "refused" its confirmation with P/N = 1. Where the standard leaves
the reaction open, the functions and tables of `rtu` or keys of the station file that carry ours stand below the table.

{summary}
"""


class Row(NamedTuple):
    """One line of the checklist; `choice` names what carries a reaction the standard leaves open."""

    when: str
    then: str
    choice: str = ""


def read_checklist() -> dict[str, dict[str, Row]]:
    """Title of a section -> id of a row -> row."""
    sections = tomllib.loads(CHECKLIST.read_text())["section"]
    return {s["title"]: {name: Row(**row) for name, row in s["rows"].items()} for s in sections}


def rows_of(item: pytest.Item) -> set[str]:
    """The ids of the rows a test belongs to."""
    named = _IN_NAME.match(getattr(item, "originalname", None) or item.name)
    rows = set(named[1].upper().rstrip("_").split("_")) if named else set()
    for mark in item.iter_markers(MARKER):
        rows.update(mark.args)
    return rows


class Conformance:
    """The plugin: `rows` are the rows of each collected test, `outcomes` what became of those that ran."""

    def __init__(self, config: pytest.Config) -> None:
        self._writes: bool = config.getoption(OPTION)
        self.sections = read_checklist()
        self.rows: dict[str, set[str]] = {}
        self.outcomes: dict[str, str] = {}
        # A run of part of the suite says nothing about the rest of the checklist.
        self.whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS

    @property
    def ids(self) -> set[str]:
        return {name for rows in self.sections.values() for name in rows}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        for item in items:
            self.rows[item.nodeid] = rows_of(item)
            if unknown := self.rows[item.nodeid] - self.ids:
                raise pytest.UsageError(
                    f"{item.nodeid} names rows that {CHECKLIST.name} has not: {sorted(unknown)}"
                )
        if self._writes:
            others = [item for item in items if not self.rows[item.nodeid]]
            items[:] = [item for item in items if self.rows[item.nodeid]]
            config.hook.pytest_deselected(items=others)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.whole = self.whole and not any(self.rows.get(item.nodeid) for item in items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            self.outcomes[report.nodeid] = report.outcome

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.whole or session.exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        if self._writes:
            REPORT.write_text(self.report())
            return
        proved = "CI" in os.environ and session.exitstatus == pytest.ExitCode.OK
        if proved and not (REPORT.exists() and REPORT.read_text() == self.report()):
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            reporter.write_line(f"\n{REPORT.relative_to(ROOT)} is out of date: make conformance", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def report(self) -> str:
        """The page, the same for the same results."""
        results: dict[str, set[str]] = defaultdict(set)
        files: dict[str, set[str]] = defaultdict(set)
        for nodeid, rows in self.rows.items():
            for row in rows:
                results[row].add(self.outcomes.get(nodeid, "skipped"))
                files[row].add(nodeid.partition("::")[0])
        count = sum(_result(results[row]) == "passed" for row in self.ids)
        lines = [HEADER.format(summary=f"{count} of {len(self.ids)} rows passed.")]
        for title, section in self.sections.items():
            lines += [f"## {title}", ""]
            lines += ["| row | asked | has to do | result | tests |", "| --- | --- | --- | --- | --- |"]
            for name, row in section.items():
                tests = ", ".join(f"[{Path(file).name}](../{file})" for file in sorted(files[name]))
                lines.append(f"| {name} | {row.when} | {row.then} | {_result(results[name])} | {tests} |")
            lines += ["", *_choices(section)]
        return "\n".join(lines).rstrip() + "\n"


def _result(outcomes: set[str]) -> str:
    if "failed" in outcomes:
        return "**failed**"
    return "passed" if "passed" in outcomes else "**not tested**"


def _choices(section: dict[str, Row]) -> Iterator[str]:
    chosen: dict[str, list[str]] = defaultdict(list)
    for name, row in section.items():
        for place in filter(None, row.choice.split(", ")):
            chosen[place].append(name)
    if chosen:
        yield (
            "Choices: " + "; ".join(f"`{place}` {', '.join(names)}" for place, names in chosen.items()) + "."
        )
        yield ""
