"""container-doctor: each check, with exactly that broken."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.doctors import Told, fill, plugins, sound, with_file
from tests.support import Repo, docker, environment, free_port

pytestmark = pytest.mark.docker


@pytest.fixture
def repo(tiny: Repo) -> Repo:
    """A repository with a service and a commit, in which nothing is wrong."""
    fill(tiny)
    return tiny


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What is found where nothing is broken."""
    return Told(sound(tmp_path_factory.mktemp("well") / "tiny"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder for the docker client's file."""
    return plugins(tmp_path / "docker")


def test_where_all_is_well_no_line_is_bad_and_nothing_changes(repo: Repo) -> None:
    before = sorted(path for path in repo.root.rglob("*") if "__pycache__" not in path.parts)
    told = Told(repo)
    assert told.code == 0
    assert told.bad() == set()
    assert sorted(path for path in repo.root.rglob("*") if "__pycache__" not in path.parts) == before


def test_each_line_that_is_not_well_has_its_way_out(repo: Repo) -> None:
    told = Told(repo, env={"SOURCE_DATE_EPOCH": "1", "DOCKER_API_VERSION": "1.99", "BUILDX_BUILDER": "nosuch"})
    assert len(told.bad()) >= 3
    assert all(one["way_out"] for one in told.findings if one["state"] in {"warning", "cannot"})


def test_a_dead_socket_is_an_engine_that_does_not_answer(repo: Repo, tmp_path: Path, well: Told) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    told = Told(repo, env={"DOCKER_HOST": f"unix://{dead}"})
    assert told.code == 3
    told.says("engine", "cannot", str(dead), "Connection refused")
    told.says("not looked at", "warning", "builder", "build cache")
    told.says("git", "ok")
    told.only(well, "context", "engine", unseen=True)


def test_an_address_where_something_else_answers_is_no_engine(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"DOCKER_HOST": f"tcp://127.0.0.1:{free_port()}"})
    assert told.code == 3
    told.says("engine", "cannot", "unset DOCKER_HOST")
    told.only(well, "context", "engine", unseen=True)


def test_a_socket_that_this_user_may_not_open_is_said_with_the_group(repo: Repo, tmp_path: Path) -> None:
    place = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        place.chmod(0)
        group = place.group()
        # Root opens everything, unless it gives that up.
        drop = ["setpriv", "--bounding-set", "-dac_override"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*drop, sys.executable, "-m", "invoke", "container-doctor"],
            cwd=repo.root,
            env=environment({"DOCKER_HOST": f"unix://{place}"}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    made = [] if group != "root" else [f"sudo groupadd -f docker && sudo chgrp docker {place}"]
    group = "docker" if group == "root" else group
    join = f'sudo usermod -aG {group} "$USER" && newgrp {group}'
    way_out = " && ".join([*made, f"sudo chmod g+rw {place}", join])
    assert f"Permission denied; {way_out}\n" in done.stdout, done.stdout + done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("cannot")] == ["engine"]


def test_a_context_that_is_not_there_is_named(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"DOCKER_CONTEXT": "nosuch"})
    assert told.code == 3
    told.says("context", "cannot", "nosuch", "unset DOCKER_CONTEXT")
    told.only(well, "context", "environment", unseen=True)


def test_a_damaged_file_of_the_docker_client_is_named(repo: Repo, config: Path) -> None:
    usual = Told(repo, env=with_file(config))
    (config / "config.json").write_text("{", encoding="utf-8")
    told = Told(repo, env={"DOCKER_CONFIG": str(config)})
    assert told.code == 3
    told.says("context", "cannot", "config.json is damaged", "mv ")
    assert len([one for one in told.findings if "is damaged" in one["text"]]) == 1
    told.only(usual, "context", unseen=True)


def test_a_folder_that_can_be_no_image_is_told_and_the_rest_is_looked_at(repo: Repo, well: Told) -> None:
    repo.write("services/No Image/Dockerfile", "FROM scratch\n")
    repo.commit()
    told = Told(repo)
    assert told.code == 2
    told.says("settings", "cannot", "'No Image' cannot be an image's name", "rename the folder")
    told.says("engine", "ok")
    told.says("build", "ok")
    told.only(well, "settings", unseen=True)
    repo.inv("container-build").fails(2, "cannot be an image's name")


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=4k", ("there is no room", "df -h ")), ("ro", ("is read-only", "mount -o remount,rw "))],
)
def test_a_folder_that_nobody_can_write_is_told(repo: Repo, options: str, words: tuple[str, ...], well: Told) -> None:
    folder = repo.root / ".container"
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine mounts no disk")
    try:
        told = Told(repo)
        told.says("leftovers", "cannot", *words)
        told.only(well, "leftovers")
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_checkout_that_is_bound_read_only_is_told_with_its_own_mount(repo: Repo, well: Told) -> None:
    if subprocess.run(["mount", "--bind", repo.root, repo.root], check=False).returncode:
        pytest.skip("this machine mounts no disk")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", repo.root], check=True)
        told = Told(repo)
        told.says("leftovers", "cannot", "is read-only", f"mount -o remount,rw,bind {repo.root}")
        told.only(well, "leftovers")
        way_out = next(one[2] for one in told.of("leftovers") if one[0] == "cannot")
        subprocess.run(["sh", "-c", way_out], check=True)
        repo.write("written", "again\n")
        (repo.root / "written").unlink()
    finally:
        subprocess.run(["umount", repo.root], check=True)


def test_a_proxy_where_nobody_answers_is_told_by_its_variable_and_not_by_its_login(repo: Repo) -> None:
    env = {"https_proxy": "http://u:pl4nted@127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""}
    told = Told(repo, env=env)
    told.says("registry", "warning", "https_proxy names a proxy, and nobody answers there", "unset https_proxy")
    told.says("proxy", "warning", "nobody answers at that proxy", "unset https_proxy")
    assert "pl4nted" not in told.text


def test_a_base_behind_a_proxy_where_nobody_answers_is_mended_by_its_variable(repo: Repo) -> None:
    repo.write("services/two/Dockerfile", "FROM images.test/base:1\n")
    told = Told(repo, env={"HTTPS_PROXY": "http://u:pl4nted@127.0.0.1:1", "NO_PROXY": "", "no_proxy": ""})
    told.says("bases", "cannot", "images.test/base:1", "HTTPS_PROXY names a proxy", "unset HTTPS_PROXY")
    assert "pl4nted" not in told.text


def test_authorities_that_nobody_can_read_are_told_by_their_variable(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"CURL_CA_BUNDLE": "/nowhere/authorities.pem"})
    told.says("environment", "warning", "CURL_CA_BUNDLE names no file", "unset CURL_CA_BUNDLE")
    told.only(well, "environment")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("container: [x\n", ("invoke.yaml is broken at line 2", "+2 invoke.yaml")),
        ("container:\n  regstry: a\n", ("nothing reads container.regstry", "did you mean registry?", "+2 invoke.yaml")),
        ("container:\n  services:\n    one:\n      memory: huge\n", ("'huge' is not a size", "+4 invoke.yaml")),
        ("container:\n  services: 3\n", ("container.services holds a int", "+2 invoke.yaml")),
    ],
)
def test_settings_that_are_refused_are_a_line_and_the_rest_is_looked_at(
    repo: Repo, text: str, words: tuple[str, ...]
) -> None:
    before = (repo.root / "invoke.yaml").read_text(encoding="utf-8")
    repo.write("invoke.yaml", text)
    try:
        told = Told(repo)
        assert told.code == 2
        told.says("settings", "cannot", *words)
        assert {"engine", "build", "git", "disk"} <= told.states().keys()
        repo.inv("container-plan").fails(2)
        assert "cannot   settings" in repo.inv("container-doctor").fails(2).out
    finally:
        repo.write("invoke.yaml", before)


def test_a_file_of_settings_that_cannot_be_one_is_moved_away(repo: Repo) -> None:
    path = repo.root / "invoke.yaml"
    path.unlink()
    path.mkdir()
    told = Told(repo)
    told.says("settings", "cannot", "invoke.yaml is no regular file", "mv invoke.yaml invoke.yaml.old")
    subprocess.run(["sh", "-c", "mv invoke.yaml invoke.yaml.old"], cwd=repo.root, check=True)
    assert "settings" not in Told(repo).states()


def test_settings_of_a_person_and_of_a_run_are_told_by_their_file(repo: Repo, tmp_path: Path, config: Path) -> None:
    (tmp_path / ".invoke.yaml").write_text("container:\n  regstry: x\n", encoding="utf-8")
    told = Told(repo, env={"HOME": str(tmp_path), "DOCKER_CONFIG": str(config)})
    told.says("settings", "cannot", "nothing reads container.regstry", "+2 ~/.invoke.yaml")
    file = tmp_path / "run.yaml"
    file.write_text("container: [x\n", encoding="utf-8")
    done = repo.inv("-f", str(file), "container-doctor").fails(2)
    assert f"+2 {file}\n" in done.out
    assert "ok       engine" in done.out


def test_a_date_that_no_build_takes_is_in_the_way(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"SOURCE_DATE_EPOCH": "hello"})
    assert told.code == 4
    told.says("build", "cannot", "unset SOURCE_DATE_EPOCH")
    told.says("environment", "cannot", "SOURCE_DATE_EPOCH: 'hello' is no number of seconds", "unset SOURCE_DATE_EPOCH")
    told.only(well, "build", "environment")


def test_a_client_that_speaks_too_new_an_api_is_told(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"DOCKER_API_VERSION": "1.99"})
    assert told.code == 3
    told.says("api", "cannot", "too new", "unset DOCKER_API_VERSION")
    told.only(well, "api", "environment", unseen=True)


def test_a_buildx_that_lacks_something_is_told_by_its_name(repo: Repo, config: Path) -> None:
    usual = Told(repo, env={"DOCKER_CONFIG": str(config)})
    plugin = config / "cli-plugins/docker-buildx"
    plugin.unlink()
    about = '{"SchemaVersion":"0.1.0","Vendor":"x","Version":"v0","ShortDescription":"x"}'
    script = f"case \"$*\" in *docker-cli-plugin-metadata*) echo '{about}' ;; *rawjson*) exit 1 ;; esac"
    plugin.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    plugin.chmod(0o755)
    told = Told(repo, env={"DOCKER_CONFIG": str(config)})
    assert told.code == 3
    told.says("buildx", "cannot", "bake --progress rawjson", "inv container-setup --latest-buildx")
    told.only(usual, "buildx", unseen=True)


def test_a_docker_without_buildx_is_told_and_what_could_not_be_looked_at(repo: Repo, config: Path) -> None:
    usual = Told(repo, env={"DOCKER_CONFIG": str(config)})
    (config / "cli-plugins/docker-buildx").unlink()
    told = Told(repo, env={"DOCKER_CONFIG": str(config)})
    if ("buildx", "cannot") not in told.bad():
        pytest.skip("docker has a buildx for everybody on this machine")
    assert told.code == 3
    told.says("buildx", "cannot", "no such plugin", "inv container-setup")
    told.says("not looked at", "warning", "without buildx", "builder", "build")
    told.only(usual, "buildx", unseen=True)


def test_without_docker_on_path_that_is_said(repo: Repo, tmp_path: Path, well: Told) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(str(shutil.which("git")))
    told = Told(repo, env={"PATH": str(tmp_path / "bin")})
    assert told.code == 3
    told.says("docker", "cannot", "not on PATH", "inv container-setup")
    told.only(well, "docker", unseen=True)


@pytest.mark.parametrize("plugin", ["packaged", "latest"])
def test_each_buildx_of_this_machine_answers_all_that_is_asked(repo: Repo, buildx_config: Path) -> None:
    told = Told(repo, env={"DOCKER_CONFIG": str(buildx_config)})
    assert told.code == 0
    assert told.bad() == {("environment", "warning")}
    told.says("builder", "ok", "default (docker), in use: linux/")
    told.says("build", "ok")


@pytest.mark.parametrize("how", ["variable", "setting"])
def test_a_builder_that_is_not_there_is_named(repo: Repo, how: str, well: Told) -> None:
    env = {"BUILDX_BUILDER": "nosuch"} if how == "variable" else {"INVOKE_CONTAINER_BUILDER": "nosuch"}
    told = Told(repo, env=env)
    assert told.code == 2
    told.says("builder", "cannot", "nosuch", "choose from", *(["unset BUILDX_BUILDER"] if how == "variable" else []))
    told.only(well, "builder", "build", *(["environment"] if how == "variable" else []))


def test_a_builder_that_does_not_answer_is_told(repo: Repo, tmp_path: Path) -> None:
    env = {"BUILDX_CONFIG": str(tmp_path / "buildx")}
    usual = Told(repo, env=env)
    docker("buildx", "create", "--name", "dead", "--driver", "remote", f"unix://{tmp_path}/no.sock", env=env)
    told = Told(repo, env=env)
    told.says("builder", "warning", "dead (remote)", "docker buildx rm dead")
    told.only(usual, "builder")
    used = Told(repo, env={**env, "BUILDX_BUILDER": "dead"})
    assert used.code == 2
    used.says("builder", "cannot", "dead (remote), in use", "docker buildx inspect --bootstrap dead")


def test_a_disk_on_which_nothing_can_be_built_is_in_the_way(repo: Repo, tmp_path: Path) -> None:
    usual = Told(repo, env={"XDG_CACHE_HOME": str(tmp_path / "large")})
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False).returncode != 0:
        pytest.skip("takes root, to mount a small disk")
    try:
        told = Told(repo, env={"XDG_CACHE_HOME": str(place)})
        told.says("disk", "cannot", "nothing can be built: 0 GB free for the cache", str(place), "XDG_CACHE_HOME")
        told.only(usual, "disk")
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_base_that_is_nowhere_is_told_with_its_registry(repo: Repo, well: Told) -> None:
    place = f"localhost:{free_port()}/base:1"
    repo.write("services/two/Dockerfile", f"FROM {place}\n")
    repo.commit()
    told = Told(repo)
    assert told.code == 5
    told.says("bases", "cannot", place, "${EDITOR:-vi} +1 services/two/Dockerfile")
    told.only(well, "bases")


def test_a_base_that_its_registry_does_not_have_is_told(repo: Repo, registry: str, well: Told) -> None:
    repo.write("services/two/Dockerfile", f"FROM {registry}/base:1\n")
    repo.commit()
    told = Told(repo)
    told.says("bases", "cannot", f"{registry}/base:1", "not found", "${EDITOR:-vi} +1 services/two/Dockerfile")
    told.only(well, "bases")


def test_a_mirror_that_does_not_answer_is_told_with_its_setting(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"INVOKE_CONTAINER_MIRROR": f"localhost:{free_port()}/hub"})
    assert told.code == 5
    told.says("bases", "cannot", "/hub/library/alpine", "unset INVOKE_CONTAINER_MIRROR")
    told.only(well, "bases")


class _Stub(BaseHTTPRequestHandler):
    status, when = 200, ""

    def do_GET(self) -> None:
        self.send_response_only(self.status)
        self.send_header("Date", self.when)
        if self.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="stub"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


def stub(status: int, when: datetime) -> Iterator[str]:
    handler = type("Stub", (_Stub,), {"status": status, "when": format_datetime(when, usegmt=True)})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def locked() -> Iterator[str]:
    """A registry that lets nobody in."""
    yield from stub(401, datetime.now(UTC))


@pytest.fixture
def late() -> Iterator[str]:
    """A registry whose clock is an hour ahead of this machine's."""
    yield from stub(200, datetime.now(UTC) + timedelta(hours=1))


def test_a_registry_that_does_not_answer_is_a_warning_for_builds_do_without(repo: Repo, registry: str) -> None:
    answers = Told(repo, env={"DOCKER_REGISTRY": f"{registry}/x"})
    told = Told(repo, env={"DOCKER_REGISTRY": f"localhost:{free_port()}/x"})
    assert told.code == 0
    told.says("registry", "warning", "cannot be reached", "pushes and --reuse do not")
    told.only(answers, "registry")


def test_a_registry_that_lets_nobody_in_is_told_with_who_was_asked_for_the_login(
    repo: Repo, locked: str, registry: str, config: Path
) -> None:
    env = with_file(config, auths={locked: {"auth": "dXNlcjpwbGFudGVk"}})
    told = Told(repo, env={**env, "DOCKER_REGISTRY": f"{locked}/x"})
    told.says("registry", "warning", f"docker login {locked}", f"its entry in {config}/config.json")
    told.only(Told(repo, env={**env, "DOCKER_REGISTRY": f"{registry}/x"}), "registry")
    assert "dXNlcjpwbGFudGVk" not in told.text
    assert "planted" not in told.text


def test_a_registry_that_answers_is_told_with_who_knows_the_login(repo: Repo, registry: str) -> None:
    Told(repo, env={"DOCKER_REGISTRY": f"{registry}/x"}).says("registry", "ok", registry, "without a login")


def test_a_base_behind_a_login_is_told_with_it(repo: Repo, locked: str, well: Told) -> None:
    repo.write("services/two/Dockerfile", f"FROM {locked}/base:1\n")
    repo.commit()
    told = Told(repo)
    told.says("bases", "cannot", f"{locked}/base:1", f"docker login {locked}")
    told.only(well, "bases")


def test_a_helper_for_logins_that_is_not_there_is_named(repo: Repo, config: Path) -> None:
    told = Told(repo, env=with_file(config, credsStore="nosuch"))
    told.says("credentials", "warning", "docker-credential-nosuch", f"${{EDITOR:-vi}} +1 {config}/config.json")
    told.only(Told(repo, env=with_file(config)), "credentials")


def test_a_clock_that_is_wrong_is_told_by_the_registrys(repo: Repo, late: str, well: Told) -> None:
    told = Told(repo, env={"DOCKER_REGISTRY": f"{late}/x"})
    told.says("clock", "warning", late, "ahead of this machine's", "timedatectl set-ntp true")
    told.only(well, "clock")


def test_authorities_that_cannot_be_read_are_told(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"INVOKE_CONTAINER_CA": "no/such.pem"})
    assert told.code == 2
    told.says("ca", "cannot", "no/such.pem", "unset INVOKE_CONTAINER_CA")
    told.only(well, "ca")


@pytest.fixture
def fetching(repo: Repo) -> Repo:
    """A repository whose service is in Go, on a machine whose builds can fetch."""
    from tests.support import GO

    repo.write("services/go/Dockerfile", f"FROM {GO}\n")
    told = Told(repo)
    if ("ok", "golang fetches inside a build", "") not in told.of("downloads"):
        pytest.skip(f"nothing can be fetched here: {told.of('downloads')}")
    return repo


def test_authorities_that_this_network_does_not_have_are_proved_by_a_build(fetching: Repo, tmp_path: Path) -> None:
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=none"]
    wrong = tmp_path / "wrong.pem"
    subprocess.run([*words, "-keyout", tmp_path / "key", "-out", wrong], check=True, capture_output=True)
    told = Told(fetching, env={"INVOKE_CONTAINER_CA": str(wrong)})
    told.says("build", "ok")
    told.says("downloads", "warning", "golang cannot fetch", "certificate", "unset INVOKE_CONTAINER_CA")
    told.only(Told(fetching), "downloads")


def test_a_proxy_that_does_not_answer_is_proved_by_a_build(fetching: Repo, config: Path) -> None:
    proxy = f"http://user:planted@127.0.0.1:{free_port()}"
    told = Told(fetching, env=with_file(config, proxies={"default": {"httpsProxy": proxy}}))
    told.says("downloads", "warning", "golang cannot fetch", "proxy")
    assert "planted" not in told.text


def test_a_proxy_of_the_shell_that_no_build_hears_of_is_told(repo: Repo, well: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://user:planted@127.0.0.1:{proxy.getsockname()[1]}"
        told = Told(repo, env={"HTTPS_PROXY": address, "NO_PROXY": "*"})
    told.says("proxy", "warning", "HTTPS_PROXY", "proxies.default.httpsProxy")
    assert "planted" not in told.text
    told.only(well, "proxy")


def test_a_checkout_without_git_is_told(tiny: Repo, well: Told) -> None:
    tiny.service("one")
    told = Told(tiny)
    told.says("git", "warning", "not a git repository", "git init")
    told.only(well, "git")


def test_a_checkout_without_a_commit_is_told(tiny: Repo, well: Told) -> None:
    tiny.service("one")
    subprocess.run(["git", "-C", tiny.root, "init", "-q"], check=True)
    told = Told(tiny)
    told.says("git", "warning", "no commit", "git add -A && git commit")
    told.only(well, "git")


def test_a_shallow_clone_is_told(repo: Repo, well: Told) -> None:
    repo.write("services/one/word", "another\n")
    repo.commit()
    clone = Repo(repo.root.parent / "clone")
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{repo.root}", clone.root], check=True)
    told = Told(clone)
    told.says("git", "warning", "shallow", "git fetch --unshallow")
    told.only(well, "git")


def test_what_is_not_committed_is_told(repo: Repo, well: Told) -> None:
    repo.write("services/one/word", "another\n")
    told = Told(repo)
    told.says("git", "warning", "services/one/word", "git add -A && git commit")
    told.only(well, "git")


def test_what_a_killed_run_left_is_told_and_mended(repo: Repo, well: Told) -> None:
    left = repo.write(".container/ca.4711.new", "half")
    told = Told(repo)
    told.says("leftovers", "warning", ".container/ca.4711.new", "inv container-doctor --fix")
    told.only(well, "leftovers")
    told = Told(repo, "--fix")
    told.says("leftovers", "changed", ".container/ca.4711.new")
    assert not left.exists()
    assert told.code == 0


def test_a_run_that_goes_on_is_left_alone(repo: Repo) -> None:
    from filelock import FileLock

    left = repo.write(".container/ca.4711.new", "half")
    with FileLock(repo.root / ".container/lock"):
        told = Told(repo, "--fix")
    told.says("leftovers", "ok", "a build runs in this checkout")
    assert left.exists()


def test_a_link_in_the_place_of_the_folder_is_told(repo: Repo, tmp_path: Path, well: Told) -> None:
    (repo.root / ".container").symlink_to(tmp_path)
    told = Told(repo, "--fix")
    assert told.code == 2
    told.says("leftovers", "cannot", ".container is a link", "rm ")
    told.only(well, "leftovers")


def test_containers_that_a_run_has_left_are_told_and_removed(repo: Repo, well: Told) -> None:
    repo.inv("container-run", "--detach").ok()
    docker("kill", "tiny-one")
    told = Told(repo)
    told.says("containers", "warning", "tiny-one", "inv container-stop")
    told.only(well, "containers")
    told = Told(repo, "--fix")
    told.says("containers", "changed", "removed tiny-one")
    assert docker("ps", "-aq", "--filter", "name=^tiny-one$") == ""


def test_containers_that_a_killed_verification_has_left_are_told_and_removed(repo: Repo, well: Told) -> None:
    from tasks.engine.specimens import VERIFY_LABEL, mark_of

    repo.inv("container-build").ok()
    label = f"{VERIFY_LABEL}={mark_of('tiny', repo.root)}"
    docker("run", "-d", "--label", label, "images.test/tiny/one:latest")
    try:
        told = Told(repo)
        told.says("containers", "warning", "a killed verification left 1 container", "--fix")
        told.only(well, "containers")
        Told(repo, "--fix").says("containers", "changed", "removed")
        assert docker("ps", "-aq", "--filter", f"label={label}") == ""
    finally:
        docker("rm", "-f", *docker("ps", "-aq", "--filter", f"label={label}").split(), check=False)


def test_nothing_of_the_tiny_build_stays_in_the_engines_builder(repo: Repo) -> None:
    def words() -> set[str]:
        return set(re.findall("doctor-[0-9a-f]{16}", docker("buildx", "du", "--verbose")))

    before = words()
    Told(repo).says("build", "ok")
    assert words() <= before


def test_containers_that_run_are_left_alone(repo: Repo) -> None:
    repo.inv("container-run", "--detach").ok()
    try:
        Told(repo, "--fix").says("containers", "ok")
        assert docker("ps", "-q", "--filter", "name=^tiny-one$")
    finally:
        repo.inv("container-stop").ok()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUILDX_CONFIG", "/dev/null/nowhere"),
        ("DOCKER_CONTEXT", "default"),
        ("SOURCE_DATE_EPOCH", "1000"),
        ("EXPERIMENTAL_BUILDKIT_SOURCE_POLICY", "/dev/null"),
        ("PYTHON_ON_WHALES_DEBUG", "1"),
    ],
)
def test_what_changes_a_result_is_told_with_what_takes_it_away(repo: Repo, name: str, value: str, well: Told) -> None:
    told = Told(repo, env={name: value})
    told.says("environment", "warning", f"{name} is set", f"unset {name}")
    told.only(well, "environment", *(["builder", "build"] if name == "BUILDX_CONFIG" else []))


def test_an_address_of_an_engine_in_the_environment_is_told(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"DOCKER_HOST": docker("context", "inspect", "-f", "{{.Endpoints.docker.Host}}").strip()})
    told.says("context", "warning", "DOCKER_HOST names the engine", "unset DOCKER_HOST")
    told.only(well, "context")
    assert told.code == 0


def test_what_only_seems_to_change_a_result_is_said_to_be_harmless(repo: Repo) -> None:
    repo.write("docker-bake.override.hcl", 'target "one" { args = { X = "1" } }\n')
    repo.commit()
    before = repo.inv("container-build", "--print").ok().out
    told = Told(repo, env={"BUILDX_BAKE_FILE": "nosuch.hcl", "BUILDKIT_HOST": "tcp://127.0.0.1:1"})
    assert told.bad() == set()
    for name in ("docker-bake.override.hcl", "BUILDX_BAKE_FILE", "BUILDKIT_HOST"):
        told.says("environment", "ok", name, "builds here do not")
    assert repo.inv("container-build", "--print", env={"BUILDX_BAKE_FILE": "nosuch.hcl"}).ok().out == before


def test_a_setting_that_cannot_be_used_hides_nothing_else(repo: Repo, well: Told) -> None:
    told = Told(repo, env={"INVOKE_CONTAINER_JOBS": "many"})
    assert told.code == 2
    told.says("settings", "cannot", "'many' is not a whole number")
    told.says("engine", "ok")
    told.only(well, "settings", unseen=True)


def test_a_repository_without_services_is_looked_at_all_the_same(tiny: Repo) -> None:
    told = Told(tiny)
    assert told.code == 0
    told.says("settings", "warning", "there is no service to build", "services/<name>/Dockerfile")


def test_a_name_with_control_codes_does_not_reach_the_terminal(repo: Repo) -> None:
    done = repo.inv("container-doctor", env={"DOCKER_CONTEXT": "no\x1b[31m\nok  engine  lies"})
    assert "\x1b[31m" not in done.all
    assert not any(line.startswith("ok  engine  lies") for line in done.all.splitlines())


def test_it_takes_a_few_seconds(repo: Repo) -> None:
    repo.inv("container-doctor").ok()
    begun = time.monotonic()
    repo.inv("container-doctor").ok()
    assert time.monotonic() - begun < 30
