"""The settings as they stand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..services import Service
from ..settings import Explained
from . import style


def show(settings: Sequence[Explained], services: Sequence[Service]) -> None:
    """Print each setting, its value and where that came from; then the services as they were found."""
    keys = max(len(one.key) for one in settings)
    values = max(len(one.value) for one in settings)
    for one in settings:
        source = style.paint(style.safe(one.source), style.QUIET)
        style.say(f"{one.key:<{keys}}  {style.safe(one.value):<{values}}  {source}")
    for service in services:
        details = [f"context {service.context}", f"Dockerfile {service.dockerfile}"]
        details += [f"target {service.stage}"] if service.stage else []
        details += [f"arguments {', '.join(service.args)}"] if service.args else []
        details += [f"local arguments {', '.join(service.local_args)}"] if service.local_args else []
        details += [f"port {service.port}"] if service.port else []
        details += [f"published at {service.publish}"] if service.publish else []
        details += [f"budget {style.megabytes(service.budget)}"] if service.budget else []
        details += [f"health {service.health}"] if service.health else []
        details += [f"slow {service.slow}"] if service.slow else []
        details += [f"ready {service.ready}"] if service.ready else []
        details += [f"metrics {service.metrics}"] if service.metrics else []
        details += [f"without the checks {' '.join(service.skip_checks)}"] if service.skip_checks else []
        details += [f"memory {style.megabytes(service.memory)}"] if service.memory else []
        details += [f"tmpfs {' '.join(service.tmpfs)}"] if service.tmpfs else []
        details += [f"environment {', '.join(service.env)}"] if service.env else []
        style.say(f"services.{service.name}: {style.safe(', '.join(details))}")


def written(path: Path) -> None:
    """Say that the starter file is there."""
    style.say(f"{path.name} is written; every line of it is a comment until you say otherwise.")


def answer(settings: Sequence[Explained], services: Sequence[Service]) -> Mapping[str, Any]:
    """Return each setting with its value and source, and what is said of each service, for programs."""
    return {
        "settings": {one.key: {"value": one.value, "source": one.source} for one in settings},
        "services": [
            {
                "name": service.name,
                "context": service.context,
                "dockerfile": service.dockerfile,
                "target": service.stage,
                **{
                    key: getattr(service, key)
                    for key in ("port", "publish", "budget", "health", "slow", "ready", "metrics", "memory")
                },
                **{key: list(getattr(service, key)) for key in ("skip_checks", "tmpfs")},
                **{key: sorted(getattr(service, key)) for key in ("args", "local_args", "env")},
            }
            for service in services
        ],
    }
