"""The fingerprint of everything that a build reads, and what differs between two builds."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Counts what is fingerprinted and how: another one builds everything once.
SCHEME = "1"
FINGERPRINT_LABEL = "container-tasks.fingerprint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that a build reads; the same inputs give the same image."""

    dockerfile: str
    """The digest of its text."""
    ignore: str = ""
    """The digest of the ignore file that belongs to this Dockerfile alone."""
    stage: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    """Build arguments, without version and revision."""
    bases: Mapping[str, str] = field(default_factory=dict)
    """By what the Dockerfile writes: the digest of what takes its place where that differs, or nothing."""
    files: Mapping[str, str] = field(default_factory=dict)
    """By path: kind, mode, and the digest of the content or the link's text."""
    fingerprint: str = field(init=False)
    """Their digest, behind the scheme."""

    def __post_init__(self) -> None:
        """Digest them once: there may be many."""
        digest = hashlib.sha256(self.dumps().encode()).hexdigest()
        object.__setattr__(self, "fingerprint", f"{SCHEME}-{digest}")

    def dumps(self) -> str:
        """Return them as JSON, the same for the same inputs."""
        parts = {name: getattr(self, name) for name in ("dockerfile", "ignore", "stage")}
        parts |= {name: dict(getattr(self, name)) for name in ("args", "bases", "files")}
        return json.dumps({"scheme": SCHEME, **parts}, sort_keys=True, ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of a service's build before it runs."""

    inputs: Inputs | None
    always: str = ""
    """Why it has to build, where no fingerprint can tell that nothing changed."""
    wide: str = ""
    """Why its fingerprint counts all of the context."""

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint, where there is one."""
        return None if self.inputs is None else self.inputs.fingerprint


def differences(before: Mapping[str, Any], now: Inputs) -> Iterator[str]:
    """Yield what differs from an earlier build's inputs, as people read it; ``before`` is their JSON, parsed."""
    current = json.loads(now.dumps())
    if before.get("dockerfile") != current["dockerfile"]:
        yield "its Dockerfile changed"
    if before.get("ignore") != current["ignore"]:
        yield "its ignore file changed"
    if before.get("stage") != current["stage"]:
        yield f"the stage to build is now {current['stage'] or 'the last'}"
    for kind, word in (("args", "the argument "), ("bases", "the base "), ("files", "")):
        told, new = before.get(kind), current[kind]
        old = told if isinstance(told, dict) else {}
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                what = "is new" if name not in old else "is gone" if name not in new else "changed"
                yield f"{word}{name} {what}"
