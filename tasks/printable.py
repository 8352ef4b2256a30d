"""What a terminal may be sent: letters, and nothing that moves its cursor or turns text around."""

import re

# C0 but the end of a line, DEL and C1; line separators, turns of direction, and what is no text.
HIDDEN = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
# What the runner of GitHub Actions takes for a command: `::name…::` where a line begins, `##[name]` anywhere (its
# ActionCommand.cs).
_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)
# `user:password@`, as in an address; not the `name:tag@sha256:…` of an image.
# The bounds keep a long line without spaces from being read again from each of its letters.
_CREDENTIAL = re.compile(r"(//|(?<![^\s'\"=]))[^\s/@'\":]{1,256}:[^\s/@'\"]{1,2048}@(?!sha\d+:)")
_HIDDEN = re.compile(HIDDEN)
_SEQUENCE = re.compile(rf"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|{HIDDEN}")


def spelled(text: str) -> str:
    r"""Return the text with each letter that a terminal would obey written out, as ``\x1b``."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def spelled_in_json(text: str) -> str:
    """Return a JSON document that says the same with nothing in it that a terminal would obey."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text).replace("##[", "#\\u0023[")


def line(text: str) -> str:
    """Return the text spelled, in one line."""
    return spelled(text.replace("\n", "\\n"))


def stripped(text: str) -> str:
    """Return the text without what a terminal would obey."""
    return _SEQUENCE.sub("", text)


def masked(text: str) -> str:
    """Return the text without the credentials of its addresses."""
    return _CREDENTIAL.sub(r"\1***@", text) if "@" in text else text


def for_runner(text: str) -> str:
    """Return the text with nothing in it that GitHub's runner would obey, which reads all that a job writes."""
    return _COMMAND.sub(lambda found: f"{found[0]} ", text) if "::" in text or "##[" in text else text
