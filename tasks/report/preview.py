"""What would build, and why: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping

from ..plan.freshness import Verdict
from . import grid, style

SCHEMA = 1
_CURRENT, _BUILDS = "up to date", "would build"


def show(verdicts: Mapping[str, Verdict]) -> None:
    """Print a line a service: its state, and each reason to build it."""
    rows = []
    for service, verdict in verdicts.items():
        state = style.paint(_CURRENT, style.GOOD) if verdict.current else style.paint(_BUILDS, style.WARN)
        rows += [(service, state, style.safe(reason)) for reason in verdict.because[:1] or ("",)]
        rows += [("", "", style.safe(reason)) for reason in verdict.because[1:]]
    grid.show(("service", "state", "because"), rows, giving=("because",))
    stale = [service for service, verdict in verdicts.items() if not verdict.current]
    if stale:
        style.say(f"Next: inv container-build --services {','.join(stale)}")


def as_json(verdicts: Mapping[str, Verdict]) -> None:
    """Print every service with its state and reasons."""
    services = [
        {"service": service, "state": _CURRENT if verdict.current else _BUILDS, "because": list(verdict.because)}
        for service, verdict in verdicts.items()
    ]
    _print({"schema": SCHEMA, "services": services})


def as_matrix(verdicts: Mapping[str, Verdict]) -> None:
    """Print the services that would build, as ``strategy.matrix`` of GitHub Actions takes them."""
    stale = [
        {"service": service, "because": verdict.because[0]}
        for service, verdict in verdicts.items()
        if not verdict.current
    ]
    _print({"include": stale})


def _print(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
