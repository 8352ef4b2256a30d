import json
import os
import signal
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tasks.engine import buildx, workspace
from tasks.engine.events import Ended, Event, Output
from tasks.engine.machine import plugin
from tasks.errors import ConfigError, EngineError, Interrupted
from tasks.plan.bases import Base, Origin
from tasks.plan.failures import Kind
from tasks.plan.outcomes import Outcome, State
from tasks.plan.targets import Plan, make_plan
from tests.support import Repo
from tests.unit.samples import plan, request, source

RECORDED = Path(__file__).parent / "recorded"
# What `docker buildx bake demo` wrote for a build that began anew: its events and its metadata file.
PLAY = f"""
while [ $# -gt 0 ]; do
    case $1 in --metadata-file) cp {RECORDED}/built.json "$2" ;; esac
    target=$1
    shift
done
"""
BUILT = f"{PLAY}cat {RECORDED}/built.rawjson >&2"
FAILED = f"cat {RECORDED}/failed.rawjson >&2; exit 1"
DIGEST = "sha256:2e4debda2cd54c047a436926165c1f361751ac0299543ecfc8007aa8fda3bf08"
CONFIG = "sha256:d7fc62dbb621ed58316b9abcbd8cad9c1324e8dcff1b781781833617f91a5578"

Docker = Callable[[str], None]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Put a docker on PATH that is the shell script given."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(plugin, "_SYSTEM_FOLDERS", ())
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))

    def write(script: str) -> None:
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(stat.S_IRWXU)

    return write


@dataclass
class Heard:
    """What a display would have heard."""

    services: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    on_begun: Callable[[], None] = lambda: None

    def begun(self, service: str) -> None:
        self.services.append(service)
        self.on_begun()

    def event(self, service: str, event: Event) -> None:
        self.events.append(event)

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def build(
    repo: Repo, planned: Plan, heard: Heard | None = None, known: dict[str, str] | None = None
) -> tuple[Outcome, ...]:
    workspace.prepare(repo.root)
    conduct = buildx.Conduct(root=repo.root, builder=None, jobs=2, fail_fast=False, known=lambda: known or {})
    return buildx.build(planned, "{}", heard or Heard(), conduct)


def demo() -> Plan:
    return plan(source("demo"), tags=("1",))


def test_a_build_that_succeeds_is_told_logged_and_measured(repo: Repo, docker: Docker) -> None:
    docker(BUILT)
    heard = Heard()
    (outcome,) = build(repo, demo(), heard)
    assert (outcome.state, outcome.digest, outcome.failure) == (State.BUILT, DIGEST, None)
    assert outcome.cached == pytest.approx(1 / 3)
    assert outcome.reference == "registry.example/shop/demo:1"
    assert outcome.seconds > 0
    assert heard.services == ["demo"]
    assert heard.outcomes == [outcome]
    assert [event.line for event in heard.events if isinstance(event, Output)] == ["compiling"]
    log = (repo.root / outcome.log).read_text(encoding="utf-8")
    assert outcome.log == ".container/logs/demo.log"
    assert "[build 3/3] RUN echo compiling && echo done > /out.txt\n" in log
    assert " compiling\n" in log


@pytest.mark.parametrize("image", [DIGEST, CONFIG])
def test_an_image_that_the_store_had_already_is_unchanged(repo: Repo, docker: Docker, image: str) -> None:
    docker(BUILT)
    (outcome,) = build(repo, demo(), known={"registry.example/shop/demo:1": image})
    assert outcome.state is State.UNCHANGED


def test_an_image_that_lacks_one_of_its_tags_is_not_unchanged(repo: Repo, docker: Docker) -> None:
    docker(BUILT)
    (outcome,) = build(repo, plan(source("demo"), tags=("1", "2")), known={"registry.example/shop/demo:1": DIGEST})
    assert outcome.state is State.BUILT


def test_an_image_of_which_buildx_says_little_is_not_unchanged(repo: Repo, docker: Docker) -> None:
    docker(f"cat {RECORDED}/built.rawjson >&2")
    (outcome,) = build(repo, demo())
    assert (outcome.state, outcome.digest) == (State.BUILT, None)


def test_a_step_that_fails_is_explained_with_its_lines_and_its_place(repo: Repo, docker: Docker) -> None:
    docker(FAILED)
    heard = Heard()
    (outcome,) = build(repo, demo(), heard)
    failure = outcome.failure
    assert outcome.state is State.FAILED
    assert outcome.digest is None
    assert failure is not None
    assert failure.kind is Kind.STEP
    assert failure.step.startswith("[build 3/3] RUN echo compiling; printf")
    assert failure.message == "the step ended with exit code: 7"
    assert failure.lines == ("compiling", "main.c:3: undeclared ä")
    assert failure.place == "services/demo/Dockerfile:3"
    assert failure.excerpt == (
        "   2 |     WORKDIR /src",
        r"   3 | >>> RUN echo compiling; printf 'main.c:3: undeclared \303\244\n' >&2; \ ".rstrip(),
        "   4 | >>>     exit 7",
        "   5 |     FROM scratch",
    )
    ended = [event.step for event in heard.events if isinstance(event, Ended) and event.step.error]
    assert [step.name for step in ended] == [failure.step]
    log = (repo.root / outcome.log).read_text(encoding="utf-8")
    assert "ERROR: process " in log
    assert "main.c:3: undeclared ä\n" in log
    assert log.rstrip().splitlines()[-1].startswith("ERROR: failed to solve: process ")


def test_one_failure_leaves_the_other_services_alone_and_the_order_is_the_plans(repo: Repo, docker: Docker) -> None:
    docker(f"{PLAY}case $target in bad) {FAILED} ;; esac; sleep 0.05; cat {RECORDED}/built.rawjson >&2")
    outcomes = build(repo, plan(source("one"), source("bad"), source("two")))
    assert [(outcome.service, outcome.state) for outcome in outcomes] == [
        ("one", State.BUILT),
        ("bad", State.FAILED),
        ("two", State.BUILT),
    ]


@pytest.mark.parametrize(
    ("lower", "state", "because"),
    [(FAILED, State.STOPPED, ("it stands on one, which failed",)), (BUILT, State.FAILED, ())],
    ids=["which has failed", "which has not"],
)
def test_a_step_of_the_image_below_is_that_ones_failure(
    repo: Repo, docker: Docker, lower: str, state: State, because: tuple[str, ...]
) -> None:
    """The builder runs it once for both, and each build hears that it failed."""
    upper = f"sed 's/\\[build /[_one /g' {RECORDED}/failed.rawjson >&2; exit 1"
    docker(f"{PLAY}case $target in two) {upper} ;; esac; sleep 0.1; {lower}")
    below, above = (
        source("one"),
        source("two", bases=(Base(reference="shop/one", replacement="_one", origin=Origin.OWN),)),
    )
    planned = make_plan([below, above], request(), others=[source("one")])
    outcome = build(repo, planned)[1]
    assert (outcome.service, outcome.state, outcome.because) == ("two", state, because)
    assert (outcome.failure is None) == (state is State.STOPPED)


def test_each_service_is_asked_for_by_its_target_with_the_definition_on_standard_input(
    repo: Repo, docker: Docker, tmp_path: Path
) -> None:
    docker(f'cat > {tmp_path}/stdin; echo "$@" > {tmp_path}/words')
    workspace.prepare(repo.root)
    conduct = buildx.Conduct(root=repo.root, builder="b", jobs=1, fail_fast=False)
    buildx.build(plan(source("api.v2")), '{"target": "Größe"}', Heard(), conduct)
    assert (tmp_path / "stdin").read_text(encoding="utf-8") == '{"target": "Größe"}'
    words = (tmp_path / "words").read_text().split()
    assert words[:6] == ["buildx", "bake", "--builder", "b", "--progress=rawjson", "-f"]
    assert words[6:8] == ["-", "--metadata-file"]
    assert words[9:] == ["api_v2"]


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("echo 'ERROR: failed to solve: no Dockerfile' >&2; exit 1", Kind.DEFINITION, "failed to solve: no Doc"),
        ("exit 1", Kind.DEFINITION, "buildx ended with 1"),
        ("kill -KILL $$", Kind.DEFINITION, "buildx ended with -9"),
        (r"printf 'ERROR: a\377b\n' >&2; exit 1", Kind.DEFINITION, "a\N{REPLACEMENT CHARACTER}b"),
        ("echo 'ERROR: rpc error: code = Unavailable desc = gone' >&2; exit 1", Kind.ENGINE, "rpc error"),
    ],
)
def test_a_failure_without_a_step_gives_the_last_words(
    repo: Repo, docker: Docker, script: str, kind: Kind, message: str
) -> None:
    docker(script)
    (outcome,) = build(repo, demo())
    assert outcome.failure is not None
    assert outcome.failure.kind is kind
    assert outcome.failure.message.startswith(message)
    assert outcome.failure.excerpt == ()


def test_ctrl_c_ends_a_build_that_hangs_and_every_service_hears_of_it(repo: Repo, docker: Docker) -> None:
    docker("exec sleep 60")
    heard = Heard(on_begun=lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Interrupted):
        build(repo, plan(source("one"), source("two"), source("three")), heard)
    assert {outcome.service: outcome.state for outcome in heard.outcomes} == dict.fromkeys(
        ["one", "two", "three"], State.STOPPED
    )
    assert [outcome.log for outcome in heard.outcomes if outcome.service == "three"] == [""]


def test_a_log_that_cannot_be_written_is_named(repo: Repo, docker: Docker) -> None:
    docker(BUILT)
    (workspace.prepare(repo.root) / "logs/demo.log").mkdir()
    with pytest.raises(EngineError, match="the log of demo cannot be written: Is a directory"):
        build(repo, demo())


# How docker answers for a plugin that it does not have: an error, but the general help for --help.
NO_PLUGIN = """
case "$*" in
    *--help) echo 'Usage:  docker [OPTIONS] COMMAND' ;;
    *) printf "docker: unknown command: docker buildx\\n\\nRun 'docker --help' for more information\\n" >&2; exit 1 ;;
esac
"""
TOO_OLD = """
case "$*" in
    *--help) echo 'Usage:  docker buildx COMMAND' ;;
    *rawjson*) echo 'ERROR: invalid progress mode rawjson' >&2; exit 1 ;;
esac
"""
REFUSES = """
case "$*" in
    *--help) echo 'Usage:  docker buildx COMMAND' ;;
    *"--print probe") exit 0 ;;
    *) printf '#1 load\\nERROR: -: unknown key\\n' >&2; exit 1 ;;
esac
"""
NO_BAKE = """
case "$*" in
    "buildx --help") echo 'Usage:  docker buildx COMMAND' ;;
    *) echo 'unknown command' >&2; exit 1 ;;
esac
"""
NO_BUILDER = """
case "$*" in
    *--help) echo 'Usage:  docker buildx COMMAND' ;;
    *inspect*) echo 'ERROR: no builder "nope" found' >&2; exit 1 ;;
    *) echo '{"Name": "default", "Driver": "docker"}'; echo '{"Name": "a", "Driver": "remote"}' ;;
esac
"""


def test_a_build_runs_the_plugin_itself(docker: Docker, repo: Repo, tmp_path: Path) -> None:
    docker("exit 1")
    program = tmp_path / "config/cli-plugins/docker-buildx"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{BUILT}\n", encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    assert build(repo, demo())[0].state is State.BUILT


def test_git_is_asked_for_nothing_that_only_a_provenance_says(docker: Docker, repo: Repo, tmp_path: Path) -> None:
    docker(f'echo "$BUILDX_GIT_INFO" >> {tmp_path}/said\n{BUILT}')
    workspace.prepare(repo.root)
    for provenance in (True, False):
        conduct = buildx.Conduct(root=repo.root, builder=None, jobs=1, fail_fast=False, provenance=provenance)
        buildx.build(demo(), "{}", Heard(), conduct)
    assert (tmp_path / "said").read_text(encoding="utf-8").split("\n")[:2] == ["", "false"]


def test_a_definition_that_buildx_reads_is_fine(docker: Docker, tmp_path: Path) -> None:
    docker(f"cat > {tmp_path}/stdin")
    buildx.check('{"x": 1}', tmp_path, None)
    assert json.loads((tmp_path / "stdin").read_text()) == {"x": 1}


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (NO_PLUGIN, EngineError, "docker has no buildx plugin\nhint: inv container-setup brings one"),
        (TOO_OLD, EngineError, "buildx is too old: .*invalid progress mode rawjson.*\nhint: inv container-setup --lat"),
        (NO_BAKE, EngineError, "the buildx plugin lacks bake\nhint: inv container-setup --latest-buildx"),
        (REFUSES, ConfigError, "buildx refuses the definition: -: unknown key"),
    ],
)
def test_a_buildx_that_cannot_do_it_is_told_apart(
    docker: Docker, tmp_path: Path, script: str, error: type[Exception], words: str
) -> None:
    docker(script)
    with pytest.raises(error, match=words):
        buildx.check("{}", tmp_path, None)


def test_without_docker_there_is_a_way_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (buildx.client, buildx.command, lambda: buildx.inspect(None)):
        with pytest.raises(EngineError, match="docker is not on PATH\nhint: inv container-setup"):
            call()


def test_without_the_plugin_there_is_no_builder_to_ask_for(docker: Docker) -> None:
    docker(NO_PLUGIN)
    with pytest.raises(EngineError, match="docker has no buildx plugin"):
        buildx.inspect("x")


def test_an_unknown_builder_is_answered_with_the_choices(docker: Docker) -> None:
    docker(NO_BUILDER)
    with pytest.raises(ConfigError) as caught:
        buildx.inspect("nope")
    assert str(caught.value) == (
        "error: the builder 'nope' cannot be used: no builder \"nope\" found\nhint: choose from a, default"
    )


def test_a_builder_that_fails_without_a_word_is_no_crash(docker: Docker) -> None:
    docker("case $* in *--help) echo buildx ;; *) exit 1 ;; esac")
    with pytest.raises(ConfigError, match="no reason given\nhint: docker buildx ls shows them"):
        buildx.inspect("x")
