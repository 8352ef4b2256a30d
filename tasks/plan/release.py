"""A release: which image each service has in it, as a record that lies in the registry; and what its tags need.

A registry has no transaction. So first come the tags that nobody follows yet, then the record, which is what
commits a release, then the tags that people follow, each old value known.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import ConfigError, PushError
from . import names

SCHEMA = 1
REPOSITORY = "releases"
"""Below the registry's path, where the records lie."""
ARTIFACT = "application/vnd.container-tasks.release.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_SIGNATURES = re.compile(r"sha256-[0-9a-f]{64}(\..*)?")
_MOMENT = re.compile(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class DamagedError(PushError):
    """What lies in a record's place is none that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One service's image in a release."""

    service: str
    digest: str
    """Of its index."""
    fingerprint: str | None = None
    """Of what it was built from, where that can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What was published together."""

    name: str
    """Its record's tag."""
    project: str
    version: str
    commit: str
    """The commit that was checked out, in full."""
    created: str
    """When the record was made, as RFC 3339."""
    platforms: tuple[str, ...]
    members: tuple[Member, ...]
    fixed: tuple[str, ...]
    """The tags that name this release alone."""
    moving: tuple[str, ...]
    """The tags that people follow from one release to the next."""
    before: Mapping[str, Mapping[str, str | None]]
    """By moving tag and service, the digest that it had; None where there was no such tag."""
    checked: Mapping[str, str] = field(default_factory=dict)
    """What each gate said: ``ok``, ``not run`` or ``skipped``, by its name."""
    signer: str | None = None
    """Who signed the images, as cosign tells it; None where nobody did."""
    digest: str = ""
    """Of the record itself, once it lies in a registry."""

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest of each service's image."""
        return {member.service: member.digest for member in self.members}

    def content(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "project": self.project,
            "version": self.version,
            "commit": self.commit,
            "created": self.created,
            "platforms": list(self.platforms),
            "services": {
                member.service: {"digest": member.digest, "fingerprint": member.fingerprint} for member in self.members
            },
            "tags": {"fixed": list(self.fixed), "moving": list(self.moving)},
            "before": {tag: dict(old) for tag, old in self.before.items()},
            "checked": dict(self.checked),
            "signer": self.signer,
        }

    def dumps(self) -> bytes:
        """Return the record's bytes."""
        return json.dumps(self.content(), indent=1, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Move:
    """One tag of one service, and what it has to name."""

    service: str
    tag: str
    old: str | None
    new: str

    @property
    def needed(self) -> bool:
        """Whether anything has to be done."""
        return self.old != self.new


def kinds(tags: Sequence[str], version: str, *, suffix: str = "") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags that name this version alone, and those that move: one that holds the whole version is fixed.

    ``suffix``: what each of them ends with.
    """
    alone = re.compile(rf"(?<![0-9A-Za-z.]){re.escape(_without_v(version))}(?![0-9A-Za-z.])")
    fixed = tuple(tag for tag in tags if alone.search(_without_v(tag.removesuffix(suffix))))
    return fixed, tuple(tag for tag in tags if tag not in fixed)


def _without_v(text: str) -> str:
    return text.removeprefix("v")


def name_of(fixed: Sequence[str], version: str, commit: str) -> str:
    """Return what a release's record is called: its version's tag, or, where none is among its tags, its commit."""
    return fixed[0] if fixed else f"{version}-g{commit[:12]}"


def owner(tag: str, names: Sequence[str]) -> str | None:
    """Return the release, of those of these names, whose own tag this is; None where it is nobody's."""
    return next((name for name in names if _without_v(name) == _without_v(tag)), None)


def age(release: Release) -> tuple[str, tuple[int, ...], str]:
    """Return what puts releases into their order, the oldest first: two of one second are told by their versions."""
    return release.created, _numbers(release.version) or (), release.name


def later(version: str, names: Sequence[str]) -> str | None:
    """Return the highest release, of those of these names, after a version; None where there is none that can be told.

    Only versions that are numbers with dots have an order here.
    """
    own, found = _numbers(version), highest(names)
    return found if own and found is not None and (_numbers(found) or ()) > own else None


def highest(names: Sequence[str]) -> str | None:
    """Return the highest release of those of these names; None where none can be told."""
    told = {name: numbers for name in names if (numbers := _numbers(name)) is not None}
    return max(told, key=lambda name: told[name], default=None)


def _numbers(version: str) -> tuple[int, ...] | None:
    words = _without_v(version).split(".")
    return tuple(map(int, words)) if all(word.isascii() and word.isdigit() for word in words) else None


def may_be_name(tag: str) -> bool:
    """Whether a tag beside the records may be one's name: cosign keeps signatures under tags of its own."""
    return _SIGNATURES.fullmatch(tag) is None


def artifact(release: Release, config: str, layer: str, *, size: int) -> bytes:
    """Return the manifest of a record whose two blobs have these digests."""
    content = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": ARTIFACT,
        "config": {"mediaType": _EMPTY, "digest": config, "size": 2},
        "layers": [{"mediaType": ARTIFACT, "digest": layer, "size": size}],
        "annotations": {
            "org.opencontainers.image.created": release.created,
            "org.opencontainers.image.revision": release.commit,
            "org.opencontainers.image.version": release.version,
        },
    }
    return json.dumps(content, separators=(",", ":")).encode()


def layer_of(manifest: bytes) -> str | None:
    """Return the digest of the record that a manifest holds; None where it holds none of ours."""
    try:
        content = json.loads(manifest)
        layer = content["layers"][0]
        digest = str(layer["digest"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return digest if layer.get("mediaType") == ARTIFACT and _DIGEST.fullmatch(digest) else None


def loads(content: bytes, *, digest: str, place: str) -> Release:
    """Read a record; ``place`` is where it lies, for errors.

    Raises DamagedError for one that is damaged, or of a newer kind.
    """
    try:
        said = json.loads(content)
        if said["schema"] != SCHEMA:
            raise DamagedError(
                f"{place} is a release record of another kind ({said['schema']})", hint="use newer tasks"
            )
        members = tuple(
            Member(service=_service(name), digest=_checked(one["digest"]), fingerprint=_text(one.get("fingerprint")))
            for name, one in said["services"].items()
        )
        return Release(
            name=_tag(said["name"]),
            project=str(said["project"]),
            version=str(said["version"]),
            commit=str(said["commit"]),
            created=_moment(said["created"]),
            platforms=tuple(map(str, said["platforms"])),
            members=members,
            fixed=tuple(map(_tag, said["tags"]["fixed"])),
            moving=tuple(map(_tag, said["tags"]["moving"])),
            before={
                _tag(tag): {_service(name): None if one is None else _checked(one) for name, one in old.items()}
                for tag, old in said["before"].items()
            },
            checked={str(gate): str(word) for gate, word in said["checked"].items()},
            signer=_text(said["signer"]),
            digest=digest,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(
            f"{place} is no release record: {type(error).__name__} at {error}",
            hint="docker buildx imagetools inspect shows it",
        ) from None


def _tag(text: object) -> str:
    """Return what can be a tag: it becomes a part of addresses, and of commands that a person is told to type."""
    if not isinstance(text, str) or not names.is_tag(text):
        raise ValueError(f"{text!r} is no tag")
    return text


def _moment(text: object) -> str:
    if not isinstance(text, str) or not _MOMENT.fullmatch(text):
        raise ValueError(f"{text!r} is no time")
    return text


def _service(text: object) -> str:
    if not isinstance(text, str) or not names.is_service(text):
        raise ValueError(f"{text!r} is no service")
    return text


def _text(text: object) -> str | None:
    return None if text is None else str(text)


def _checked(digest: object) -> str:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no digest")
    return digest


def moves(digests: Mapping[str, str], tags: Sequence[str], there: Mapping[tuple[str, str], str | None]) -> list[Move]:
    """Return what each tag of each service needs; ``there``: what it names now, by service and tag."""
    return [
        Move(service, tag, there.get((service, tag)), digest) for tag in tags for service, digest in digests.items()
    ]


def undone(done: Sequence[Move]) -> list[Move]:
    """Return the moves that take others back, the last first; a tag that was not there cannot go back."""
    return [Move(one.service, one.tag, one.new, one.old) for one in reversed(done) if one.old is not None]


def current(release: Release, there: Mapping[tuple[str, str], str | None]) -> tuple[int, int]:
    """Return how many of a release's moving tags name it, and how many there are."""
    wanted = moves(release.digests, release.moving, there)
    return sum(not move.needed for move in wanted), len(wanted)


def stood_before(release: Release, other: Release) -> bool:
    """Return whether the tags that a release moved had named another one, of all services that both have."""
    told = [(old, service) for old in release.before.values() for service in old if service in other.digests]
    return bool(told) and all(old[service] == other.digests[service] for old, service in told)


def select(releases: Sequence[Release], wanted: str) -> Release:
    """Return the release that a person means by its name or version.

    Raises ConfigError that names those that there are.
    """
    for release in releases:
        if wanted in {release.name, release.version} or f"v{wanted}" == release.name:
            return release
    there = ", ".join(release.name for release in releases[:5]) or "none"
    raise ConfigError(f"there is no release {wanted!r}", hint=f"inv container-releases lists them: {there}")


def only(release: Release, services: Sequence[str]) -> Release:
    """Return a release with some of its services alone.

    Raises ConfigError for one that is not in it.
    """
    for service in services:
        if service not in release.digests:
            raise ConfigError(
                f"{service} is not in the release {release.name}", hint=f"it has {', '.join(release.digests)}"
            )
    return replace(release, members=tuple(one for one in release.members if one.service in services))
