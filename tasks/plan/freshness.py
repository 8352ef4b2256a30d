"""Decide which images are up to date: the same fingerprint, under every reference, for the same platforms."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .fingerprint import FINGERPRINT_LABEL, SCHEME, Mark, differences
from .targets import PROJECT_LABEL, Target


@dataclass(frozen=True, slots=True)
class Stored:
    """An image as the store has it."""

    id: str
    labels: Mapping[str, str]
    platforms: str | None = None
    """Those that it is surely there for, with commas; None where nobody asked."""


@dataclass(frozen=True, slots=True)
class Ages:
    """How the images of services that are there stand to their sources."""

    outdated: tuple[str, ...] = ()
    """The services whose images a build would replace by others."""
    unsure: tuple[str, ...] = ()
    """Those of which only a build can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an image is up to date, or why it has to be built."""

    because: tuple[str, ...] = ()
    """The reasons to build, the most telling first; none when it is up to date."""
    image: Stored | None = None
    """The image that is up to date."""
    untagged: tuple[str, ...] = ()
    """References that it still has to get."""
    published: str = ""
    """The reference that would be pulled instead of building it."""
    unknown: bool = False
    """Whether it is built only because nothing says where the image there is from."""

    @property
    def current(self) -> bool:
        """Whether nothing has to be built."""
        return self.image is not None


def changed(mark: Mark, before: Mapping[str, Any] | None) -> Verdict | None:
    """Return why a service has to be built whatever the store has; None where only the store can tell.

    ``before``: what the last build here read, as its record has it.
    """
    if mark.inputs is None:
        return Verdict(because=(mark.always,))
    said = None if before is None else before.get("fingerprint")
    if not isinstance(said, str) or said == mark.inputs.fingerprint:
        return None  # the store tells which image that is
    return Verdict(because=_differing(said, mark, before))


def judge(
    target: Target,
    mark: Mark,
    stored: Mapping[str, Stored],
    before: Mapping[str, Any] | None,
    made: Collection[str] = (),
) -> Verdict:
    """Hold what the store has against what a build would read now.

    ``before``: what the last build here read, as its record has it; ``made``: the images that are known to have been
    made of just that, beside the record's.
    """
    if mark.inputs is None:
        return Verdict(because=(mark.always,))
    there = {reference: stored[reference] for reference in target.references if reference in stored}
    if not there:
        return Verdict(because=("there is no image yet",))
    for image in there.values():
        if misfit := _misfit(image, target, mark, before):
            return Verdict(because=misfit)
    image = next(iter(there.values()))
    if len({one.id for one in there.values()}) > 1:
        return Verdict(because=("its tags name different images",))
    return _other_than_made(image, mark.inputs.fingerprint, before, made) or Verdict(
        image=image, untagged=tuple(name for name in target.references if name not in there)
    )


def made_of(fingerprint: str, before: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the images that a record knows to have been made of a fingerprint."""
    made = None if before is None or before.get("fingerprint") != fingerprint else before.get("made")
    return frozenset(map(str, made.values())) if isinstance(made, dict) else frozenset()


def as_for(target: Target, stored: Mapping[str, Stored]) -> Mapping[str, Stored]:
    """Return the images as if each were there for the target's platforms."""
    return {name: replace(image, platforms=platforms_of(target)) for name, image in stored.items()}


def _misfit(image: Stored, target: Target, mark: Mark, before: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return why an image is another one by what it says itself; nothing where it is not."""
    said = image.labels.get(FINGERPRINT_LABEL)
    if said != mark.fingerprint:
        return _differing(said, mark, before)
    if image.platforms != platforms_of(target):
        return (f"the image there is for {image.platforms or 'another platform'}",)
    project = image.labels.get(PROJECT_LABEL)
    if project != target.labels.get(PROJECT_LABEL):
        return (f"the image there is of {f'the project {project}' if project else 'no project'}",)
    return ()


def _other_than_made(
    image: Stored, fingerprint: str, before: Mapping[str, Any] | None, made: Collection[str]
) -> Verdict | None:
    """Return why an image with the right fingerprint is not one that was made of it; None where it is.

    A fingerprint is a label, and whatever is built on an image inherits its labels.
    """
    own = made_of(fingerprint, before)
    moved = before is not None and bool(own) and bool(before.get("moved"))
    if image.id in made or (image.id in own and not moved):
        return None
    if image.id in own:
        return Verdict(because=("a file changed while it was built",))
    if own or made:
        return Verdict(because=("something else was built under its name",))
    return Verdict(because=("the image there was not built here, and its label may be inherited",), unknown=True)


def platforms_of(target: Target) -> str:
    """Return a target's platforms as its label has them."""
    return ",".join(target.platforms)


def _differing(said: str | None, mark: Mark, before: Mapping[str, Any] | None) -> tuple[str, ...]:
    if said is None:
        return ("the image there has no fingerprint: something else built it",)
    if not said.startswith(f"{SCHEME}-"):
        return ("what is fingerprinted has changed with these tasks, so everything builds once",)
    if before is None or before.get("fingerprint") != said or mark.inputs is None:
        return ("the image there was built from something else",)
    inputs = before.get("inputs")
    found = tuple(differences(inputs if isinstance(inputs, dict) else {}, mark.inputs))
    found = found or ("it was built from something else",)
    return (*found, *([f"all of the context counts: {mark.wide}"] if mark.wide else []))
