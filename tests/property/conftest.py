"""Properties under hostile values: how many are tried, and where; ends with their number."""

import gc
from collections.abc import Iterator

import hypothesis.configuration
import pytest

from tasks.engine import cache
from tests.property import cases, watch

hypothesis.configuration.set_hypothesis_home_dir(cache.home() / "hypothesis")  # not into the checkout
cases.profiles()
watch.install()


@pytest.fixture(autouse=True)
def _leaves_no_socket() -> Iterator[None]:
    yield
    gc.collect()  # while the test's own filter of warnings holds


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> object:
    """Fail a property that has tried no case."""
    result = yield
    name = getattr(item, "originalname", item.name)
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        cases.require(name)
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases were tried."""
    if cases.tried:
        terminalreporter.section("hostile cases")
        for line in cases.summary():
            terminalreporter.write_line(line)
