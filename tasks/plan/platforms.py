"""The platforms that images are built for, spelled as OCI does."""

from collections.abc import Sequence
from enum import StrEnum

from ..errors import ConfigError


class Platform(StrEnum):
    """One operating system and processor."""

    AMD64 = "linux/amd64"
    ARM64 = "linux/arm64"

    @property
    def arch(self) -> str:
        """The processor's name in tags and task names."""
        return self.value.partition("/")[2]


# What the engine's API and `uname -m` call the same processors.
_ALIASES = {"amd64": Platform.AMD64, "x86_64": Platform.AMD64, "arm64": Platform.ARM64, "aarch64": Platform.ARM64}

# What people call them besides.
_SPOKEN = _ALIASES | {
    "x64": Platform.AMD64,
    "x86-64": Platform.AMD64,
    "x86": Platform.AMD64,
    "arm64/v8": Platform.ARM64,
    "arm64v8": Platform.ARM64,
    "armv8": Platform.ARM64,
}


def of_machine(arch: str | None = None) -> Platform:
    """Return the platform of a processor name, by default of this machine's.

    Raises ConfigError for a processor that no image is built for.
    """
    if arch is None:
        from platform import machine

        arch = machine()
    name = arch.lower()
    if name not in _ALIASES:
        raise ConfigError(f"no image is built for the processor {name!r}", hint=f"known: {', '.join(_ALIASES)}")
    return _ALIASES[name]


def parse(names: Sequence[str], *, source: str) -> tuple[Platform, ...]:
    """Return the named platforms, each once, in the order given; ``source`` is named in errors.

    Raises ConfigError for a name that is not a platform, with the nearest one.
    """
    return tuple(dict.fromkeys(_one(name, source) for name in names))


def _one(name: str, source: str) -> Platform:
    try:
        return Platform(name)
    except ValueError:
        from difflib import get_close_matches

        arch = name.lower().removeprefix("linux/")
        near = [arch] if arch in _SPOKEN else get_close_matches(name.lower(), [*Platform, *_SPOKEN], n=1, cutoff=0.5)
        meant = _SPOKEN.get(near[0], near[0]) if near else None
        hint = f"choose from {', '.join(Platform)}" if meant is None else f"did you mean {meant}?"
        raise ConfigError(f"{source}: {name!r} is not a platform that is built here", hint=hint) from None


def suffix(platforms: Sequence[Platform], native: Platform) -> str:
    """Return what keeps a single foreign platform from taking the tags of the image that runs here."""
    foreign = len(platforms) == 1 and platforms[0] != native
    return f"-{platforms[0].arch}" if foreign else ""
