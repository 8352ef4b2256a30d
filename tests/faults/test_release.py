"""A release while the registry, the network, the disk and the processes behind it fail: of all services, or of none.

Each test tries one kind of fault at the requests of a release, one by one; a short run tries each request once, with
one fault after the other, and `inv test --long` every fault at every request.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import cosigns, faulty, releases
from tests.faulty import Answer, Fault, Handler, Rule, Tokens
from tests.releases import LONG, Lane, Point, State, Trial
from tests.support import Result

pytestmark = [pytest.mark.docker, pytest.mark.timeout(3 * 3600 if LONG else 900)]

UNPROVED = ("--skip", "verify,scan,sign")
SIGNED = ("--skip", "verify,scan")
FELLED = "felled"
FULL = 2 * 1024 * 1024  # bytes of a disk that a registry can fill
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: what is served, how often, and what a release has to make of it."""

    name: str
    fault: Fault
    times: int | None
    reaches: bool
    expected: Callable[[Lane, Result, State], str]


def passes(lane: Lane, done: Result, state: State) -> str:
    """Return what is wrong where the fault has to pass by itself."""
    return "" if done.code == 0 else f"it did not pass: {done.code}"


def lasts(*words: str) -> Callable[[Lane, Result, State], str]:
    """Return what says what is wrong where the fault lasts: said at once, in these words, and asked for once."""

    def expected(lane: Lane, done: Result, state: State) -> str:
        # An upload is begun once for each of an image's parts, and each cosign begins alike: at the same path.
        several = ("/uploads/", "/v2/")
        asked = [(one.method, one.path) for one in lane.proxy.spoilt if not one.path.endswith(several)]
        again = sorted({f"{method} {path}" for method, path in asked if asked.count((method, path)) > 1})
        missing = [word for word in words if word not in done.all]
        return "; ".join(
            [
                *([] if done.code == 5 else [f"it ended with {done.code}, not with 5"]),
                *([f"it does not say {missing}"] if missing else []),
                *([f"it was asked for again: {again}"] if again else []),
            ]
        )

    return expected


def ends(lane: Lane, done: Result, state: State) -> str:
    """Return what is wrong where a release may go well or fail, but with the code of a registry."""
    return "" if done.code in {0, 5} else f"it ended with {done.code}"


KINDS = (
    Kind("429", faulty.status(429), 1, reaches=False, expected=passes),
    Kind("429 with Retry-After", faulty.status(429, Retry_After="2"), 1, reaches=False, expected=passes),
    Kind("503", faulty.status(503), 1, reaches=False, expected=passes),
    Kind("503, though it was done", faulty.status(503), 1, reaches=True, expected=passes),
    Kind("reset", faulty.reset, 1, reaches=False, expected=passes),
    Kind("reset in the middle of the answer", faulty.cut, 1, reaches=True, expected=passes),
    Kind("hang", faulty.silent, 1, reaches=True, expected=passes),
    Kind("400", faulty.status(400), None, reaches=False, expected=lasts("400")),
    Kind("401", faulty.status(401), None, reaches=False, expected=lasts("401", "docker login")),
    Kind("403", faulty.status(403), None, reaches=False, expected=lasts("403", "docker login")),
    Kind("413", faulty.status(413), None, reaches=False, expected=lasts("413")),
    Kind("another digest", faulty.wrong, 1, reaches=True, expected=ends),
    Kind("a page with 200", faulty.page, 1, reaches=False, expected=ends),
    Kind("503 without an end", faulty.status(503), None, reaches=False, expected=ends),
    Kind("another digest without an end", faulty.wrong, None, reaches=True, expected=ends),
    Kind("a page without an end", faulty.page, None, reaches=False, expected=ends),
)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A builder that all lanes push with."""
    from tasks.engine.machine import prepare, release_builder

    name = release_builder.default_name(releases.PROJECT)
    with prepare.alone(lambda _: None):
        release_builder.ensure(name, project=releases.PROJECT)
    yield name
    with prepare.alone(lambda _: None):
        release_builder.remove(name)


@pytest.fixture(scope="module")
def lanes(builder: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lane]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                releases.lane(tmp_path_factory.mktemp("lane") / "here", builder=builder, options=UNPROVED)
            )
            for _ in range(releases.LANES)
        ]


@pytest.fixture(scope="module")
def requests(lanes: list[Lane]) -> list[Point]:
    """The requests of a release."""
    return releases.points(lanes[0])


def served(kind: Kind, point: Point) -> Trial:
    """Return a trial that serves a fault at a request."""

    def spoil(lane: Lane) -> None:
        lane.proxy.when(point.rule(kind.fault, times=kind.times, reaches=kind.reaches))

    return Trial(kind.name, str(point), spoil, kind.expected)


def chosen(kinds: Sequence[Kind], found: Sequence[Point]) -> list[Trial]:
    """Return every fault at every request; in a short run one at each of one service, the faults in turn."""
    if LONG:
        return [served(kind, point) for point in found for kind in kinds]
    few = [point for point in found if "/two/" not in point.key or "requests PUT" in point.key]
    some = [point for number, point in enumerate(few) if number % 2 == 0 or "requests P" in point.key]
    return [served(kinds[number % len(kinds)], point) for number, point in enumerate(some)]


def every(found: Sequence[Point], step: int) -> list[Point]:
    """Return all of these; in a short run only one of so many, and the last."""
    return list(found) if LONG else [*found[::step], *found[-1:]]


def release_steps(found: Sequence[Point]) -> list[Point]:
    """Return the requests by which a release writes: its tags and its record."""
    return [point for point in found if "requests P" in point.key]


def test_a_fault_at_a_request_leaves_all_tags_or_none(lanes: list[Lane], requests: list[Point]) -> None:
    releases.run_all(lanes, chosen(KINDS, requests))


def test_a_registry_that_goes_away_for_good_leaves_all_tags_or_names_them(
    lanes: list[Lane], requests: list[Point]
) -> None:
    """From one request on nothing is answered any more, the way back included."""

    def gone(point: Point, fault: Fault, *, reaches: bool) -> Callable[[Lane], None]:
        def spoil(lane: Lane) -> None:
            first = point.rule(fault, reaches=reaches)
            rest = Rule(lambda _: first.matched >= first.first, fault, reaches=False)
            lane.proxy.when(first).when(rest)

        return spoil

    faults = {"503": faulty.status(503), "reset": faulty.reset, "403": faulty.status(403)}
    trials = [
        Trial(f"{name} from there on", str(point), gone(point, fault, reaches=reaches), ends)
        for name, fault in faults.items()
        for reaches in (False, True)
        for point in every(release_steps(requests), 5)
        if LONG or "latest" in point.key or name == "reset"
    ]
    releases.run_all(lanes, trials)


def test_a_tag_that_cannot_go_back_is_named_with_its_mend(lanes: list[Lane], requests: list[Point]) -> None:
    """One tag is refused, and the other, which has moved already, is refused on its way back."""
    moved, other = [point for point in requests if "PUT" in point.key and point.key.endswith("/latest")]

    def spoil(lane: Lane) -> None:
        def late(handler: Handler, answer: Answer) -> None:
            time.sleep(1.5)  # the other one has moved by then
            faulty.status(403)(handler, answer)

        lane.proxy.when(other.rule(late, times=None, reaches=False))
        lane.proxy.when(Point(moved.key, 2).rule(faulty.status(403), times=None, reaches=False))

    def named(lane: Lane, done: Result, state: State) -> str:
        new = [tag for tag in ("one", "two") if state.revisions[tag, "latest"] == lane.commits[releases.NEW]]
        said = len(new) == 1 and f"new, and not taken back: {lane.proxy.address}/team/{new[0]}:latest" in done.all
        return "" if said and done.code == 5 else f"{new} is new, and that is not said"

    releases.run_all(lanes, [Trial("403, on the way back too", str(moved), spoil, named)])


def test_a_task_that_is_killed_at_a_request_is_made_good_by_the_next(lanes: list[Lane], requests: list[Point]) -> None:
    def killing(point: Point, *, reaches: bool) -> Trial:
        def spoil(lane: Lane) -> None:
            lane.proxy.when(point.rule(faulty.doing(lane.kill), reaches=reaches))

        when = "after" if reaches else "before"
        return Trial(f"-9 to the task, {when} it was done", str(point), spoil, killed, killed=True)

    def killed(lane: Lane, done: Result, state: State) -> str:
        return "" if done.code == -signal.SIGKILL else f"it was not killed: {done.code}"

    some = requests if LONG else [*every(requests, 16), *(one for one in release_steps(requests) if "/one/" in one.key)]
    trials = [killing(point, reaches=reaches) for number, point in enumerate(some) for reaches in (False, True)]
    releases.run_all(lanes, trials if LONG else trials[::2] + trials[-3::2])


@pytest.fixture(scope="module")
def felled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """A lane whose builder is its own: the one that a release makes where no other can push by digest."""
    from tasks.engine.machine import prepare, release_builder

    folder = tmp_path_factory.mktemp("felled") / "here"
    try:
        with releases.lane(folder, builder=None, project=FELLED, options=UNPROVED) as made:
            yield made
    finally:
        with prepare.alone(lambda _: None):
            release_builder.remove(release_builder.default_name(FELLED))


def test_a_builder_that_is_killed_at_a_request_comes_back(felled: Lane, requests: list[Point]) -> None:
    from tasks.engine.machine import buildkitd, processes, release_builder

    mark = buildkitd.mark(release_builder.default_name(FELLED))
    if not processes.find(mark):
        pytest.skip("this machine's release builder runs in a container")

    def fell() -> None:
        for pid in processes.find(mark):
            os.kill(pid, signal.SIGKILL)

    def felling(point: Point) -> Trial:
        def spoil(lane: Lane) -> None:
            def fault(handler: Handler, answer: Answer) -> None:
                fell()
                handler.send(answer)

            lane.proxy.when(point.rule(fault))

        return Trial("-9 to the builder", str(point), spoil, passes)

    releases.run_all([felled], [felling(point) for point in every(requests, 18)])


@pytest.mark.parametrize("uses", [1, 2, 5, 11] if LONG else [2])
def test_a_token_that_expires_in_the_middle_is_renewed(
    builder: str, tmp_path: Path, requests: list[Point], uses: int
) -> None:
    real = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    client = tmp_path / "client"
    client.mkdir()
    (client / "cli-plugins").symlink_to(real / "cli-plugins")
    (client / "buildx").symlink_to(real / "buildx")
    tokens = Tokens(uses)
    with releases.lane(tmp_path / "here", builder=builder, options=UNPROVED, DOCKER_CONFIG=str(client)) as lane:
        login = base64.b64encode(f"{tokens.user}:{tokens.password}".encode()).decode()
        content = {"auths": {lane.proxy.address: {"auth": login}}}
        (client / "config.json").write_text(json.dumps(content), encoding="utf-8")
        trial = Trial(
            f"a token is good for {uses} requests",
            "all of them",
            lambda lane: lane.proxy.when(tokens.rule()),
            ends,
            served=lambda _: tokens.expired > 0,
        )
        releases.run_all([lane], [trial])


@pytest.fixture
def filled(builder: str, tmp_path: Path) -> Iterator[Lane]:
    """A lane whose registry has a small disk of its own."""
    folder = tmp_path / "here"
    (folder / "registry").mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FULL}", "tmpfs", str(folder / "registry")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine mounts no disk")
    try:
        with releases.lane(folder, builder=builder, options=UNPROVED) as made:
            yield made
    finally:
        subprocess.run(["umount", "--lazy", str(folder / "registry")], check=True)


def test_a_registry_whose_disk_is_full_has_all_tags_or_none(filled: Lane) -> None:
    filled.restore()
    before = blocks(filled.storage)
    filled.push().ok()
    needed = before - blocks(filled.storage)
    step = max(1, needed // (24 if LONG else 4))
    releases.run_all([filled], [filling(left) for left in range(0, needed, step)])


def blocks(folder: Path) -> int:
    """Return how many blocks of a disk are free."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize // BLOCK


def filling(left: int) -> Trial:
    """Return a trial that leaves so many blocks to a registry."""

    def spoil(lane: Lane) -> None:
        with contextlib.suppress(OSError):
            (lane.storage / "ballast").write_bytes(b"x" * BLOCK * max(0, blocks(lane.storage) - left))

    def served(lane: Lane) -> bool:
        return any(asked.status >= 500 for asked in lane.proxy.log)

    def mend(lane: Lane) -> None:
        """Make room, and take away what this registry could not write to its end: it takes it for written for ever."""
        (lane.storage / "ballast").unlink()
        for path in [*lane.storage.rglob("link"), *lane.storage.rglob("blobs/**/data")]:
            if path.stat().st_size == 0:
                path.unlink()
                releases.counted[f"(a full disk has left the registry with an empty {path.name})"] += 1

    return Trial("a full disk", f"{left} blocks", spoil, ends, mend=mend, served=served)


@pytest.fixture(scope="module")
def signing(builder: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """A lane that signs what it releases."""
    folder = tmp_path_factory.mktemp("signing")
    keys = cosigns.make_keys(folder, "ours")
    words = {
        "INVOKE_CONTAINER_SIGN_KEY": str(keys.private),
        "COSIGN_PASSWORD": keys.password,
        "PATH": os.pathsep.join([str(Path(cosigns.cosign("2").path).parent), os.environ["PATH"]]),
    }
    with releases.lane(folder / "here", builder=builder, options=SIGNED, **words) as made:
        yield made


def test_a_fault_while_images_are_signed_leaves_all_tags_or_none(signing: Lane) -> None:
    found = [point for point in releases.points(signing) if point.key.startswith("cosign")]
    assert found
    kinds = [kind for kind in KINDS if kind.name != "503 without an end"]
    if LONG:
        trials = [served(kind, point) for kind in kinds for point in found]
    else:
        trials = [served(kind, found[number * len(found) // 3]) for number, kind in enumerate(kinds[1:13:4])]
    releases.run_all([signing], trials)
