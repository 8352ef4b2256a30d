"""container-verify on real images: each flaw fails the check that is for it, and no other."""

import io
import json
import signal
import struct
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tasks.plan.checks import NAMES
from tests.support import (
    BASE,
    GO,
    ROOT,
    TASKS_PY,
    Repo,
    Result,
    docker,
    environment,
    loopback_registry,
    wait_for,
)

pytestmark = pytest.mark.docker

SOURCE = ROOT / "tests/integration/specimen/main.go"
BUILD = f"""\
FROM {GO} AS build
COPY specimen/main.go /src/
RUN cd /src && CGO_ENABLED=0 GOCACHE=/tmp/cache go build -trimpath -ldflags='-s -w' -o /specimen main.go \\
    && rm -rf /tmp/cache
"""
HEALTH = 'HEALTHCHECK --interval=5s --retries=2 CMD wget -q -T 2 -O /dev/null "http://127.0.0.1:$PORT/ready"'
USER = "USER 1000:1000"
MARK = "container-tasks.verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with an image, by the lines of its Dockerfile and of invoke.yaml."""

    lines: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    settings: str = ""
    files: Mapping[str, bytes] | None = None
    after: Callable[[Repo, str], None] | None = None
    """What is done once the image is built."""


def program(*, machine: int = 62, kind: int = 2, interpreter: bool = False, symbols: bool = False) -> bytes:
    """Return the smallest file that is an ELF program of some kind."""
    segments = struct.pack("<II6Q", 3, 4, 0, 0, 0, 0, 0, 0) if interpreter else b""
    sections = struct.pack("<II", 0, 2) + b"\0" * 56 if symbols else b""
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    places = (64 if segments else 0, 64 if sections else 0)
    counts = (56, 1 if segments else 0, 64, 1 if sections else 0, 0)
    return head + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, *places, 0, 64, *counts) + segments + sections


def edited(before: str, after: str) -> Callable[[Repo, str], None]:
    """Change a Dockerfile once its image is built."""

    def edit(repo: Repo, name: str) -> None:
        path = repo.root / f"services/{name}/Dockerfile"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    return edit


def verified_before(repo: Repo, name: str) -> None:
    repo.write(f".container/verified/{name}-amd64.json", '{"size": 1}')


def published_before(repo: Repo, name: str) -> None:
    registry = next(
        line for line in (repo.root / "invoke.yaml").read_text(encoding="utf-8").splitlines() if "host" in line
    )
    docker(
        "buildx",
        "imagetools",
        "create",
        "-t",
        f"{registry.split()[1]}/{name}:latest",
        "localhost:5000/stand-ins/alpine:1",
    )


def capable() -> bytes:
    """Return an archive with a program that may listen on any port, whoever runs it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("tool")
        member.mode = 0o755
        rights = b"\1\0\0\2\0\4" + bytes(14)  # VFS_CAP_REVISION_2, effective, CAP_NET_BIND_SERVICE
        member.pax_headers = {"SCHILY.xattr.security.capability": rights.decode()}
        archive.addfile(member)
    return content.getvalue()


ACCOUNT = rb'{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----\n' + b"MIIEv" * 20 + b'"}'
"""As Google writes it: in one line."""

FLAWS: Mapping[str, Flaw] = {
    "start": Flaw(),
    "healthy": Flaw(lines=("HEALTHCHECK --interval=5s --retries=2 CMD wget -q -O /dev/null http://127.0.0.1:1/ready",)),
    "answers": Flaw(),
    "version": Flaw(),
    "metrics": Flaw(),
    "restart": Flaw(lines=("USER root", "RUN mkdir -m 1777 /data", "VOLUME /data", USER)),
    "random-user": Flaw(
        lines=("COPY --chown=1000:1000 --chmod=0400 services/random-user/settings /",), files={"settings": b"x"}
    ),
    "stuck": Flaw(lines=('HEALTHCHECK CMD ["true"]',)),
    "stop": Flaw(),
    "drain": Flaw(),
    "architecture": Flaw(lines=("COPY services/architecture/tool /tool",), files={"tool": program(machine=183)}),
    "static": Flaw(lines=("COPY services/static/tool /tool",), files={"tool": program(interpreter=True)}),
    "stripped": Flaw(lines=("COPY services/stripped/tool /tool",), files={"tool": program(symbols=True)}),
    "setuid": Flaw(lines=("COPY --chmod=4755 services/setuid/tool /tool",), files={"tool": b"#!/bin/sh\n"}),
    "secrets": Flaw(
        lines=("USER root", "COPY services/secrets/env /etc/app/.env", "RUN rm /etc/app/.env", USER),
        files={"env": b"A=b\n"},
    ),
    "leftovers": Flaw(lines=("COPY services/leftovers/history /home/app/.ash_history",), files={"history": b"ls\n"}),
    "user": Flaw(without=(USER,)),
    "port": Flaw(lines=("ENV PORT=9000",), settings="port: 9000"),
    "labels": Flaw(lines=('LABEL word="one two"',), after=edited('"one two"', "three")),
    "base": Flaw(after=edited(f"FROM {BASE}", f"FROM {GO}")),
    "stop-signal": Flaw(after=edited(USER, f"{USER}\nSTOPSIGNAL SIGINT")),
    "budget": Flaw(settings="budget: 1MB"),
    "growth": Flaw(after=verified_before),
    "published": Flaw(after=published_before),
}


OTHERS: Mapping[str, tuple[str, Flaw]] = {
    "mortal": ("start", Flaw()),
    "unchecked": ("healthy", Flaw(after=edited(USER, f"{USER}\n{HEALTH}"), without=(HEALTH,))),
    "cut": ("drain", Flaw()),
    "zero": ("user", Flaw(lines=("USER 00:1000",))),
    "low": ("start", Flaw(lines=("ENV PORT=80", "EXPOSE 80"), without=("EXPOSE 8080",), settings="port: 80")),
    "capable": ("setuid", Flaw(lines=("ADD services/capable/tool.tar /",), files={"tool.tar": capable()})),
    "objects": (
        "architecture",
        Flaw(lines=("COPY services/objects/one.o /lib/one.o",), files={"one.o": program(machine=183, kind=1)}),
    ),
    "account": ("secrets", Flaw(lines=("COPY services/account/sa.json /",), files={"sa.json": ACCOUNT})),
    "open": ("port", Flaw(lines=("EXPOSE 22",), after=edited("EXPOSE 22\n", ""))),
}
"""Other flaws, each with the check that it fails."""
WELL = {
    "good": Flaw(),
    "sixth": Flaw(lines=("HEALTHCHECK --interval=5s CMD wget -q -O /dev/null http://[::1]:8080/health",)),
}
"""Without a flaw; one of them hears of IPv6 alone."""
ALL = {**FLAWS, **{name: flaw for name, (_, flaw) in OTHERS.items()}}


def specimen(repo: Repo, name: str, flaw: Flaw) -> None:
    """Add a service that is well but for a flaw."""
    lines = [
        f"FROM {BASE}",
        "COPY --from=build --chmod=0755 /specimen /usr/local/bin/specimen",
        f"COPY services/{name}/seed /",
        "ARG VERSION=dev REVISION=none",
        f"ENV PORT=8080 SERVICE_VERSION=$VERSION SERVICE_REVISION=$REVISION FLAW={name}",
        "EXPOSE 8080",
        HEALTH,
        USER,
        *flaw.lines,
        'CMD ["/usr/local/bin/specimen"]',
    ]
    repo.write(
        f"services/{name}/Dockerfile", BUILD + "\n".join(line for line in lines if line not in flaw.without) + "\n"
    )
    repo.write(f"services/{name}/seed", repo.seed)
    for file, content in (flaw.files or {}).items():
        (repo.root / f"services/{name}/{file}").write_bytes(content)


def described(repo: Repo, registry: str, services: Mapping[str, Flaw]) -> None:
    entries = []
    for name, flaw in services.items():
        entries += [f"    {name}:", "      health: /health", "      slow: /slow"]
        entries += [f"      {flaw.settings}"] if flaw.settings else []
        entries += [] if "budget" in flaw.settings else ["      budget: 50MB"]
    head = ["container:", "  project: specimens", f"  registry: {registry}", "  services:"]
    repo.write("invoke.yaml", "\n".join([*head, *entries, ""]))


@dataclass(frozen=True, slots=True)
class Shop:
    """A repository of specimens, verified."""

    repo: Repo
    registry: str
    commit: str
    result: Result
    found: Mapping[str, Any]

    def checks(self, name: str) -> Mapping[str, str]:
        image = next(one for one in self.found["images"] if one["name"] == name)
        return {check["name"]: check["result"] for check in image["checks"]}

    def failed(self, name: str) -> list[str]:
        return [check for check, result in self.checks(name).items() if result == "failed"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One specimen without a flaw and one for each check, built and verified once."""
    root = tmp_path_factory.mktemp("verify") / "specimens"
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    repo.write("specimen/main.go", SOURCE.read_text(encoding="utf-8"))
    services = {**WELL, **ALL}
    for name, flaw in services.items():
        specimen(repo, name, flaw)
    with loopback_registry(root.parent) as address:
        registry = f"{address}/specimens"
        described(repo, registry, services)
        commit = repo.commit()
        repo.inv("container-build").ok()
        for name, flaw in services.items():
            if flaw.after is not None:
                flaw.after(repo, name)
        result = repo.inv("container-verify")
        yield Shop(repo, registry, commit, result, read(repo))
        repo.inv("container-clean", "--yes")


def read(repo: Repo) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((repo.root / ".container/verify.json").read_text(encoding="utf-8"))
    return found


def left() -> str:
    return docker("ps", "-aq", "--filter", f"label={MARK}")


def test_there_is_a_flaw_for_each_check() -> None:
    assert tuple(FLAWS) == NAMES


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_fails_the_check_that_is_for_it_and_no_other(shop: Shop, name: str) -> None:
    assert shop.failed(name) == [name], shop.result.all


@pytest.mark.parametrize(("name", "check"), [(name, check) for name, (check, _) in OTHERS.items()])
def test_another_flaw_fails_its_check_alone(shop: Shop, name: str, check: str) -> None:
    assert shop.failed(name) == [check], shop.result.all


@pytest.mark.parametrize("name", WELL)
def test_without_a_flaw_every_check_says_ok_but_those_with_nothing_to_compare(shop: Shop, name: str) -> None:
    said = {check: result for check, result in shop.checks(name).items() if result != "ok"}
    assert said == {"growth": "not run", "published": "not run"}, shop.result.all


def test_the_run_says_what_failed_why_and_what_mends_it_and_its_code_is_6(shop: Shop) -> None:
    shop.result.fails(
        6,
        f"{len(ALL)} of {len(ALL) + len(WELL)} did not pass: ",
        "a request in flight at SIGTERM: /slow does not answer: ",
        "ended by itself after ",
        "an environment file: /etc/app/.env in layer 4, deleted above it and still there",
        "/tool is for arm64",
        "hint  it writes where nothing can be written: write below /tmp",
        "| open /state: read-only file system",
        "not run  growth (",
        "Evidence: .container/verify.json",
    )


def test_a_page_tells_it_too(shop: Shop) -> None:
    text = (shop.repo.root / ".container/verify.html").read_text(encoding="utf-8")
    assert f"<h1>{len(WELL)} verified, {len(ALL)} failed in " in text
    assert "an environment file: /etc/app/.env in layer 4, deleted above it and still there" in text
    assert "<script" not in text


def test_ci_gets_a_suite_for_each_image_and_a_case_for_each_check(shop: Shop) -> None:
    suites = ET.parse(shop.repo.root / ".container/verify.xml").getroot()  # noqa: S314 - we wrote it
    assert len(suites) == len(ALL) + len(WELL)
    assert {len(suite) for suite in suites} == {len(NAMES)}
    failures = [case.attrib["name"] for case in suites.iter("testcase") if case.find("failure") is not None]
    assert sorted(failures) == sorted([*FLAWS, *(check for check, _ in OTHERS.values())])


def test_raw_answers_and_the_time_to_healthy_are_kept(shop: Shop) -> None:
    good = next(one for one in shop.found["images"] if one["name"] == "good")
    assert 0 < good["seconds_to_healthy"] < 10
    assert good["answers"]["ready"]["status"] == 200
    ready = json.loads(good["answers"]["ready"]["body"])
    assert ready == {"version": "1.2.3", "revision": shop.commit}
    assert "requests_total 1" in good["answers"]["metrics"]["body"]


def test_what_passed_is_what_the_next_is_held_against(shop: Shop) -> None:
    result = shop.repo.inv("container-verify", "--services", "good").ok()
    assert "growth" not in result.out
    held = json.loads((shop.repo.root / ".container/verified/good-amd64.json").read_text(encoding="utf-8"))
    image = read(shop.repo)["images"][0]
    assert held == {"image": image["image"], "size": image["size"]}


def test_growth_that_is_meant_is_let_through_once(shop: Shop) -> None:
    verified_before(shop.repo, "good")
    shop.repo.inv("container-verify", "--services", "good").fails(6, "growth", "--skip growth")
    shop.repo.inv("container-verify", "--services", "good", "--skip", "growth").ok()
    shop.repo.inv("container-verify", "--services", "good").ok()


def test_no_container_is_left(shop: Shop) -> None:
    assert left() == ""


def test_ctrl_c_leaves_no_container(shop: Shop) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-verify", "--services", "good,stop,drain"],
        cwd=shop.repo.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        wait_for(lambda: len(left().split()) > 2, what=left)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=30)
    assert run.returncode == 130, said
    assert "stopped by Ctrl-C; nothing of it is left" in said
    assert time.monotonic() - began < 10
    assert left() == ""


def test_what_a_killed_run_has_left_goes_with_the_next(shop: Shop) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "container-verify", "--services", "good"],
        cwd=shop.repo.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as run:
        wait_for(lambda: len(left().split()) > 1, what=left)
        run.kill()
    assert left() != ""
    shop.repo.inv("container-verify", "--services", "good").ok()
    assert left() == ""


@pytest.fixture
def pushed(shop: Shop) -> Iterator[str]:
    """The good specimen in the registry alone, by its digest."""
    local, remote = f"{shop.registry}/good:latest", f"{shop.registry}/elsewhere:1"
    docker("tag", local, remote)
    docker("push", "-q", remote)
    digest = json.loads(docker("buildx", "imagetools", "inspect", remote, "--format", "{{json .Manifest}}"))["digest"]
    docker("rmi", remote)
    yield f"{shop.registry}/elsewhere@{digest}"
    docker("rmi", "-f", f"{shop.registry}/elsewhere@{digest}", check=False)


def test_an_image_by_digest_is_pulled_and_held_against_its_service(shop: Shop, pushed: str) -> None:
    result = shop.repo.inv("container-verify", "--image", pushed).ok()
    assert f"Not in the image store, so pulled for linux/amd64: {pushed}" in result.out
    image = read(shop.repo)["images"][0]
    assert (image["name"], image["reference"]) == ("good", pushed)
    assert {check["name"] for check in image["checks"] if check["result"] == "not run"} <= {"growth", "published"}


def bare(repo: Repo, name: str, *lines: str, platform: str = "linux/amd64") -> str:
    """Build an image on nothing, from the specimen's program alone, by docker's own command line."""
    reference = f"images.test/bare-{name}:latest"
    repo.write("bare/Dockerfile", "\n".join([BUILD.rstrip(), "FROM scratch", *lines, ""]))
    words = json.loads(repo.inv("container-build", "--services", "good", "--print").ok().out)["target"]["good"]
    contexts = [word for key, value in words["contexts"].items() for word in ("--build-context", f"{key}={value}")]
    docker(
        "build",
        "-q",
        *contexts,
        "--platform",
        platform,
        "-f",
        str(repo.root / "bare/Dockerfile"),
        "-t",
        reference,
        str(repo.root),
    )
    return reference


def test_any_image_is_verified_even_one_that_holds_a_single_file(shop: Shop) -> None:
    image = bare(
        shop.repo,
        "one",
        "COPY --from=build /specimen /specimen",
        "USER 1000",
        "ENV PORT=8080",
        "EXPOSE 8080",
        'CMD ["/specimen"]',
    )
    try:
        shop.repo.inv("container-verify", "--image", image).ok()
        found = {check["name"]: check for check in read(shop.repo)["images"][0]["checks"]}
        assert {name for name, check in found.items() if check["result"] == "ok"} >= {
            *(
                "start",
                "metrics",
                "restart",
                "random-user",
                "stop",
                "architecture",
                "setuid",
                "secrets",
                "leftovers",
                "user",
            ),
        }
        assert found["healthy"]["evidence"] == "the image has no HEALTHCHECK"

    finally:
        docker("rmi", "-f", image)


def test_an_image_without_a_command_does_not_start_and_is_read_all_the_same(shop: Shop) -> None:
    image = bare(shop.repo, "mute", "COPY --from=build /specimen /specimen", "USER 1000")
    try:
        shop.repo.inv("container-verify", "--image", image).fails(6, "(start)", "does not start: no command specified")
        checks = {check["name"]: check["result"] for check in read(shop.repo)["images"][0]["checks"]}
        assert checks["secrets"] == checks["user"] == "ok"
    finally:
        docker("rmi", "-f", image)


def test_a_platform_that_does_not_run_here_is_not_run_and_a_failure_where_it_is_required(shop: Shop) -> None:
    (shop.repo.root / "bare").mkdir(exist_ok=True)
    (shop.repo.root / "bare/alien").write_bytes(program(machine=243))
    image = bare(
        shop.repo, "alien", "COPY --chmod=0755 bare/alien /alien", "USER 1000", 'CMD ["/alien"]', platform="linux/arm64"
    )
    words = ("container-verify", "--image", image, "--platforms", "linux/arm64", "--skip", "architecture")
    try:
        result = shop.repo.inv(*words).ok()
        assert "linux/arm64 does not run on this engine: inv container-setup --emulation" in result.out
        checks = {check["name"]: check["result"] for check in read(shop.repo)["images"][0]["checks"]}
        assert checks["start"] == checks["stop"] == "not run"
        assert checks["secrets"] == "ok"
        shop.repo.inv(*words, "--require").fails(6, "(start)", "does not run on this engine")
    finally:
        docker("rmi", "-f", image)


def test_what_is_missing_is_built_first(shop: Shop) -> None:
    docker("rmi", f"{shop.registry}/good:latest", f"{shop.registry}/good:v1.2.3")
    result = shop.repo.inv("container-verify", "--services", "good").ok()
    assert "Not in the image store for linux/amd64, so built first: good" in result.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--image", "x", "--services", "good"), 2, "--image and --services are two choices"),
        (("--skip", "statik"), 2, "--skip: there is no check 'statik'\nhint: did you mean static?"),
        (("--image", "A B"), 2, "--image: 'A B' cannot be an image"),
        (("--image", ""), 2, "--image is empty"),
        (("--image", "-x"), 2, "--image: '-x' cannot be an image"),
        (("--image", "localhost:1/none:1"), 5, "localhost:1/none:1 cannot be had: "),
        (("--services", "nobody"), 2, "there is no service 'nobody'"),
    ],
)
def test_a_wrong_word_is_named(shop: Shop, words: tuple[str, ...], code: int, said: str) -> None:
    shop.repo.inv("container-verify", *words).fails(code, said)


def test_the_five_services_pass_on_both_platforms(emulation: None, checkout: Repo, images: str) -> None:
    words = ("container-verify", "--registry", images, "--require")
    checkout.inv(*words, "--platforms", "linux/amd64").ok()
    native = read(checkout)
    assert native["seconds"] < 30
    checkout.inv(*words, "--platforms", "linux/arm64").ok()
    for found in (native, read(checkout)):
        assert len(found["images"]) == 5
        for image in found["images"]:
            left_out = {check["name"] for check in image["checks"] if check["result"] != "ok"}
            assert left_out <= {"growth", "published"}, image


def test_what_is_ruled_out_is_no_reason_to_pass(shop: Shop) -> None:
    words = ("--skip", "start,healthy,answers")
    said = shop.repo.inv("container-verify", "--services", "start,healthy,answers", *words).fails(6, "1 of 3 did not")
    assert "restart  it does not run: it ended" in said.out  # and what is ill in what was ruled out alone is tried on
    assert "2 verified, 1 failed" in said.out
