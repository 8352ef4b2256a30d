"""Have an image in the engine's store, from its registry where it is not there."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import ConfigError, PushError
from .api import translated

if TYPE_CHECKING:
    from docker import APIClient

    from ..plan.platforms import Platform

_BAD_REQUEST = 400


def labels(api: "APIClient", reference: str) -> Mapping[str, str] | None:
    """Return the labels of an image that the store has; None where it does not have it.

    Raises ConfigError for what cannot be an image's name.
    """
    from docker.errors import APIError, NotFound

    with translated():
        try:
            found = api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except NotFound:
            return None
        except APIError as error:
            if error.status_code == _BAD_REQUEST:
                raise _no_reference(reference) from error
            raise
    return (found.get("Config") or {}).get("Labels") or {}


def pull(api: "APIClient", reference: str, platform: "Platform") -> None:
    """Pull an image for one platform, with the login that docker has.

    Raises PushError with the registry's own words, and ConfigError for what cannot be an image's name.
    """
    from docker.errors import APIError

    with translated():
        try:
            for line in api.pull(reference, stream=True, decode=True, platform=str(platform)):
                if "error" in line:
                    raise _refused(reference, str(line["error"]))
        except APIError as error:
            if error.status_code == _BAD_REQUEST:
                raise _no_reference(reference) from error
            raise _refused(reference, str(error.explanation or error)) from error


def _refused(reference: str, why: str) -> PushError:
    return PushError(
        f"{reference} cannot be had: {why}", hint="docker pull says the same; docker login if it needs one"
    )


def _no_reference(reference: str) -> ConfigError:
    return ConfigError(f"--image: {reference!r} cannot be an image", hint="host/path:tag, or host/path@sha256:…")
