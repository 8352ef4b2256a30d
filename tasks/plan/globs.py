"""Patterns of paths as ``.trivyignore.yaml`` has them (those of doublestar), as regular expressions."""

import re

_PIECE = re.compile(
    r"(?P<any>(?:(?<=/)|^)\*\*(?:/|$))|(?P<star>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]/]*\])|(?P<text>.)", re.DOTALL
)


def translated(glob: str) -> str:
    """Return the regular expression that fits whole what the pattern does.

    Raises ValueError, which goes on after the pattern, for one that has what is not known here.
    """
    bad = next((letter for letter in glob if letter in "{}\\"), None)
    if bad is not None:
        raise ValueError(f"has {bad!r}, which is not known here")
    found = ""
    for piece in _PIECE.finditer(glob):
        match piece.lastgroup:
            case "any":
                found += "(?:.*/)?" if piece[0].endswith("/") else ".*"
            case "star":
                found += "[^/]*"
            case "one":
                found += "[^/]"
            case "set":
                inner = piece[0][1:-1]
                negated = inner[:1] in {"!", "^"}
                letters = re.sub(r"([\\\]\[&~|^])", r"\\\1", inner[negated:])
                found += f"[{'^/' if negated else ''}{letters}]"
            case _:
                if piece[0] == "[":
                    raise ValueError("has a [ that never ends")
                found += re.escape(piece[0])
    return f"(?s:{found})"
