"""What an index of a registry says: which image belongs to a platform."""

import hashlib
import json
import re
from typing import Any

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(content: bytes, platform: str) -> str:
    """Return the digest of a platform's image, by the index or the one manifest that a registry has of a name.

    Which platform a manifest alone is for, only its configuration says.

    Raises ValueError, whose text is for people, where there is none for that platform.
    """
    try:
        index: Any = json.loads(content)
    except (ValueError, RecursionError):  # HTML, half a document, no UTF-8
        raise ValueError("its registry's answer is no JSON") from None
    if not isinstance(index, dict):
        raise ValueError("its registry's answer is no image")  # noqa: TRY004 - not of the caller's making
    entries = index.get("manifests")
    if entries is None and isinstance(index.get("config"), dict):
        return f"sha256:{hashlib.sha256(content).hexdigest()}"
    if not isinstance(entries, list):
        raise ValueError("its registry's answer is no image")  # noqa: TRY004
    found: dict[str, str] = {}
    for entry in entries:
        place = entry.get("platform") if isinstance(entry, dict) else None
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if isinstance(place, dict) and isinstance(digest, str) and _DIGEST.fullmatch(digest):
            found.setdefault(f"{place.get('os')}/{place.get('architecture')}", digest)
    if platform not in found:
        there = ", ".join(name for name in found if "unknown" not in name) or "no platform"
        raise ValueError(f"it is published for {there}, and not for {platform}")
    return found[platform]
