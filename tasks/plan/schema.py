"""The JSON schema of invoke.yaml, and a commented file to begin with: both from the table of settings."""

import json
from typing import Any

from .keys import MAPPINGS, SERVICE_SETTINGS, SETTINGS, Setting
from .names import LONGEST_SERVICE, RESERVED, SERVICE
from .rules import ANYTHING, OF_KEY, OF_LINES, OF_NAMES, like


def schema() -> dict[str, Any]:
    """Return the schema, in the draft that editors know best."""
    service = _object(SERVICE_SETTINGS)
    for setting in SERVICE_SETTINGS:
        if setting.key in MAPPINGS:
            service["properties"][setting.key] = {
                "type": "object",
                "description": f"{setting.help} Default: {setting.default}.",
                "propertyNames": OF_NAMES,
                "additionalProperties": OF_LINES,
            }
    container = _object(SETTINGS)
    container["properties"]["services"] = {
        "type": "object",
        "description": "What is said of one service, by its name.",
        "propertyNames": {**like(SERVICE), "maxLength": LONGEST_SERVICE, "not": {"enum": sorted(RESERVED)}},
        "additionalProperties": service,
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "invoke.yaml of the container tasks",
        "type": "object",
        "properties": {"container": container},
    }


def _object(settings: tuple[Setting, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {setting.key: _value(setting) for setting in settings if setting.key not in MAPPINGS},
    }


def _value(setting: Setting) -> dict[str, Any]:
    described = {"description": f"{setting.help} Default: {setting.default}.", "examples": [setting.example]}
    return {**OF_KEY.get(setting.key, ANYTHING), **described}


def dumps() -> str:
    """Return the schema as a file."""
    return json.dumps(schema(), indent=2) + "\n"


def starter() -> str:
    """Return an invoke.yaml that is all comments: every setting is explained and none is set.

    Without the first ``# `` of each line it says every example.
    """
    lines = ["container:", *_explained(SETTINGS, "  "), "  services:", "    name-of-a-service:"]
    lines += _explained(SERVICE_SETTINGS, "      ")
    head = (
        "## Settings of the container tasks; flags and environment variables win over them.",
        "## Take '# ' from the line container: and from what you set.",
    )
    return "\n".join([*head, *(f"# {line}" for line in lines), ""])


def _explained(settings: tuple[Setting, ...], margin: str) -> list[str]:
    return [
        line
        for setting in settings
        for line in (
            f"{margin}# {setting.help} Default: {setting.default}.",
            f"{margin}{setting.key}: {setting.example}",
        )
    ]
