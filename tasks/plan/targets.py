"""Decide what to build: one frozen Target a service, and the Plan that holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ..errors import ConfigError, PushError
from . import names
from .bases import Base, Origin
from .caches import Cache
from .fingerprint import FINGERPRINT_LABEL
from .platforms import Platform, suffix

# Labels of our own; those with OCI's names are its own annotations.
PROJECT_LABEL = "container-tasks.project"
SERVICE_LABEL = "container-tasks.service"
BASES_LABEL = "container-tasks.bases"
PLATFORMS_LABEL = "container-tasks.platforms"
REVISION_LABEL = "org.opencontainers.image.revision"
VERSION_LABEL = "org.opencontainers.image.version"
CREATED_LABEL = "org.opencontainers.image.created"


_OF_TARGET = "target:"


class Output(StrEnum):
    """Where the images go, in bake's words."""

    LOAD = "type=docker"
    PUSH = "type=image,push=true,push-by-digest=true,name-canonical=true"
    """Without any tag: a release sets its tags when every image has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a target is made from: a service's place, and what is known of its Dockerfile and history."""

    service: str
    target: str
    dockerfile: str
    """Relative to the context."""
    bases: tuple[Base, ...]
    text: str | None = field(default=None, repr=False)
    """Its Dockerfile, as it was read; None where it has to be read again."""
    context: str = "."
    """Relative to the root."""
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    """Of everything that its build reads, where that can be told."""
    revision: str | None = None
    """The commit that last changed what its build reads, marked as ``history`` has it."""
    committed: str | None = None
    """That commit's time, as RFC 3339."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One image to build; becomes one bake target."""

    name: str
    service: str
    context: str
    dockerfile: str
    stage: str | None
    platforms: tuple[Platform, ...]
    references: tuple[str, ...]
    labels: Mapping[str, str]
    args: Mapping[str, str]
    contexts: Mapping[str, str]

    @property
    def repository(self) -> str:
        """Its references without their tag."""
        return self.references[0].rpartition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asked for, the same for every target of a run."""

    project: str
    registry: str
    version: str
    tags: tuple[str, ...]
    platforms: tuple[Platform, ...]
    native: Platform
    """The platform that the engine runs without emulation."""
    output: Output
    ca: str | None = None
    """The path of the CA bundle for downloads, relative to the root."""
    no_cache: bool = False
    pull: bool = False
    classic: bool = False
    """Whether the builder is an engine's with its older image store: it makes no index, no attestation, no cache."""
    caches: tuple[Cache, ...] = ()
    provenance: str = "min"
    """How much a pushed image says of its build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything one run will do, decided before anything starts."""

    targets: tuple[Target, ...]
    request: Request
    support: tuple[Target, ...] = ()
    """Images that others of the run stand on: built where they are needed, and neither tagged nor exported."""
    stand_ins: bool = False
    """Whether any image stands on stand-in bases."""
    suffix: str = ""
    """What keeps a single foreign platform from taking the tags of the image that runs here."""

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it builds, in order."""
        return tuple(target.service for target in self.targets)

    @property
    def references(self) -> tuple[str, ...]:
        """Every reference that the run makes."""
        return tuple(reference for target in self.targets for reference in target.references)

    def below(self, name: str) -> tuple[str, ...]:
        """Return the services whose images a target stands on, at any depth."""
        known = {target.name: target for target in (*self.support, *self.targets)}
        found: dict[str, Target] = {}
        waiting = [known[name]]
        while waiting:
            for context in waiting.pop().contexts.values():
                one = context.removeprefix(_OF_TARGET)
                if one != context and one not in found:
                    found[one] = known[one]
                    waiting.append(known[one])
        return tuple(target.service for target in found.values())


def support_name(target: str) -> str:
    """Return the bake target under which an image is what others stand on; no service's begins so."""
    return f"_{target}"


def make_plan(sources: Sequence[Source], request: Request, *, others: Sequence[Source] = ()) -> Plan:
    """Plan one image for each source; ``others`` are the repository's images that these may stand on.

    Raises ConfigError when a tag has no room for its suffix or images stand on each other in a
    circle, and PushError when images on stand-in bases would leave this machine.
    """
    if not sources:
        raise ConfigError("nothing to build", hint="choose with --services")
    known = {support_name(source.target): source for source in (*others, *sources)}
    below = _below(sources, known)
    ending = suffix(request.platforms, request.native)
    tags = names.check_tags([f"{tag}{ending}" for tag in request.tags], source=f"a tag with its suffix {ending}")
    plan = Plan(
        targets=tuple(_target(source, request, tags) for source in sources),
        request=request,
        support=tuple(replace(_target(source, request, ()), name=support_name(source.target)) for source in below),
        suffix=ending,
        stand_ins=any(_stands_in(source) for source in (*sources, *below)),
    )
    if plan.stand_ins and request.output is Output.PUSH and not names.is_loopback(request.registry):
        raise PushError(
            f"images on stand-in bases do not leave this machine: {request.registry} is not a loopback registry",
            hint="set container.mirror to a registry that has the real bases, or push where they can be had",
        )
    return plan


def _below(sources: Sequence[Source], known: Mapping[str, Source]) -> tuple[Source, ...]:
    """Return the sources that these stand on, each after what it stands on itself."""
    done: dict[str, Source] = {}

    def visit(source: Source, path: tuple[str, ...]) -> None:
        if source.service in path:
            circle = " on ".join([*path[path.index(source.service) :], source.service])
            raise ConfigError(
                f"images stand on each other in a circle: {circle}", hint="change one of their FROM lines"
            )
        for base in source.bases:
            if base.origin is Origin.OWN and base.replacement is not None:
                visit(known[base.replacement], (*path, source.service))
                done[base.replacement] = known[base.replacement]

    for source in sources:
        visit(source, ())
    return tuple(done.values())


def _stands_in(source: Source) -> bool:
    return any(base.origin is Origin.STAND_IN for base in source.bases)


def _target(source: Source, request: Request, tags: Sequence[str]) -> Target:
    labels = {
        PROJECT_LABEL: request.project,
        SERVICE_LABEL: source.service,
        VERSION_LABEL: request.version,
    }
    if source.fingerprint is not None:
        labels[FINGERPRINT_LABEL] = source.fingerprint
        if request.output is Output.LOAD:  # a pull may take one platform of several, and its image cannot know
            labels[PLATFORMS_LABEL] = ",".join(request.platforms)
    if source.revision is not None:
        labels[REVISION_LABEL] = source.revision
    if source.committed is not None:
        labels[CREATED_LABEL] = source.committed
    if _stands_in(source):
        labels[BASES_LABEL] = Origin.STAND_IN.value
    return Target(
        name=source.target,
        service=source.service,
        context=source.context,
        dockerfile=source.dockerfile,
        stage=source.stage,
        platforms=request.platforms,
        references=names.references(request.registry, source.service, tags),
        labels=labels,
        args={"VERSION": request.version, "REVISION": source.revision or "unknown", **source.args},
        contexts=dict(context for base in source.bases if (context := base.named_context) is not None),
    )
