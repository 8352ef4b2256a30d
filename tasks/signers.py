"""How this run signs, and whose signatures it trusts: from the settings, and what the environment offers."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .plan.signing import Signing, Trust
    from .settings import Settings


def signing(settings: "Settings") -> "Signing | None":
    """Return how images are signed; None for not at all.

    Raises ConfigError where what was chosen cannot be.
    """
    from .engine.cosign import token_source
    from .plan.signing import decide

    return decide(settings.sign, key=_place(settings.root, settings.sign_key), token=token_source() is not None)


def trust(settings: "Settings") -> "Trust | None":
    """Return whose signatures count; None where nothing says it.

    Raises ConfigError as ``signing`` does.
    """
    from .engine.github import workflow
    from .plan import signing as plan

    identity, own = settings.identity, workflow()
    if identity is None and own is not None:
        identity = plan.only(own)
    return plan.trust(
        signing(settings),
        sign_key=_place(settings.root, settings.sign_key),
        verify_key=_place(settings.root, settings.verify_key),
        identity=identity,
        issuer=settings.issuer,
    )


def _place(root: "Path", key: str | None) -> str | None:
    """Return where a key is, wherever the program that reads it runs."""
    from .plan.signing import is_elsewhere

    return key if key is None or is_elsewhere(key) else str(root / os.path.expanduser(key))  # noqa: PTH111 - no home is no failure
