"""Which stand-ins are needed, when they are built anew, and what the record says."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.engine import cache
from tasks.engine.machine import bases, stand_in_record, stand_ins
from tasks.engine.machine.stand_ins import Wanted
from tasks.errors import EngineError
from tasks.plan.platforms import Platform

DIGEST = f"sha256:{'a' * 64}"
WANT = Wanted(names=("alpine", "golang", "rust"), go_series="1.27", platform=Platform.AMD64)
REFERENCES = (
    f"golang:1.27.2-alpine3.24@{DIGEST}",
    f"docker.io/library/alpine:3.24.2@{DIGEST}",
    "rust:1.99.0-alpine3.24",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cache, "home", lambda: tmp_path)
    return tmp_path


def record(home: Path, **changes: object) -> None:
    state = {
        "fingerprint": stand_ins.fingerprint(WANT),
        "port": 5000,
        "digests": dict.fromkeys(WANT.names, DIGEST),
        "used": True,
    }
    (home / "stand-ins.json").write_text(json.dumps({**state, **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (REFERENCES[0], "golang"),
        (REFERENCES[1], "alpine"),
        ("index.docker.io/library/rust", "rust"),
        ("grafana/loki:3", "grafana/loki"),
        ("localhost:5000/golang:1", "localhost:5000/golang"),
    ],
)
def test_a_base_is_known_by_its_repository(reference: str, name: str) -> None:
    assert bases.short_name(reference) == name


def test_the_series_of_go_is_that_of_the_reference() -> None:
    assert bases.series(REFERENCES[0]) == "1.27"
    assert bases.series("localhost:5000/golang:1.28.0") == "1.28"
    assert bases.series("golang:latest") is None


def test_what_is_wanted_follows_from_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins, "of_machine", lambda: Platform.AMD64)
    assert stand_ins.wanted(REFERENCES) == WANT


def test_a_base_without_a_recipe_is_named() -> None:
    with pytest.raises(EngineError, match=r"no stand-in for python.*\n.*container.mirror"):
        stand_ins.wanted(("python:3.14", *REFERENCES))


def test_nothing_recorded_is_nothing_replaced(home: Path) -> None:
    assert stand_in_record.recorded() == {}
    assert not stand_ins.serving()
    assert stand_ins.missing(WANT) == WANT.names


def test_a_record_gives_references_with_digests(home: Path) -> None:
    record(home)
    assert stand_in_record.recorded()["golang"] == f"localhost:5000/stand-ins/golang:1@{DIGEST}"
    assert stand_ins.missing(WANT) == ()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"port": "x"}', '{"port": 1, "digests": 3, "fingerprint": "", "used": 1}']
)
def test_a_damaged_record_counts_as_none(home: Path, text: str) -> None:
    (home / "stand-ins.json").write_text(text, encoding="utf-8")
    assert stand_in_record.recorded() == {}
    assert stand_ins.missing(WANT) == WANT.names


def test_only_what_lacks_is_built(home: Path) -> None:
    record(home, digests={"alpine": DIGEST})
    assert stand_ins.missing(WANT) == ("golang", "rust")


@pytest.mark.parametrize("other", [replace(WANT, go_series="1.28"), replace(WANT, platform=Platform.ARM64)])
def test_another_recipe_builds_all_anew(home: Path, other: Wanted) -> None:
    record(home)
    assert stand_ins.missing(other) == other.names


def test_retired_stand_ins_stay_for_the_next_time(home: Path) -> None:
    record(home)
    assert stand_ins.retire()
    assert stand_in_record.recorded() == {}
    assert stand_ins.missing(WANT) == ()
    assert not stand_ins.retire()


def test_alpine_is_made_for_both_platforms_and_compilers_for_the_one_that_builds() -> None:
    definition = stand_ins.definition(WANT, WANT.names, 5001, ca=False)
    targets = definition["target"]
    assert targets["alpine"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert targets["rust"]["platforms"] == ["linux/amd64"]
    assert targets["golang"]["args"] == {"GO_SERIES": "1.27"}
    assert targets["golang"]["output"] == ["type=image,name=localhost:5001/stand-ins/golang:1,push=true"]
    assert "secret" not in targets["rust"]


def test_the_machines_ca_bundle_is_a_secret_and_nothing_else() -> None:
    definition = stand_ins.definition(WANT, ("rust",), 5000, ca=True)
    assert definition["target"]["rust"]["secret"] == ["id=ca,src=ca.pem"]
    recipe = (Path(stand_ins.__file__).parent / "recipe" / "Dockerfile").read_text(encoding="utf-8")
    assert "ca.pem" not in recipe


@pytest.mark.parametrize(
    "script", sorted((Path(stand_ins.__file__).parent / "recipe").glob("*.sh")), ids=lambda path: path.name
)
def test_the_recipes_scripts_are_shell(script: Path) -> None:
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0


def test_the_recipe_names_no_package_host() -> None:
    for path in (Path(stand_ins.__file__).parent / "recipe").iterdir():
        assert "://" not in path.read_text(encoding="utf-8"), path
