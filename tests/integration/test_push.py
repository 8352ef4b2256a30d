"""container-push to a real registry on this machine."""

import json
import urllib.request
from pathlib import Path
from threading import Timer

import pytest

from tests.support import PUSH, Repo, docker, tags

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("builder")]

_INDEXES = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"


def _index(address: str, name: str, tag: str) -> dict[str, list[dict[str, dict[str, str]]]]:
    host = address.replace("localhost", "127.0.0.1")
    request = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{tag}", headers={"Accept": _INDEXES})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - a loopback address
        found: dict[str, list[dict[str, dict[str, str]]]] = json.loads(answer.read())
        return found


def test_every_tag_arrives_with_both_platforms(tiny: Repo, registry: str) -> None:
    for name in ("one", "two"):
        tiny.service(name, f"COPY services/{name}/word /word")
    tiny.write(".gitignore", ".container/\n")
    tiny.commit()
    both = "linux/amd64,linux/arm64"
    tiny.inv(*PUSH, "--registry", f"{registry}/team", "--platforms", both).ok()
    for name in ("one", "two"):
        assert tags(f"{registry}/team", name).keys() == {"latest", "v1.2.3"}
        platforms = {
            f"{entry['platform']['os']}/{entry['platform']['architecture']}"
            for entry in _index(registry, f"team/{name}", "latest")["manifests"]
        }
        assert {"linux/amd64", "linux/arm64"} <= platforms


def test_files_that_change_while_they_are_pushed_are_an_error_that_names_its_mend(tiny: Repo, registry: str) -> None:
    tiny.service("one", "COPY services/one/word /word", "RUN sleep 8")
    tiny.write(".gitignore", ".container/\n")
    tiny.commit()
    later = Timer(5, lambda: tiny.write("services/one/word", "changed\n"))
    later.start()
    pushed = tiny.inv(*PUSH, "--registry", f"{registry}/team")
    later.join()
    pushed.fails(5, "files of one changed while it was pushed", "inv container-push --no-cache --services one")
    assert not tags(f"{registry}/team", "one")
    tiny.write("services/one/word", "one\n")
    tiny.inv(*PUSH, "--registry", f"{registry}/team", "--no-cache", "--services", "one").ok()
    assert tags(f"{registry}/team", "one").keys() == {"latest", "v1.2.3"}


def test_a_work_tree_that_is_not_clean_is_refused(tiny: Repo, registry: str) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-push", "--registry", registry).fails(2, "not a git repository")
    tiny.commit()
    tiny.write("services/one/word", "changed\n")
    tiny.inv("container-push", "--registry", registry).fails(2, "not clean", "services/one/word")


def test_a_registry_that_does_not_answer_is_refused(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.commit()
    tiny.inv("container-push", "--registry", "localhost:9/team").fails(5, "localhost:9", "cannot be reached")


def test_images_on_stand_in_bases_stay_here(tiny: Repo) -> None:
    from tasks.engine.machine import stand_in_record

    if not stand_in_record.recorded():
        pytest.skip("the real bases are in reach: nothing stands in")
    tiny.service("one", "COPY services/one/word /word")
    tiny.commit()
    tiny.inv("container-push", "--registry", "ghcr.io/nobody", "--print").fails(5, "stand-in", "ghcr.io/nobody")


def test_a_builder_of_our_own_builds_loads_and_pushes(tiny: Repo, registry: str) -> None:
    """The release builder: another machine's in all but name, so nothing may rely on the engine's own."""
    tiny.service("one", "COPY services/one/word /word")
    tiny.commit()
    tiny.inv("container-setup", "--release-builder").ok()
    tiny.inv("container-build", "--builder", "tiny-release").ok()
    assert docker("run", "--rm", "images.test/tiny/one:latest", "cat", "/word") == "one\n"
    both = ("--platforms", "linux/amd64,linux/arm64")
    tiny.inv("container-build", "--builder", "tiny-release", *both).fails(2, "tiny-release", "inv container-push")
    push = ("container-push", "--skip", "verify,scan", "--registry", f"{registry}/team", *both)
    tiny.inv(*push, "--builder", "default").fails(2, "cannot push by digest", "container-setup --release-builder")
    assert not tags(f"{registry}/team", "one")
    tiny.inv(*push).ok()  # which finds the one of its own
    assert len(_index(registry, "team/one", "latest")["manifests"]) >= 2
    assert "tiny-release" in tiny.inv("container-clean", "--dry-run").ok().out
    tiny.inv("container-clean", "--yes").ok()
    assert "tiny-release" not in docker("buildx", "ls")


def test_a_docker_configuration_of_its_own_takes_the_builder_that_runs(tiny: Repo, tmp_path: Path) -> None:
    """Its daemon, its cache and what it builds just now are another's, too."""
    from tasks.engine.machine import buildkitd, plugin, processes

    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-setup", "--release-builder").ok()
    running = processes.find(buildkitd.mark("tiny-release"))
    program = plugin.chosen()
    assert program is not None
    (tmp_path / "docker/cli-plugins").mkdir(parents=True)
    (tmp_path / "docker/cli-plugins/docker-buildx").symlink_to(program)
    tiny.inv("container-setup", "--release-builder", env={"DOCKER_CONFIG": str(tmp_path / "docker")}).ok()
    assert processes.find(buildkitd.mark("tiny-release")) == running
    tiny.inv("container-build", "--builder", "tiny-release").ok()
