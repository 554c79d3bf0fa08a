"""A run of the tests fails when many of them needed a second try: one may be bad luck, three are a slow or broken page.

`tests/browser/conftest.py` gives each test in a browser its second try.
"""

from collections.abc import Iterable

import pytest

MOST = 2
"""How many tests may pass only the second time."""


def rerun(config: pytest.Config) -> set[str]:
    """The tests of this run that needed a second try."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")  # none in a worker
    reports: Iterable[pytest.TestReport] = reporter.stats.get("rerun", ()) if reporter else ()
    return {report.nodeid for report in reports}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and len(rerun(session.config)) > MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if len(rerun(config)) > MOST:
        terminalreporter.write_line(f"FAILED: more than {MOST} tests needed a second try.", red=True)
