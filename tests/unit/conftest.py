"""Begins what takes its time before the first test, so that the others run meanwhile."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.unit import deaf

_CTRL_C = pytest.StashKey[Future[deaf.Stopped]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the run of deaf programs, if a test asks how it ended."""
    wanted = any("ctrl_c" in getattr(item, "fixturenames", ()) for item in session.items)
    if wanted and not session.config.option.collectonly:
        session.config.stash[_CTRL_C] = ThreadPoolExecutor(1).submit(deaf.stop)


@pytest.fixture
def ctrl_c(pytestconfig: pytest.Config) -> deaf.Stopped:
    """How a run of programs that ignore Ctrl-C ended after one."""
    return pytestconfig.stash[_CTRL_C].result()
