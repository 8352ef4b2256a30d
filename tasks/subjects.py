"""What a verification is about: each image and platform, and what is said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from . import ahead, pipeline, sources
from .engine import api, git, pulls
from .errors import BuildError
from .plan.bases import Base as TakenBase
from .plan.bases import Origin
from .plan.declared import declared
from .plan.evidence import Declared, Paths, Subject
from .plan.targets import CREATED_LABEL, PROJECT_LABEL, REVISION_LABEL, SERVICE_LABEL, VERSION_LABEL, Output
from .report import style
from .services import read_dockerfile

if TYPE_CHECKING:
    from docker import APIClient

    from .plan.platforms import Platform
    from .services import Repository, Service
    from .settings import Settings

READY, METRICS = "/ready", "/metrics"


def of_services(settings: "Settings", repository: "Repository", engine: api.Engine) -> tuple[Subject, ...]:
    """Return the images of the services; what is missing is built.

    Raises BuildError for one that could not be built.
    """
    found = _stored(settings, engine)
    missing = {
        platform: [name for name, at in found if at == platform and found[name, at] is None] for _, platform in found
    }
    for platform, names in missing.items():
        if not names:
            continue
        style.say(f"Not in the image store for {platform}, so built first: {', '.join(names)}")
        chosen = tuple(service for service in settings.services if service.name in names)
        wanted = replace(settings, services=chosen, platforms=(platform,))
        with ahead.alone(wanted) as asked:
            pipeline.run(wanted, repository, asked, output=Output.LOAD)
    if any(missing.values()):
        found = _stored(settings, engine)
    subjects = []
    for service in settings.services:
        for platform in settings.platforms:
            reference = found[service.name, platform]
            if reference is None:
                raise BuildError(
                    f"{service.name} was built for {platform}, and the engine does not have it",
                    hint="does the builder load into another engine? docker buildx ls shows them",
                )
            subjects.append(of_service(service, settings, repository, platform, reference, engine))
    return tuple(subjects)


def _stored(settings: "Settings", engine: api.Engine) -> dict[tuple[str, "Platform"], str | None]:
    """Return the reference under which the store has each image; None where it does not."""
    tag, native = settings.tags[0], engine.native()
    plain = {service.name: f"{settings.registry}/{service.name}:{tag}" for service in settings.services}
    foreign = [platform for platform in settings.platforms if platform != native]
    suffixed = [f"{reference}-{platform.arch}" for reference in plain.values() for platform in foreign]
    there = engine.stored([*plain.values(), *suffixed])
    found: dict[tuple[str, Platform], str | None] = {}
    for name, reference in plain.items():
        for platform in settings.platforms:
            platforms = there[reference].platforms or native if reference in there else ""
            own = f"{reference}-{platform.arch}"
            if platform in platforms.split(","):
                found[name, platform] = reference
            else:
                found[name, platform] = own if own in there else None
    return found


def of_reference(
    reference: str, settings: "Settings", repository: "Repository", client: "APIClient"
) -> tuple[Subject, ...]:
    """Return one image on each platform; it is pulled where the store does not have it.

    Raises PushError for one that cannot be had.
    """
    labels = pulls.labels(client, reference)
    if labels is None:
        for platform in settings.platforms:
            style.say(f"Not in the image store, so pulled for {platform}: {style.safe(reference)}")
            pulls.pull(client, reference, platform)
        labels = pulls.labels(client, reference) or {}
    engine = api.Engine(client)
    return tuple(of_image(reference, labels, settings, repository, one, engine) for one in settings.platforms)


def of_service(  # noqa: PLR0913, PLR0917 - all that says what it is held against
    service: "Service",
    settings: "Settings",
    repository: "Repository",
    platform: "Platform",
    reference: str,
    engine: api.Engine,
) -> Subject:
    """Return a service's image on one platform.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    said = _declared(service, repository)
    ports = pipeline.ports_of(service, repository, engine, reference)
    return Subject(
        name=service.name,
        platform=platform,
        reference=reference,
        port=ports[0] if len(ports) == 1 else None,
        paths=Paths(
            health=service.health,
            ready=service.ready or READY,
            metrics=service.metrics or METRICS,
            slow=service.slow,
        ),
        asked=frozenset(name for name in ("ready", "metrics") if getattr(service, name) is not None),
        memory=service.memory,
        tmpfs=service.tmpfs,
        env=service.env,
        budget=service.budget,
        declared=said,
        labels={PROJECT_LABEL: settings.project, SERVICE_LABEL: service.name},
        stamped=(VERSION_LABEL, *((REVISION_LABEL, CREATED_LABEL) if git.head(repository.root) else ())),
        skipped=frozenset(service.skip_checks),
    )


def of_image(  # noqa: PLR0913, PLR0917 - as above
    reference: str,
    labels: Mapping[str, str],
    settings: "Settings",
    repository: "Repository",
    platform: "Platform",
    engine: api.Engine,
) -> Subject:
    """Return any image on one platform; one that says which service here it is, is held against that."""
    if labels.get(PROJECT_LABEL) == settings.project:
        for service in repository.services:
            if service.name == labels.get(SERVICE_LABEL):
                return of_service(service, settings, repository, platform, reference, engine)
    return Subject(
        name=reference,
        platform=platform,
        reference=reference,
        service=False,
        paths=Paths(ready=READY, metrics=METRICS),
    )


def _declared(service: "Service", repository: "Repository") -> Declared:
    return declared(read_dockerfile(repository, service), service.stage, service.arguments(local=True))


def bases(services: Sequence["Service"], settings: "Settings", repository: "Repository") -> Mapping[str, TakenBase]:
    """Return what each service's image stands on, with what takes its place here; none for those on nothing."""
    gathered, _ = sources.gather(services, repository, registry=settings.registry, mirror=settings.mirror, local=True)
    found = {}
    for source, service in zip(gathered, services, strict=True):
        written = _declared(service, repository).base
        for base in source.bases:
            if base.reference == written:
                found[service.name] = base
    return found


def own_reference(base: TakenBase, settings: "Settings", repository: "Repository") -> str:
    """Return where the base's layers can be looked up."""
    if base.origin is not Origin.OWN:
        return base.replacement or base.reference
    from .plan.targets import support_name

    name = next(one.name for one in repository.services if support_name(one.target) == base.replacement)
    return f"{settings.registry}/{name}:{settings.tags[0]}"
