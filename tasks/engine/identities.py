"""Who the certificates of signatures name: a hint at whom to ask cosign for, which alone says who has signed."""

import base64
import json
from collections.abc import Iterator

_EXTENSIONS, _EMAIL, _URI = 0xA3, 0x81, 0x86  # tags of DER, as RFC 5280 has them
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"  # 2.5.29.17
_LONG = 0x80


def named(bundles: str) -> Iterator[str]:
    """Yield the identities that the certificates of bundles name, a bundle a line; nothing for what is none."""
    for line in bundles.splitlines():
        try:
            certificate = json.loads(line)["verificationMaterial"]["certificate"]["rawBytes"]
            yield from tuple(_identities(base64.b64decode(certificate)))
        except (ValueError, KeyError, TypeError, IndexError):  # a key's, or damaged
            continue


def _identities(certificate: bytes) -> Iterator[str]:
    for tag, part in _parts(_first(_first(certificate))):
        for _, extension in _parts(_first(part)) if tag == _EXTENSIONS else ():
            (_, kind), *_, (_, value) = _parts(extension)
            names = _parts(_first(value)) if kind == _ALTERNATIVE_NAMES else ()
            yield from (name.decode() for tag, name in names if tag in {_EMAIL, _URI})


def _first(content: bytes) -> bytes:
    (_, found), *_ = _parts(content)
    return found


def _parts(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each part, one after the other."""
    while content:
        start, length = 2, content[1]
        if length & _LONG:
            start += length & ~_LONG
            length = int.from_bytes(content[2:start], "big")
        yield content[0], content[start : start + length]
        content = content[start + length :]
