"""Each finding of the doctor that is not well carries a command that can be typed as it stands."""

import ast
import itertools
import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tasks.cli import collection
from tasks.engine import cache, cosign, trust
from tasks.engine.machine import (
    check,
    choice,
    disk,
    emulation,
    findings,
    look_build,
    look_builders,
    look_checkout,
    look_engine,
    look_registries,
    mending,
    reach,
    refusals,
    signing,
)
from tasks.engine.machine.findings import BAD, Finding
from tasks.errors import BuildError, ConfigError, EngineError, PushError, SignError, TaskError
from tasks.plan import download, surroundings
from tasks.plan.commands import WORDS, edit, is_command, quoted
from tasks.plan.platforms import Platform
from tests.support import ROOT

MACHINE = ROOT / "tasks/engine/machine"
LOOKS = sorted(
    file
    for pattern in ("look_*.py", "mend_*.py", "examine.py", "scanner.py", "signing.py")
    for file in MACHINE.glob(pattern)
)
SOURCES = ("INVOKE_CONTAINER_{}", "container.{} in invoke.yaml", "container.{} in ~/.invoke.yaml", "default")
KEYS = ("mirror", "registry", "ca", "builder", "sign", "sign_key")


def stands(found: Finding) -> None:
    """See that a finding is well, or says what to type; a shell has to be able to read it."""
    if found.state in BAD:
        assert found.way_out is not None
        types(found.way_out)


def types(text: str) -> None:
    assert is_command(text), text
    subprocess.run(["bash", "-n", "-c", text], check=True)
    for part in re.split(r"&&|;|\|", text):
        words = shlex.split(part)
        if words[:1] == ["inv"]:
            knows(words[1:])


def knows(words: list[str]) -> None:
    """See that a task is there, and has these flags."""
    task = collection(ROOT)[words[0]]
    flags = {name for argument in task.get_arguments() for name in argument.names}
    assert {word.removeprefix("--").replace("-", "_") for word in words[1:] if word.startswith("--")} <= flags, words


@pytest.fixture(params=[0, 1000])
def user(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Who looks: root, or somebody else."""
    number: int = request.param
    monkeypatch.setattr(os, "geteuid", lambda: number)
    return number


@pytest.fixture(params=SOURCES)
def site(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> check.Site:
    """A checkout whose settings come from somewhere."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "a folder"))
    (tmp_path / "services/one").mkdir(parents=True)
    (tmp_path / "services/one/Dockerfile").write_text("ARG V=1\nFROM example.com/x:$V\n", encoding="utf-8")
    for name in ("invoke.yaml", ".invoke.yaml"):
        text = "container:\n" + "".join(f"  {key}: x\n" for key in KEYS)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return check.Site(
        project="shop",
        root=tmp_path,
        mirror="mirror.test/hub",
        builder="far",
        platforms=(Platform.AMD64, Platform.ARM64),
        dockerfiles=("services/one/Dockerfile",),
        sources={key: str(request.param).format(key.upper() if "INVOKE" in request.param else key) for key in KEYS},
        engine=reach.Engine(endpoint="unix:///x.sock", reach=reach.Reach.ANSWERS, ahead=3600.0),
    )


def of_engine(site: check.Site) -> Iterator[Finding]:
    assert site.engine is not None
    yield from look_engine.clock(site)
    yield from look_engine.store(site)
    yield look_engine.told_of_cache(5000, 10**9, "26.1.5")


def of_builders(site: check.Site) -> Iterator[Finding]:
    off = {"Name": "far", "Driver": "remote", "Nodes": [{"Name": "far0", "Endpoint": "tcp://far:1"}]}
    own = {"Name": "far", "Driver": "docker-container", "Nodes": [{"Name": "far0", "Status": "running"}]}
    for known, name, variable in itertools.product(([off], [own]), ("far", "other", None), ("other", None)):
        yield from look_builders.told_of_builders(known, name, variable, site)
    for flags, complaint in (("OC", None), ("PF", "wget: illegal option")):
        yield look_builders.told_of_emulation(emulation.ARM64, flags, complaint)


def of_registries(site: check.Site) -> Iterator[Finding]:
    for reference in ("alpine:3", "example.com/x:1", "example.com/y:1", "mirror.test/hub/library/alpine:3"):
        for refusal in ("401 Unauthorized", "not found", "dial tcp: connection refused"):
            mirrored = reference.startswith("mirror.test")
            yield look_registries.told_of_base(reference, refusal, site, mirrored=mirrored)


def of_builds(site: check.Site) -> Iterator[Finding]:
    said = ("certificate verify failed", "proxyconnect tcp: dial tcp", "dial tcp: connection refused", "sh: go: not")
    probe = download.Probe("golang", "golang:1")
    for words in said:
        result = download.result("golang", "1", f"go: {words}")
        yield findings.warning("downloads", "", way_out=look_build.mend_of(result, probe, site))


def of_checkout(_site: check.Site) -> Iterator[Finding]:
    names = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
    for count in range(1, 4):
        yield look_checkout.unheard(names[:count])
    for name in surroundings.DECIDES:
        for one in surroundings.influences({name: "1x"}, surroundings.OVERRIDES):
            yield findings.warning("environment", one.told, way_out=one.way_out)


ALL: Mapping[str, Callable[[check.Site], Iterator[Finding]]] = {
    name: made for name, made in list(globals().items()) if name.startswith("of_") and callable(made)
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("which", ALL)
def test_what_is_not_well_says_what_to_type(site: check.Site, which: str) -> None:
    told = [one for one in ALL[which](site) if one.state in BAD]
    assert told
    for one in told:
        stands(one)


@pytest.mark.usefixtures("user")
def test_an_engine_that_does_not_answer_says_what_to_type(tmp_path: Path) -> None:
    yes = (True, False)
    for how, place, names in itertools.product(
        set(reach.Reach) - {reach.Reach.ANSWERS},
        ("unix:///var/run/docker.sock", "unix:///x.sock", "tcp://far:1"),
        ("debian", "fedora", "macos", "unknown"),
    ):
        found = reach.Engine(endpoint=place, reach=how)
        for root, have, service, host in itertools.product(yes, yes, yes, yes):
            around = choice.Surroundings(
                root=root,
                packages=have,
                service=service,
                foreign_engine=False,
                ours=False,
                usual=place.endswith("run/docker.sock"),
                own_socket=tmp_path,
                distribution=names,
                chosen_by_host=host,
            )
            decided = choice.choose(found, around)
            if isinstance(decided, choice.Refuse):
                types(decided.way_out)


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("program", ["apt-get", "timedatectl", ""])
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_what_the_machine_lacks_says_what_to_type(monkeypatch: pytest.MonkeyPatch, program: str, system: str) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name == program else None)
    monkeypatch.setattr("sys.platform", system)
    for one in (mending.install_git(), mending.install_docker(), mending.set_clock(-5.0), mending.login("x.test:5000")):
        types(one)


@pytest.mark.parametrize("error", [BuildError, ConfigError, EngineError, PushError, SignError])
@pytest.mark.parametrize(
    "reason",
    [
        "INVOKE_CONTAINER_JOBS: 'many' is not a whole number",
        "container.jobs in invoke.yaml: 'many' is not a whole number",
        "invoke.yaml is broken in line 3: x",
        "services/'No Image' cannot be an image's name",
        "services/amd64: container-build-amd64 already builds every service for linux/amd64",
        "services/one/Dockerfile is empty",
        "x",
        "",
    ],
)
def test_an_error_whose_hint_is_a_sentence_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[TaskError], reason: str
) -> None:
    monkeypatch.setenv("INVOKE_CONTAINER_JOBS", "many")
    for name in ("No Image", "amd64"):
        (tmp_path / "services" / name).mkdir(parents=True)
    raised = error(reason, hint="write it otherwise, or leave it out")
    found = findings.refused("x", raised, way_out=refusals.of_error(raised, tmp_path))
    stands(found)
    assert "(write it otherwise, or leave it out)" in found.text


@pytest.mark.parametrize(
    ("reason", "way_out"),
    [
        ("INVOKE_CONTAINER_JOBS: 'many' is not a number", "unset INVOKE_CONTAINER_JOBS"),
        ("container.jobs in invoke.yaml: 'many' is not a number", "${EDITOR:-vi} +2 invoke.yaml"),
        ("invoke.yaml is broken in line 7: x", "${EDITOR:-vi} +7 invoke.yaml"),
        ("container.services.b-2.memory: 'huge' is not a size", "${EDITOR:-vi} +7 invoke.yaml"),
        ("container.services.b-2.tmpfs is a list", "${EDITOR:-vi} +6 invoke.yaml"),
        ("invoke.yaml: nothing reads contaner", "${EDITOR:-vi} +8 invoke.yaml"),
        ("invoke.yaml: contaner stands below nothing", "${EDITOR:-vi} +8 invoke.yaml"),
        (
            "invoke.yaml cannot be read: codec can't decode byte 0xff in position 12: x",
            "${EDITOR:-vi} +2 invoke.yaml",
        ),
        ("invoke.yaml cannot be read: [Errno 13] Permission denied: 'invoke.yaml'", "chmod u+rw invoke.yaml"),
        ("a/b is no regular file", "mv a/b a/b.old"),
        ("-f: there is no file '/x.yaml'", "inv container-doctor"),
        ("services/'No Image' cannot be an image's name", "mv 'services/No Image' services/no-image"),
        ("a/b/Dockerfile is empty", "${EDITOR:-vi} a/b/Dockerfile"),
    ],
)
def test_an_error_of_settings_names_what_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, way_out: str
) -> None:
    monkeypatch.setenv("INVOKE_CONTAINER_JOBS", "many")
    (tmp_path / "services/No Image").mkdir(parents=True)
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/Dockerfile").touch()
    services = "  services:\n    a:\n      memory: 1g\n    b-2:\n      memory: huge\ncontaner: x\n"
    (tmp_path / "invoke.yaml").write_text(f"container:\n  jobs: many\n{services}", encoding="utf-8")
    assert refusals.of_error(ConfigError(reason), tmp_path) == way_out


def test_a_key_that_cannot_sign_says_what_to_type(site: check.Site) -> None:
    for error in (
        ConfigError("container.sign is key, and container.sign_key names none", hint="set it, or not"),
        SignError(f"{cosign.PASSWORD} is not set", hint="set it, or not"),
        SignError("the key is damaged", hint=None),
    ):

        def fails(error: TaskError = error) -> None:
            raise error

        site.signing = fails
        (found,) = signing.look(site)
        stands(found)


def literals() -> Iterator[tuple[str, int, str]]:
    """Yield each way out that the looks have as a text of their own."""
    for file in LOOKS:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            for word in node.keywords:
                if word.arg == "way_out":
                    for text in texts(word.value):
                        yield file.name, node.lineno, text


def texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from texts(one)
            yield from texts(other)
        case ast.BoolOp(values=several):
            for one in several:
                yield from texts(one)


@pytest.mark.parametrize(("file", "line", "text"), list(literals()))
def test_no_look_has_a_sentence_for_a_way_out(file: str, line: int, text: str) -> None:
    assert text.split(maxsplit=1)[0] in WORDS | {"sudo"}, f"{file}:{line}"
    assert is_command(text), f"{file}:{line}"


@pytest.mark.parametrize(
    "text",
    [
        "inv container-setup, or container.mirror",
        "choose from default, other",
        "mend container.ca",
        "docker buildx ls shows them",
        "git commit, or git stash",
        "see its message",
        "https://docs.docker.com/engine/install/",
        "echo 'never closed",
        "",
    ],
)
def test_a_sentence_is_no_command(text: str) -> None:
    assert not is_command(text)


def test_a_path_stands_as_a_shell_takes_it() -> None:
    assert edit("a b", 3) == "${EDITOR:-vi} +3 'a b'"
    assert edit("~/.invoke.yaml") == "${EDITOR:-vi} ~/.invoke.yaml"
    assert quoted("~/a b") == "~/'a b'"


def test_what_names_a_proxy_to_builds_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "a folder"))
    shell = {"HTTPS_PROXY": "http://proxy:1", "http_proxy": "http://proxy:2"}
    way_out = look_checkout.unheard(tuple(shell)).way_out
    assert way_out is not None
    subprocess.run(["bash", "-c", way_out], check=True, env={**os.environ, **shell})
    content = json.loads((tmp_path / "a folder/config.json").read_text(encoding="utf-8"))
    assert content["proxies"]["default"] == {"httpsProxy": "http://proxy:1", "httpProxy": "http://proxy:2"}
    assert surroundings.unheard_proxies(shell, content) == ()
    assert look_checkout.unheard(tuple(shell)).way_out == edit(tmp_path / "a folder/config.json", 1)


@pytest.mark.parametrize("kept", [True, False])
def test_a_place_without_room_is_left_for_one_that_has_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    variable = "XDG_CACHE_HOME" if kept else "TMPDIR"
    monkeypatch.setenv(variable, str(tmp_path))
    place, room = cache.home() if kept else tmp_path, {True: 10**12, False: 0}
    for usual, other, way_out in (
        (True, True, f"unset {variable}"),
        (False, True, f'export {variable}="$(mktemp -d -p /var/tmp)"'),
        (False, False, f"{'inv container-clean; ' if kept else ''}du -xhd1 {tmp_path}"),
    ):
        free = {Path("/var/tmp"): room[other]}  # noqa: S108 - never written
        monkeypatch.setattr(disk, "free_bytes", lambda path, free=free, usual=usual: free.get(path, room[usual]))
        assert mending.room(place) == way_out
        types(way_out)


def test_authorities_are_taken_back_by_the_variable_that_gives_them(
    site: check.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in trust.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "given").touch()
    monkeypatch.setenv(trust.VARIABLES[0], str(tmp_path / "nowhere"))
    monkeypatch.setenv(trust.VARIABLES[1], str(tmp_path / "given"))
    assert mending.trusted(site) == f"unset {trust.VARIABLES[1]}"
