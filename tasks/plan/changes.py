"""Which services' builds differ between two states of the repository, and in what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .fingerprint import Mark, differences


@dataclass(frozen=True, slots=True)
class Changed:
    """What of a service differs, the most telling first; nothing where it is unchanged."""

    because: tuple[str, ...] = ()

    @property
    def current(self) -> bool:
        """Whether it is the same in both states."""
        return not self.because


def changed(before: Mark, now: Mark) -> Changed:
    """Return what of a service's build differs between two states."""
    if before.inputs is None or now.inputs is None:
        return Changed((now.always or before.always,))
    found = tuple(differences(json.loads(before.inputs.dumps()), now.inputs))
    return Changed((*found, *([f"all of the context counts: {now.wide}"] if found and now.wide else [])))


def both(one: Changed, other: Changed) -> Changed:
    """Return what differs in either of two ways to build a service."""
    return Changed(tuple(dict.fromkeys((*one.because, *other.because))))


@dataclass(frozen=True, slots=True)
class Since:
    """What a comparison was made with."""

    ref: str
    commit: str
    """Where HEAD left it."""
    services: Mapping[str, Changed]
