"""What all tests share: an environment without a person's own settings, and the ``docker`` marker."""

import functools
import gc
import os
import signal
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support import Repo

# What decides a build or a colour, and what a test must not inherit.
OWN = ("DOCKER_REGISTRY", "BUILD_PLATFORMS", "DOCKER_TAGS", "BUILDX_BUILDER", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
REQUIRED = "CONTAINER_TESTS_REQUIRED"


@pytest.fixture(scope="session", autouse=True)
def _every_signal_is_heard() -> Iterator[None]:
    """Undo what nohup and a shell's & do to a run of tests."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    for number, _ in before:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name in OWN or name.startswith("INVOKE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with the services agent and indexer, without invoke.yaml and without git."""
    root = tmp_path / "shop"
    root.mkdir()
    made = Repo(root)
    made.write("VERSION", "1.2.3\n")
    for service in ("agent", "indexer"):
        made.write(f"services/{service}/Dockerfile", "FROM scratch\n")
    return made


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs an engine where none answers; fail it where one is required."""
    problem = _engine_problem() if item.get_closest_marker("docker") else None
    if problem is None:
        return
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, and {problem}", pytrace=False)
    pytest.skip(problem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where an engine is required, a skip is a failure: it would hide what was not tried."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(REQUIRED) == "1":
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED}=1, and this was skipped: {report.longrepr}"
    return report


@functools.cache
def _engine_problem() -> str | None:
    from tasks.engine import api, buildx
    from tasks.errors import EngineError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a socket that the SDK leaves open when nobody answers
        try:
            api.connect()
            buildx.client()
        except EngineError as error:
            problem: str | None = " ".join(str(error).splitlines()).removeprefix("error: ")
        else:
            problem = None
        gc.collect()
    return problem
