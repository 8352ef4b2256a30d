import os
from pathlib import Path

import pytest

from tasks.engine import trust
from tasks.errors import ConfigError

PEM = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def _no_bundle_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in trust.VARIABLES:  # the machine's own must not count here
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(trust, "_PLACES", ())


def write(path: Path, content: str = PEM) -> Path:
    path.write_text(content)
    return path


def test_none_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(write(tmp_path / "ca.pem")))
    assert trust.bundle("none", tmp_path) is None


def test_a_machine_without_a_bundle_has_none(tmp_path: Path) -> None:
    assert trust.bundle("auto", tmp_path) is None


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_bundle_that_the_environment_names_wins_over_the_distributions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    usual, named = write(tmp_path / "usual.pem"), write(tmp_path / "named.pem")
    monkeypatch.setattr(trust, "_PLACES", (str(tmp_path / "missing"), str(usual)))
    assert trust.bundle("auto", tmp_path) == usual
    monkeypatch.setenv(variable, str(named))
    assert trust.bundle("auto", tmp_path) == named


def test_a_path_is_relative_to_the_root_unless_it_is_absolute(tmp_path: Path) -> None:
    path = write(tmp_path / "ca.pem")
    assert trust.bundle("ca.pem", tmp_path) == path
    assert trust.bundle(str(path), Path("/")) == path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory\nhint: mend container.ca"),
        ("not PEM\n", "holds no PEM certificate\nhint: mend container.ca, or set it to none"),
        ("", "holds no PEM certificate"),
        (PEM + "#" * 500 * 1024, "has 500 KiB; BuildKit takes at most 500 KiB\nhint: set container.ca to a file"),
    ],
    ids=["missing", "not PEM", "empty", "too large"],
)
def test_a_bundle_that_builds_cannot_take_is_refused(tmp_path: Path, content: str | None, words: str) -> None:
    if content is not None:
        write(tmp_path / "ca.pem", content)
    with pytest.raises(ConfigError) as caught:
        trust.bundle("ca.pem", tmp_path)
    assert words in str(caught.value)
    assert caught.value.code == 2


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no regular file"):
        trust.bundle(".", tmp_path)


def test_the_largest_secret_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "ca.pem", PEM.ljust(500 * 1024, "#"))
    assert trust.bundle("ca.pem", tmp_path) == path


def test_each_variable_that_names_no_authorities_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, empty, pipe = (tmp_path / name for name in ("good", "empty", "pipe"))
    good.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    empty.touch()
    os.mkfifo(pipe)
    for name, place, fault in (
        ("SSL_CERT_FILE", good, None),
        ("SSL_CERT_FILE", tmp_path, "a folder, not a file of authorities"),
        ("SSL_CERT_FILE", pipe, "no file of authorities that can be read"),
        ("CURL_CA_BUNDLE", empty, "a file without a certificate"),
        ("CURL_CA_BUNDLE", tmp_path / "nowhere", "no file of authorities that can be read"),
        ("REQUESTS_CA_BUNDLE", tmp_path, None),
    ):
        for one in trust.VARIABLES:
            monkeypatch.delenv(one, raising=False)
        monkeypatch.setenv(name, str(place))
        assert trust.faults() == ({} if fault is None else {name: fault})
