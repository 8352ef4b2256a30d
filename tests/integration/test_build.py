"""container-build as a person uses it, on small repositories and a real engine."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import BASE, Repo, docker, environment, wait_for

pytestmark = pytest.mark.docker

REGISTRY = "images.test/tiny"


def _inspect(reference: str) -> dict[str, object]:
    found: list[dict[str, object]] = json.loads(docker("inspect", reference))
    return found[0]


def _is_there(reference: str) -> bool:
    return docker("images", "-q", reference).strip() != ""


def test_it_builds_and_loads_under_both_tags(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    revision = tiny.commit()
    result = tiny.inv("container-build").ok()
    assert docker("run", "--rm", f"{REGISTRY}/one:v1.2.3", "cat", "/word") == "one\n"
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", f"{REGISTRY}/one:latest"))
    assert labels["org.opencontainers.image.revision"] == revision
    for word in ("one", "built", f"{REGISTRY}/one:latest", "sha256:", "Next: inv container-run\n"):
        assert word in result.out
    again = tiny.inv("container-build").ok()
    assert "1 up to date" in again.out


def test_a_new_folder_is_a_new_task(tiny: Repo) -> None:
    tiny.service("sixth", "COPY services/sixth/word /word")
    assert "container-build-sixth" in tiny.inv("--list").ok().out
    tiny.inv("container-build-sixth", "--tags", "x,y").ok()
    assert _is_there(f"{REGISTRY}/sixth:y")
    assert not _is_there(f"{REGISTRY}/sixth:latest")


def test_one_failure_stops_no_other(tiny: Repo) -> None:
    tiny.service("bad", "RUN echo about to fail && exit 7")
    tiny.service("good", "RUN sleep 2", "COPY services/good/word /word")
    result = tiny.inv("container-build").fails(
        4, "1 built, 1 failed", "about to fail", "exit code: 7", "services/bad/Dockerfile:3", ".container/logs/bad.log"
    )
    assert "inv container-build --failed" in result.all
    assert _is_there(f"{REGISTRY}/good:latest")
    log = (tiny.root / ".container/logs/bad.log").read_text(encoding="utf-8")
    assert "about to fail" in log
    assert "exit code: 7" in log


def test_fail_fast_stops_the_others(tiny: Repo) -> None:
    tiny.service("bad", "RUN exit 7")
    tiny.service("slow", "RUN sleep 30")
    began = time.monotonic()
    tiny.inv("container-build", "--fail-fast").fails(4, "1 failed, 1 stopped")
    assert time.monotonic() - began < 15


def test_jobs_caps_how_many_build_at_once(tiny: Repo) -> None:
    for name in ("one", "two"):
        tiny.service(name, f"RUN echo {name} && sleep 2")
    lines = tiny.inv("container-build", "--jobs", "1", "--no-cache").ok().out.splitlines()
    begun = next(index for index, line in enumerate(lines) if line.startswith("two") and "begins" in line)
    ended = next(index for index, line in enumerate(lines) if line.startswith("one") and "built in" in line)
    assert ended < begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_child_within_two_seconds(tiny: Repo, number: signal.Signals) -> None:
    for name in ("one", "two"):
        tiny.service(name, f"RUN echo {name} && sleep 600")
    run = subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-build"],
        cwd=tiny.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    log = tiny.root / ".container/logs/two.log"
    wait_for(lambda: log.is_file() and "RUN echo two" in log.read_text(encoding="utf-8"))
    children = _descendants(run.pid)
    assert len(children) >= 2
    began = time.monotonic()
    run.send_signal(number)
    said = run.communicate(timeout=10)[0]
    assert time.monotonic() - began < 3  # two for the children, the rest for the table
    assert run.returncode == 130
    assert "Traceback" not in said
    assert "2 stopped" in said
    assert not [pid for pid in children if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return "State:\tZ" not in status  # a zombie only waits for its new parent to notice


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], check=True, capture_output=True, text=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()[1:]]
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, its_parent in parents if its_parent == parent]
        found += children
        waiting += children
    return found


def test_a_download_that_fails_is_not_called_a_compile_error(tiny: Repo) -> None:
    tiny.service("far", "RUN wget -T 3 http://127.0.0.1:9/x")
    tiny.inv("container-build").fails(4, "far (download failed)", "run the same command again")


def test_a_foreign_platform_alone_leaves_latest_to_the_image_that_runs_here(tiny: Repo, native: str) -> None:
    tiny.service("one", "COPY services/one/word /word")
    foreign = "arm64" if native == "amd64" else "amd64"
    tiny.inv("container-build", "--platforms", f"linux/{native}").ok()
    before = _inspect(f"{REGISTRY}/one:latest")["Id"]
    result = tiny.inv(f"container-build-{foreign}", env={"BUILD_PLATFORMS": "linux/amd64"}).ok()
    assert "BUILD_PLATFORMS is ignored" in result.all
    assert _inspect(f"{REGISTRY}/one:latest")["Id"] == before
    assert _is_there(f"{REGISTRY}/one:latest-{foreign}")
    assert _is_there(f"{REGISTRY}/one:v1.2.3-{foreign}")


def test_both_platforms_together_carry_the_plain_tags(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.inv("container-build", env={"BUILD_PLATFORMS": "linux/amd64,linux/arm64"}).ok()
    for arch in ("amd64", "arm64"):
        container = docker("create", "--platform", f"linux/{arch}", f"{REGISTRY}/one:latest").strip()
        docker("rm", container)


@pytest.mark.parametrize("plugin", ["packaged", "latest"])
def test_a_plain_bake_builds_the_same_from_what_print_writes(tiny: Repo, plugin: str, buildx_config: Path) -> None:
    tiny.service("one", "RUN --mount=type=secret,id=ca true", "COPY services/one/word /word")
    tiny.commit()
    definition = tiny.inv("container-build", "--print").ok().out
    assert not _is_there(f"{REGISTRY}/one:latest")
    subprocess.run(
        ["docker", "buildx", "bake", "-f", "-"],
        cwd=tiny.root,
        env=environment({"DOCKER_CONFIG": str(buildx_config)}),
        input=definition,
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = _inspect(f"{REGISTRY}/one:latest")["Id"]
    # A label alone says nothing of an image that these tasks have not made; its steps are in the cache.
    said = tiny.inv("container-build").ok().out
    assert "1 unchanged" in said
    assert "the image there was not built here" in said
    assert "1 up to date" in tiny.inv("container-build").ok().out
    assert _inspect(f"{REGISTRY}/one:latest")["Id"] == theirs


@pytest.mark.parametrize("plugin", ["packaged", "latest"])
def test_every_buildx_builds(tiny: Repo, plugin: str, buildx_config: Path) -> None:
    tiny.service("one", "COPY services/one/word /word")
    tiny.service("bad", "RUN exit 3")
    env = {"DOCKER_CONFIG": str(buildx_config)}
    tiny.inv("container-build-one", env=env).ok()
    tiny.inv("container-build-bad", env=env).fails(4, "exit code: 3", "services/bad/Dockerfile:3")


def test_templates_in_values_stay_data(tiny: Repo) -> None:
    tiny.write("VERSION", "1.0.0\n")
    tiny.service("one", "ARG VERSION", "COPY services/one/word /word")
    definition = json.loads(tiny.inv("container-build", "--print").ok().out)
    assert definition["target"]["one"]["args"]["VERSION"] == "1.0.0"
    for value in ("$(touch x)", "a;touch x", "${HOME}", "%{if true}", "`touch x`"):
        tiny.inv("container-build", "--registry", value).fails(2, "--registry")
        tiny.inv("container-build", "--tags", value).fails(2, "--tags")
        tiny.inv("container-build", "--builder", value).fails(2, "builder")
    assert not (tiny.root / "x").exists()


def test_two_runs_in_one_checkout_take_turns(tiny: Repo) -> None:
    tiny.service("one", "RUN sleep 2", "COPY services/one/word /word")
    words = [sys.executable, "-m", "invoke", "container-build", "--no-cache"]
    runs = [
        subprocess.Popen(
            words, cwd=tiny.root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum("waiting for it" in text for text in said) == 1


def test_output_that_is_not_utf8_breaks_nothing(tiny: Repo) -> None:
    tiny.service("odd", "RUN printf '\\377\\376 odd \\033[2J\\n' && exit 5")
    result = tiny.inv("container-build").fails(4, "odd")
    assert "\033[2J" not in result.all


def test_a_checkout_that_cannot_be_written_says_so(tiny: Repo) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to mount")
    tiny.service("one", "COPY services/one/word /word")
    subprocess.run(["mount", "--bind", tiny.root, tiny.root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", tiny.root], check=True)
        tiny.inv("container-build").fails(2, ".container/", "Read-only")
        tiny.inv("--list").ok()
    finally:
        subprocess.run(["umount", tiny.root], check=True)


def test_logs_that_do_not_fit_on_the_disk_end_the_run_with_a_reason(tiny: Repo) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs the right to mount")
    tiny.service("loud", "RUN seq 1 300000")
    small = tiny.root / ".container"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", small], check=True)
    try:
        (small / "last-run.json").write_text("{}", encoding="utf-8")
        tiny.inv("container-build").fails(3, "No space left", "note: this run leaves no record")
        assert not (small / "last-run.json").exists()  # it would tell of another run
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_builder_that_cannot_load_two_platforms_is_refused_before_anything_builds(tiny: Repo) -> None:
    tiny.service("one", "COPY services/one/word /word")
    docker("buildx", "create", "--name", "tiny-elsewhere", "--driver", "remote", "tcp://127.0.0.1:9")
    try:
        tiny.inv("container-build", "--builder", "tiny-elsewhere", "--platforms", "linux/amd64,linux/arm64").fails(
            2, "tiny-elsewhere", "one platform at a time"
        )
    finally:
        docker("buildx", "rm", "tiny-elsewhere")
    assert not (tiny.root / ".container/logs/one.log").exists()


def test_a_mirror_replaces_every_base_with_its_digest_kept(tiny: Repo, registry: str) -> None:
    """The mirror holds another image under the base's path: what is built stands on it."""
    tiny.service("one", "COPY services/one/word /word")
    tiny.write("mirror/Dockerfile", f"FROM {BASE}\nRUN echo from-the-mirror > /origin\n")
    definition = json.loads(tiny.inv("container-build", "--print").ok().out)["target"]["one"]
    contexts = [
        w for key, value in definition.get("contexts", {}).items() for w in ("--build-context", f"{key}={value}")
    ]
    metadata = tiny.root / "mirror.json"
    docker(
        *("buildx", "build", "-q", "--provenance=false", *contexts, "--metadata-file", str(metadata)),
        *("--output", f"type=image,name={registry}/hub/library/alpine:3.24.2,push=true", str(tiny.root / "mirror")),
    )
    digest = json.loads(metadata.read_text(encoding="utf-8"))["containerimage.digest"]
    mirrored = f"alpine:3.24.2@{digest}"
    tiny.write("services/one/Dockerfile", f"FROM {mirrored}\nCOPY services/one/word /word\n")
    tiny.write("invoke.yaml", f"container:\n  project: tiny\n  registry: {REGISTRY}\n  mirror: {registry}/hub\n")
    printed = json.loads(tiny.inv("container-build", "--print").ok().out)["target"]["one"]
    assert printed["contexts"] == {mirrored: f"docker-image://{registry}/hub/library/{mirrored}"}
    tiny.inv("container-build").ok()
    assert docker("run", "--rm", f"{REGISTRY}/one:latest", "cat", "/origin") == "from-the-mirror\n"
    assert "container-tasks.bases" not in printed["labels"]


def test_the_bundle_is_there_in_the_build_and_gone_after(tiny: Repo) -> None:
    tiny.service(
        "one",
        "RUN --mount=type=secret,id=ca,target=/tmp/ca.pem grep -c BEGIN /tmp/ca.pem > /count",
        "COPY services/one/word /word",
    )
    body = base64.b64encode(os.urandom(45)).decode()  # a certificate that only this test has
    tiny.write("private.pem", f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    tiny.write("invoke.yaml", "container: {project: tiny, registry: images.test/tiny, ca: private.pem}\n")
    tiny.inv("container-build").ok()
    image = f"{REGISTRY}/one:latest"
    assert docker("run", "--rm", image, "cat", "/count").strip() == "1"
    assert body not in docker("history", "--no-trunc", image) + docker("inspect", image)
    archive = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
    assert body.encode() not in archive
