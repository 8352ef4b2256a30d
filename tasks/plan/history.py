"""Which commit an image's labels name: the last that changed what its build reads, marked where that is not all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DIRTY = "-dirty"
"""What the build reads differs from the commit, or no commit has it."""
SHALLOW = "-shallow"
"""It is the commit checked out; a shallow clone does not know which one last changed what the build reads."""
_REVISION = re.compile(rf"[0-9a-f]{{40,64}}(?:{DIRTY}|{SHALLOW}|{SHALLOW}{DIRTY})?")
_COMMITTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Change:
    """The commit of an image's labels."""

    revision: str
    """Its full name, and what it is marked with."""
    committed: str
    """RFC 3339, in the committer's zone."""

    @property
    def guessed(self) -> bool:
        """Whether the history was too short to know it."""
        return SHALLOW in self.revision


def recorded(record: Mapping[str, Any] | None, fingerprint: str | None) -> Change | None:
    """Return what an earlier build of the same fingerprint said, by its record; None where there was none."""
    if record is None or fingerprint is None or record.get("fingerprint") != fingerprint:
        return None
    revision, committed = str(record.get("revision")), str(record.get("committed"))
    if _REVISION.fullmatch(revision) is None or _COMMITTED.fullmatch(committed) is None:
        return None
    return Change(revision, committed)
