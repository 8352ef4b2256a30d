"""What would build, or has changed, and why: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Collection, Mapping
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
    pulled: Collection[str] = ()
    """The services that would be pulled instead of built."""

    def state(self, service: str) -> str:
        """Return what the verdict of a service is called."""
        current = self.verdicts[service].current
        if self.since is None:
            return "up to date" if current else "would pull" if service in self.pulled else "would build"
        return "unchanged" if current else "changed"

    @property
    def stale(self) -> tuple[str, ...]:
        """The services that are not up to date."""
        return tuple(service for service, verdict in self.verdicts.items() if not verdict.current)


def show(decided: Decided) -> None:
    """Print a line a service: its state, and each reason to build it."""
    rows = []
    for service, verdict in decided.verdicts.items():
        good = verdict.current or service in decided.pulled
        state = style.paint(decided.state(service), style.GOOD if good else style.WARN)
        rows += [(service, state, style.safe(reason)) for reason in verdict.because[:1] or ("",)]
        rows += [("", "", style.safe(reason)) for reason in verdict.because[1:]]
    grid.show(("service", "state", "because"), rows, giving=("because",), told=("because",))
    if decided.since is not None:
        style.say(f"Since {style.safe(decided.since.ref)} was left, at {decided.since.commit[:12]}")
    if decided.stale:
        reuse = " --reuse" if decided.pulled else ""
        style.say(f"Next: inv container-build --services {','.join(decided.stale)}{reuse}")


def answer(decided: Decided) -> Mapping[str, Any]:
    """Return every service with its state and reasons, for programs."""
    services = [
        {"name": service, "state": decided.state(service), "because": list(verdict.because)}
        for service, verdict in decided.verdicts.items()
    ]
    since = {} if decided.since is None else {"since": {"ref": decided.since.ref, "commit": decided.since.commit}}
    return {**since, "services": services}


def as_matrix(decided: Decided) -> None:
    """Print the services that would build, as ``strategy.matrix`` of GitHub Actions takes them."""
    built = [one for one in decided.stale if one not in decided.pulled]
    entries = [{"service": one, "because": decided.verdicts[one].because[0]} for one in built]
    sys.stdout.write(json.dumps({"include": entries}) + "\n")
