"""What a verification is about: each image and platform, and what is said of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import pipeline, sources
from .plan.bases import Base as TakenBase
from .plan.bases import Origin
from .plan.declared import declared
from .plan.evidence import Declared, Paths, Subject
from .plan.targets import PROJECT_LABEL, SERVICE_LABEL
from .services import read_dockerfile

if TYPE_CHECKING:
    from .plan.platforms import Platform
    from .services import Repository, Service
    from .settings import Settings

READY, METRICS = "/ready", "/metrics"


def of_service(
    service: "Service", settings: "Settings", repository: "Repository", platform: "Platform", reference: str
) -> Subject:
    """Return a service's image on one platform.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    said = _declared(service, repository)
    return Subject(
        name=service.name,
        platform=platform,
        reference=reference,
        port=pipeline.port_of(service, repository),
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
        skipped=frozenset(service.skip_checks),
    )


def of_image(
    reference: str, labels: Mapping[str, str], settings: "Settings", repository: "Repository", platform: "Platform"
) -> Subject:
    """Return any image on one platform; one that says which service here it is, is held against that."""
    if labels.get(PROJECT_LABEL) == settings.project:
        for service in repository.services:
            if service.name == labels.get(SERVICE_LABEL):
                return of_service(service, settings, repository, platform, reference)
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
