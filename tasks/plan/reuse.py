"""Decide whether what a registry has published can take the place of a build."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .fingerprint import FINGERPRINT_LABEL
from .freshness import Stored
from .names import is_loopback
from .platforms import Platform
from .targets import BASES_LABEL, Plan, Target

LONGEST = 4 * 1024 * 1024
"""Bytes of an index: the OCI distribution specification lets a registry refuse more."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Unusable(Exception):  # noqa: N818 - a reason to build, and no error
    """What was found cannot take the place of a build; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An image index as a registry has it."""

    reference: str
    digest: str
    fingerprint: str
    manifests: Mapping[str, str]
    """By platform, the digest of its manifest."""

    def digests(self, platforms: Sequence[str]) -> tuple[str, ...]:
        """Return what to pull: the one platform's own image, or the index, once for each platform."""
        return tuple(self.manifests[one] if len(platforms) == 1 else self.digest for one in platforms)


def candidates(target: Target, plan: Plan) -> tuple[str, ...]:
    """Return the references to look at: the target's own, and for a single foreign platform those of all platforms."""
    whole = [reference.removesuffix(plan.suffix) for reference in target.references] if plan.suffix else []
    return tuple(dict.fromkeys((*whole, *target.references)))


def refused(target: Target, plan: Plan) -> str:
    """Return why nothing that the registry has could stand in for a build of this target; empty where it could."""
    if BASES_LABEL in target.labels and not is_loopback(plan.request.registry):
        return "it stands on stand-in bases, and images on those are not published"
    return ""


def read(reference: str, content: bytes, *, marked: bool = True) -> Published:
    """Read what a registry answered for a reference; ``marked``: whether it has to have a fingerprint.

    Raises Unusable for what is no index with a fingerprint.
    """
    try:
        if len(content) > LONGEST:
            raise Unusable(f"{reference} is longer than an index may be")
        index = json.loads(content)
    except (ValueError, RecursionError):  # HTML, half a document, no UTF-8
        raise Unusable(f"{reference} is no image index, and no JSON") from None
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list):
        raise Unusable(f"{reference} is no image index")
    annotations = index.get("annotations")
    fingerprint = annotations.get(FINGERPRINT_LABEL) if isinstance(annotations, dict) else None
    if marked and not isinstance(fingerprint, str):
        raise Unusable(f"{reference} has no fingerprint: something else pushed it, or its base was not pinned")
    return Published(
        reference=reference,
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        fingerprint=fingerprint if isinstance(fingerprint, str) else "",
        manifests=dict(filter(None, map(_manifest, reversed(entries)))),
    )


def _manifest(entry: Any) -> tuple[str, str] | None:  # noqa: ANN401 - whatever a registry writes there
    platform = entry.get("platform") if isinstance(entry, dict) else None
    digest = entry.get("digest") if isinstance(entry, dict) else None
    if not isinstance(platform, dict) or not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
        return None
    return f"{platform.get('os')}/{platform.get('architecture')}", digest


def require(published: Published, fingerprints: Collection[str], platforms: Sequence[str]) -> None:
    """See that a published image was built from what a build would read now, for the platforms asked for.

    Raises Unusable with the reason.
    """
    if published.fingerprint not in fingerprints:
        raise Unusable(f"{published.reference} was built from something else")
    lacking = [platform for platform in platforms if platform not in published.manifests]
    if lacking:
        raise Unusable(f"{published.reference} lacks {', '.join(lacking)}")


def require_only(published: Published, platforms: Sequence[str]) -> None:
    """See that a published image is for the platforms asked for, and for no other: a tag promises what it holds.

    Raises Unusable with the reason.
    """
    if set(published.manifests) & set(Platform) != set(platforms):
        raise Unusable(f"{published.reference} has other platforms")


def pulled(image: Stored | None, published: Published, target: Target) -> Stored:
    """Return the image that came, if it is what the index promised: its own labels say so, too.

    Raises Unusable with the reason.
    """
    if image is None:
        raise Unusable(f"{published.reference} was pulled, and the engine does not have it")
    if image.labels.get(FINGERPRINT_LABEL) != published.fingerprint:
        raise Unusable(f"{published.reference} promises an image that it does not hold")
    if image.labels.get(BASES_LABEL) != target.labels.get(BASES_LABEL):
        raise Unusable(f"{published.reference} stands on other bases")
    return image
