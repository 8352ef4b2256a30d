"""Turn a plan into a bake definition, in bake's own JSON."""

import json
from typing import Any

from .caches import scope as scope_of
from .caches import scopes
from .fingerprint import FINGERPRINT_LABEL
from .targets import Output, Plan, Request, Target

CA_SECRET = "ca"  # noqa: S105 - the secret's id, which the Dockerfiles name


def definition(plan: Plan) -> dict[str, Any]:
    """Return what ``docker buildx bake -f -`` accepts from the repository's root, with old and new buildx."""
    return {
        "group": {"default": {"targets": [target.name for target in plan.targets]}},
        "target": {target.name: _target(target, plan) for target in (*plan.targets, *plan.support)},
    }


def _target(target: Target, plan: Plan) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "context": target.context,
        "dockerfile": target.dockerfile,
        "args": dict(target.args),
        "labels": dict(target.labels),
        "tags": list(target.references) if plan.request.output is Output.LOAD else [],
        "platforms": [str(platform) for platform in target.platforms],
        "output": [_output(target, plan.request.output)],
    }
    if target.stage is not None:
        entry["target"] = target.stage
    if plan.request.output is Output.LOAD:
        # Provenance holds the time of the build: with it, an image that did not change gets a new digest.
        entry["attest"] = ["type=provenance,disabled=true"]
    elif target.references:
        # With provenance even one platform is pushed as an index, and only an index takes index annotations.
        entry["attest"] = [f"type=provenance,mode={plan.request.provenance}"]
        if FINGERPRINT_LABEL in target.labels:
            entry["annotations"] = [f"index:{FINGERPRINT_LABEL}={target.labels[FINGERPRINT_LABEL]}"]
    if target.contexts:
        entry["contexts"] = dict(target.contexts)
    if plan.request.ca is not None:
        entry["secret"] = [f"id={CA_SECRET},src={plan.request.ca}"]
    _add_caches(entry, target, plan.request)
    if plan.request.no_cache:
        entry["no-cache"] = True
    if plan.request.pull:
        entry["pull"] = True
    return {key: _escaped(value) for key, value in entry.items()}


def _output(target: Target, output: Output) -> str:
    if not target.references:
        return "type=cacheonly"
    return f"{output.value},name={target.repository}" if output is Output.PUSH else output.value


def _add_caches(entry: dict[str, Any], target: Target, request: Request) -> None:
    if request.caches and not request.no_cache:
        read = scopes(target.service, target.platforms)
        entry["cache-from"] = [
            cache.source(scope)
            for cache in request.caches
            for scope in read
            if cache.there is None or scope in cache.there
        ]
    if request.caches and not request.classic and target.references:
        own = scope_of(target.service, target.platforms)
        entry["cache-to"] = [cache.destination(own) for cache in request.caches]


def _escaped(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Double what bake would read as a template, so that every value stays data."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    return value


def dumps(content: dict[str, Any]) -> str:
    """Return a definition as people and bake read it."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
