"""How bad a finding is."""

from collections.abc import Collection

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")
"""From the worst."""
_UNRANKED = "UNKNOWN"


def left_out(chosen: Collection[str]) -> tuple[str, ...]:
    """Return the severities that are worse than one of those chosen, and not among them; without any, the worst."""
    ranked = [one for one in SEVERITIES if one != _UNRANKED]
    mildest = max((ranked.index(one) for one in chosen if one in ranked), default=0)
    return tuple(one for one in reversed(ranked[: mildest + 1]) if one not in chosen)
