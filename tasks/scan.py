"""container-scan and container-sbom: what is known to be wrong with the images, and what is in them."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import Task

from . import flags
from .services import Repository

if TYPE_CHECKING:
    from .settings import Settings

TAGS = flags.Flag("tags", None, "The first of them is what is scanned. [DOCKER_TAGS; latest]")
IMAGE = flags.Flag("image", None, "Any image instead, also by digest.")
LOCAL = flags.Flag("local", False, "What the engine's image store has, as container-build leaves it; not the registry.")
SARIF = flags.Flag("sarif", None, "Also write what fails into this file, as SARIF.")
SERVICE = flags.Flag("service", None, "The service whose image is listed.")
PLATFORM = flags.Flag("platform", None, "linux/amd64 or linux/arm64. [the first of BUILD_PLATFORMS; linux/amd64]")


def tasks(repository: Repository) -> list[Task[Any]]:
    """Return container-scan and container-sbom."""

    def scan(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run_scan(c, repository, values)

    def sbom(c: Context, values: dict[str, Any]) -> flags.Answer:
        return run_sbom(c, repository, values)

    place = (flags.REGISTRY, TAGS, IMAGE, LOCAL)
    return [
        flags.make_task(
            "container-scan",
            "Look for known vulnerabilities, secrets and bad configuration in the published images.",
            (flags.SERVICES, flags.PLATFORMS, *place, SARIF),
            scan,
        ),
        flags.make_task(
            "container-sbom",
            "Print what is in an image, as SPDX's JSON, and nothing else.",
            (SERVICE, PLATFORM, *place),
            sbom,
        ),
    ]


def run_scan(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Scan the images, show what was found, and return it for programs.

    Raises ScanError when an image was not scanned or must not leave.
    """
    from pathlib import Path

    from . import scanning, settings
    from .errors import ConfigError
    from .report import scan as report

    if values["image"] is not None and values["services"] is not None:
        raise ConfigError("--image and --services are two choices", hint="leave one out")
    _check_image(values["image"])
    wanted = settings.load(c, repository, values)
    chosen = scanning.local if values["local"] else scanning.published
    source = "the engine's image store" if values["local"] else "what the registry has"
    outcome = chosen(_names(wanted, values["image"]), wanted.platforms, wanted)
    if not values["json"]:
        report.show(outcome.scan, source)
    content = report.answer(outcome.scan, source)
    error = scanning.failure(outcome.scan)
    if values["sarif"] is not None:
        scanning.write_sarif(outcome, Path(values["sarif"]))
    if error is not None:
        error.record = content
        raise error
    return content


def run_sbom(c: Context, repository: Repository, values: dict[str, Any]) -> flags.Answer:
    """Print what is in one platform's image; for programs it is part of the record.

    Raises ScanError when it cannot be had.
    """
    from . import scanning, settings
    from .errors import ConfigError
    from .printable import spelled_in_json

    if (values["image"] is None) == (values["service"] is None):
        raise ConfigError("--service or --image says what to list, and one of them has to", hint="--service NAME")
    _check_image(values["image"])
    wanted = settings.load(c, repository, {**values, "services": values["service"], "platforms": values["platform"]})
    (name, reference), *more = _names(wanted, values["image"]).items()
    if more:
        raise ConfigError(f"--service: {values['service']!r} are several", hint="one of them")
    subject, document = scanning.listed(name, reference, wanted, local=bool(values["local"]))
    if not values["json"]:
        sys.stdout.write(spelled_in_json(json.dumps(document, indent=2)) + "\n")
        sys.stdout.flush()
    return {"reference": subject.reference, "platform": subject.platform.value, "sbom": document}


def _check_image(image: str | None) -> None:
    from .errors import ConfigError

    if image is not None and (image.startswith("-") or not image.isprintable() or " " in image):
        raise ConfigError(f"--image: {image!r} cannot be an image", hint="host/path:tag, or host/path@sha256:…")


def _names(wanted: "Settings", image: str | None) -> Mapping[str, str]:
    """Return the references that were asked for, by what to call them."""
    if image is not None:
        return {image: image}
    return {service.name: f"{wanted.registry}/{service.name}:{wanted.tags[0]}" for service in wanted.services}
