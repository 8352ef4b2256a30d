"""Checks of what an image says of itself, and of its size."""

import re

from .checks_content import unreadable
from .evidence import Base, Declared, Evidence, Unknown
from .layering import above
from .verdicts import BUILD, Check, Verdict, failed, megabytes, not_run, ok, some

_NUMBERS = re.compile(r"[0-9]{1,10}(?::[0-9]{1,10})?")
_LARGEST_ID = 2**31 - 1
GROWTH = 0.10
"""The share by which an image may grow from one to the next."""
UNNOTICED = 1_000_000
"""Bytes that it may always grow."""
_NO_FILE = "there is no Dockerfile here that declares it"


def _user(seen: Evidence) -> Verdict:
    user, declared = seen.image.user, seen.subject.declared
    name = user.partition(":")[0]
    if name in {"", "root"} or (name.isdecimal() and int(name) == 0):
        return failed(f"it runs as {user or 'root'} where nothing else is said", "USER 1000:1000")
    if not _NUMBERS.fullmatch(user):
        return failed(f"its user {user!r} is no number, so a cluster cannot see that it is not root", "USER 1000:1000")
    if max(map(int, user.split(":"))) > _LARGEST_ID:
        return failed(f"no engine starts it as {user}: ids end at {_LARGEST_ID}", "USER 1000:1000")
    if declared is not None and declared.user is not None and declared.user != user:
        return failed(f"USER is {user}, and its Dockerfile says {declared.user}", BUILD)
    return ok(f"USER {user}")


def _port(seen: Evidence) -> Verdict:
    declared = seen.subject.declared
    port = None if seen.subject.port is None else f"{seen.subject.port}/tcp"
    if declared is None:
        return not_run(_NO_FILE) if seen.image.ports else not_run("it exposes no port")
    missing = [one for one in declared.ports if one not in seen.image.ports]
    if missing:
        return failed(f"its Dockerfile exposes {some(missing)}, and the image does not", BUILD)
    more = [] if declared.more_ports or isinstance(seen.base, Unknown) else _more_ports(seen, declared, seen.base)
    if more:
        return failed(f"it exposes {some(more)}, and neither its Dockerfile nor its base does", BUILD)
    if port is None:
        return not_run("it exposes no port")
    if port not in seen.image.ports:
        return failed(f"it listens on {port}, and exposes {some(seen.image.ports) or 'nothing'}", f"EXPOSE {port}")
    return ok(f"EXPOSE {some(seen.image.ports)}")


def _more_ports(seen: Evidence, declared: Declared, base: Base) -> list[str]:
    return [one for one in seen.image.ports if one not in {*declared.ports, *base.ports}]


def _labels(seen: Evidence) -> Verdict:
    declared = seen.subject.declared
    wanted = {**({} if declared is None else declared.labels), **seen.subject.labels}
    if not wanted:
        return not_run(_NO_FILE)
    wrong = [
        f"{name} is {seen.image.labels.get(name, 'missing')!r} and not {value!r}"
        for name, value in wanted.items()
        if seen.image.labels.get(name) != value
    ]
    wrong += [f"{name} is missing" for name in seen.subject.stamped if not seen.image.labels.get(name)]
    count = len({*wanted, *seen.subject.stamped})
    return failed(some(wrong), BUILD) if wrong else ok(f"{count} as declared")


def _base(seen: Evidence) -> Verdict:
    if isinstance(seen.base, Unknown):
        return not_run(seen.base.reason)
    if above(seen.image.layers, seen.base.layers) is None:
        return failed(f"its lowest layers are not those of {seen.base.name}", BUILD)
    return ok(f"stands on {seen.base.name}")


def _stop_signal(seen: Evidence) -> Verdict:
    declared = seen.subject.declared
    if declared is None:
        return not_run(_NO_FILE)
    wanted, found = _signal(declared.stop_signal), _signal(seen.image.stop_signal)
    if wanted != found:
        return failed(f"STOPSIGNAL is {found}, and its Dockerfile says {wanted}", BUILD)
    return ok(found)


def _signal(name: str | None) -> str:
    return "SIGTERM" if name in {None, "", "15", "TERM"} else str(name)


def _budget(seen: Evidence) -> Verdict:
    budget, layers = seen.subject.budget, seen.image.layers
    if budget is None:
        return not_run("it has no budget: services.<name>.budget in invoke.yaml")
    total, largest = sum(layer.size for layer in layers), max((layer.size for layer in layers), default=0)
    said = f"{megabytes(total)} of {megabytes(budget)}, its largest layer {megabytes(largest)}"
    return ok(said) if total <= budget else failed(said, "smaller, or a larger budget in invoke.yaml")


def _growth(seen: Evidence) -> Verdict:
    if isinstance(seen.before, Unknown):
        return not_run(seen.before.reason)
    total = sum(layer.size for layer in seen.image.layers)
    return _grown(seen.before, total, "the last that was verified here", "growth")


def _published(seen: Evidence) -> Verdict:
    if isinstance(seen.published, Unknown):
        return not_run(seen.published.reason)
    if not seen.image.packed:
        return not_run("this engine's store does not keep layers as a registry has them, so their sizes differ")
    total = sum(layer.packed for layer in seen.image.layers)
    return _grown(sum(seen.published), total, "the published one, packed", "published")


def _grown(before: int, now: int, what: str, name: str) -> Verdict:
    more = now - before
    said = f"{megabytes(now)}, {megabytes(abs(more))} {'more' if more >= 0 else 'less'} than {what}"
    if more > max(UNNOTICED, before * GROWTH):
        return failed(said, f"if it is meant: inv container-verify --skip {name}")
    return ok(said)


CHECKS = (
    Check("user", "runs as a number that is not root", _user),
    Check("port", "exposes the port it declares", _port),
    Check("labels", "has the labels it declares", _labels),
    Check("base", "stands on the base it declares", _base),
    Check("stop-signal", "has the stop signal it declares", _stop_signal),
    Check("budget", "is within its budget", _budget, unreadable),
    Check("growth", "has not grown much since it was last verified", _growth, unreadable),
    Check("published", "is not much larger than what is published", _published),
)
