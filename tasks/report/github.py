"""A run's record for GitHub Actions: a job summary, and an annotation on the line of each Dockerfile that failed.

What a build writes could be a command to the runner, or markdown; here it is neither.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ..printable import for_runner
from . import style

LARGEST = 1 << 20  # bytes of a step's summary: of a larger one GitHub shows nothing
_LINES = 10  # of a step, that an annotation shows
# What could begin markup, a link, an emoji or a mention within a line; CommonMark takes a backslash before each.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#!|~@:&$]|(?<=www)\.")
_HEADS = ("service", "state", "seconds", "cached", "size of budget", "because")
_MORE = "\n… and more than a summary holds: see `.container/last-run.json`\n"


def summary(record: Mapping[str, Any], room: int) -> str:
    """Return a run as markdown, of at most so many bytes: what does not fit is left out, from the end."""
    said: list[str] = []
    left = room - len(_MORE.encode())
    for part in _parts(record):
        left -= len(part.encode())
        if left < 0:
            return "".join([*said, _MORE]) if said else ""
        said.append(part)
    return "".join(said)


def _parts(record: Mapping[str, Any]) -> Iterator[str]:
    services = record["services"]
    commit = f" ({record['commit']})" if record["commit"] else ""
    yield f"### {_plain(record['task'])}: {_plain(_counts(services))}\n\n"
    about = (f"{record['project']} v{record['version']}{commit}", *record["platforms"])
    yield f"{_plain(', '.join(about))}, {style.seconds(record['seconds'])}\n\n"
    yield f"| {' | '.join(_HEADS)} |\n|---|---|--:|--:|--:|---|\n"
    for one in services:
        yield f"| {' | '.join(_plain(cell) for cell in _row(one))} |\n"
    if record["error"] is not None:
        yield f"\n**{_plain(record['error']['message'])}**\n"
    for one in services:
        if one["failure"] is not None:
            yield _details(one["name"], one["failure"])


def _counts(services: Iterable[Mapping[str, Any]]) -> str:
    states = [one["state"] for one in services]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    size = "" if one["size"] is None else style.megabytes(one["size"])
    budget = "" if one["budget"] is None or not size else f" of {style.megabytes(one['budget'])}"
    more = len(one["because"]) - 1
    return (
        one["name"],
        one["state"],
        "" if one["start"] is None else f"{one['seconds']:.1f}",
        "" if one["cached"] is None else f"{one['cached']:.0%}",
        f"{size}{budget}",
        "".join(one["because"][:1]) + (f", and {more} more" if more > 0 else ""),
    )


def _details(name: str, failure: Mapping[str, Any]) -> str:
    place = f"{failure['dockerfile']}:{failure['line']}" if failure["dockerfile"] else ""
    lines = [failure["step"], *failure["lines"], failure["message"], place, *failure["excerpt"], failure["hint"] or ""]
    text = "\n".join(html.escape(style.safe(line)) for line in lines if line)
    head = f"<details><summary>{_html(name)}: {_html(failure['kind'])}</summary>"
    return f"\n{head}\n\n<pre>\n{text}\n</pre>\n\n</details>\n"  # nothing in <pre> is markdown, or can end it


def _plain(text: str) -> str:
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", style.safe(text))


def _html(text: str) -> str:
    return html.escape(style.safe(text))


def annotate(record: Mapping[str, Any], folder: str) -> None:
    """Print the command that makes an annotation, for each service that failed.

    ``folder`` is where the root lies in the checkout, relative to it.
    """
    for one in record["services"]:
        if one["failure"] is not None:
            style.say(_annotation(one["name"], one["failure"], folder), command=True)


def _annotation(name: str, failure: Mapping[str, Any], folder: str) -> str:
    properties = {"title": f"{name}: {failure['kind']}"}
    if failure["dockerfile"] and failure["line"]:
        file = PurePosixPath(folder, failure["dockerfile"]).as_posix()
        properties = {"file": file, "line": str(failure["line"]), **properties}
    said = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    lines = [failure["message"], *failure["lines"][-_LINES:]]
    return f"::error {said}::{_data(chr(10).join(style.safe(line) for line in lines))}"


def _data(text: str) -> str:
    return for_runner(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(style.safe(text)).replace(":", "%3A").replace(",", "%2C")
