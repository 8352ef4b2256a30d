"""Read what a plan is made from: the services' Dockerfiles, what takes the place of their bases, their history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .engine import records
from .engine.machine import stand_in_record
from .errors import ConfigError
from .plan import bases, dockerfile, reads
from .plan.history import recorded
from .plan.scope import Scope
from .plan.targets import Source, support_name
from .printable import line
from .services import Repository, Service, read_dockerfile


def gather(
    services: Sequence[Service], repository: Repository, *, registry: str, mirror: str | None, local: bool
) -> tuple[tuple[Source, ...], tuple[Source, ...]]:
    """Return the sources of these services, and those of the repository's other images that they stand on.

    ``local``: whether the images stay on this machine.
    Raises ConfigError for a Dockerfile that cannot be read.
    """
    replacing = _replacing(repository, registry, mirror, local=local)
    by_target = {support_name(service.target): service for service in repository.services}
    found: dict[str, Source] = {}
    waiting = list(services)
    while waiting:
        service = waiting.pop()
        if service.name not in found:
            found[service.name] = source = _source(service, repository, replacing)
            below = [base.replacement for base in source.bases if base.origin is bases.Origin.OWN]
            waiting += [by_target[target] for target in below if target is not None]
    chosen = tuple(found.pop(service.name) for service in services)
    return chosen, tuple(found.values())


def outside(repository: Repository, *, registry: str) -> tuple[str, ...]:
    """Return the bases of images that stay here which are no images of this repository, each once.

    Raises ConfigError for a Dockerfile that cannot be read.
    """
    replacing = _replacing(repository, registry, None, local=True)
    texts = ((read_dockerfile(repository, service), service) for service in repository.services)
    found = (base for text, service in texts for base in replacing.bases(text, service))
    return tuple(dict.fromkeys(base.reference for base in found if base.origin is not bases.Origin.OWN))


@dataclass(frozen=True, slots=True)
class _Replacing:
    """What takes the place of bases."""

    mirror: str | None
    stand_ins: Mapping[str, str]
    own: Mapping[str, str]
    local: bool
    """Whether the images stay on this machine."""

    def bases(self, text: str, service: Service) -> tuple[bases.Base, ...]:
        """Return the bases that a service's Dockerfile names; itself it cannot stand on."""
        references = dockerfile.references(text, service.arguments(local=self.local))
        target, own = support_name(service.target), self.own
        if any(own.get(bases.repository_of(one)) == target for one in references):
            own = {name: other for name, other in own.items() if other != target}
        return bases.resolve(references, mirror=self.mirror, stand_ins=self.stand_ins, own=own)


def _replacing(repository: Repository, registry: str, mirror: str | None, *, local: bool) -> _Replacing:
    own = {
        name: support_name(service.target)
        for service in repository.services
        for name in (service.name, f"{registry}/{service.name}")
    }
    return _Replacing(mirror, stand_in_record.recorded(), own, local)


def _source(service: Service, repository: Repository, replacing: _Replacing) -> Source:
    text = read_dockerfile(repository, service)
    _require_stage(service, text)
    return Source(
        service=service.name,
        target=service.target,
        context=service.context,
        dockerfile=service.file if service.own_context else service.dockerfile,
        stage=service.stage,
        args=service.arguments(local=replacing.local),
        bases=replacing.bases(text, service),
        text=text,
    )


def _require_stage(service: Service, text: str) -> None:
    there = None if service.stage is None else reads.stage_names(text, service.args)
    if service.stage is None or there is None or service.stage.lower() in there:
        return
    choices = f"choose from {', '.join(map(line, there))}" if there else "give one a name: FROM image AS name"
    raise ConfigError(
        f"container.services.{service.name}.target: {service.dockerfile} has no stage {service.stage!r}", hint=choices
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
