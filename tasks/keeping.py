"""What is kept of each image for the next run: what it was made from, which image that is, and what is in it."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .engine import made as known
from .engine import records
from .errors import ConfigError
from .plan import record
from .plan.fingerprint import FINGERPRINT_LABEL
from .plan.freshness import Stored
from .plan.targets import CREATED_LABEL, REVISION_LABEL
from .report import style

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .decision import Run
    from .plan.outcomes import Content, Outcome
    from .plan.targets import Target


def moved(run: "Run", services: "Sequence[str]") -> "Collection[str]":
    """Return the services of which files changed while they were built: BuildKit may have read either.

    Of an image that stays here the record remembers it, and this says so.
    """
    try:
        found = run.draft.moved(services)
    except ConfigError:  # a file that went, or is being written
        found = tuple(services)
    for service in found if run.store is not None else ():
        style.note(f"a file of {service} changed while it was built; the next container-build builds it again")
    return found


def kept(run: "Run", target: "Target", outcome: "Outcome", *, moved: bool) -> "Outcome":
    """Return a build's outcome with what is in the image, and keep that and what the build read."""
    if not outcome.ready or run.store is None:
        return outcome
    there = run.store.inspected(outcome.reference)  # an older image store has another id than the builder's digest
    image = Stored("" if there is None else there.id, target.labels)
    return with_content(run, outcome, image, moved=moved)


def with_content(run: "Run", outcome: "Outcome", image: Stored, *, moved: bool = False) -> "Outcome":
    """Return an outcome with what is in its image and was before, and keep that and what the image was made from."""
    if run.store is None:
        return outcome
    before = record.content_of(records.read(run.settings.root, outcome.service) or {})
    content = run.store.content(outcome.reference)
    keep(run, outcome.service, image, content, moved=moved)
    return replace(outcome, content=content, before=before)


def keep(run: "Run", service: str, image: Stored, content: "Content | None", *, moved: bool = False) -> None:
    """Keep what an image was made from and what is in it, for the next run; where that cannot be, say so."""
    root, inputs = run.settings.root, run.draft.inputs(service, image.labels.get(FINGERPRINT_LABEL))
    read: dict[str, Any] = {"revision": image.labels.get(REVISION_LABEL), "committed": image.labels.get(CREATED_LABEL)}
    if inputs is not None:
        before = records.read(root, service) or {}
        earlier = before.get("made") if before.get("fingerprint") == inputs.fingerprint else None
        platforms = ",".join(run.outline.request.platforms)
        made = {**(earlier if isinstance(earlier, dict) else {}), **({platforms: image.id} if image.id else {})}
        read |= {"fingerprint": inputs.fingerprint, "inputs": json.loads(inputs.dumps()), "made": made, "moved": moved}
        if not moved:
            known.keep(inputs.fingerprint, image.id)
    try:
        records.write(root, service, {**read, "image": image.id, **(record.content(content) or {})})
    except ConfigError as error:
        style.note(f"what {service} was built from is not kept: {error.reason}")
