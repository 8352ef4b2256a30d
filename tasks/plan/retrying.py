"""Which failures of a registry can pass by themselves, and how patiently they are waited for.

Tools that give no status say what happened in words alone: what BuildKit, buildx, cosign and Trivy quote are
the words of Go's HTTP client and of the registries.
"""

import re
from dataclasses import dataclass

_TOO_MANY = 429
_FORBIDDEN = 403
_TIMED_OUT = 408
_SERVER = range(500, 600)
# GitHub's registry answers 403, with these words, to one who asks too often.
_SECONDARY = "secondary rate limit"

_LASTING = re.compile(
    r"\b40[014] |\b40[014]\b(?= \w)|\b413\b|unauthorized|authentication required|insufficient_scope|denied"
    r"|not found|NAME_UNKNOWN|MANIFEST_UNKNOWN|MANIFEST_INVALID|manifest invalid|x509:|no basic auth credentials",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"\b429\b|toomanyrequests|too many requests|\b5\d\d (?:Internal|Bad|Service|Gateway)|status(?: code)?:? 5\d\d"
    r"|connection reset|connection refused|broken pipe|\bEOF\b|time-?d? ?out|deadline exceeded|server misbehaving"
    r"|transport connection broken(?!: malformed HTTP response)"
    r"|temporary failure|nothing for [\d.]+ s|transport is closing|code = Unavailable",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long a step that talks to a registry is tried again."""

    times: int = 5
    """Tries after the first."""
    wait: float = 1.0
    """Seconds before the second try; before each next one twice as long, and a random part of it more."""
    longest: float = 60.0
    """Seconds of one wait at most; a registry that asks for more by Retry-After gets it, within the limit."""
    limit: float = 300.0
    """Seconds of all waits of a run."""


def can_pass(status: int, words: str = "", *, told: bool = False) -> bool:
    """Whether an HTTP status can pass by itself; ``told``: whether the answer says when to come back."""
    if status == _FORBIDDEN:
        return _SECONDARY in words.lower() or told
    return status in {_TOO_MANY, _TIMED_OUT} or status in _SERVER


def words_can_pass(words: str) -> bool:
    """Whether what a tool said of a registry can pass by itself; words that say both cannot."""
    if _SECONDARY in words.lower():
        return True
    return _LASTING.search(words) is None and _PASSING.search(words) is not None
