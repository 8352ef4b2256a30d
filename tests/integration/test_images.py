"""The images themselves: what the strategy's checklist asks of each of the five."""

import concurrent.futures
import io
import json
import struct
import subprocess
import tarfile
import time
import urllib.request

import pytest

from tests.support import BASE, Repo, docker, get, running

pytestmark = pytest.mark.docker

PORTS = {"control-plane": 8000, "connector-gateway": 8001, "execution-plane": 9000, "agent": 9001, "indexer": 9002}
BUDGETS = {"control-plane": 100, "connector-gateway": 100, "execution-plane": 150, "agent": 150, "indexer": 200}
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
MACHINES = {"amd64": 62, "arm64": 183}  # e_machine of an ELF file (elf.h: EM_X86_64, EM_AARCH64)
services = pytest.mark.parametrize("service", PORTS)
platforms = pytest.mark.parametrize("arch", MACHINES)


def _file(image: str, arch: str, path: str) -> bytes:
    container = docker("create", "--platform", f"linux/{arch}", image).strip()
    try:
        tar = subprocess.run(["docker", "cp", f"{container}:{path}", "-"], check=True, capture_output=True).stdout
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        member = archive.extractfile(archive.getmembers()[0])
        assert member is not None
        return member.read()


def test_five_repositories_are_listed(images: str) -> None:
    listed = docker("images", "--format", "{{.Repository}}", "--filter", f"reference={images}/*").split()
    assert set(listed) == {f"{images}/{service}" for service in PORTS}


@services
def test_both_tags_name_the_same_image(images: str, service: str) -> None:
    ids = [docker("inspect", "--format", "{{.Id}}", f"{images}/{service}:{tag}") for tag in ("latest", "v0.1.0")]
    assert ids[0] == ids[1]


@services
@platforms
def test_the_binary_is_for_the_processor_it_is_shipped_for(images: str, service: str, arch: str) -> None:
    binary = _file(f"{images}/{service}:latest", arch, f"/usr/local/bin/{service}")
    assert binary[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", binary, 18)[0] == MACHINES[arch]
    assert b"ld-linux" not in binary[:4096], "not static"


@services
@platforms
def test_it_answers_on_its_port_with_no_rights_at_all(emulation: None, images: str, service: str, arch: str) -> None:
    with running(f"{images}/{service}:latest", PORTS[service], "--platform", f"linux/{arch}", *HARDENED) as (_, url):
        assert json.loads(get(f"{url}/health")) == {"status": "ok", "service": service}
        ready = json.loads(get(f"{url}/ready"))
        assert ready["service"] == service
        assert ready["version"] == "0.1.0"
        assert len(ready["revision"]) >= 40
        assert "# TYPE" in get(f"{url}/metrics")


@services
@platforms
def test_it_runs_as_app_with_uid_1000(emulation: None, images: str, service: str, arch: str) -> None:
    said = docker("run", "--rm", "--platform", f"linux/{arch}", f"{images}/{service}:latest", "id")
    assert said.startswith("uid=1000(app) gid=1000(app)")


@services
def test_it_is_within_its_budget(images: str, service: str) -> None:
    size = int(docker("inspect", "--format", "{{.Size}}", f"{images}/{service}:latest"))
    assert 1_000_000 < size < BUDGETS[service] * 1_000_000


@services
def test_its_configuration_is_what_a_runtime_expects(images: str, service: str) -> None:
    config = json.loads(docker("inspect", "--format", "{{json .Config}}", f"{images}/{service}:latest"))
    assert config["User"] == "1000:1000"
    assert not config.get("Entrypoint")
    assert config["Cmd"] == [f"/usr/local/bin/{service}"]
    assert list(config["ExposedPorts"]) == [f"{PORTS[service]}/tcp"]
    labels = config["Labels"]
    assert labels["container-tasks.project"] == "aic-sos"
    assert labels["org.opencontainers.image.title"] == service
    assert labels["org.opencontainers.image.version"] == "0.1.0"
    assert len(labels["org.opencontainers.image.revision"]) >= 40
    assert labels["org.opencontainers.image.created"].startswith("20")


@services
def test_a_request_in_flight_ends_before_the_process_does(images: str, service: str) -> None:
    with running(f"{images}/{service}:latest", PORTS[service]) as (container, url):
        get(f"{url}/health")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            slow = pool.submit(lambda: urllib.request.urlopen(f"{url}/slow?seconds=3", timeout=10).status)  # noqa: S310
            time.sleep(1.5)  # a busy machine is slow to hand a connection on
            began = time.monotonic()
            docker("stop", "-t", "10", container)
            assert time.monotonic() - began < 5.5
            assert slow.result() == 200
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container).strip() == "0"


@pytest.mark.parametrize("service", ["indexer", "agent"])
def test_a_stopped_process_turns_unhealthy(images: str, service: str) -> None:
    quick = ("--health-interval", "1s", "--health-start-period", "0s", "--health-retries", "2")
    with running(f"{images}/{service}:latest", PORTS[service], *quick) as (container, _):
        assert _health(container, "healthy") == "healthy"
        docker("kill", "-s", "STOP", container)
        try:
            assert _health(container, "unhealthy") == "unhealthy"
        finally:
            docker("kill", "-s", "CONT", container)


def _health(container: str, wanted: str) -> str:
    end = time.monotonic() + 30
    while True:
        state = docker("inspect", "--format", "{{.State.Health.Status}}", container).strip()
        if state == wanted or time.monotonic() > end:
            return state
        time.sleep(0.3)


def test_the_health_check_follows_the_port(images: str) -> None:
    quick = ("-e", "PORT=7000", "--health-interval", "1s", "--health-start-period", "0s")
    with running(f"{images}/agent:latest", 7000, *quick) as (container, url):
        get(f"{url}/health")
        assert _health(container, "healthy") == "healthy"


def _names(image: str) -> set[str]:
    """Return every path of an image's file system."""
    container = docker("create", image, "none").strip()
    try:
        tar = subprocess.run(["docker", "export", container], check=True, capture_output=True).stdout
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {member.name.rstrip("/") for member in archive}


@services
def test_its_binary_is_all_that_is_added_to_the_base(checkout: Repo, images: str, service: str) -> None:
    target = json.loads(checkout.inv(f"container-build-{service}", "--print").ok().out)["target"][service]
    base = target.get("contexts", {}).get(BASE, BASE).removeprefix("docker-image://")
    assert _names(f"{images}/{service}:latest") - _names(base) == {f"usr/local/bin/{service}"}


@services
def test_no_certificate_of_the_host_is_left_in_history(images: str, service: str) -> None:
    image = f"{images}/{service}:latest"
    assert "BEGIN CERTIFICATE" not in docker("history", "--no-trunc", image) + docker("inspect", image)


@pytest.mark.parametrize("service", ["control-plane", "agent"])
def test_its_own_tests_pass_in_its_own_toolchain(checkout: Repo, images: str, service: str) -> None:
    """The stage ``test`` of its Dockerfile, with the bases that our definition names."""
    definition = json.loads(checkout.inv(f"container-build-{service}", "--print").ok().out)
    target = definition["target"][service]
    target.update({"target": "test", "output": ["type=cacheonly"], "tags": []})
    done = subprocess.run(
        ["docker", "buildx", "bake", "-f", "-", "--progress", "plain", service],
        cwd=checkout.root,
        input=json.dumps(definition),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_dockerfile_builds_alone(checkout: Repo, images: str) -> None:
    """A plain ``docker build``, told only where the bases are."""
    target = json.loads(checkout.inv("container-build-indexer", "--print").ok().out)["target"]["indexer"]
    words = [
        word for key, value in target.get("contexts", {}).items() for word in ("--build-context", f"{key}={value}")
    ]
    words += [word for secret in target.get("secret", []) for word in ("--secret", secret)]
    subprocess.run(
        ["docker", "build", "-q", *words, "-f", "services/indexer/Dockerfile", "-t", f"{images}/indexer:alone", "."],
        cwd=checkout.root,
        check=True,
        capture_output=True,
    )
    assert docker("run", "--rm", f"{images}/indexer:alone", "id").startswith("uid=1000(app)")


@pytest.mark.parametrize(
    ("service", "path", "before", "after"),
    [
        ("agent", "services/agent/src/main.rs", '"stopping"', '"stopping-anew"'),
        ("indexer", "services/indexer/main.go", '"stopping"', '"stopping-anew"'),
    ],
)
def test_new_content_under_an_old_time_reaches_the_image(  # noqa: PLR0913, PLR0917 - a table of cases
    checkout: Repo, images: str, service: str, path: str, before: str, after: str
) -> None:
    import os

    source = checkout.root / path
    text = source.read_text(encoding="utf-8")
    assert before in text
    assert b"stopping-anew" not in _file(f"{images}/{service}:latest", "amd64", f"/usr/local/bin/{service}")
    try:
        source.write_text(text.replace(before, after), encoding="utf-8")
        year_ago = time.time() - 365 * 86400
        os.utime(source, (year_ago, year_ago))
        checkout.inv(f"container-build-{service}", "--registry", images, "--tags", "stale").ok()
        binary = _file(f"{images}/{service}:stale", "amd64", f"/usr/local/bin/{service}")
        assert b"stopping-anew" in binary
    finally:
        source.write_text(text, encoding="utf-8")


def test_a_secret_and_a_large_file_stay_out_of_context_and_image(tiny: Repo) -> None:
    """The root's own .dockerignore, held against what BuildKit really sends."""
    from tests.support import ROOT

    tiny.write(".dockerignore", (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    for place in ("", "services/whole/", "services/whole/deep/"):
        tiny.write(f"{place}.env", "SECRET=1\n")
        tiny.write(f"{place}prod/.ENV", "SECRET=1\n")
        tiny.write(f"{place}secrets/token.txt", "SECRET\n")
        tiny.write(f"{place}server.key", "SECRET\n")
        (tiny.root / f"{place}dump.bin").write_bytes(b"\0" * 1)
    with (tiny.root / "large.tar").open("wb") as large:
        large.truncate(100_000_000)
    tiny.write("services/whole/Dockerfile", f"FROM {BASE}\nCOPY . /all\n")
    tiny.write("services/whole/word", "here\n")
    tiny.inv("container-build").ok()
    inside = docker("run", "--rm", "images.test/tiny/whole:latest", "find", "/all", "-type", "f").split()
    assert "/all/services/whole/word" in inside
    assert not [name for name in inside if name.endswith((".env", ".ENV", ".key", ".bin", ".tar", "token.txt"))]
    log = (tiny.root / ".container/logs/whole.log").read_text(encoding="utf-8")
    assert "load build context" in log
