"""--reuse and a push of what is published already, against a real registry and one with faults."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests import faulty
from tests.faulty import Fault, Faulty
from tests.oci import Registry
from tests.support import PUSH, Repo, client, docker, tags

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("builder")]

BOTH = "linux/amd64,linux/arm64"


@pytest.fixture
def spoilt(registry: str) -> Iterator[Faulty]:
    """A registry that answers rightly until a test says otherwise."""
    with faulty.faulty(registry) as made:
        yield made
        drop(made.address)


def drop(registry: str) -> None:
    """Take everything of a registry out of the image store."""
    listed = docker("images", "--format", "{{.Repository}} {{.ID}}", "--no-trunc").splitlines()
    ids = {line.split()[1] for line in listed if line.startswith(f"{registry}/")}
    docker("rmi", "-f", *ids, check=False)


def settle(repo: Repo, registry: str) -> None:
    """Write two services that belong to a registry, one of which is compiled otherwise here."""
    for name in ("one", "two"):
        repo.service(name, f"COPY services/{name}/word /word", "ARG HOW=release", "ENV HOW=$HOW")
    repo.write(".gitignore", ".container/\n")
    text = f"container:\n  project: reuse\n  registry: {registry}/team\n"
    repo.write("invoke.yaml", f"{text}  services:\n    two:\n      local_args: {{HOW: local}}\n")
    repo.commit()


def states(repo: Repo, *words: str, task: Sequence[str] = ("container-build",)) -> dict[str, str]:
    """Return the state of each service, and fail unless the task ends well."""
    done = repo.inv(*task, "--progress", "quiet", *words).ok()
    rows = [line for line in done.out.splitlines() if line.startswith(("one ", "two "))]
    known = ("up to date", "pulled", "built", "unchanged", "failed")
    return {row.split()[0]: next(state for state in known if state in row) for row in rows}


def clone(repo: Repo, to: Path) -> Repo:
    subprocess.run(["git", "clone", "-q", repo.root, to], check=True)
    return Repo(to)


@pytest.fixture
def published(tiny: Repo, spoilt: Faulty) -> Repo:
    """Two services that a registry has, for both platforms, and that this machine has not."""
    settle(tiny, spoilt.address)
    assert states(tiny, "--platforms", BOTH, task=PUSH) == {"one": "built", "two": "built"}
    drop(spoilt.address)
    for name in ("one", "two"):
        faulty.foreign(spoilt.behind, f"team/{name}", ("latest", "v1.2.3"))
    return tiny


def test_a_fresh_clone_pulls_and_builds_nothing(published: Repo, spoilt: Faulty, tmp_path: Path, native: str) -> None:
    fresh = clone(published, tmp_path / "fresh")
    assert states(fresh, "--reuse") == {"one": "pulled", "two": "pulled"}
    assert not list((fresh.root / ".container/logs").iterdir())
    for tag in ("latest", "v1.2.3"):
        image = json.loads(docker("inspect", f"{spoilt.address}/team/two:{tag}"))[0]
        assert "HOW=release" in image["Config"]["Env"]
        assert image["Architecture"] == native
    assert states(fresh, "--reuse") == {"one": "up to date", "two": "up to date"}
    said = fresh.inv("container-build", env={"COLUMNS": "250"}).ok().out
    assert "the argument HOW is new" in said
    assert states(fresh) == {"one": "up to date", "two": "up to date"}


def test_one_request_a_service_asks_and_no_layer_is_read_of_what_does_not_fit(published: Repo, spoilt: Faulty) -> None:
    for name in ("one", "two"):
        published.write(f"services/{name}/word", "changed\n")
    spoilt.asked.clear()
    done = published.inv("container-build", "--reuse", "--tags", "latest", "--progress", "quiet").ok()
    assert "2 built" in done.out
    for name in ("one", "two"):
        assert f"{name} is built, not pulled: {spoilt.address}/team/{name}:latest was built from" in done.all
        asked = [(method, path) for method, path in spoilt.asked if f"/team/{name}/" in path]
        assert {method for method, _ in asked} == {"HEAD", "GET"}
        assert len({path for method, path in asked if method == "GET"}) == 1


def test_what_changed_is_built_and_the_rest_is_pulled(published: Repo, tmp_path: Path) -> None:
    fresh = clone(published, tmp_path / "fresh")
    fresh.write("services/one/word", "changed\n")
    planned = json.loads(fresh.inv("container-plan", "--reuse", "--json").ok().out)["services"]
    assert {one["name"]: one["state"] for one in planned} == {"one": "would build", "two": "would pull"}
    assert [
        one["service"] for one in json.loads(fresh.inv("container-plan", "--reuse", "--matrix").ok().out)["include"]
    ] == ["one"]
    assert states(fresh, "--reuse") == {"one": "built", "two": "pulled"}


def test_the_setting_says_the_same_and_force_wins(published: Repo, spoilt: Faulty) -> None:
    text = (published.root / "invoke.yaml").read_text(encoding="utf-8")
    published.write("invoke.yaml", text.replace("container:\n", "container:\n  reuse: registry\n"))
    assert states(published) == {"one": "pulled", "two": "pulled"}
    drop(spoilt.address)
    assert states(published, "--force") == {"one": "built", "two": "built"}


def test_the_first_reference_that_fits_is_taken(published: Repo, spoilt: Faulty) -> None:
    """An older release's tag may fit where latest has moved on."""
    published.write("services/one/word", "newer\n")
    published.write("VERSION", "1.2.4\n")
    published.commit()
    states(published, "--platforms", BOTH, task=PUSH)
    drop(spoilt.address)
    published.write("services/one/word", "one\n")
    published.write("VERSION", "1.2.3\n")
    assert states(published, "--reuse") == {"one": "pulled", "two": "pulled"}


def test_a_foreign_platform_and_both_come_out_of_the_same_index(published: Repo, spoilt: Faulty) -> None:
    foreign = {"amd64": "arm64", "arm64": "amd64"}[docker("version", "--format", "{{.Server.Arch}}").strip()]
    one = ("--platforms", f"linux/{foreign}", "--reuse")
    assert states(published, *one) == {"one": "pulled", "two": "pulled"}
    found = docker("inspect", "--format", "{{.Architecture}}", f"{spoilt.address}/team/one:latest-{foreign}")
    assert found.strip() == foreign
    assert states(published, *one) == {"one": "up to date", "two": "up to date"}
    assert states(published, "--platforms", BOTH, "--reuse") == {"one": "pulled", "two": "pulled"}
    for arch in ("amd64", "arm64"):  # cannot be created of what is not here
        made = docker("create", "--pull", "never", "--platform", f"linux/{arch}", f"{spoilt.address}/team/one:latest")
        docker("rm", made.strip())
    assert states(published) == {"one": "up to date", "two": "built"}


def test_a_platform_that_is_not_published_is_built(published: Repo, spoilt: Faulty) -> None:
    published.inv(*PUSH, "--force", "--platforms", "linux/amd64", "--tags", "latest").ok()
    drop(spoilt.address)
    done = published.inv("container-build", "--reuse", "--tags", "latest", "--platforms", BOTH).ok()
    assert "lacks linux/arm64" in done.all
    assert "2 built" in done.out


def test_a_push_leaves_alone_what_the_registry_has(published: Repo, spoilt: Faulty) -> None:
    both = ("--platforms", BOTH)
    before = {name: tags(f"{spoilt.behind}/team", name) for name in ("one", "two")}
    assert states(published, *both, task=PUSH) == {"one": "up to date", "two": "up to date"}
    published.write("services/one/word", "changed\n")
    published.commit()
    published.inv(*PUSH, *both).fails(5, "team/one:v1.2.3 is released already, with other content", "raise VERSION")
    assert {name: tags(f"{spoilt.behind}/team", name) for name in ("one", "two")} == before
    published.write("VERSION", "1.2.4\n")
    published.commit()
    assert states(published, *both, task=PUSH) == {"one": "built", "two": "up to date"}
    assert tags(f"{spoilt.behind}/team", "two")["v1.2.4"] == before["two"]["v1.2.3"]
    published.write("VERSION", "1.2.5\n")
    published.commit()
    assert states(published, *both, task=PUSH) == {"one": "up to date", "two": "up to date"}
    published.write("VERSION", "1.2.6\n")
    published.commit()
    assert states(published, *both, "--force", task=PUSH) == {"one": "built", "two": "built"}
    index = json.loads(Registry(spoilt.behind).manifest("team/one", "latest"))
    assert index["annotations"]["container-tasks.fingerprint"].startswith("1-")


def test_what_somebody_else_has_pushed_is_never_taken(published: Repo, spoilt: Faulty) -> None:
    """An index that promises the fingerprint, over an image that has another one."""
    name = f"{spoilt.address}/team/one:latest"
    index = docker("buildx", "imagetools", "inspect", "--raw", name)
    mark = json.loads(index)["annotations"]["container-tasks.fingerprint"]
    published.write("services/one/word", "other\n")
    published.write("VERSION", "1.2.4\n")
    published.commit()
    published.inv(*PUSH, "--platforms", BOTH, "--services", "one").ok()
    published.write("VERSION", "1.2.3\n")
    drop(spoilt.address)
    docker(
        *("buildx", "imagetools", "create", "-t", name, "-t", name.replace("latest", "v1.2.3")),
        *("--annotation", f"index:container-tasks.fingerprint={mark}", name),
    )
    published.write("services/one/word", "one\n")
    done = published.inv("container-build", "--reuse", "--services", "one").ok()
    assert "promises an image that it does not hold" in done.all
    assert "1 built" in done.out


FAULTS: dict[str, tuple[str, Fault, str]] = {
    "it is silent": ("/manifests/", faulty.silent, "no answer within 10 s"),
    "it asks for a login": ("/manifests/", faulty.status(401), "401"),
    "it forbids": ("/manifests/", faulty.status(403), "403"),
    "it is broken": ("/manifests/", faulty.status(500), "500"),
    "it cuts the connection": ("/manifests/", faulty.reset, "EOF|reset"),
    "a proxy answers with a page": ("/manifests/", faulty.page, "one is built, not pulled"),
    "an image is not what its digest says": ("/manifests/sha256:", faulty.other, "one is built, not pulled"),
    "an image is gone": ("/manifests/sha256:", faulty.status(404), "one is built, not pulled"),
    "a layer is not what its digest says": ("/blobs/", faulty.other, "one is built, not pulled"),
    "a layer is gone": ("/blobs/", faulty.status(404), "one is built, not pulled"),
    "a layer stops half-way": ("/blobs/", faulty.stuck, "nothing came for 30 s"),
    "a layer comes a byte a second": ("/blobs/", faulty.drip, "nothing came for 30 s"),
    "a layer is a page": ("/blobs/", faulty.page, "one is built, not pulled"),
}


@pytest.mark.parametrize(("path", "fault", "words"), FAULTS.values(), ids=FAULTS)
def test_it_is_built_instead_where(published: Repo, spoilt: Faulty, path: str, fault: Fault, words: str) -> None:
    spoilt.at(path, fault)
    began = time.monotonic()
    done = published.inv("container-build", "--reuse", "--progress", "quiet").ok()
    assert time.monotonic() - began < 75, done.all
    assert "2 built" in done.out
    assert re.search(words, done.all), done.all
    assert states(published) == {"one": "up to date", "two": "up to date"}


@pytest.mark.parametrize("service", [True, False], ids=["token service", "password"])
def test_a_registry_behind_a_login_is_asked_with_the_clients_credentials(
    published: Repo, spoilt: Faulty, tmp_path: Path, service: bool
) -> None:
    spoilt.at("", faulty.login("somebody", "s3cr3t-w0rd", service=service))
    known, unknown = (client(tmp_path / name, {spoilt.address: login}) for name, login in LOGINS.items())
    done = published.inv("container-build", "--reuse", "--services", "one", env=unknown).ok()
    assert "one is built, not pulled: " in done.all
    drop(spoilt.address)
    done = published.inv("container-build", "--reuse", env=known).ok()
    assert "2 pulled" in done.out
    assert "s3cr3t" not in done.all
    assert "c29tZWJvZH" not in done.all


LOGINS = {"known": ("somebody", "s3cr3t-w0rd"), "unknown": ("somebody", "s3cr3t")}


def test_it_is_built_instead_where_nothing_answers(tiny: Repo) -> None:
    settle(tiny, "localhost:9")
    done = tiny.inv("container-build", "--reuse").ok()
    assert "one is built, not pulled: " in done.all
    assert "connection refused" in done.all
    drop("localhost:9")


def test_an_image_on_stand_ins_is_looked_for_on_this_machine_alone(tiny: Repo) -> None:
    from tasks.engine.machine import stand_in_record

    settle(tiny, "images.test")
    done = tiny.inv("container-build", "--reuse").ok()
    expected = "stand-in bases" if stand_in_record.recorded() else "is built, not pulled"
    assert f"one is built, not pulled: {'it stands on ' if stand_in_record.recorded() else ''}" in done.all
    assert expected in done.all
    drop("images.test")


def test_the_copy_of_a_checkout_is_not_asked_for(published: Repo, spoilt: Faulty, tmp_path: Path) -> None:
    """What is here already is not asked for: a second clone at another path."""
    assert states(published, "--reuse") == {"one": "pulled", "two": "pulled"}
    shutil.copytree(published.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".container"))
    spoilt.asked.clear()
    assert states(Repo(tmp_path / "copy"), "--reuse") == {"one": "up to date", "two": "up to date"}
    assert not spoilt.asked
