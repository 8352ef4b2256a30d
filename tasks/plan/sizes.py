"""Sizes as people write them."""

from ..errors import ConfigError

_FACTORS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_LONGEST = 12  # digits


def parse_size(text: str, *, source: str) -> int:
    """Return the bytes of a size such as ``100MB``, in steps of 1000; ``source`` is named in errors.

    Raises ConfigError for anything else.
    """
    number, unit = text[:-2].strip(), text[-2:].upper()
    if unit not in _FACTORS or not (number.isascii() and number.isdigit() and len(number) <= _LONGEST):
        raise ConfigError(f"{source}: {text!r} is not a size", hint="for example 100MB")
    return int(number) * _FACTORS[unit]
