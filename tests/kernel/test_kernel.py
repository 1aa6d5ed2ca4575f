"""Runs every test of `inside` in the test kernel, one boot for all, and reports each here under its own name.

`inside/virtual` gets a boot of its own in which the clock jumps over all sleep: tests that last long, or that
measure time.
"""

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
INSIDE = ROOT / "tests/kernel/inside"
TESTBED = ROOT / "tests/kernel/testbed"


def names_in(file: Path) -> list[str]:
    """The tests of a file that can be imported inside only."""
    functions = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef))
    return [f"{file.relative_to(INSIDE)}::{f.name}" for f in functions if f.name.startswith("test_")]


TESTS = [test for file in sorted(INSIDE.rglob("test_*.py")) for test in names_in(file)]


def is_virtual(test: str) -> bool:
    return test.startswith("virtual/")


@dataclass(frozen=True, slots=True)
class Boot:
    """What one boot brought: by test, what was wrong with it (nothing if it passed), and all that was printed."""

    outcomes: dict[str, list[str]]
    console: str


@pytest.fixture(scope="session")
def boot(
    kernel: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[bool], Boot]:
    """The boot in virtual time or not, made when first asked for, with the tests selected outside."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    selected = {item.callspec.params.get("test") for item in functions if hasattr(item, "callspec")}

    @cache
    def run(virtual: bool) -> Boot:
        tests = [test for test in TESTS if test in selected and is_virtual(test) is virtual]
        return run_inside(tests, tmp_path_factory.mktemp("kernel"), virtual)

    return run


def run_inside(tests: list[str], folder: Path, virtual: bool) -> Boot:
    report = folder / "report.xml"
    command = [sys.executable, str(TESTBED / "run.py"), "--output", str(folder)]
    command += ["--virtual-time"] if virtual else []
    # A plug-in that happens to be installed on the host has no say inside.
    command += ["--", "env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", sys.executable, "-m", "pytest", "-v"]
    command += ["-p", "no:cacheprovider", f"--junit-xml={report}"]
    command += ["-o", "junit_family=xunit1", "-o", "junit_logging=all"]
    command += [] if virtual else ["-o", "faulthandler_timeout=120"]  # says where a test hangs
    command += [str(INSIDE / test) for test in tests]
    done = subprocess.run(
        command, check=False, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    outcomes: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        file = ROOT / case.get("file", "")
        if file.is_relative_to(INSIDE):  # or it is an error of collection: then nothing ran
            name = case.get("name", "")
            wrong = outcomes.setdefault(f"{file.relative_to(INSIDE)}::{name.partition('[')[0]}", [])
            if any(case.find(tag) is not None for tag in ("failure", "error", "skipped")):
                wrong += [name, *(f"{part.tag}: {part.text}" for part in case)]
    return Boot(outcomes, done.stdout)


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_inside(test: str, boot: Callable[[bool], Boot]) -> None:
    brought = boot(is_virtual(test))
    wrong = brought.outcomes.get(test, ["it did not run", brought.console])
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
