"""What a Dockerfile says its image has: user, ports, labels, health check, stop signal and base."""

import re
import shlex
from collections.abc import Iterator, Mapping

from .dockerfile import DECIDED, Instruction, expand, image_stages
from .evidence import Declared

_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/([A-Za-z]+))?")


def declared(text: str, stage: str | None, args: Mapping[str, str]) -> Declared:
    """Return what the image of a stage, by default of the last, has to have; ``args`` are its build arguments.

    What holds a variable that only BuildKit knows is left out.
    """
    stages, base = image_stages(text, stage)
    # A label with what each build decides is not the Dockerfile's own.
    known = {name: value for name, value in args.items() if name not in DECIDED}
    for instruction in _global_args(text):
        _learn(instruction, known, args)
    user = stop_signal = checked = None
    exposed: list[str] = []
    labels: dict[str, str] = {}
    for instruction in (one for instructions in reversed(stages) for one in instructions):
        if instruction.name in {"ARG", "ENV"}:
            _learn(instruction, known, args)
        elif instruction.name == "USER":
            user = expand(instruction.value, known)
        elif instruction.name == "STOPSIGNAL":
            stop_signal = expand(instruction.value, known)
        elif instruction.name == "EXPOSE":
            exposed += [expand(word, known) or "" for word in instruction.value.split()]
        elif instruction.name == "HEALTHCHECK":
            checked = instruction.value.upper() != "NONE"
        elif instruction.name == "LABEL":
            _relabel(labels, instruction, known)
    written = None if base is None else expand(base, known)
    return Declared(
        user=user,
        ports=tuple(dict.fromkeys(port for word in exposed for port in _ports(word))),
        more_ports=not all(any(_ports(word)) for word in exposed),
        checked=checked,
        labels=labels,
        stop_signal=stop_signal,
        base=None if written == "scratch" else written,
        from_scratch=written == "scratch",
    )


def _global_args(text: str) -> Iterator[Instruction]:
    from .dockerfile import instructions

    for instruction in instructions(text):
        if instruction.name == "FROM":
            return
        if instruction.name == "ARG":
            yield instruction


def _learn(instruction: Instruction, known: dict[str, str], args: Mapping[str, str]) -> None:
    for name, written in _pairs(instruction.value):
        value = expand(written, known)
        if instruction.name == "ARG" and (name in args or name in DECIDED):
            continue
        if value is None:
            known.pop(name, None)
        else:
            known[name] = value


def _relabel(labels: dict[str, str], instruction: Instruction, known: Mapping[str, str]) -> None:
    for name, value in _pairs(instruction.value):
        labels.pop(name, None)
        if (whole := expand(value, known)) is not None:
            labels[name] = whole


def _ports(written: str) -> Iterator[str]:
    """Yield each port of ``8080``, ``53/udp`` or ``7000-7002``; none of what is no port."""
    if found := _PORTS.fullmatch(written):
        first, last, kind = found.groups()
        for number in range(int(first), int(last or first) + 1):
            yield f"{number}/{(kind or 'tcp').lower()}"


def _pairs(value: str) -> Iterator[tuple[str, str]]:
    try:
        words = shlex.split(value)
    except ValueError:  # a quote that never ends: BuildKit says so
        return
    if words and "=" not in words[0]:  # the old form: name, and all the rest is its value
        if len(words) > 1:
            yield words[0], " ".join(words[1:])
        return
    for word in words:
        name, equals, rest = word.partition("=")
        if equals:
            yield name, rest
