import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dev.bench import show
from dev.bench.designs import DESIGNS
from dev.bench.ground import GO_SERVICE, RUST_SERVICE, Ground, lay_out
from dev.bench.many import Many
from dev.bench.measure import Case, Row
from dev.bench.ways import Way

ROOT = Path(__file__).resolve().parents[2]
ONE, TWO = ("linux/amd64",), ("linux/amd64", "linux/arm64")


def row(case: Case, ours: float, classic: float, one: float = 0, platforms: tuple[str, ...] = ONE) -> Row:
    runs = {Way.OURS: [ours, ours * 9, ours / 9], Way.CLASSIC: [classic], Way.BAKE: [1.0]}
    return Row(case, platforms, runs | {Way.ONE: [one] if one else []}, limit=None)


def references(dockerfile: Path) -> set[str]:
    return set(re.findall(r"^FROM (?:--platform=\S+ )?(\S+@sha256:\S+)", dockerfile.read_text(), flags=re.MULTILINE))


def test_every_dockerfile_of_the_benchmark_stands_on_the_bases_of_the_services() -> None:
    known = {found for path in ROOT.glob("services/*/Dockerfile") for found in references(path)}
    measured = [*ROOT.glob("dev/bench/**/*Dockerfile")]
    assert len(measured) == 7
    for path in measured:
        assert references(path) <= known, path


def test_the_median_counts_and_each_requirement_is_held_against_its_own_reference() -> None:
    rows = [replace(row(Case.COLD, 40, 100), limit=40), row(Case.GO_LINE, 2, 10, 1.9)]
    found = {one.what: one for one in show.requirements(rows)}
    assert {what: (round(one.ratio, 2), one.most, one.holds) for what, one in found.items()} == {
        f"cold: ours of {Way.CLASSIC}": (0.4, 0.45, True),
        f"cold: ours of {Way.BAKE}": (40.0, 1.05, False),
        "cold: ours of the processors' limit": (1.0, 1.2, True),
        f"one line of Go changed: ours of {Way.CLASSIC}": (0.2, 0.15, False),
        f"one line of Go changed: ours of {Way.ONE}": (1.05, 1.2, True),
    }


def test_many_services_are_held_against_bake_and_our_own_part_against_few() -> None:
    few = Many(5, 0.4, 0.8, 0.4, 0.8, 0.3, 1, 1, 1)
    many = Many(100, 0.5, 5, 0.6, 15, 0.6, 1.2, 1, 1)
    found = show.all_requirements([], [few, many])
    assert [(round(one.ratio, 3), one.most, one.holds) for one in found] == [
        (0.1, 0.15, True),
        (0.04, 0.05, True),
        (2.0, 3, True),
        (1.2, 1.2, True),
    ]
    assert "| 100 | one changed, quiet builder | 1.20 |  | 1.00 (1.20) | 1.00 (1.20) |" in show.many([few, many])


def test_two_platforms_are_held_against_one() -> None:
    rows = [row(Case.COLD, 40, 100), row(Case.COLD, 80, 100, platforms=TWO)]
    assert [(one.ratio, one.holds) for one in show.requirements(rows)][-1] == (2.0, False)


def test_the_table_and_the_json_say_the_same() -> None:
    rows = [replace(row(Case.RUST_LINE, 3, 12, 3), limit=0.5)]
    text = show.markdown(rows, "2026-11-24", "somewhere")
    assert "| one line of Rust changed | 1 | 3.00 | 12 (0.25) | 1.00 (3.00) | 3.00 (1.00) | 0.50 (6.00) |" in text
    content = json.loads(show.document(rows, [], "2026-11-24", "somewhere"))
    assert content["rows"][0]["runs"]["ours"] == [3, 27, 3 / 9]
    assert [one["ratio"] for one in content["required"]] == [0.25, 1.0]


@pytest.fixture
def place(tmp_path: Path) -> Ground:
    for name, source in ((GO_SERVICE, "main.go"), (RUST_SERVICE, "src/main.rs")):
        path = tmp_path / "services" / name / source
        path.parent.mkdir(parents=True)
        path.write_text("code\n")
    for name in ("go.mod", "go.sum"):
        (tmp_path / "services" / GO_SERVICE / name).write_text("")
    return Ground(tmp_path, "bench-1")


def test_each_changed_line_is_a_new_one(place: Ground) -> None:
    for service, source in ((GO_SERVICE, "main.go"), (RUST_SERVICE, "src/main.rs")):
        for _ in range(2):
            place.add_line(service)
        lines = (place.root / "services" / service / source).read_text().split()
        assert len(set(lines)) > 3


def test_a_second_dependency_case_is_new_again_and_requires_the_module_once(place: Ground) -> None:
    module = place.root / "services" / GO_SERVICE / "go.mod"
    place.add_dependency()
    first = module.read_text()
    place.add_dependency()
    assert module.read_text() != first
    assert module.read_text().count("require") == 1


@pytest.mark.parametrize("design", DESIGNS)
def test_a_copy_shares_no_cache_mount_and_each_design_but_ours_differs(design: str, tmp_path: Path) -> None:
    ours, other = Ground(tmp_path / "ours", "bench-1"), Ground(tmp_path / "other", "bench-1")
    lay_out(ours)
    lay_out(other, DESIGNS[design])
    texts = {path: path.read_text() for path in other.root.glob("services/*/Dockerfile")}
    assert len(texts) == 5
    for text in texts.values():
        assert "id=aic-sos" not in text
        assert text.count("ENV BENCH=bench-1") == len(re.findall(r"^FROM ", text, flags=re.MULTILINE))
    files = [*texts, other.root / "invoke.yaml", *other.root.glob("services/*/Cargo.toml")]
    changed = [path for path in files if path.read_text() != (ours.root / path.relative_to(other.root)).read_text()]
    assert bool(changed) == (not design.startswith("ours"))
