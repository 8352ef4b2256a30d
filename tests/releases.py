"""Releases of two tiny services that faults are tried on: a lane is a checkout, a registry and a proxy before it.

A lane holds a release (1.0.0) and a commit after it (1.1.0). Each trial spoils the release of the second, reads from
the registry itself what came of it, holds that against what was said, and releases once more, unspoilt.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests import faulty
from tests.faulty import Asked, Faulty, Rule
from tests.support import TASKS_PY, Repo, Result, environment, loopback_registry

LONG = os.environ.get("CONTAINER_TESTS_LONG") == "1"
LANES = 3
SERVICES = ("one", "two")
OLD, NEW = "1.0.0", "1.1.0"
REVISION = "org.opencontainers.image.revision"
PROJECT = "spoilt"
QUICK = {
    "INVOKE_CONTAINER_TRIES": "3",
    "INVOKE_CONTAINER_RETRY_WAIT": "1",
    "INVOKE_CONTAINER_RETRY_LIMIT": "30",
    "INVOKE_CONTAINER_REGISTRY_TIMEOUT": "6",  # BuildKit's own further tries are silent for up to 4 s
}
_ENDS = 20.0  # seconds that what a killed task has started may take to end by itself
_NEVER_SAID = {
    "Traceback": "a bug",
    "let-me-in|[Bb]asic cm9ib3Q6": "a credential is shown",
    "another run releases": "a lock was in the way",
}
counted: Counter[str] = Counter()
"""By kind of fault, the trials whose fault was served and whose end was read back."""


@dataclass(frozen=True, slots=True)
class Point:
    """A request of a release: who asks what, for which time."""

    key: str
    number: int

    def __str__(self) -> str:
        return f"{self.key} ({self.number})"

    def rule(self, fault: faulty.Fault, *, times: int | None = 1, reaches: bool = True) -> Rule:
        """Return what spoils it."""
        return Rule(lambda asked: asked.key == self.key, fault, self.number, times, reaches)


@dataclass(frozen=True, slots=True)
class State:
    """What the tags of a lane's registry name, as the registry behind the proxy says."""

    digests: Mapping[tuple[str, str], str]
    """By service and tag; what is not there is left out."""
    revisions: Mapping[tuple[str, str], str]
    """The commits that these images say they are of."""
    records: Mapping[str, Mapping[str, str]]
    """By the name of a release, the digests that its record lists."""


@dataclass(slots=True)
class Lane:
    """A checkout and a registry that go back to the same state before each trial."""

    folder: Path
    repo: Repo
    proxy: Faulty
    builder: str | None
    options: tuple[str, ...]
    more: Mapping[str, str]
    commits: dict[str, str] = field(default_factory=dict)
    task: "subprocess.Popen[str] | None" = None
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    """In the environment of all that a task starts."""

    @property
    def storage(self) -> Path:
        """Where the registry keeps what it has."""
        return self.folder / "registry"

    @property
    def temporary(self) -> Path:
        """Where a task makes its temporary files."""
        return self.folder / "tmp"

    def push(self, *, timeout: float = 240) -> Result:
        """Release, with nobody to ask."""
        env = environment(QUICK) | {"LANE": self.mark, "TMPDIR": str(self.temporary)} | dict(self.more)
        builder = [] if self.builder is None else ["--builder", self.builder]
        words = [
            "container-push",
            "--progress",
            "plain",
            "--registry",
            f"{self.proxy.address}/team",
            *builder,
            *self.options,
        ]
        self.task = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.repo.root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            out, err = self.task.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.task.pid, signal.SIGKILL)
            out, err = self.task.communicate()
            err += f"\nit did not end within {timeout:g} s"
        return Result(subprocess.CompletedProcess(words, self.task.returncode, out, err))

    def kill(self) -> None:
        """End the task that runs, and nothing else."""
        assert self.task is not None
        self.task.kill()

    def settle(self) -> None:
        """Release the old state, make the new one, and keep both to come back to."""
        self.temporary.mkdir()
        for version, word in ((OLD, "old"), (NEW, "new")):
            self.repo.write("VERSION", f"{version}\n")
            for name in SERVICES:
                self.repo.write(f"services/{name}/Dockerfile", f"FROM scratch\nCOPY services/{name}/word /word\n")
                self.repo.write(f"services/{name}/word", f"{name} {word} {self.repo.seed}\n")
            self.commits[version] = self.repo.commit()
            if version == OLD:
                self.push().ok()
        shutil.copytree(self.storage, self.folder / "registry.old")
        shutil.copytree(self.repo.root / ".container", self.folder / "container.old")

    def restore(self) -> None:
        """Go back to the old release and the new commit."""
        self.proxy.anew()
        for place, kept in ((self.storage, "registry.old"), (self.repo.root / ".container", "container.old")):
            _empty(place)  # and not the folder itself: it may be a disk of its own
            shutil.copytree(self.folder / kept, place, dirs_exist_ok=True)
        _empty(self.temporary)

    def state(self) -> State:
        """Read every tag and record from the registry itself."""
        digests: dict[tuple[str, str], str] = {}
        revisions: dict[tuple[str, str], str] = {}
        for service in SERVICES:
            for tag in self._tags(service):
                if tag.startswith("sha256-"):
                    continue
                try:
                    content, digest = self._manifest(service, tag)
                    digests[service, tag], revisions[service, tag] = digest, self._revision(service, content)
                except urllib.error.HTTPError:  # a tag that leads nowhere is none, whatever the list says
                    digests.pop((service, tag), None)
        records = {}
        for tag in self._tags("releases"):
            if not tag.startswith("sha256-"):
                content, _ = self._manifest("releases", tag)
                record = self._json("releases", f"blobs/{content['layers'][0]['digest']}")
                records[tag] = {name: one["digest"] for name, one in record["services"].items()}
        return State(digests, revisions, records)

    def _revision(self, service: str, index: Mapping[str, Any]) -> str:
        image = next(one for one in index["manifests"] if one["platform"]["os"] != "unknown")
        manifest, _ = self._manifest(service, image["digest"])
        config = self._json(service, f"blobs/{manifest['config']['digest']}")
        for layer in manifest["layers"]:
            self._get(service, f"blobs/{layer['digest']}")
        return str(config["config"]["Labels"][REVISION])

    def _tags(self, name: str) -> list[str]:
        try:
            return list(self._json(name, "tags/list")["tags"] or [])
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise

    def _manifest(self, name: str, reference: str) -> tuple[dict[str, Any], str]:
        content = self._get(name, f"manifests/{reference}")
        return json.loads(content), f"sha256:{faulty.sha256(content)}"

    def _json(self, name: str, path: str) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self._get(name, path))

    def _get(self, name: str, path: str) -> bytes:
        address = f"http://{self.proxy.behind.replace('localhost', '127.0.0.1')}/v2/team/{name}/{path}"
        request = urllib.request.Request(address, headers={"Accept": faulty.KINDS})
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the same
            return bytes(answer.read())

    def processes(self) -> list[str]:
        """Return what the lane's tasks have started and still runs, but for daemons."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if self.mark.encode() in (entry / "environ").read_bytes() and "buildkitd" not in words:
                    found.append(words)
        return found


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault in one release."""

    kind: str
    where: str
    spoil: Callable[[Lane], object]
    """Adds what spoils to the lane's proxy."""
    expected: Callable[[Lane, Result, State], str] = lambda _lane, _done, _state: ""
    """Returns what is wrong beyond what is never right; empty where nothing is."""
    killed: bool = False
    """Whether the task is ended by -9, and so cannot clean up."""
    mend: Callable[[Lane], object] = lambda _: None
    """Makes the machine whole again before the next run."""
    served: Callable[[Lane], bool] = lambda lane: bool(lane.proxy.spoilt)
    """Whether the fault has come to pass."""

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}"


def tried(lane: Lane, trial: Trial) -> str:
    """Try it; return what is wrong, and count it where its fault was served."""
    lane.restore()
    trial.spoil(lane)
    done = lane.push()
    served = trial.served(lane)
    wrong = []
    began = time.monotonic()
    while left := lane.processes():
        if time.monotonic() > began + (_ENDS if trial.killed else 2):
            wrong.append(f"still runs: {left}")
            break
        time.sleep(0.1)
    state = lane.state()
    if not served:
        counted["not reached"] += 1
        return "" if done.code == 0 else f"it was not served, and yet: {_shortly(done)}"
    wrong += [*_judged(lane, done, state, killed=trial.killed), trial.expected(lane, done, state)]
    wrong += _left_behind(lane) if not trial.killed else []
    lane.proxy.anew()
    trial.mend(lane)
    again = lane.push()
    wrong += [f"the next run: {one}" for one in _whole(lane, again, lane.state())]
    wrong += [f"the next run: {one}" for one in _left_behind(lane)]
    counted[trial.kind] += 1
    told = "; ".join(filter(None, wrong))
    return f"{told}\n{_shortly(done)}\n    and then\n{_shortly(again)}" if told else ""


def _shortly(done: Result) -> str:
    return "\n".join(f"    {line}" for line in [f"code {done.code}", *done.all.splitlines()[-22:]])


def _whole(lane: Lane, done: Result, state: State) -> Iterator[str]:
    """Yield what is not as after a release that went well."""
    if done.code:
        yield f"it ended with {done.code}"
    wrong = [key for key, new in _new(lane, state, "latest").items() if not new]
    if wrong:
        yield f"latest is not new of {wrong}"
    digests = {service: state.digests.get((service, f"v{NEW}")) for service in SERVICES}
    if state.records.get(f"v{NEW}") != digests:
        yield f"the record is {state.records.get(f'v{NEW}')}, and the tags are {digests}"
    if any(state.digests.get((service, "latest")) != digest for service, digest in digests.items()):
        yield "latest and the version's tag are not the same"


def _new(lane: Lane, state: State, tag: str) -> dict[str, bool]:
    return {service: state.revisions.get((service, tag)) == lane.commits[NEW] for service in SERVICES}


def _judged(lane: Lane, done: Result, state: State, *, killed: bool) -> Iterator[str]:
    """Yield what is never right, whatever was spoilt."""
    yield from _tags_judged(lane, state)
    for pattern, what in _NEVER_SAID.items():
        if re.search(pattern, done.all):
            yield f"{what}: {pattern}"
    if killed:  # it can say no more
        return
    new = _new(lane, state, "latest")
    if len(set(new.values())) > 1:
        unnamed = [name for name in _stuck(new) if f"{lane.proxy.address}/team/{name}:latest" not in done.all]
        if unnamed or not re.search(r"hint: .*inv container-push", done.all):
            yield f"latest is new of some only ({new}), and not named with its mend"
    for words in ("no tag that anybody follows has moved", "no tag has moved", "are the old ones"):
        if words in done.all and any(new.values()):
            yield f"{words!r} was said, and they have: {new}"
    if done.code == 0:
        yield from _whole(lane, done, state)
    elif "hint: " not in done.all:
        yield "an error without a way out"


def _tags_judged(lane: Lane, state: State) -> Iterator[str]:
    for service in SERVICES:
        if state.revisions.get((service, f"v{OLD}")) != lane.commits[OLD]:
            yield f"v{OLD} of {service} has moved"
        if state.revisions.get((service, f"v{NEW}"), lane.commits[NEW]) != lane.commits[NEW]:
            yield f"v{NEW} of {service} is of another commit"
        if state.revisions.get((service, "latest")) not in lane.commits.values():
            yield f"latest of {service} is lost"
    fixed = {service: state.digests.get((service, f"v{NEW}")) for service in SERVICES}
    record = state.records.get(f"v{NEW}")
    if record is not None and record != fixed:
        yield f"there is a record, and it is not what the version's tags name: {record}, {fixed}"
    if any(_new(lane, state, "latest").values()) and record is None:
        yield "latest has moved, and no record commits the release"
    if f"v{OLD}" not in state.records:
        yield f"the record of v{OLD} is lost"


def _stuck(new: Mapping[str, bool]) -> Sequence[str]:
    return [name for name, moved in new.items() if moved]


def _left_behind(lane: Lane) -> Iterator[str]:
    files = sorted(str(path.relative_to(lane.temporary)) for path in lane.temporary.rglob("*"))
    if files:
        yield f"temporary files are left: {files[:5]}"
    odd = [
        path.name for path in (lane.repo.root / ".container").rglob("*") if re.search(r"\.(new|part|tmp)", path.name)
    ]
    if odd:
        yield f"half-written files are left: {odd}"


def points(lane: Lane) -> list[Point]:
    """Release unspoilt, and return every request of it, in order."""
    lane.restore()
    lane.push().ok()
    seen: Counter[str] = Counter()
    found = []
    for asked in lane.proxy.log:
        seen[asked.key] += 1
        found.append(Point(asked.key, seen[asked.key]))
    return found


def phase(asked: Asked) -> str:
    """Return the part of a release that a request belongs to."""
    if asked.client.startswith("buildkit"):
        return "push"
    return "sign" if asked.client.startswith("cosign") else "release"


@contextlib.contextmanager
def lane(
    folder: Path, *, builder: str | None, project: str = PROJECT, options: Sequence[str] = (), **more: str
) -> Iterator[Lane]:
    """Make a lane with its old release."""
    root = folder / "shop"
    root.mkdir(parents=True)
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write(".gitignore", ".container/\n")
    repo.write("invoke.yaml", f"container:\n  project: {project}\n  platforms: linux/amd64\n")
    with loopback_registry(folder) as behind, faulty.faulty(behind) as proxy:
        made = Lane(folder, repo, proxy, builder, tuple(options), more)
        made.settle()
        yield made


def run_all(lanes: Sequence[Lane], trials: Sequence[Trial]) -> None:
    """Try all, side by side; fail with the name of each that is not as it has to be."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for one in lanes:
        free.put(one)

    def run(trial: Trial) -> str:
        taken = free.get()
        try:
            wrong = tried(taken, trial)
        except (OSError, ValueError, KeyError, StopIteration) as error:
            wrong = f"the end cannot be read: {error!r}"
        finally:
            free.put(taken)
        return f"{trial}: {wrong}" if wrong else ""

    with ThreadPoolExecutor(len(lanes)) as pool:
        failed = list(filter(None, pool.map(run, trials)))
    assert not failed, f"{len(failed)} of {len(trials)}:\n" + "\n".join(failed)


def summary() -> Iterator[str]:
    """Yield lines that tell how many faults were tried."""
    total = sum(count for kind, count in counted.items() if kind != "not reached" and not kind.startswith("("))
    yield f"{total} faults in releases, each served and its end read back" + (
        f"; {counted['not reached']} more did not come to pass" if counted["not reached"] else ""
    )
    for kind, count in sorted(counted.items()):
        yield f"  {count:4} {kind}"
