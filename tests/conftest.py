"""What all tests share: no deadlines for examples, and in CI no skips but the ones a foreign machine excuses."""

import os

import pytest
from hypothesis import settings

# How long an example takes on a busy machine says nothing.
settings.register_profile("outstation", deadline=None)
settings.load_profile("outstation")

EXCUSED = "Debian 12"
"""The test kernel is built from Debian 12's source; other machines say so and go without."""


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
