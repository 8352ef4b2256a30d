"""Decide what a clean takes away: what carries this project's marks, and nothing else."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .bases import repository_of
from .targets import SERVICE_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of the engine's store."""

    id: str
    references: tuple[str, ...]
    size: int
    """Bytes."""
    labels: Mapping[str, str] = field(default_factory=dict)
    used_by: tuple[str, ...] = ()
    """Names of the containers made from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRecord:
    """One record of the engine's own build cache."""

    id: str
    size: int
    """Bytes."""
    mount_id: str | None = None
    """The id of a cache mount; None for layers and sources, which have no owner."""
    in_use: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaning:
    """What goes and what stays."""

    images: tuple[Image, ...]
    """Their ``references`` are only those that go."""
    kept: tuple[Image, ...]
    """Images of ours that containers use."""
    mounts: tuple[CacheRecord, ...]
    busy_mounts: tuple[CacheRecord, ...]
    builders: tuple[str, ...]
    ownerless: int
    """Bytes of layers in the shared builder, which stay."""
    doubtful_mounts: tuple[CacheRecord, ...] = ()
    """Those with our prefix that no Dockerfile here names: of a service that has gone, or of a project with a
    longer name."""

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.images or self.mounts or self.builders)

    @property
    def bytes(self) -> int:
        """What comes free at most; images may share layers."""
        return sum(image.size for image in self.images) + sum(mount.size for mount in self.mounts)


def decide(
    *,
    project: str,
    images: Iterable[Image],
    cache: Sequence[CacheRecord],
    builders: Iterable[str],
    mounted: Collection[str],
) -> Cleaning:
    """Sort what was found into what goes and what stays.

    ``images`` carry the project's label. A label is inherited by images built FROM ours, so
    a tagged image is ours only when its repository is also named for its service. A cache
    mount is ours when its id begins with the project's name and is one of ``mounted``, those
    that the repository's Dockerfiles name.
    """
    going: list[Image] = []
    kept: list[Image] = []
    for image in images:
        own = tuple(reference for reference in image.references if _is_ours(reference, image))
        if image.references and not own:
            continue
        mine = Image(id=image.id, references=own, size=image.size, labels=image.labels, used_by=image.used_by)
        (kept if image.used_by else going).append(mine)
    mounts = [record for record in cache if record.mount_id is not None and _has_prefix(record.mount_id, project)]
    return Cleaning(
        images=tuple(going),
        kept=tuple(kept),
        mounts=tuple(mount for mount in mounts if mount.mount_id in mounted and not mount.in_use),
        busy_mounts=tuple(mount for mount in mounts if mount.mount_id in mounted and mount.in_use),
        doubtful_mounts=tuple(mount for mount in mounts if mount.mount_id not in mounted),
        builders=tuple(builders),
        ownerless=sum(record.size for record in cache if record.mount_id is None),
    )


def _is_ours(reference: str, image: Image) -> bool:
    return repository_of(reference).rpartition("/")[2] == image.labels.get(SERVICE_LABEL)


def _has_prefix(mount_id: str, project: str) -> bool:
    return mount_id == project or mount_id.startswith(f"{project}-")
