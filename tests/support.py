"""What the tests with a real engine share: repositories to build in, and a registry to push to."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import HTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = "alpine:3.24.2@sha256:294b683cb724975bec92580e1e685676bd4b50bda910ddb8c51d4cabeaec77e6"
GO = "golang:1.27.2-alpine3.24@sha256:85dc1069ac644ea3c527b177303a406eb3358192816cd7f9e5848eb658851673"
TASKS_PY = """\
from pathlib import Path

from container_tasks.cli import collection

namespace = collection(Path(__file__).resolve().parent)
"""
BUILDER = "tests-release"
"""The builder of the fixture ``builder``."""
PUSH = ("container-push", "--builder", BUILDER, "--skip", "verify,scan")
"""A release of images that nobody could start."""
LOGIN = ("robot", "let-me-in")
HTPASSWD = "robot:$2b$05$JhtA9LrnqofFs9Mp3AaAVei2TQ5pqBVCuB61VwBaD/vEoFkCx/iUm\n"
"""The same, as a registry keeps it."""
# What a person may have set, and a test must not inherit.
_OWN = ("DOCKER_REGISTRY", "BUILD_PLATFORMS", "DOCKER_TAGS", "NO_COLOR", "FORCE_COLOR", "BUILDX_BUILDER")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what decides a build, and with ``more``."""
    return {key: value for key, value in os.environ.items() if key not in _OWN} | dict(more or {})


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository that tasks run in."""

    root: Path
    seed: str = field(default_factory=lambda: uuid.uuid4().hex)
    """In every image, so that no test finds the layers of an earlier run."""

    def inv(self, *words: str, env: Mapping[str, str] | None = None, timeout: float = 600) -> "Result":
        """Run tasks in it, with nobody to ask."""
        return Result(
            subprocess.run(
                [sys.executable, "-m", "invoke", *words],
                cwd=self.root,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        )

    def write(self, path: str, text: str) -> Path:
        """Write a file, and the folders above it."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def service(self, name: str, *lines: str) -> None:
        """Add a service whose Dockerfile stands on the small base and has these lines more."""
        self.write(
            f"services/{name}/Dockerfile",
            "\n".join([f"FROM {BASE}", f"COPY services/{name}/seed /", *lines, 'CMD ["sleep", "60"]', ""]),
        )
        self.write(f"services/{name}/word", f"{name}\n")
        self.write(f"services/{name}/seed", self.seed)

    def commit(self) -> str:
        """Commit everything and return the commit's full name."""
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(self.root)]
        if not (self.root / ".git").exists():
            subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "state"], check=True)
        return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of tasks left behind."""

    done: "subprocess.CompletedProcess[str]"

    @property
    def code(self) -> int:
        """The exit code."""
        return self.done.returncode

    @property
    def out(self) -> str:
        """Standard output."""
        return self.done.stdout

    @property
    def all(self) -> str:
        """Everything it wrote."""
        return self.done.stdout + self.done.stderr

    def ok(self) -> "Result":
        """Return itself, if it ended well."""
        assert self.code == 0, self.all
        return self

    def fails(self, code: int, *words: str) -> "Result":
        """Return itself, if it ended with that code, said those words, and shows no traceback."""
        assert self.code == code, f"exit code {self.code}\n{self.all}"
        assert "Traceback" not in self.all, self.all
        for word in words:
            assert word in self.all, f"{word!r} is missing:\n{self.all}"
        return self


def docker(*words: str, check: bool = True, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run docker's own command line and return its output."""
    done = subprocess.run(
        ["docker", *words],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        input=stdin,
        env=environment(env),
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def get(url: str, *, seconds: float = 30) -> str:
    """Return what an address answers, waiting until it does."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a loopback address
                return str(answer.read().decode())
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def tags(registry: str, name: str) -> dict[str, str]:
    """Return what each tag of a repository names, as the registry itself says; signatures are left out."""
    from tests import oci

    host, _, path = registry.partition("/")
    return oci.Registry(host).tags(f"{path}/{name}" if path else name)


def wait_for(condition: Callable[[], bool], seconds: float = 60, *, what: Callable[[], str] = str) -> None:
    """Return when a condition holds; ``what`` says what there was instead when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what() or "it did not come to pass"
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def running(image: str, port: int, *options: str) -> Iterator[tuple[str, str]]:
    """Run an image and yield the container and the address of its port on this machine."""
    container = docker("run", "-d", "-p", f"127.0.0.1::{port}", *options, image).strip()
    try:
        published = docker("port", container, str(port)).splitlines()[0]
        yield container, f"http://{published}"
    finally:
        docker("rm", "-f", "-v", container, check=False)


def client(folder: Path, logins: Mapping[str, tuple[str, str]], **more: object) -> dict[str, str]:
    """Make a docker client's folder that is logged in to registries, and return the environment that names it.

    ``more`` stands in its file beside the logins.
    """
    real = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    folder.mkdir(parents=True)
    (folder / "cli-plugins").symlink_to(real / "cli-plugins")
    if (real / "buildx").is_dir():  # where buildx keeps its builders
        (folder / "buildx").symlink_to(real / "buildx")
    auths = {
        registry: {"auth": base64.b64encode(":".join(login).encode()).decode()} for registry, login in logins.items()
    }
    (folder / "config.json").write_text(json.dumps({"auths": auths, **more}), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}


@contextlib.contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Let a server answer until the block ends."""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def packed(content: bytes) -> str:
    """Return bytes as the parts of a token have them: base64url, without its padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@contextlib.contextmanager
def loopback_registry(folder: Path, *, htpasswd: str = "", auth: str = "") -> Iterator[str]:
    """Serve an empty registry on a free port of this machine, and yield its address.

    ``htpasswd`` holds who may use it, as that program writes it, ``auth`` says otherwise how a login is asked for,
    as the registry's configuration has it; without either everybody may.
    """
    port, asking = free_port(), ""
    program = _registry_program()
    if program is None:
        assert not htpasswd + auth, "needs the registry of the packages"
        container = docker(
            "run", "-d", "-e", "REGISTRY_STORAGE_DELETE_ENABLED=true", "-p", f"127.0.0.1:{port}:5000", "registry:2"
        ).strip()

        def stop() -> None:
            docker("rm", "-f", "-v", container)

    else:
        config = folder / "registry.yml"
        users = folder / "htpasswd"
        users.write_text(htpasswd, encoding="utf-8")
        login = f"{{htpasswd: {{realm: here, path: {users}}}}}" if htpasswd else auth
        asking = f"auth: {login}\n" if login else ""
        config.write_text(
            asking + f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n",
            encoding="utf-8",
        )
        child = subprocess.Popen([program, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def stop() -> None:
            child.terminate()
            child.wait()

    try:
        if asking:
            wait_for(lambda: answers(port), 30, what=lambda: "the registry does not answer")
        else:
            get(f"http://127.0.0.1:{port}/v2/")
        yield f"localhost:{port}"
    finally:
        stop()


def _registry_program() -> str | None:
    from tasks.engine.machine import packages

    unpacked = packages.root_of(packages.REGISTRY) / "usr/bin/docker-registry"
    return str(unpacked) if unpacked.is_file() else shutil.which("docker-registry")
