"""The record of the stand-ins: what was built, where it is served, and whether builds use it.

Apart from what builds them, because each build asks it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import cache
from . import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What was built, where it is served, and whether builds use it."""

    fingerprint: str
    port: int
    digests: Mapping[str, str]
    used: bool


def recorded() -> Mapping[str, str]:
    """Return the replacement of each repository, as a reference with digest; empty where none is needed.

    Quick: reads one file, asks nobody.
    """
    record = read()
    if record is None or not record.used:
        return {}
    return {
        name: f"localhost:{record.port}/{path_of(name)}:1@{digest}" for name, digest in sorted(record.digests.items())
    }


def tags() -> tuple[str, ...]:
    """Return the tags under which the engine that built them holds the recorded stand-ins."""
    record = read()
    return (
        () if record is None else tuple(f"localhost:{record.port}/{path_of(name)}:1" for name in sorted(record.digests))
    )


def path_of(name: str) -> str:
    """Return where a stand-in lies in its registry."""
    return f"stand-ins/{name}"


def place() -> Path:
    """Return where the record lies."""
    return cache.home() / "stand-ins.json"


def read() -> Record | None:
    """Return the record; None where there is none that can be used."""
    told = files.read_json(place())
    try:
        return Record(
            fingerprint=str(told["fingerprint"]),
            port=int(told["port"]),
            digests={str(name): str(digest) for name, digest in told["digests"].items()},
            used=bool(told["used"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def write(record: Record) -> None:
    """Keep a record."""
    files.write_json(place(), asdict(record))
