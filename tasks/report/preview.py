"""What would build, or has changed, and why: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..plan.changes import Since
from . import grid, style


class Verdict(Protocol):
    """What was decided of one service."""

    @property
    def current(self) -> bool:
        """Whether there is nothing to build."""

    @property
    def because(self) -> tuple[str, ...]:
        """Why there is."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided of each service, and beside what."""

    verdicts: Mapping[str, Verdict]
    since: Since | None = None

    def state(self, verdict: Verdict) -> str:
        """Return what a verdict is called."""
        if self.since is None:
            return "up to date" if verdict.current else "would build"
        return "unchanged" if verdict.current else "changed"

    @property
    def stale(self) -> tuple[str, ...]:
        """The services that there is something to build of."""
        return tuple(service for service, verdict in self.verdicts.items() if not verdict.current)


def show(decided: Decided) -> None:
    """Print a line a service: its state, and each reason to build it."""
    rows = []
    for service, verdict in decided.verdicts.items():
        state = style.paint(decided.state(verdict), style.GOOD if verdict.current else style.WARN)
        rows += [(service, state, style.safe(reason)) for reason in verdict.because[:1] or ("",)]
        rows += [("", "", style.safe(reason)) for reason in verdict.because[1:]]
    grid.show(("service", "state", "because"), rows, giving=("because",))
    if decided.since is not None:
        style.say(f"Since {style.safe(decided.since.ref)} was left, at {decided.since.commit[:12]}")
    if decided.stale:
        style.say(f"Next: inv container-build --services {','.join(decided.stale)}")


def answer(decided: Decided) -> Mapping[str, Any]:
    """Return every service with its state and reasons, for programs."""
    services = [
        {"name": service, "state": decided.state(verdict), "because": list(verdict.because)}
        for service, verdict in decided.verdicts.items()
    ]
    since = {} if decided.since is None else {"since": {"ref": decided.since.ref, "commit": decided.since.commit}}
    return {**since, "services": services}


def as_matrix(decided: Decided) -> None:
    """Print the services that would build, as ``strategy.matrix`` of GitHub Actions takes them."""
    stale = [{"service": one, "because": decided.verdicts[one].because[0]} for one in decided.stale]
    sys.stdout.write(json.dumps({"include": stale}) + "\n")
