"""The set-up of a machine, step by step: look, mend what can be mended, say what was done."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import EngineError
from .. import cache
from . import bases as base_images
from . import choice, disk, emulation, packages, plugin, private, processes, reach, registry, release_builder, stand_ins
from .findings import Finding, Say, State, cannot, changed, doing, ok, warning

_LOCK_SECONDS = 3600.0
_SERVICE_FILES = tuple(
    Path(folder) / "docker.service"
    for folder in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
)
_STORE = "switch on the containerd image store: https://docs.docker.com/engine/storage/containerd/"


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
                "another set-up has been running for an hour", hint="end it: pgrep -af container-setup"
            ) from error
    try:
        yield
    finally:
        lock.release()


def _up(options: Options, project: str, mirror: str | None, bases: tuple[str, ...], say: Say) -> None:
    with ThreadPoolExecutor(max_workers=1) as pool:
        # A registry that is out of reach takes its time to be so: ask while the rest is looked at.
        probe = pool.submit(_base_refusal, bases, mirror) if packages.which("docker") else None
        engine = _engine(say)
        fresh = _client(say)
        if options.latest_buildx:
            _attempt("buildx", say, lambda: _latest_buildx(say))
        _room(engine, say)
        _attempt("bases", say, lambda: _bases(bases, mirror, None if fresh else probe, say))
    _attempt("release builder", say, lambda: _release_builder(options, project, say))
    if options.emulation:
        _attempt("emulation", say, lambda: _emulation(bases, mirror, say))


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


def _engine(say: Say) -> reach.Engine:
    found = reach.look()
    usual = found.socket in (reach.USUAL_SOCKET, Path("/run/docker.sock"))
    own = private.recorded_socket()
    if not found.answers and usual and own is not None and own != found.socket and private.running():
        found = reach.look(own)
        _use(found.socket)
    match choice.choose(found, _surroundings(usual=usual)):
        case choice.Refuse(reason=reason, way_out=way_out):
            raise EngineError(reason, hint=way_out)
        case choice.Start(socket=socket):
            say(doing("engine", f"none answers at {found.endpoint}: starting a private one"))
            found = reach.Engine(endpoint=found.endpoint, reach=found.reach)
            started = private.ensure_started(socket)
            elsewhere = started.endpoint != found.endpoint
            if elsewhere:
                _use(socket)
            text = f"private engine {started.version} started on {socket}"
            say(changed("engine", text, way_out=_export(socket) if elsewhere else None))
            return started
        case choice.Use():
            _say_engine(found, say)
            return found


def _say_engine(found: reach.Engine, say: Say) -> None:
    text = f"{found.version} at {found.endpoint}"
    if not found.containerd_store:
        say(warning("engine", f"{text}: its image store holds one platform an image", way_out=_STORE))
    elif found.socket is not None and found.socket == private.layout().socket:
        say(Finding(state=State.OK, subject="engine", text=text, way_out=_export(found.socket)))
    else:
        say(ok("engine", text))


def _export(socket: Path) -> str:
    return f"to use it in this shell: export DOCKER_HOST=unix://{socket}"


def _use(socket: Path | None) -> None:
    """Have every docker that this process starts talk to that engine."""
    os.environ["DOCKER_HOST"] = f"unix://{socket}"


def _surroundings(*, usual: bool) -> choice.Surroundings:
    place = private.layout()
    return choice.Surroundings(
        root=packages.is_root(),
        packages=packages.can_install(),
        service=Path("/run/systemd/system").is_dir() and any(file.exists() for file in _SERVICE_FILES),
        foreign_engine=bool(set(processes.named("dockerd")) - set(processes.find(place.engine))),
        usual=usual,
        own_socket=place.socket,
        distribution=packages.distribution().name,
    )


def _client(say: Say) -> bool:
    """Have docker and its buildx plugin there; return whether either had to be put there."""
    program = plugin.ensure_client()
    if program is not None:
        say(changed("docker", f"linked as {program}"))
    link = plugin.ensure_plugin()
    if link is not None:
        say(changed("buildx", f"linked as {link}"))
    else:
        say(ok("buildx", "bake, imagetools and rawjson are there"))
    return program is not None or link is not None


def _latest_buildx(say: Say) -> None:
    if not plugin.latest_is_built():
        say(doing("buildx", f"building {plugin.LATEST} from its Go module, about 2 minutes"))
    link, done = plugin.ensure_latest()
    say((changed if done else ok)("buildx", f"{plugin.LATEST} linked as {link}"))


def _room(engine: reach.Engine, say: Say) -> None:
    places = {"engine's data": engine.data if engine.socket else None, "cache": cache.home()}
    for name, path in places.items():
        free = disk.free_bytes(path) if path is not None else None
        if path is None or free is None:
            continue
        text = f"{free / disk.GIGABYTE:.0f} GB free for the {name} ({path})"
        if free < disk.MINIMUM:
            say(warning("disk", text, way_out="inv container-clean, or docker system df to see what takes the room"))
        else:
            say(ok("disk", text))


def _base_refusal(bases: tuple[str, ...], mirror: str | None) -> str | None:
    return base_images.refusal(base_images.mirrored(bases[0], mirror)) if bases else None


def _bases(bases: tuple[str, ...], mirror: str | None, probe: "Future[str | None] | None", say: Say) -> None:
    if not bases:
        return
    refusal = probe.result() if probe is not None else _base_refusal(bases, mirror)
    if refusal is None:
        retired = stand_ins.retire()
        text = f"{mirror or 'the registry'} has them"
        say(changed("bases", f"{text}: stand-ins are no longer used") if retired else ok("bases", text))
    elif mirror is not None:
        raise EngineError(
            f"the mirror {mirror} is out of reach: {refusal}", hint="mend container.mirror, or leave it out"
        )
    else:
        _stand_ins(bases, refusal, say)


def _stand_ins(bases: tuple[str, ...], refusal: str, say: Say) -> None:
    want = stand_ins.wanted(bases)
    missing = stand_ins.missing(want)
    changes = False
    if not missing:
        changes = stand_ins.ensure_served()
        missing = () if stand_ins.serving() else want.names
    if missing:
        if not packages.can_install():
            raise EngineError(
                f"the registry is out of reach ({refusal}), and stand-ins can only be built as root on Debian",
                hint="let this machine reach the registry, or set container.mirror in invoke.yaml",
            )
        say(doing("bases", f"the registry is out of reach ({refusal})"))
        say(doing("bases", f"building stand-ins for {', '.join(missing)} from Debian packages, 4 to 8 minutes"))
        stand_ins.build(want, missing)
        changes = True
    text = f"stand-ins for {', '.join(want.names)} at localhost:{registry.port()}"
    say(changed("bases", text) if changes else ok("bases", text))


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


def _emulation(bases: tuple[str, ...], mirror: str | None, say: Say) -> None:
    emulator = emulation.foreign()
    done = emulation.ensure(emulator)
    flags = emulation.registered(emulator)
    text = f"{emulator.platform} by {emulator.name} (flags {flags or 'none'})"
    image = _alpine(bases, mirror)
    if image is not None:
        complaint = emulation.works(image, emulator)
        if complaint is not None:
            raise EngineError(
                f"{text} does not work: {complaint}",
                hint=f"echo -1 > /proc/sys/fs/binfmt_misc/{emulator.name}, then: inv container-setup --emulation",
            )
    say((changed if done else ok)("emulation", text))


def _alpine(bases: tuple[str, ...], mirror: str | None) -> str | None:
    """Return an image to try emulation with, for either platform."""
    stand_in = stand_ins.recorded().get("alpine")
    if stand_in is not None:
        return stand_in
    real = next((reference for reference in bases if base_images.short_name(reference) == "alpine"), None)
    return real and base_images.mirrored(real, mirror)
