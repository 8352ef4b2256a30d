"""What a clean would take and has taken."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..plan.cleaning import Cleaning
from . import style


def show(found: Cleaning, project: str, stand_ins: Sequence[str] = ()) -> None:
    """Print what goes, how much it is, and what stays although a person might expect otherwise.

    ``stand_ins`` are the references of those that the engine holds.
    """
    for image in found.images:
        name = ", ".join(image.references) or f"{image.id[:19]} (untagged)"
        style.say(f"  image    {style.megabytes(image.size):>10}  {style.safe(name)}")
    for mount in found.mounts:
        style.say(f"  cache    {style.megabytes(mount.size):>10}  mount {style.safe(mount.mount_id or '')}")
    for builder in found.builders:
        style.say(f"  builder              {style.safe(builder)}, with its cache")
    if found.nothing:
        style.say(f"Nothing of {project} is here.")
    else:
        style.say(f"{style.megabytes(found.bytes)} go; images may share layers, so less may come free.")
    for image in found.kept:
        who = style.safe(", ".join(image.used_by))
        style.say(f"  stays: {style.safe(', '.join(image.references) or image.id[:19])}: in use by {who}")
    for mount in found.busy_mounts:
        style.say(f"  stays: mount {style.safe(mount.mount_id or '')}: a build uses it")
    for mount in found.doubtful_mounts:
        style.say(
            f"  stays: mount {style.safe(mount.mount_id or '')} ({style.megabytes(mount.size)}), which no Dockerfile "
            f"here names: docker builder prune --all --filter id={style.safe(mount.id)}"
        )
    if stand_ins:
        style.say(f"  stays: stand-ins of the bases, for every repository: docker image rm {' '.join(stand_ins)}")
    if found.ownerless:
        size = style.megabytes(found.ownerless)
        style.say(f"  stays: {size} of layers in the engine's shared builder: they have no owner")


def freed(found: Cleaning, cache: int) -> None:
    """Say what is gone; ``cache`` is the bytes that the engine's cache mounts gave back."""
    gone = [
        f"{len(found.images)} images" if found.images else "",
        f"{len(found.mounts)} cache mounts ({style.megabytes(cache)})" if found.mounts else "",
        f"builder {style.safe(', '.join(found.builders))}" if found.builders else "",
    ]
    style.say(f"Removed: {'; '.join(part for part in gone if part)}.")


def answer(found: Cleaning, *, removed: bool) -> Mapping[str, Any]:
    """Return what was found, and whether it is gone, for programs; sizes are bytes."""
    return {
        "removed": removed,
        "bytes": found.bytes,
        "images": [{"id": one.id, "references": list(one.references), "size": one.size} for one in found.images],
        "mounts": [{"id": one.mount_id, "size": one.size} for one in found.mounts],
        "builders": list(found.builders),
        "stays": [
            *(
                {"image": one.id, "references": list(one.references), "used_by": list(one.used_by)}
                for one in found.kept
            ),
            *({"mount": one.mount_id, "size": one.size} for one in (*found.busy_mounts, *found.doubtful_mounts)),
        ],
    }
