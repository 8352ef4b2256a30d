"""The set-up of a machine, step by step: look, mend what can be mended, say what was done."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...errors import EngineError
from .. import cache, client_file
from . import checks, mend_bases, packages, private, registry, release_builder
from .check import Check, Site
from .findings import Finding, Say, State, changed, doing, ok, refused

_LOCK_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person asked the set-up for, beyond the engine, buildx and the base images."""

    down: bool = False
    latest_buildx: bool = False
    release_builder: bool = False
    emulation: bool = False
    signing: bool = False
    scanner: bool = False
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
        with alone(told):
            if options.down:
                _down(told)
            else:
                _up(options, _site(options, project, mirror, bases), told)
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


def _site(options: Options, project: str, mirror: str | None, bases: tuple[str, ...]) -> Site:
    wanted = (options.builder or release_builder.default_name(project)) if options.release_builder else None
    return Site(project=project, mirror=mirror, bases=bases, wanted_builder=wanted)


@contextmanager
def alone(say: Say) -> Iterator[None]:
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


def _up(options: Options, site: Site, say: Say) -> None:
    client_file.require()
    with ThreadPoolExecutor(max_workers=1) as pool:
        if packages.which("docker"):
            # A registry that is out of reach takes its time to be so: ask while the rest is looked at.
            site.refused = pool.submit(mend_bases.refusal, site.bases, site.mirror)
        for check in checks.VITAL:
            mend(check, site, say)
    wanted = checks.for_setup(
        latest_buildx=options.latest_buildx,
        emulation=options.emulation,
        signing=options.signing,
        scanner=options.scanner,
    )
    for check in wanted:
        attempt(check, site, say)


def mend(check: Check, site: Site, say: Say) -> None:
    """Put in order what a check is about, and say what was found and done.

    Raises EngineError where that cannot be.
    """
    if check.mend is not None:
        check.mend(site, say)
    else:
        for finding in check.look(site):
            say(finding)


def attempt(check: Check, site: Site, say: Say) -> None:
    """Mend what the machine may lack and still be usable for something; a failure is said."""
    try:
        mend(check, site, say)
    except EngineError as error:
        say(refused(check.subject, error))


def _down(say: Say) -> None:
    stopped = {
        "registry": registry.stop(),
        "release builder": bool(release_builder.stop()),
        "engine": private.stop(),
    }
    for subject, ran in stopped.items():
        say(changed(subject, "stopped; what it holds stays") if ran else ok(subject, "none of ours was running"))
