"""Read what a plan is made from: the services' Dockerfiles, what takes the place of their bases, their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .engine import records
from .engine.machine import stand_in_record
from .plan import bases, dockerfile
from .plan.history import recorded
from .plan.scope import Scope
from .plan.targets import Source, support_name
from .services import Repository, Service, read_dockerfile


def gather(
    services: Sequence[Service], repository: Repository, *, registry: str, mirror: str | None, local: bool
) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    """Return the sources of these services, and those of the repository's other images that they stand on.

    ``local``: whether the images stay on this machine.
    Raises ConfigError for a Dockerfile that cannot be read.
    """
    replacing = _replacing(repository, registry, mirror, local=local)
    chosen = {service.name for service in services}
    others = (one for one in _stood_on(services, repository, replacing) if one.name not in chosen)
    return (
        tuple(_source(service, repository, replacing) for service in services),
        tuple(_source(service, repository, replacing) for service in others),
    )


def outside(repository: Repository, *, registry: str) -> tuple[str, ...]:
    """Return the bases of images that stay here which are no images of this repository, each once.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    replacing = _replacing(repository, registry, None, local=True)
    found = (base for service in repository.services for base in replacing.bases(repository, service))
    return tuple(dict.fromkeys(base.reference for base in found if base.origin is not bases.Origin.OWN))


@dataclass(frozen=True, slots=True)
class _Replacing:
    """What takes the place of bases."""

    mirror: str | None
    stand_ins: Mapping[str, str]
    own: Mapping[str, str]
    local: bool
    """Whether the images stay on this machine."""

    def bases(self, repository: Repository, service: Service) -> tuple[bases.Base, ...]:
        references = dockerfile.references(read_dockerfile(repository, service), service.arguments(local=self.local))
        own = {name: target for name, target in self.own.items() if target != support_name(service.target)}
        return bases.resolve(references, mirror=self.mirror, stand_ins=self.stand_ins, own=own)


def _replacing(repository: Repository, registry: str, mirror: str | None, *, local: bool) -> _Replacing:
    own = {
        name: support_name(service.target)
        for service in repository.services
        for name in (service.name, f"{registry}/{service.name}")
    }
    return _Replacing(mirror, stand_in_record.recorded(), own, local)


def _stood_on(services: Sequence[Service], repository: Repository, replacing: _Replacing) -> tuple[Service, ...]:
    """Return the services whose images these stand on, however far below."""
    by_target = {support_name(service.target): service for service in repository.services}
    found: dict[str, Service] = {}
    waiting = list(services)
    while waiting:
        for base in replacing.bases(repository, waiting.pop()):
            if base.origin is bases.Origin.OWN and base.replacement is not None and base.replacement not in found:
                found[base.replacement] = by_target[base.replacement]
                waiting.append(by_target[base.replacement])
    return tuple(found.values())


def _source(service: Service, repository: Repository, replacing: _Replacing) -> Source:
    return Source(
        service=service.name,
        target=service.target,
        context=service.context,
        dockerfile=service.file if service.own_context else service.dockerfile,
        stage=service.stage,
        args=service.arguments(local=replacing.local),
        bases=replacing.bases(repository, service),
    )


def with_history(wanted: Sequence[Source], repository: Repository, scopes: Mapping[str, Scope]) -> tuple[Source, ...]:
    """Return sources with the commit that last changed what their builds read; ``scopes`` says what that is.

    Where a shallow clone does not know it, the record of an earlier build of the same fingerprint may.
    """
    from .engine.history import last_changes

    found = last_changes(repository.root, scopes)
    told = []
    for source in wanted:
        change = found.get(source.service)
        if change is not None and change.guessed:
            change = recorded(records.read(repository.root, source.service), source.fingerprint) or change
        told.append(source if change is None else replace(source, revision=change.revision, committed=change.committed))
    return tuple(told)
