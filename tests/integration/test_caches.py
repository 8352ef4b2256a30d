"""Caches beside the builder's own, on real builders: one writes, another reads, and no fault of one stops a build."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import actions, faulty
from tests.faulty import Fault, Faulty
from tests.support import Repo, docker, get

pytestmark = pytest.mark.docker

BOTH = "linux/amd64,linux/arm64"
FOLDER = ".container/cache"
SLOWEST = 90  # seconds, of which a stall takes 30


@pytest.fixture
def spoilt(registry: str) -> Iterator[Faulty]:
    with faulty.faulty(registry) as made:
        yield made


@pytest.fixture
def drawn(tiny: Repo, spoilt: Faulty) -> Repo:
    """A service whose build draws what no second build would draw again, from one stage that is copied from."""
    tiny.service("one", "COPY --from=first /random /random")
    path = tiny.root / "services/one/Dockerfile"
    base, *rest = path.read_text(encoding="utf-8").splitlines()
    first = [f"{base.replace('FROM ', 'FROM --platform=$BUILDPLATFORM ')} AS first", "COPY services/one/seed /"]
    first += ["RUN head -c 300000 /dev/urandom > /random"]
    path.write_text("\n".join([*first, base, *rest, ""]), encoding="utf-8")
    return tiny


def caches(repo: Repo, *words: str) -> None:
    settings = f"container:\n  project: shelf\n  registry: images.test/shelf\n  cache: [{', '.join(words)}]\n"
    repo.write("invoke.yaml", settings)


def random(repo: Repo, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Build, and return what the image has drawn."""
    repo.inv("container-build", "--force", "--progress", "quiet", *words, env=env).ok()
    return docker("run", "--rm", "images.test/shelf/one:latest", "sha256sum", "/random")


@pytest.fixture
def second(drawn: Repo) -> str:
    """A builder that has built nothing yet."""
    caches(drawn, "none")
    drawn.inv("container-setup", "--release-builder").ok()
    return "shelf-release"


@pytest.mark.parametrize("kind", ["registry", "local"])
def test_what_one_builder_has_written_another_reads(drawn: Repo, spoilt: Faulty, second: str, kind: str) -> None:
    caches(drawn, {"registry": f"registry={spoilt.address}/team/cache", "local": "local"}[kind])
    before = random(drawn, "--platforms", BOTH)
    assert random(drawn, "--builder", second) == before  # of both platforms one is enough
    if kind == "registry":
        tags = json.loads(get(f"http://{spoilt.behind}/v2/team/cache/tags/list"))["tags"]
        assert sorted(tags) == ["one..amd64", "one..amd64-arm64"]
    else:
        assert sorted(path.name for path in (drawn.root / FOLDER).iterdir()) == ["one..amd64", "one..amd64-arm64"]
        assert "blobs" in {path.name for path in (drawn.root / FOLDER / "one..amd64").iterdir()}


def test_the_cache_of_github_actions_is_written_and_read(drawn: Repo, second: str) -> None:
    caches(drawn, "gha")
    with actions.actions() as service:
        before = random(drawn, env=service.environment)
        assert service.there
        service.found.clear()
        assert random(drawn, "--builder", second, env=service.environment) == before
        assert any("one..amd64" in key for key in service.found)


FAULTS: dict[str, tuple[str, Fault]] = {
    "never comes": ("/blobs/sha256:", faulty.silent),
    "stops half-way": ("/blobs/sha256:", faulty.stuck),
    "is not what its digest says": ("/blobs/sha256:", faulty.other),
    "is gone": ("/blobs/sha256:", faulty.status(404)),
    "is a page": ("/blobs/sha256:", faulty.page),
}


@pytest.mark.parametrize(("path", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_layer_of_the_cache_that(drawn: Repo, spoilt: Faulty, second: str, path: str, fault: Fault) -> None:
    """A layer that a cache has promised and does not have, which ends BuildKit's own build or never does."""
    caches(drawn, f"registry={spoilt.address}/team/cache")
    before = random(drawn)
    layers = json.loads(_get_index(spoilt.behind))["manifests"]
    drawn_layer = next(one["digest"] for one in layers if 250_000 < one["size"] < 400_000)
    spoilt.at(f"/blobs/{drawn_layer}", _reading(fault))
    began = time.monotonic()
    done = drawn.inv("container-build", "--force", "--builder", second, "--progress", "quiet").ok()
    assert time.monotonic() - began < SLOWEST, done.all
    assert "one was built without its caches: " in done.all
    assert "1 built" in done.out
    assert docker("run", "--rm", "images.test/shelf/one:latest", "sha256sum", "/random") != before


def _reading(fault: Fault) -> Fault:
    """Spoil what is read, and let pass what is written."""

    def spoil(handler: faulty.Handler, answer: faulty.Answer) -> None:
        if handler.command == "GET":
            fault(handler, answer)
        else:
            handler.send(answer)

    return spoil


def _get_index(registry: str) -> str:
    return docker("buildx", "imagetools", "inspect", "--raw", f"{registry}/team/cache:one..amd64")


REGISTRIES: dict[str, tuple[str, Fault, str]] = {
    "is silent": ("", faulty.silent, "is left out: "),
    "is no registry": ("", faulty.page, "is left out: "),
    "never answers for the cache": ("/manifests/one", faulty.silent, "is left out: no answer within 10 s"),
    "refuses": ("/team/cache", faulty.status(401), ""),
    "cuts every connection to the cache": ("/team/cache", faulty.reset, ""),
    "is broken": ("/team/cache", faulty.status(500), ""),
}


@pytest.mark.parametrize(("path", "fault", "words"), REGISTRIES.values(), ids=REGISTRIES)
def test_a_build_goes_on_where_its_cache(drawn: Repo, spoilt: Faulty, path: str, fault: Fault, words: str) -> None:
    caches(drawn, f"registry={spoilt.address}/team/cache")
    spoilt.at(path, fault)
    began = time.monotonic()
    done = drawn.inv("container-build").ok()
    assert time.monotonic() - began < SLOWEST, done.all
    assert "1 built" in done.out
    assert words in done.all
    assert "failed" not in done.out


@pytest.mark.parametrize("fault", [faulty.silent, faulty.page, faulty.status(500), faulty.status(401), faulty.reset])
def test_a_build_goes_on_where_the_cache_of_github_actions(drawn: Repo, spoilt: Faulty, fault: Fault) -> None:
    caches(drawn, "gha")
    spoilt.at("", fault)
    began = time.monotonic()
    done = drawn.inv("container-build", env=actions.environment(spoilt.address)).ok()
    assert time.monotonic() - began < SLOWEST, done.all
    assert "1 built" in done.out
    assert spoilt.spoilt, done.all


def test_caches_that_are_not_there_are_left_out_and_named(drawn: Repo) -> None:
    caches(drawn, "registry=localhost:9/cache", "gha")
    done = drawn.inv("container-build").ok()
    assert "the cache registry=localhost:9/cache is left out: the registry localhost:9 cannot be reached" in done.all
    assert "the cache gha is left out: ACTIONS_RUNTIME_TOKEN" in done.all


def _break_layers(folder: Path) -> None:
    for blob in (folder / "blobs/sha256").iterdir():
        if 250_000 < blob.stat().st_size < 400_000:
            blob.write_bytes(b"")


def _replace(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("a file", encoding="utf-8")


BROKEN: dict[str, Callable[[Path], object]] = {
    "an index of nothing": lambda folder: (folder / "index.json").write_text("{", encoding="utf-8"),
    "an index of another kind": lambda folder: (folder / "index.json").write_text("[]", encoding="utf-8"),
    "no manifest": lambda folder: [blob.write_bytes(b"junk") for blob in (folder / "blobs/sha256").iterdir()],
    "broken layers": _break_layers,
    "a file in its place": _replace,
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_folder_that_is_broken_is_made_anew(drawn: Repo, second: str, broken: Callable[[Path], object]) -> None:
    caches(drawn, "local")
    random(drawn)
    broken(drawn.root / FOLDER / "one..amd64")
    between = random(drawn, "--builder", second)
    drawn.inv("container-clean", "--yes").ok()
    drawn.inv("container-setup", "--release-builder").ok()
    random(drawn, "--builder", second)
    assert between
    index = json.loads((drawn.root / FOLDER / "one..amd64/index.json").read_text(encoding="utf-8"))
    assert index["manifests"]


def test_a_folder_that_cannot_be_written_is_left_out(drawn: Repo) -> None:
    caches(drawn, "local=notes/cache")
    drawn.write("notes", "a file\n")
    done = drawn.inv("container-build").ok()
    assert "the cache local=notes/cache is left out: notes/cache cannot be written" in done.all


def test_a_step_that_fails_is_not_tried_twice(drawn: Repo) -> None:
    caches(drawn, "local")
    drawn.service("one", "RUN echo tried >> /log && cat /log && false")
    drawn.inv("container-build").fails(4, "step failed")
    log = (drawn.root / ".container/logs/one.log").read_text(encoding="utf-8")
    assert "again without its caches" not in log
