"""Names what is above a soft limit, without failing for it."""

import pytest

from tests.checks.tree import name_of, sources

SOFT_LINES = 350


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the modules that should be split by noun before they grow further."""
    lengths = {
        name_of(path): path.read_text(encoding="utf-8").count("\n")
        for path in sources("proxycore", "appliance")
    }
    large = {name: length for name, length in lengths.items() if length > SOFT_LINES}
    if large:
        terminalreporter.section(f"modules above {SOFT_LINES} lines")
        for name, length in sorted(large.items(), key=lambda item: -item[1]):
            terminalreporter.line(f"{length:5d}  {name}")
