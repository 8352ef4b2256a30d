"""What a value of invoke.yaml can be, as JSON schema says it: what the code refuses without asking anything outside.

Each pattern is one that Python and editors read alike. Left to the code: what only the repository or the engine
knows, letters that cannot be shown, and numbers that YAML spells in its own way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from . import caches, names, signing
from .checks import NAMES
from .platforms import Platform
from .severities import SEVERITIES, left_out
from .values import LONGEST_COUNT, PROVENANCE, REUSE

Rule = Mapping[str, Any]

_WORD = {"type": ["string", "integer"]}
ANYTHING: Rule = {"type": ["string", "integer", "null"]}
OF_LINES: Rule = {**_WORD, "pattern": "^[^\\u0000]*$"}
"""The values of ``key: value`` lines."""
OF_NAMES: Rule = {"pattern": "^[^= \\u0000-\\u001f\\u007f-\\u00a0]+$"}
"""Their keys."""


def like(pattern: str) -> Rule:
    """Return the rule of text that is whole a pattern's."""
    return {"pattern": f"^(?:{pattern})$"}


def _text(pattern: str) -> Rule:
    """Return the rule of text that no number is."""
    return {"type": ["string", "null"], **like(pattern)}


def _word(pattern: str, *, most: int | None = None) -> Rule:
    """Return the rule of text that a whole number is, too, unless it begins with a dash."""
    return {**ANYTHING, **like(pattern), "minimum": 0, **({} if most is None else {"maxLength": most})}


def _one_of(choices: Sequence[str]) -> Rule:
    return {"enum": [*choices, None]}


def _several(text: Rule, item: Rule, *, least: int = 1) -> Rule:
    """Return the rule of text with commas, or a list."""
    return {"anyOf": [text, {"type": "array", "items": item, "minItems": least}]}


def _with_commas(item: str) -> str:
    return f"(?:{item})(?:,(?:{item}))*"


def _among(word: str) -> str:
    """Return the pattern of text with commas that has this word among them."""
    return rf"(?:.*,|^){word}(?:,|$)"


_PLATFORMS = {"type": "string", **like(_with_commas("|".join(Platform)))}
_TAGS = {**_WORD, **like(_with_commas(names.TAG)), "minimum": 0}
# A folder below the root: neither a whole path nor .. nor **, and no space at its ends.
_BELOW = r"(?!/)(?!(?:{0}*/)?\.\.(?:/|,|$))(?!{0}*\*\*)(?!\s){0}*[^\s,]"
# In steps of 1000; engines take no less memory than 6 MiB.
_SIZE = r"\s*[0-9]{1,12}\s*[kKmMgG][bB]"
_KILOBYTES = r"629[2-9]|6[3-9][0-9]{2}|[7-9][0-9]{3}|[1-9][0-9]{4,}"
_MEMORY = (
    r"\s*(?![0-9]{13})0*"
    rf"(?:(?:{_KILOBYTES})\s*[kK]|(?:[7-9]|[1-9][0-9]+)\s*[mM]|[1-9][0-9]*\s*[gG])[bB]"
)
# A registry is a whole repository there: with a path.
_CACHES = _with_commas(rf"gha|registry(?:=(?=[^,/]*/){names.REGISTRY})?|local(?:={caches.PATH})?")
_CACHE = {"type": "string", **like(_CACHES)}
_SEVERITIES = _with_commas("|".join(SEVERITIES))
# Who names a severity names all that are worse.
_WORSE = [(_among(one), _among(other)) for one in SEVERITIES for other in left_out((one,))]
_SEVERITY = {
    "anyOf": [
        _text("".join(rf"(?:(?!{one})|(?={other}))" for one, other in _WORSE) + _SEVERITIES),
        {
            "type": "array",
            "items": {"type": "string", **like(_SEVERITIES)},
            "minItems": 1,
            "allOf": [
                {"anyOf": [{"not": {"contains": {"pattern": one}}}, {"contains": {"pattern": other}}]}
                for one, other in _WORSE
            ],
        },
    ]
}
_REGISTRY = _word(names.REGISTRY, most=names.LONGEST_REGISTRY)
_ADDRESS_PATH = _text(names.ADDRESS_PATH)
_NOT_EMPTY: Rule = {**ANYTHING, "pattern": r"\S"}
_PORT: Rule = {**ANYTHING, **like(names.PORT), "minimum": 1, "maximum": 65535}
_NUMBER: Rule = {
    **ANYTHING,
    **like(rf"(?=[0-9]{{1,{LONGEST_COUNT}}}$)0*[1-9][0-9]*"),
    "minimum": 1,
    "maximum": 10**LONGEST_COUNT - 1,
}

OF_KEY: Mapping[str, Rule] = {
    "project": _word(names.SERVICE, most=names.LONGEST_SERVICE),
    "services_dir": _several(
        {**ANYTHING, **like(_with_commas(_BELOW.format("[^,]")))}, {**_WORD, **like(_BELOW.format("."))}
    ),
    "context": _one_of(names.CONTEXTS),
    "registry": _REGISTRY,
    "platforms": _several({**_PLATFORMS, "type": ["string", "null"]}, _PLATFORMS),
    "tags": _several({**_TAGS, **ANYTHING}, _TAGS),
    "version": {**ANYTHING, **like("[a-zA-Z0-9._-]{1,127}")},  # of a tag, behind its v
    "mirror": _REGISTRY,
    "ca": _NOT_EMPTY,
    "builder": _word(r"[^\s\u0000-\u001f\u007f-\u009f-][^\s\u0000-\u001f\u007f-\u009f]*"),
    "reuse": _one_of(REUSE),
    "cache": {"anyOf": [*_several(_text(f"{caches.NONE}|{_CACHES}"), _CACHE)["anyOf"], {"const": [caches.NONE]}]},
    "jobs": _NUMBER,
    **dict.fromkeys(("tries", "retry_wait", "retry_limit", "registry_timeout"), _NUMBER),
    "provenance": _one_of(PROVENANCE),
    "sign": _one_of([*signing.Choice]),
    "sign_key": _word(signing.KEY),
    "verify_key": _word(signing.KEY),
    "identity": _text(signing.IDENTITY),
    "issuer": _text(signing.ISSUER),
    "severity": _SEVERITY,
    "scan_db": _text(names.ARTIFACT),
    "folder": {**ANYTHING, "pattern": r"^(?!/)(?!(?:.*/)?\.\.(?:/|$))"},
    "dockerfile": _NOT_EMPTY,
    "target": _NOT_EMPTY,
    "port": _PORT,
    "publish": _PORT,
    "budget": _text(_SIZE),
    "health": _ADDRESS_PATH,
    "slow": _ADDRESS_PATH,
    "ready": _ADDRESS_PATH,
    "metrics": _ADDRESS_PATH,
    "skip_checks": _several(_text(_with_commas("|".join(NAMES))), {"enum": [*NAMES]}, least=0),
    "memory": _text(_MEMORY),
    "tmpfs": _several(
        _text(_with_commas(f"{names.FOLDER}/*")), {"type": "string", **like(f"{names.FOLDER}/*")}, least=0
    ),
}
