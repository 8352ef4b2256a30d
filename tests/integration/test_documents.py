"""The documents: each command is run here or by CI, or says why not; all that they name is there."""

import ast
import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import pytest
from invoke.util import yaml

from tests import advisories
from tests.oci import Registry
from tests.support import ROOT, Repo, docker, environment, loopback_registry

NAMES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    ".github/CONTAINER-BUILD.md",
    ".github/CONTAINER-BUILD-STRATEGY.md",
    "docs/record.md",
)
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
GUIDE = TEXTS[".github/CONTAINER-BUILD.md"]
BIN = Path(sys.executable).parent
# What .ci/run does on a clean clone, so that a test of it would only nest it.
BY_CI = {
    "python3 -m venv .venv && . .venv/bin/activate && pip install -e '.[dev]'",
    "inv container-setup container-build",
    "inv test",
    "inv lint test",
}
ELSEWHERE = "run elsewhere"
# Flags of Invoke itself, which stand before any task.
CORE = {"--config", "--help", "--list", "--print-completion-script"}
# What the documents name, and is made by a run, or belongs to another repository.
NOT_HERE = {
    ".trivyignore.yaml",
    "trivy.yaml",
    ".container/verify.json",
    ".container/verify.xml",
    ".container/verify.html",
    ".container/last-run.json",
    ".container/logs/",
    "apps/",
    "docker-bake.override.json",
    "invoke.json",
    "invoke.yml",
}

_BLOCK = re.compile(r"(?:^<!-- ([^\n]+) -->\n)?^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"\.?[\w-][\w./-]*(?:\.(?:py|toml|yaml|yml|lock|md|json|svg)|/)")


@dataclass(frozen=True, slots=True)
class Block:
    """The commands between two fences."""

    document: str
    marker: str
    commands: tuple[str, ...]


BLOCKS = tuple(
    Block(name, marker, tuple(line for line in commands.splitlines() if line.strip()))
    for name, text in TEXTS.items()
    for marker, commands in _BLOCK.findall(text)
)
HERE = tuple(dict.fromkeys(command for block in BLOCKS if not block.marker for command in block.commands))
each = pytest.mark.parametrize("name", NAMES)


def test_ci_runs_what_the_readme_says_and_nothing_else() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    ran = [line for line in script.splitlines() if line.startswith(("inv ", "python3 "))]
    assert ran == [
        "python3 -m venv .venv && . .venv/bin/activate && pip install -q -e '.[dev]'",
        "inv container-setup container-build",
        "inv lint test",
    ]
    readme = {command for block in BLOCKS if block.document == "README.md" for command in block.commands}
    assert readme >= BY_CI


@each
def test_a_block_that_is_not_run_says_why(name: str) -> None:
    comments = re.findall(r"<!--(.*?)-->", TEXTS[name], re.DOTALL)
    assert [comment.strip() for comment in comments] == [
        block.marker for block in BLOCKS if block.document == name and block.marker
    ]
    assert all(re.fullmatch(rf" (?:{ELSEWHERE}|not run: \w.{{10,}}) ", comment) for comment in comments)


def test_no_command_that_is_run_here_starts_the_tests() -> None:
    starts = re.compile(r"\binv (?:lint )?test\b|\bpytest\b")
    assert not [command for command in HERE if command not in BY_CI and starts.search(command)]


@pytest.fixture(scope="module")
def place(checkout: Repo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repo, Mapping[str, str]]]:
    """A clone to type the commands in, with the environment for it: nobody else's project, registry or ports."""
    above = tmp_path_factory.mktemp("documents")
    repo = Repo(above / "aic-sos")
    subprocess.run(["git", "clone", "-q", checkout.root, repo.root], check=True)
    files = sorted(repo.root.glob("services/*/Dockerfile"))
    for path, port in zip(files, _free_ports(len(files)), strict=True):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(EXPOSE |PORT=)\d+", rf"\g<1>{port}", text), encoding="utf-8")
    repo.commit()
    with loopback_registry(above) as address:
        env = {
            "DOCKER_REGISTRY": f"{address}/documents",
            "INVOKE_CONTAINER_PROJECT": f"documents-{repo.seed[:8]}",
            # Where there is a Trivy, a push scans: by a database of the tests' own, since no other is in reach.
            "INVOKE_CONTAINER_SCAN_DB": advisories.push(Registry(address), "db:2"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        yield repo, env
        repo.inv("container-stop", env=env)
        repo.inv("container-clean", "--yes", env=env)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _type(command: str, folder: Path, env: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.docker
@pytest.mark.parametrize("command", [command for command in HERE if command not in BY_CI])
def test_every_other_command_does_what_it_says(place: tuple[Repo, Mapping[str, str]], command: str) -> None:
    repo, env = place
    _type(command, repo.root, env)


@pytest.mark.docker
@pytest.mark.parametrize("name", sorted({block.document for block in BLOCKS if block.marker == ELSEWHERE}))
def test_another_repository_takes_the_tasks_as_the_document_says(
    place: tuple[Repo, Mapping[str, str]], name: str
) -> None:
    shop = Repo(place[0].root.parent / f"shop-{place[0].seed[:8]}")
    registry = f"images.test/{shop.root.name}"
    shop.service("web")
    shop.write("tasks.py", re.findall(r"```python\n(.*?)```", TEXTS[name], re.DOTALL)[0])
    subprocess.run([sys.executable, "-m", "venv", shop.root / ".venv"], check=True)
    env = {"DOCKER_REGISTRY": registry, "PATH": f"{shop.root / '.venv/bin'}:{os.environ['PATH']}"}
    try:
        for block in BLOCKS:
            if (block.document, block.marker) == (name, ELSEWHERE):
                for command in block.commands:
                    _type(command, shop.root, env)
        assert f"{registry}/web" in docker("images", "--format", "{{.Repository}}")
        assert (shop.root / "invoke.yaml").is_file()
        package = next(shop.root.glob(".venv/lib/*/site-packages/container_tasks"))
        assert (package / "engine/machine/recipe/Dockerfile").is_file()
        assert (shop.root / ".container/report.html").is_file()
    finally:
        _type("inv container-clean --yes", shop.root, env)
        shutil.rmtree(shop.root)


@functools.cache
def _flags() -> Mapping[str, set[str]]:
    """Return this repository's tasks, as its tasks.py lists them, with their flags."""
    from dev import checks, picture
    from dev.bench import task as bench
    from tasks.cli import collection

    pictures = (picture.picture, picture.picture_report)
    own = (checks.lint, checks.run_tests, *pictures, bench.bench, bench.bench_designs, bench.bench_profiles)
    found = collection(ROOT, *own)
    return {str(context.name): set(context.flag_names()) for context in found.to_contexts()}


def test_every_task_is_in_the_readme() -> None:
    listed = {task for task in _flags() if not task.startswith("container-build-")}
    assert listed <= set(re.findall(r"`([a-z-]+)`", TEXTS["README.md"]))


@each
def test_every_task_that_it_names_exists(name: str) -> None:
    named = set(re.findall(r"(?<![\w./#-])container-[a-z]+(?:-[a-z0-9]+)*", TEXTS[name])) - {"container-tasks"}
    assert named <= set(_flags())


@each
def test_every_flag_that_it_names_exists(name: str) -> None:
    known = _flags()
    anywhere = CORE.union(*known.values())
    for span in _spans(TEXTS[name]):
        if span.startswith("--"):
            assert re.split(r"[\s|=]", span)[0] in anywhere, span
        for typed in re.findall(r"\binv ([^|;&)>'\"]+)", span):
            task = ""
            for before, word in pairwise(["", *typed.split()]):
                if word in known:
                    task = word
                elif word.startswith("--"):
                    assert word in (known[task] if task else CORE), span
                else:
                    assert before.startswith("--") or "<" in word or word == "…", span


def _spans(text: str) -> Iterator[str]:
    """Yield what is set as code: within a line, and the lines between fences."""
    for fence in _FENCE.findall(text):
        yield from fence.splitlines()[1:-1]
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


@each
def test_every_file_that_it_names_is_there(name: str) -> None:
    for span in re.findall(r"`([^`\n]+)`", _FENCE.sub("", TEXTS[name])):
        if _PATH.fullmatch(span) and span not in NOT_HERE:
            assert (ROOT / span).exists(), span


@each
def test_every_link_within_the_repository_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.is_file(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_slug, heads), link


def _slug(head: str) -> str:
    return re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")


def _told() -> tuple[str, ...]:
    rows = GUIDE.partition("## When something stops you")[2].partition("\n## ")[0].splitlines()
    return tuple(found[1] for row in rows if (found := re.match(r"\| `([^`]+)` \|", row)))


def test_the_table_of_errors_is_read() -> None:
    assert len(_told()) > 60


@pytest.mark.parametrize("told", _told())
def test_every_error_in_the_table_is_one_that_the_code_prints(told: str) -> None:
    pieces = [piece.strip() for piece in told.split("…") if piece.strip()]
    assert len(max(pieces, key=len)) >= 8, "too short to be sure of"
    pattern = re.compile(".*".join(map(re.escape, pieces)), re.DOTALL)
    assert any(pattern.search(text) for text in _said())


@functools.cache
def _said() -> frozenset[str]:
    """Return every text in the code of the tasks but docstrings; ``…`` stands for what is filled in."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "tasks").rglob("*.py"))]
    known = {
        node.targets[0].id: str(node.value.value)
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and _is_text(node.value)
    }
    found: set[str] = set()
    for tree in trees:
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                found.add("".join(_filled(part, known) for part in node.values))
            elif _is_text(node) and id(node) not in documents:
                found.add(str(node.value))
    return frozenset(found)


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _filled(part: ast.expr, known: Mapping[str, str]) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
        return known.get(part.value.id, "…")
    return "…"


@each
def test_actions_are_pinned_by_commit_with_their_version_beside(name: str) -> None:
    for fence in re.findall(r"```yaml\n(.*?)```", TEXTS[name], re.DOTALL):
        assert _yaml(fence)
        uses = re.findall(r"uses: (.*)", fence)
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", one) for one in uses)


def _yaml(text: str) -> Any:  # noqa: ANN401 - any YAML value
    return yaml.safe_load(text)  # type: ignore[no-untyped-call]  # Invoke's own copy


def test_dependabot_looks_at_every_service_in_its_language() -> None:
    updates = _yaml((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    looked = {update["package-ecosystem"]: update.get("directories", [update.get("directory")]) for update in updates}
    others = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("dev/**/*Dockerfile")}
    assert set(looked["docker"]) == {"/services/*", *others}
    for ecosystem, file in (("gomod", "go.mod"), ("cargo", "Cargo.toml")):
        folders = sorted(path.parent.name for path in ROOT.glob(f"services/*/{file}"))
        assert looked[ecosystem] == [f"/services/{name}" for name in folders]
    assert {"pip", "github-actions"} <= set(looked)
    assert all(update["schedule"] == {"interval": "weekly"} and update["groups"] for update in updates)


def test_the_hooks_fetch_nothing_and_their_programs_are_there() -> None:
    repos = _yaml((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    for hook in repos[0]["hooks"]:
        assert hook["language"] in {"system", "pygrep"}
        if hook["language"] == "system":
            assert (BIN / hook["entry"].split()[0]).is_file()


def test_the_picture_is_whole_and_fetches_nothing() -> None:
    from dev.picture import PICTURE, svg

    for text in (PICTURE.read_text(encoding="utf-8"), svg("inv x", "\x1b[1mshop\x1b[0m  v1\nNext: <that>\n")):
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own file
        assert "@font-face" not in text
        assert "href" not in text
