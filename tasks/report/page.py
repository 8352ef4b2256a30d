"""The page of a run: one file, without scripts, that fetches nothing.

Its values come from a record, and those from Dockerfiles, logs and names: all of it is escaped, freed of control
letters, and cut where it would be too much for a page.
"""

import base64
import contextlib
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..engine.cache import folder
from ..plan import growth, lastrun, timeline
from ..printable import spelled
from . import style
from .drawing import MARKS, Drawing

if TYPE_CHECKING:
    from jinja2 import Template

_DRAWN = 150  # services whose steps are drawn: those that took longest
_FEW = 15  # services; of more only those that did something are told at once
_LAYERS = 40
_REASONS = 40
_SLOWEST = 10
_LINES = 40
_LETTERS = 400  # of a line, a message or a reason
_LONGEST = 4000  # letters of any text that are looked at
_LOGS = ".container/logs/"
_EXCERPT = re.compile(r"\s*(\d+) \| (>>>|   ) ?(.*)")
_STAGE = re.compile(r"\[([^\]]+)\] (.*)")


def render(record: Mapping[str, Any]) -> str:
    """Return the page of the run that a record tells of.

    Raises ConfigError for a record of another schema, and for a damaged one.
    """
    run = lastrun.parse(record)
    length = timeline.length(run)
    stride = 100 * timeline.stride(length, MARKS) / length
    return filled("page.html", style_of=f":root {{ --stride: {stride:.4f}% }}\n", **_view(run))


def filled(name: str, *, style_of: str = "", **values: Any) -> str:  # noqa: ANN401 - what its template shows
    """Return the page that a template makes of values; ``style_of`` is what its style has beside that of every page."""
    css = f"{_text('page.css')}{style_of}"
    # By its checksum this one style is allowed, and no other: not even one that a hostile name might bring.
    checksum = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return load(name).render(css=css, checksum=checksum, **values)


@cache
def load(name: str = "page.html") -> "Template":
    """Return a page's template, compiled: that takes ten times as long as a page, so what comes of it is kept."""
    kept = folder("templates")
    if kept is not None:
        with contextlib.suppress(OSError):  # no room: then it is compiled each time
            return _compiled(name, kept)
    return _compiled(name, None)


def _compiled(name: str, kept: Path | None) -> "Template":
    from jinja2 import Environment, FileSystemBytecodeCache, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: object) -> object:
        return spelled(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    made = Environment(
        loader=FunctionLoader(_text),
        bytecode_cache=None if kept is None else FileSystemBytecodeCache(str(kept)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(brief=brief, duration=style.duration, grown=style.growth, name=_name)
    made.filters.update(percent=style.percent, size=style.megabytes)
    return made.get_template(name)


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _view(run: lastrun.Run) -> dict[str, Any]:
    """Return what the template shows."""
    drawing = Drawing.of(run)
    built = sorted((one for one in run.services if one.built), key=lambda one: -(one.seconds or 0.0))
    drawn = {one.name for one in built[:_DRAWN]} | {link.service for link in drawing.path}
    drawn |= {one.name for one in built if one.failure}
    few = len(run.services) <= _FEW
    sizes = [_size(service) for service in run.services if service.size is not None]
    return {
        "run": run,
        "when": when(run.started),
        "places": {service.name: f"s{number}" for number, service in enumerate(run.services, 1)},
        "failures": [_failure(service, service.failure) for service in run.services if service.failure],
        "drawn": drawn,
        "told": run.services if few else sorted((one for one in run.services if not one.current), key=_first),
        "untold": [service for service in run.services if service.current and not few],
        "path": timeline.parts(run, drawing.path),
        "drawing": drawing,
        "chart": [drawing.row(service) for service in run.services if service.name in drawn and service.built],
        "undrawn": len([service for service in built if service.name not in drawn]),
        "idle": len(run.services) - len(built),
        "slowest": timeline.slowest(run, _SLOWEST),
        "sizes": sizes if few else sorted(sizes, key=lambda size: (-size["over"], -abs(size["grown"] or 0))),
        "few": _FEW,
        "reasons": run.reasons[:_REASONS],
        "more_reasons": max(len(run.reasons) - _REASONS, 0),
    }


def _first(service: lastrun.Service) -> tuple[bool, float]:
    return service.failure is None, -(service.seconds or 0.0)


def _failure(service: lastrun.Service, failure: lastrun.Failure) -> dict[str, Any]:
    log = service.log or ""
    name = log.removeprefix(_LOGS)
    found = [_EXCERPT.fullmatch(style.safe(line[:_LETTERS])) for line in failure.excerpt[:_LINES]]
    return {
        "service": service.name,
        "failure": failure,
        "excerpt": [(line[1], line[2] == ">>>", line[3]) for line in found if line],
        "lines": [style.safe(line[:_LETTERS]) for line in failure.lines[-_LINES:]],
        "log": log,
        "link": f"logs/{quote(name, errors='replace')}" if log.startswith(_LOGS) and "/" not in name else None,
    }


def _size(service: lastrun.Service) -> dict[str, Any]:
    size = service.size or 0
    whole = max(size, service.budget or 0, 1)
    changes = growth.layers(service)
    largest = max([1, *(change.now or 0 for change in changes)])
    return {
        "service": service,
        "share": 100 * size / whole,
        "limit": 100 * service.budget / whole if service.budget else None,
        "over": size - service.budget if service.budget and size > service.budget else 0,
        "grown": growth.grown(service),
        "layers": [(change, (0.0, 100 * (change.now or 0) / largest)) for change in changes[:_LAYERS]],
        "cut": max(len(changes) - _LAYERS, 0),
    }


def when(started: str) -> str:
    """Return a moment as people read it."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        return started
    return f"{moment:%A} {moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".rstrip()


def brief(text: str, most: int = _LETTERS) -> str:
    """Return a text in one line, cut where it would be too long."""
    words = style.safe(text[:_LONGEST])
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _name(text: str) -> tuple[str, str]:
    """Return the stage and the instruction of a step."""
    words = style.step(text[:_LONGEST])
    found = _STAGE.fullmatch(words)
    return (found[1], found[2]) if found else ("", words)
