"""What may lie in a repository: texts, names and kinds of file that nobody means well with."""

import json
import os
import shutil
from itertools import product
from pathlib import Path

from hypothesis import strategies as st

from tasks.plan import bases, dockerfile
from tests.property import cases, hostile, typed, watch
from tests.property.cases import hostile as tries

COMMANDS = st.sampled_from(
    (("--list",), ("container-config",), ("container-build", "--print"), ("container-build-agent", "--print"))
)
PRINT = ("container-build", "--print")
DEEP = 2000
BOMB = "\n".join(["a: &a0 [x, x]", *(f"a{n}: &a{n + 1} [*a{n}, *a{n}]" for n in range(40))])
YAML_LINES = (
    "container:",
    "  tags: [a, &b b, *b]",
    "  jobs: 0x" + "f" * 5000,
    "  registry: !!binary aGk=",
    "  services: {1: {port: 1}, null: {port: 2}, 2024-01-01: {}}",
    "  services: {agent: {args: {1: 2, null: 3, 1.5: 4}}}",
    "  services: {? [a, b] : c}",
    "container: {services: {agent: {args: {a: x, A: y}}}}",
    "container: {services: {1: {port: 1}}}",
    "container: {services: {agent: {args: {1: x}}}}",
    "  <<: *x",
    "x: &x {a: *x}",
    "tasks: {search_root: ..}",
    "run: {shell: /bin/false, echo: true}",
    "container_tags: x",
    "deep: " + "[" * DEEP,
    "deep: " + "{a: " * DEEP,
    BOMB,
    BOMB + "\ncontainer: {tags: *a40}",
    "%TAG ! tag:x,2000:",
    "---",
    "...",
)
yaml_lines = st.one_of(
    st.sampled_from(YAML_LINES),
    st.tuples(hostile.text, hostile.text).map(": ".join),
    hostile.text,
)
yaml_texts = st.lists(yaml_lines, min_size=1, max_size=4).map("\n".join)
# Where something of another kind may lie, and what it may be.
PLACES = (
    "VERSION",
    "invoke.yaml",
    "services",
    "services/agent",
    "services/agent/Dockerfile",
    ".container",
    ".container/ca.pem",
    ".container/ca.new",
    ".container/logs",
    ".container/.gitignore",
)
KINDS = ("pipe", "folder", "loop", "outside", "outside file", "nowhere", "zero", "closed", "bytes", "huge")
PEM = "-----BEGIN CERTIFICATE-----\n"


def put(root: Path, place: str, kind: str) -> None:
    """Put something of another kind where a file or folder is read or written."""
    path = root / place
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    outside = root.parent / "elsewhere"
    links = {
        "loop": path.name,
        "outside": str(outside),
        "outside file": str(outside / "file"),
        "nowhere": str(root.parent / "none"),
        "zero": "/dev/zero",
    }
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind in links:
        outside.mkdir(exist_ok=True)
        (outside / "file").write_text("kept", encoding="utf-8")
        path.symlink_to(links[kind])
    else:
        path.write_bytes({"closed": b"", "bytes": b"\xff\x00\x1b[2J", "huge": b"9" * 10**6}[kind])


def test_each_line_of_yaml_alone(tmp_path: Path) -> None:
    for line, command in cases.each(product(YAML_LINES, (("--list",), PRINT))):
        with typed.repository(tmp_path) as repo:
            repo.write("invoke.yaml", f"{line}\n")
            typed.inv(repo, *command).fine(repo.root)


def test_each_length_of_a_name(tmp_path: Path) -> None:
    for length in cases.each(range(40, 70)):
        with typed.repository(tmp_path) as repo:
            repo.write(f"services/{'a' * length}/Dockerfile", "FROM scratch\n")
            typed.inv(repo, "--list").fine(repo.root)


def test_each_number_that_may_be_exposed() -> None:
    for number in cases.each((*hostile.NUMBERS, "1", "65535")):
        port = dockerfile.exposed_port(f"FROM x\nEXPOSE {number}")
        assert port == (int(number) if number in {"1", "65535"} else None)


@tries(60, 1000, text=yaml_texts, command=COMMANDS)
def test_the_text_of_invoke_yaml(tmp_path: Path, text: str, command: tuple[str, ...]) -> None:
    with typed.repository(tmp_path) as repo:
        (repo.root / "invoke.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
        typed.inv(repo, *command).fine(repo.root)


@tries(40, 800, text=hostile.text, command=COMMANDS)
def test_the_text_of_version(tmp_path: Path, text: str, command: tuple[str, ...]) -> None:
    with typed.repository(tmp_path) as repo:
        (repo.root / "VERSION").write_bytes(text.encode("utf-8", "surrogateescape"))
        typed.inv(repo, *command).fine(repo.root)


@tries(50, 1500, name=hostile.names, command=COMMANDS, above=hostile.names | st.just("services"))
def test_the_name_of_a_folder(tmp_path: Path, name: str, above: str, command: tuple[str, ...]) -> None:
    with typed.repository(tmp_path) as repo:
        folder = repo.root / above / name
        if not os.path.lexists(repo.root / above) or above == "services":
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
        if above != "invoke.yaml":
            repo.write("invoke.yaml", typed.dumped({"container": {"services_dir": ["services", above]}}))
        typed.inv(repo, *command).fine(repo.root)


@tries(30, 800, name=hostile.names, above=hostile.names)
def test_the_name_of_a_services_folder_that_is_set(tmp_path: Path, name: str, above: str) -> None:
    with typed.repository(tmp_path) as repo:
        shutil.rmtree(repo.root / "services")
        if os.path.lexists(repo.root / above) or above == "invoke.yaml":
            return
        (repo.root / above / name).mkdir(parents=True)
        (repo.root / above / name / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
        service = {"folder": f"{above}/{name}"}
        repo.write("invoke.yaml", typed.dumped({"container": {"services": {"site": service}}}))
        said = typed.inv(repo, *PRINT).fine(repo.root)
        if said.code == 0:
            place = json.loads(said.out)["target"]["site"]["dockerfile"]
            assert (repo.root / place.replace("$${", "${").replace("%%{", "%{")).is_file()


@tries(30, 400, name=hostile.names)
def test_the_name_of_the_root(tmp_path: Path, name: str) -> None:
    with typed.repository(tmp_path) as repo:
        root = repo.root.rename(repo.root.parent / name)
        moved = type(repo)(root)
        typed.inv(moved, *PRINT).fine(root)
        typed.inv(moved, "container-config").fine(root)


def test_something_else_where_a_file_or_folder_is_read_or_written(tmp_path: Path) -> None:
    for place, kind in cases.each(product(PLACES, KINDS)):
        with typed.repository(tmp_path) as repo:
            repo.write("mine.pem", PEM)
            put(repo.root, place, kind)
            typed.inv(repo, *PRINT, env={"INVOKE_CONTAINER_CA": "mine.pem"}).fine(repo.root)
            kept = repo.root.parent / "elsewhere/file"
            assert not kept.exists() or kept.read_text(encoding="utf-8") == "kept", place


@tries(60, 2000, text=hostile.dockerfiles, ignored=hostile.text)
def test_the_text_of_a_dockerfile(tmp_path: Path, text: str, ignored: str) -> None:
    with typed.repository(tmp_path) as repo:
        for path, content in (("services/agent/Dockerfile", text), (".dockerignore", ignored)):
            (repo.root / path).write_bytes(content.encode("utf-8", "surrogateescape"))
        said = typed.inv(repo, *PRINT, env={"INVOKE_CONTAINER_MIRROR": "mirror.example/hub"}).fine(repo.root)
        for named, replaced in (
            json.loads(said.out or "{}").get("target", {}).get("agent", {}).get("contexts") or {}
        ).items():
            assert named
            assert replaced.startswith(("docker-image://mirror.example/hub/", "target:")), replaced


arguments = st.dictionaries(hostile.text, hostile.text, max_size=3)


@tries(200, 4000, text=hostile.dockerfiles, args=arguments, stage=hostile.text | st.none())
def test_a_dockerfile_is_read_whatever_it_says(text: str, args: dict[str, str], stage: str | None) -> None:
    with watch.bounded():
        taken = dockerfile.references(text, args)
    assert all(taken)
    assert max(map(len, taken), default=0) <= 10**5
    assert all(base.reference for base in bases.resolve(taken, mirror=None, stand_ins={}))
    assert all(isinstance(found, str) for found in dockerfile.cache_ids(text))
    port = dockerfile.exposed_port(text, stage)
    assert port is None or 0 < port < 65536
    assert [one.line for one in dockerfile.instructions(text)] == sorted(
        one.line for one in dockerfile.instructions(text)
    )
