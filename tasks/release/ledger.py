"""The records of releases in a registry: written, and read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from ..engine.distribution import MANIFEST, Manifest
from ..errors import PushError
from ..plan import release as plan
from ..plan.release import Release
from ..report import style

if TYPE_CHECKING:
    from ..engine.distribution import Distribution

_AT_ONCE = 8  # requests
_EMPTY = b"{}"


def write(registry: "Distribution", release: Release, sign: Callable[[str], object]) -> Release:
    """Put a release's record into the registry, signed before it has its tag, and return it with its digest.

    Raises PushError and SignError.
    """
    content = release.dumps()
    config, layer = registry.upload(plan.REPOSITORY, _EMPTY), registry.upload(plan.REPOSITORY, content)
    manifest = Manifest(MANIFEST, plan.artifact(release, config, layer, size=len(content)))
    registry.put(plan.REPOSITORY, manifest.digest, manifest)
    sign(f"{registry.registry}/{plan.REPOSITORY}@{manifest.digest}")
    registry.put(plan.REPOSITORY, release.name, manifest)
    return replace(release, digest=manifest.digest)


def require(registry: "Distribution", release: Release) -> None:
    """See that a release's record is what its tag names, and can be read: from then on the release is committed.

    Raises PushError where it is not.
    """
    found = read(registry, release.name)
    there = "nothing" if found is None else found.digest
    if there != release.digest:
        raise PushError(
            f"{registry.registry}/{plan.REPOSITORY}:{release.name} names {there}, and not the record "
            f"{release.digest} that the registry has taken",
            hint="a registry that keeps what it takes: check --registry",
        )


def read(registry: "Distribution", name: str) -> Release | None:
    """Return the release that a tag of the records' repository names; None where it names none.

    Raises PushError for a record that is damaged, and where the registry does not say.
    """
    manifest = registry.manifest(plan.REPOSITORY, name)
    layer = None if manifest is None else plan.layer_of(manifest.content)
    if manifest is None or layer is None:
        return None
    place = f"{registry.registry}/{plan.REPOSITORY}:{name}"
    found = plan.loads(registry.blob(plan.REPOSITORY, layer), digest=manifest.digest, place=place)
    if found.name != name:
        raise plan.DamagedError(f"{place} is the record of {found.name}", hint="somebody else has tagged it")
    return found


def read_all(registry: "Distribution") -> tuple[Release, ...]:
    """Return every release of a registry, the newest first; one that is damaged hides no other.

    Raises PushError where the registry does not say.
    """

    def one(tag: str) -> Release | None:
        try:
            return read(registry, tag)
        except plan.DamagedError as error:
            style.note(error.reason)
            return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tags = filter(plan.may_be_name, registry.tags(plan.REPOSITORY))
        found = pool.map(one, tags)
        return tuple(sorted(filter(None, found), key=plan.age, reverse=True))
