"""container-verify as a gate: the images of a release, by digest, on every platform."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from .. import ports, subjects, verifying
from ..engine import api, pulls
from ..engine.retries import PassingError
from ..errors import PushError
from ..plan.retrying import words_can_pass
from ..report import style
from ..report import verify as report

if TYPE_CHECKING:
    from docker import APIClient

    from ..decision import Run
    from ..plan.platforms import Platform
    from ..plan.release import Member


def prove(run: "Run", members: "Sequence[Member]", *, require: bool) -> str:
    """Pull and verify images, and return what was found in a sentence; what was pulled goes again.

    Raises VerifyError where a check fails, the table being printed then, and PushError for what cannot be pulled.
    """
    client, settings = api.client(), run.settings
    retries = ports.retries(settings)
    engine = api.Engine(client)
    services = {service.name: service for service in settings.services}
    pulled: list[str] = []
    try:
        chosen = []
        for member in members:
            reference = f"{settings.registry}/{member.service}@{member.digest}"
            if pulls.labels(client, reference) is None:  # what was here before stays
                pulled.append(reference)
            for platform in run.outline.request.platforms:
                retries.call(f"the pull of {member.service}", partial(_pull, client, reference, platform))
                chosen.append(
                    subjects.of_service(services[member.service], settings, run.repository, platform, reference, engine)
                )
        found, content, error = verifying.verified(settings, run.repository, chosen, verifying.Wish(require=require))
    finally:
        for reference in pulled:
            engine.forget(reference)
    if error is not None:
        report.show(found)
        error.record = content
        raise error
    idle = sorted({line.evidence.subject.platform.value for line in found.images if line.evidence.runs.impossible})
    left = f"; not run here: {', '.join(idle)}" if idle else ""
    return f"{len(found.images)} images in {style.seconds(found.seconds)}{left}"


def _pull(client: "APIClient", reference: str, platform: "Platform") -> None:
    """Pull an image; what can pass of a registry's refusal is told apart from what cannot."""
    try:
        pulls.pull(client, reference, platform)
    except PushError as error:
        if words_can_pass(error.reason):
            raise PassingError(error.reason, hint=error.hint) from error
        raise
