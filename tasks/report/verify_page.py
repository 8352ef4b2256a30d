"""The page of a verification: one file, without scripts, that fetches nothing; made like that of a run."""

from collections.abc import Mapping
from typing import Any

from ..plan.verdicts import Result
from . import page, style

_IMAGES = 200
_FOUND = 200  # of what one check has found
_LINES = 20


def render(content: Mapping[str, Any]) -> str:
    """Return the page of what ``verify.answer`` says, with what every record begins with."""
    images = [_image(image) for image in content["images"]]
    bad = [image for image in images if image["result"] == Result.FAILED.value]
    words = [f"{len(images) - len(bad)} verified", *([f"{len(bad)} failed"] if bad else [])]
    return page.filled(
        "verify.html",
        **{key: content[key] for key in ("project", "version", "commit", "task")},
        when=page.when(content["started"]),
        head=f"{', '.join(words)} in {style.duration(content['seconds'])}",
        images=images[:_IMAGES],
        bad=bad[:_IMAGES],
        cut=max(len(images) - _IMAGES, 0),
        most=_FOUND,
    )


def _image(image: Mapping[str, Any]) -> dict[str, Any]:
    counts = {result.value: 0 for result in (Result.FAILED, Result.OK, Result.NOT_RUN)}
    for one in image["checks"]:
        counts[one["result"]] += 1
    starts = image["starts"].values()
    lines: list[str] = next((start["lines"] for start in starts if start["lines"]), [])
    return {
        **{key: image[key] for key in ("result", "size", "budget", "reference", "image")},
        "title": f"{image['name']} {image['platform']}",
        "counts": [(word, count) for word, count in counts.items() if count],
        "healthy": image["seconds_to_healthy"],
        "checks": [
            {key: one[key] for key in ("name", "result", "evidence", "hint", "found")} for one in image["checks"]
        ],
        "lines": [page.brief(line) for line in lines[-_LINES:]],
    }
