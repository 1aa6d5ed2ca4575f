"""What all tests share: no deadlines for examples, the checklist, and in CI no skips but excused ones."""

import os

import pytest
from hypothesis import settings

from tests import libcrypto
from tests.conformance.report import MARKER, OPTION, Conformance

# How long an example takes on a busy machine says nothing.
settings.register_profile("outstation", deadline=None)
settings.load_profile("outstation")

EXCUSED = "Debian 12"
"""The test kernel is built from Debian 12's source; other machines say so and go without."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        OPTION, action="store_true", help="run the tests of the checklist and write docs/conformance.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}(*rows): the rows of the conformance checklist this proves")
    config.pluginmanager.register(Conformance(config), "conformance")
    libcrypto.configure()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "CI" not in os.environ or reporter is None:
        return
    unexcused = [
        report for report in reporter.stats.get("skipped", ()) if EXCUSED not in str(report.longrepr)
    ]
    if unexcused:
        reporter.write_line(f"{len(unexcused)} tests were skipped that must run in CI", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
