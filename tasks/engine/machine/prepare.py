"""The set-up of a machine, step by step: look, mend what can be mended, say what was done."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...errors import EngineError
from .. import cache, client_file
from . import mend_bases, mend_engine, packages, private, registry, release_builder
from .findings import Finding, Say, State, cannot, changed, doing, ok

_LOCK_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person asked the set-up for, beyond the engine, buildx and the base images."""

    down: bool = False
    latest_buildx: bool = False
    release_builder: bool = False
    emulation: bool = False
    builder: str | None = None
    """The release builder's name; PROJECT-release where none is given."""


@dataclass(slots=True)
class _Told:
    """Says each finding at once, and keeps it."""

    say: Say
    findings: list[Finding] = field(default_factory=list)

    def __call__(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.say(finding)


def prepare(
    options: Options, *, project: str, mirror: str | None, bases: tuple[str, ...], say: Say
) -> tuple[Finding, ...]:
    """Look at the machine, mend it, and return what was found; each finding is said when it is known.

    ``bases`` are the whole references of the base images that builds here need.

    Raises EngineError when there is no engine or no buildx to be had, or, after all steps, when anything
    else could not be mended.
    """
    told = _Told(say)
    try:
        with _alone(told):
            if options.down:
                _down(told)
            else:
                _up(options, project, mirror, bases, told)
    except BrokenPipeError:  # nobody reads what is said: no fault of the machine's
        raise
    except OSError as error:  # no space, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        raise EngineError(
            f"{place}{error.strerror or error}", hint=f"the set-up keeps its files in {cache.home()}"
        ) from error
    failed = [finding.subject for finding in told.findings if finding.state is State.CANNOT]
    if failed:
        raise EngineError(
            f"this machine is not ready: {', '.join(failed)}", hint="see the lines that begin with 'cannot'"
        )
    return tuple(told.findings)


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """Hold the set-up's lock: two at once would unpack and start the same things."""
    from filelock import FileLock, Timeout

    cache.home().mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache.home() / "setup.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(doing("lock", "waiting for another set-up"))
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise EngineError(
                "another set-up has been running for an hour", hint="pgrep -af container-setup shows it"
            ) from error
    try:
        yield
    finally:
        lock.release()


def _up(options: Options, project: str, mirror: str | None, bases: tuple[str, ...], say: Say) -> None:
    client_file.require()
    with ThreadPoolExecutor(max_workers=1) as pool:
        # A registry that is out of reach takes its time to be so: ask while the rest is looked at.
        probe = pool.submit(mend_bases.refusal, bases, mirror) if packages.which("docker") else None
        engine = mend_engine.engine(say)
        fresh = mend_engine.client(say)
        refused = mend_bases.refusal(bases, mirror) if fresh or probe is None else probe.result()
    if options.latest_buildx:
        _attempt("buildx", say, lambda: mend_engine.latest_buildx(say))
    mend_engine.room(engine, say)
    _attempt("bases", say, lambda: mend_bases.bases(bases, mirror, refused, say))
    _attempt("release builder", say, lambda: _release_builder(options, project, say))
    if options.emulation:
        _attempt("emulation", say, lambda: mend_bases.emulate(bases, mirror, say))


def _attempt(subject: str, say: Say, step: Callable[[], None]) -> None:
    """Carry out a step whose failure leaves the machine usable for something, and say it."""
    try:
        step()
    except EngineError as error:
        text = str(error).partition("\n")[0].removeprefix("error: ")
        say(cannot(subject, text, way_out=error.hint or "see its message"))


def _down(say: Say) -> None:
    stopped = {
        "registry": registry.stop(),
        "release builder": bool(release_builder.stop()),
        "engine": private.stop(),
    }
    for subject, ran in stopped.items():
        say(changed(subject, "stopped; what it holds stays") if ran else ok(subject, "none of ours was running"))


def _release_builder(options: Options, project: str, say: Say) -> None:
    if not options.release_builder:
        for revived in release_builder.revive():
            say(changed("release builder", f"the BuildKit of {revived} was started again"))
        return
    name = options.builder or release_builder.default_name(project)
    if name not in release_builder.existing(project):
        say(doing("release builder", f"making {name}, up to 3 minutes"))
    driver, done = release_builder.ensure(name, project=project)
    say((changed if done else ok)("release builder", f"{name} ({driver})"))
