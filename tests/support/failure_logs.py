"""Show, for a failed test only, what the running programs logged during that test."""

from collections.abc import Generator

import pytest

from tests.support import process

_MOST_CHARACTERS = 8_000


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Remember where each log stands before the test."""
    yield
    for program in process.running:
        program.mark_log()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Append the logs of the running programs to a failure report."""
    report = yield
    if report.failed:
        for program in process.running:
            log = program.new_log()
            if log:
                report.sections.append((f"log of {program.name}", log[-_MOST_CHARACTERS:]))
    return report
