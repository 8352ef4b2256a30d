"""What would build, and why: a table for people, JSON for programs."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from ..plan.freshness import Verdict
from . import grid, style

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


def answer(verdicts: Mapping[str, Verdict]) -> Mapping[str, Any]:
    """Return every service with its state and reasons, for programs."""
    return {
        "services": [
            {"name": service, "state": _CURRENT if verdict.current else _BUILDS, "because": list(verdict.because)}
            for service, verdict in verdicts.items()
        ]
    }


def as_matrix(verdicts: Mapping[str, Verdict]) -> None:
    """Print the services that would build, as ``strategy.matrix`` of GitHub Actions takes them."""
    stale = [
        {"service": service, "because": verdict.because[0]}
        for service, verdict in verdicts.items()
        if not verdict.current
    ]
    sys.stdout.write(json.dumps({"include": stale}) + "\n")
