"""Ends a run of faults with the number of those that came to pass."""

import pytest

from tests import releases


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults of a release were served, and their end read back."""
    if releases.counted:
        terminalreporter.section("faults in releases")
        for line in releases.summary():
            terminalreporter.write_line(line)
