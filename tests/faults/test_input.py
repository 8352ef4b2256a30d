"""What a person may type or leave lying about: a clear error, the right exit code, nothing lost."""

import os
import stat
from pathlib import Path

import pytest

from tests.support import BASE, TASKS_PY, Repo

NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with two services, and no engine in reach."""
    repo = Repo(tmp_path)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    repo.write("invoke.yaml", "container:\n  project: tiny\n")
    for name in ("one", "two"):
        repo.service(name)
    return repo


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (("--services", "three"), {}, ("'three'", "one, two")),
        (("--services", "one,"), {}, ("--services", "empty item")),
        (("--services", "one, two"), {}, ("--services", "one,two")),
        (("--services", ""), {}, ("--services is empty",)),
        (("--services", "../one"), {}, ("'../one'",)),
        (("--platforms", "linux/amd46"), {}, ("--platforms", "linux/amd64")),
        (("--platforms", "linux/amd64, linux/arm64"), {}, ("linux/amd64,linux/arm64",)),
        ((), {"BUILD_PLATFORMS": ""}, ("BUILD_PLATFORMS is empty",)),
        ((), {"BUILD_PLATFORMS": "windows"}, ("BUILD_PLATFORMS", "'windows'")),
        (("--registry", "https://ghcr.io/x"), {}, ("scheme", "ghcr.io/x")),
        (("--registry", "ghcr.io/Team"), {}, ("upper case", "ghcr.io/team")),
        (("--registry", "ghcr.io/x,push=true"), {}, ("is not a registry",)),
        (("--registry", "ghcr.io/x/"), {}, ("slash",)),
        (("--registry", ""), {}, ("--registry is empty",)),
        ((), {"DOCKER_REGISTRY": ""}, ("DOCKER_REGISTRY is empty",)),
        (("--tags", "v1+2"), {}, ("'+'", "v1-2")),
        (("--tags", "a" * 129), {}, ("129 characters",)),
        (("--tags=-x",), {}, ("begins with '-'",)),
        ((), {"DOCKER_TAGS": "a,,b"}, ("DOCKER_TAGS", "empty item")),
        (("--jobs", "abc"), {}, ("--jobs", "'abc'")),
        (("--jobs", "0"), {}, ("--jobs", "above 0")),
        ((), {"INVOKE_CONTAINER_JOBS": "abc"}, ("INVOKE_CONTAINER_JOBS", "'abc'")),
        ((), {"INVOKE_CONTAINER_CACHE": "s3"}, ("INVOKE_CONTAINER_CACHE", "'s3'", "registry")),
        ((), {"INVOKE_CONTAINER_CACHE": "local=/tmp/x"}, ("INVOKE_CONTAINER_CACHE", "'/tmp/x'")),
        ((), {"INVOKE_CONTAINER_REUSE": "yes"}, ("INVOKE_CONTAINER_REUSE", "'yes'", "none, registry")),
        (("--progress", "loud"), {}, ("auto, plain, quiet",)),
        ((), {"INVOKE_CONTAINER_SIGN": "yes"}, ("INVOKE_CONTAINER_SIGN", "'yes'", "auto, key, keyless, none")),
        ((), {"INVOKE_CONTAINER_SIGN_KEY": "https://a.b/c"}, ("INVOKE_CONTAINER_SIGN_KEY", "env://NAME")),
        ((), {"INVOKE_CONTAINER_SIGN_KEY": "-----BEGIN X-----\nabc"}, ("holds a key itself", "env://NAME")),
        ((), {"INVOKE_CONTAINER_VERIFY_KEY": ""}, ("INVOKE_CONTAINER_VERIFY_KEY",)),
        ((), {"INVOKE_CONTAINER_IDENTITY": "github.com/acme"}, ("INVOKE_CONTAINER_IDENTITY is not anchored",)),
        ((), {"INVOKE_CONTAINER_ISSUER": "example.com"}, ("INVOKE_CONTAINER_ISSUER", "https://")),
        (("--builder", "--push"), {}, ("cannot be a builder",)),
        ((), {"INVOKE_CONTAINER_MIRROR": "https://x"}, ("INVOKE_CONTAINER_MIRROR", "scheme")),
        ((), {"INVOKE_CONTAINER_CA": "none/such.pem"}, ("none/such.pem", "container.ca")),
    ],
)
def test_a_bad_value_names_itself_and_the_way_out(
    repo: Repo, words: tuple[str, ...], env: dict[str, str], said: tuple[str, ...]
) -> None:
    repo.inv("container-build", *words, env=env | NOWHERE).fails(2, *said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("container: [", "line 1"),
        ("container:\n\tproject: x\n", "line 2"),
        ("- a list\n", "list"),
        ("container: text\n", "key: value"),
        ("container:\n  registri: x\n", "did you mean registry?"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_broken_invoke_yaml_is_named_even_by_list(repo: Repo, text: str, said: str) -> None:
    (repo.root / "invoke.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    repo.inv("--list").fails(2, "invoke.yaml", said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("container: [1]\n", "~/.invoke.yaml: container holds a list"),
        ("container:\n  jobs: 010\n", "container.jobs in ~/.invoke.yaml: 010 is the number 8"),
        ("container:\n  jobs: 4\n", "INVOKE_CONTAINER_JOBS: 'abc' is not a whole number"),
        ("container:\n  registri: x\n", "did you mean registry?"),
        ("container:\n  services_dir: apps\n", "write it into invoke.yaml at the repository's root"),
    ],
)
def test_what_a_persons_own_file_says_wrong_is_named_even_by_list(
    repo: Repo, tmp_path_factory: pytest.TempPathFactory, text: str, said: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".invoke.yaml").write_text(text)
    repo.inv("--list", env={"HOME": str(home), "INVOKE_CONTAINER_JOBS": "abc"}).fails(2, said)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("more.yaml", None, "-f: there is no file 'more.yaml'"),
        ("more.toml", "", "-f: Invoke cannot read more.toml"),
        ("more.yaml", "container: [", "more.yaml is broken at line"),
        ("more.json", '{"container": ', "more.json is broken: "),
        ("more.yaml", "[1]", "more.yaml holds a list"),
        ("more.yaml", "run: 5", "more.yaml: run is Invoke's own section"),
        ("more.yaml", "container: {project: other}", "container.project is what a repository says of itself"),
    ],
)
def test_a_file_of_f_that_cannot_be_used_is_named(repo: Repo, name: str, text: str | None, said: str) -> None:
    if text is not None:
        repo.write(name, text)
    repo.inv("-f", name, "container-config").fails(2, said)
    repo.inv("container-config", env={"INVOKE_RUNTIME_CONFIG": name}).fails(2, said)


def test_the_settings_say_which_file_they_came_from(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".invoke.yaml").write_text("container: {jobs: 3, registry: home.example, builder: cloud}\n")
    repo.write("invoke.yaml", "container: {registry: repository.example}\n")
    repo.write("more.json", '{\n\t"container": {"builder": "near"}\n}\n')
    env = {"HOME": str(home), "INVOKE_CONTAINER_BUILDER": "far"}
    for words in (("-f", "more.json", "container-config"), ("container-config", "-f", "more.json")):
        rows = [line.split(maxsplit=2) for line in repo.inv(*words, env=env).ok().out.splitlines()]
        said = {key: (value, source) for key, value, source in rows if key in {"jobs", "registry", "builder"}}
        assert said == {
            "jobs": ("3", "container.jobs in ~/.invoke.yaml"),
            "registry": ("repository.example", "container.registry in invoke.yaml"),
            "builder": ("near", "container.builder in more.json"),
        }


@pytest.mark.parametrize("name", ["amd64", "arm64", "Upper", "-dash", "two words", "ünï", "a..b"])
def test_a_folder_that_cannot_be_a_service_is_an_error(repo: Repo, name: str) -> None:
    repo.write(f"services/{name}/Dockerfile", f"FROM {BASE}\n")
    repo.inv("--list").fails(2, "rename the folder")


def test_a_folder_with_a_name_that_is_no_text_is_an_error(repo: Repo) -> None:
    folder = os.fsencode(repo.root) + b"/services/\xff"
    Path(os.fsdecode(folder)).mkdir()
    (Path(os.fsdecode(folder)) / "Dockerfile").touch()
    repo.inv("--list").fails(2, "rename the folder")


def test_two_folders_that_would_share_a_task_are_named(repo: Repo) -> None:
    repo.service("a.b")
    repo.service("a-b")
    repo.inv("--list").fails(2, "services/a-b", "services/a.b")


def test_a_folder_without_a_dockerfile_is_no_service(repo: Repo) -> None:
    (repo.root / "services/three").mkdir()
    repo.inv("container-build", "--services", "three", env=NOWHERE).fails(2, "no Dockerfile")


def test_an_empty_dockerfile(repo: Repo) -> None:
    repo.write("services/one/Dockerfile", "\n")
    repo.inv("container-build", "--print", env=NOWHERE).fails(2, "services/one/Dockerfile is empty")


def test_a_dockerfile_that_is_a_pipe_is_not_waited_for(repo: Repo) -> None:
    path = repo.root / "services/one/Dockerfile"
    path.unlink()
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    repo.inv("container-build", "--print", env=NOWHERE, timeout=30).fails(2, "named pipe")


def test_a_dockerfile_outside_the_repository(repo: Repo, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "Dockerfile"
    outside.write_text(f"FROM {BASE}\n", encoding="utf-8")
    path = repo.root / "services/one/Dockerfile"
    path.unlink()
    path.symlink_to(outside)
    repo.inv("container-build", "--print", env=NOWHERE).fails(2, "outside the repository")


def test_a_dockerfile_that_points_nowhere(repo: Repo) -> None:
    path = repo.root / "services/one/Dockerfile"
    path.unlink()
    path.symlink_to("missing")
    repo.inv("container-build", "--print", env=NOWHERE).fails(2, "services/one/Dockerfile")


def test_a_version_that_cannot_be_a_tag(repo: Repo) -> None:
    repo.write("VERSION", "1.0.0+build\n")
    repo.inv("container-build", "--print", env=NOWHERE).fails(2, "VERSION", "'+'")


def test_a_bundle_that_is_too_large_for_a_secret(repo: Repo) -> None:
    repo.write("large.pem", "-----BEGIN CERTIFICATE-----\n" + "x" * 600 * 1024)
    repo.inv("container-build", "--print", env=NOWHERE | {"INVOKE_CONTAINER_CA": "large.pem"}).fails(2, "500 KiB")


def test_no_engine(repo: Repo) -> None:
    repo.inv("container-build", env=NOWHERE).fails(3, "/nowhere/docker.sock", "inv container-setup")
    repo.inv("container-clean", env=NOWHERE).fails(3, "/nowhere/docker.sock")


def test_no_docker_at_all(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    env = NOWHERE | {"PATH": str(tmp_path / "empty")}
    repo.inv("container-build", env=env).fails(3)
    repo.inv("--list", env=env).ok()


def test_print_needs_no_engine(repo: Repo) -> None:
    assert '"one"' in repo.inv("container-build", "--print", env=NOWHERE).ok().out


def test_a_repository_without_services_still_lists_its_tasks(repo: Repo, tmp_path: Path) -> None:
    empty = Repo(tmp_path / "empty")
    empty.write("tasks.py", TASKS_PY)
    assert "container-setup" in empty.inv("--list").ok().out
    empty.write("VERSION", "1\n")
    empty.inv("container-build", env=NOWHERE).fails(2, "services/<name>/Dockerfile")
