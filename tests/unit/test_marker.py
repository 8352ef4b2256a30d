import docker
import pytest

from tests.support import ROOT

pytest_plugins = "pytester"
LOADED = docker.__name__  # loaded here, it stays loaded when the inner runs are over


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests with our conftest.py, on a machine where no engine answers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{pytester.path}/no.sock")
    monkeypatch.delenv("CONTAINER_TESTS_REQUIRED", raising=False)
    pytester.makeini("[pytest]\nmarkers = docker: needs an engine")
    pytester.makeconftest((ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def engine():
            raise AssertionError("asked for an engine that is not there")

        @pytest.mark.docker
        def test_with_engine(engine):
            pass

        def test_without():
            pass
        """
    )
    return pytester


def test_without_an_engine_its_tests_are_skipped_with_the_reason(inner: pytest.Pytester) -> None:
    result = inner.runpytest_inprocess("-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*no engine answers*"])


def test_where_an_engine_is_required_they_fail_with_the_reason(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_TESTS_REQUIRED", "1")
    result = inner.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*CONTAINER_TESTS_REQUIRED=1*no engine answers*"])
