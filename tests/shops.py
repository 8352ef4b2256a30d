"""A shop: a repository of two services that really run, its registry, and releases of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import cosigns
from tests.cosigns import Keys
from tests.faulty import Answer, Fault, Faulty, Handler
from tests.oci import Registry, digest
from tests.support import BASE, BUILDER, TASKS_PY, Repo, Result, environment, tags

BOTH = "linux/amd64,linux/arm64"
SERVICES = ("one", "two")
Tags = dict[str, dict[str, str]]
SIGNING = ("--skip", "verify,scan")
QUICK = ("--skip", "verify,scan,sign")
# It writes nothing, needs nobody's rights, and ends when it is told to.
_SERVICE = """\
FROM {base}
COPY services/{name}/word services/{name}/seed /srv/
USER 1000:1000
CMD ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1 & wait $!; done"]
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A repository, and the registry that it releases to."""

    repo: Repo
    address: str
    """Of the registry as the tasks see it: host, port and path."""
    behind: str
    """Of the registry itself."""
    env: Mapping[str, str] = field(default_factory=dict)

    def inv(self, *words: str, **env: str) -> Result:
        """Type a task."""
        return self.repo.inv(*words, env={**self.env, **env})

    def push(self, *words: str, **env: str) -> Result:
        """Type container-push."""
        return self.inv("container-push", "--progress", "quiet", *words, **env)

    def state(self, version: str, **words: str) -> None:
        """Commit a version, and the word of each service that is named."""
        self.repo.write("VERSION", f"{version}\n")
        for name, word in words.items():
            self.repo.write(f"services/{name}/word", f"{word}\n")
        self.repo.commit()

    def tags(self) -> Tags:
        """Return the tags of every service, as the registry itself says."""
        return {name: tags(self.behind, name) for name in SERVICES}

    def moving(self) -> dict[str, str]:
        """Return what people get who follow latest."""
        return {name: found["latest"] for name, found in self.tags().items() if "latest" in found}

    def records(self) -> dict[str, Mapping[str, Any]]:
        """Return the records of releases, as the registry itself has them."""
        return {name: self.record(name) for name in tags(self.behind, "releases")}

    def record(self, name: str) -> Mapping[str, Any]:
        """Return one record, when each of its parts is what its digest says."""
        host, _, path = self.behind.partition("/")
        registry, place = Registry(host), f"{path}/releases"
        manifest = json.loads(registry.manifest(place, name))
        config, layer = manifest["config"], manifest["layers"][0]
        assert registry.blob(place, config["digest"]) == b"{}"
        content = registry.blob(place, layer["digest"])
        assert (digest(content), len(content)) == (layer["digest"], layer["size"])
        found: Mapping[str, Any] = json.loads(content)
        return found

    def listed(self, **env: str) -> dict[str, Mapping[str, Any]]:
        """Return what container-releases says, by name."""
        told = json.loads(self.inv("container-releases", "--json", **env).ok().out)
        return {one["name"]: one for one in told["releases"]}

    def clone(self, to: Path) -> "Shop":
        """Return the same on another machine: a clone of its own."""
        subprocess.run(["git", "clone", "-q", self.repo.root, to], check=True)
        return Shop(Repo(to), self.address, self.behind, self.env)

    @contextmanager
    def running(self, *words: str, **env: str) -> "Iterator[subprocess.Popen[str]]":
        """Run a task beside the test."""
        child = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.repo.root,
            env=environment({**self.env, **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a terminal sends Ctrl-C to all of a group
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
            if child.stdout is not None and not child.stdout.closed:
                child.communicate()


def make(root: Path, address: str, behind: str, env: Mapping[str, str]) -> Shop:
    """Make a shop of which nothing has been released; its first version is 1.0.0."""
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write(".gitignore", ".container/\n")
    repo.write("invoke.yaml", f"container:\n  project: shop\n  registry: {address}/team\n  builder: {BUILDER}\n")
    for name in SERVICES:
        repo.write(f"services/{name}/Dockerfile", _SERVICE.format(base=BASE, name=name))
        repo.write(f"services/{name}/seed", repo.seed)
    shop = Shop(repo, f"{address}/team", f"{behind}/team", env)
    shop.state("1.0.0", one="first", two="first")
    return shop


def own_cache(folder: Path) -> dict[str, str]:
    """Make a cache folder with what takes long to have, and nothing else; return the environment that names it."""
    from tasks.engine import cache

    own = folder / "container-tasks"
    own.mkdir(parents=True)
    for name in ("stand-ins.json", "packages", "trivy"):
        if (cache.home() / name).exists():
            (own / name).symlink_to(cache.home() / name)
    return {"XDG_CACHE_HOME": str(folder)}


def path() -> str:
    """Return PATH with cosign in it."""
    return f"{Path(cosigns.cosign('2').path).parent}:{os.environ['PATH']}"


def signed(keys: Keys) -> dict[str, str]:
    """Return the environment of one who signs with a key."""
    return {
        "INVOKE_CONTAINER_SIGN_KEY": str(keys.private),
        "COSIGN_PASSWORD": keys.password,
        "PATH": path(),
    }


def at(method: str, then: Callable[[], object], *, times: int = 1) -> Fault:
    """Do something while a request of this method is answered, rightly, the first times that it comes."""
    left = [times]

    def fault(handler: Handler, answer: Answer) -> None:
        if handler.command == method and left[0]:
            left[0] -= 1
            then()
        handler.send(answer)

    return fault


def ending(spoilt: Faulty, method: str, path: str, child: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal when a request comes, and hold the answer back until it has been heard.

    Ctrl-C reaches every process that the task has started, as at a terminal.
    """

    def end() -> None:
        if number is signal.SIGINT:
            os.killpg(child.pid, number)
        else:
            os.kill(child.pid, number)
        time.sleep(1)

    spoilt.at(path, at(method, end))
