"""Checks of an image while it runs."""

import json

from .conditions import READ_ONLY, Health
from .evidence import Answer, Evidence, Start
from .verdicts import BUILD, Check, Verdict, failed, not_run, ok

STOP_WITHIN = 5.0  # seconds from the stop signal to the end
_REVISION, _VERSION = "org.opencontainers.image.revision", "org.opencontainers.image.version"
_LONGEST = 160  # letters of an answer that evidence quotes
_ABSENT = frozenset({404, 405, 501})
_NO_CHECK = "the image has no HEALTHCHECK"


_MENDS = (
    (
        (READ_ONLY,),
        "it writes where nothing can be written: write below /tmp, or name the folder with tmpfs in invoke.yaml",
    ),
    (
        ("bind", "permission denied"),
        "below 1024 a port takes a capability: listen from 1024 on; what publishes it may still call it 80",
    ),
    (
        ("permission denied",),
        "it needs rights that nobody has there: see the modes of its files, and what it wants to open",
    ),
    (("exec format error",), "its program is for another processor, or no program at all"),
    (("out of memory",), "give it more: memory in invoke.yaml"),
    (("exit code 137",), "something has killed it, most often for want of memory: memory in invoke.yaml"),
)
"""What is said where something is wrong, and what mends it; the first counts."""


def _start(seen: Evidence) -> Verdict:
    first, user = _first(seen), seen.runs.user
    if first.fault:
        return failed(f"as {user} it {first.fault}", _why(first) or "see CMD and ENTRYPOINT; its last lines are below")
    return ok(f"as {user}, without capabilities, on a root that cannot be written, without a network")


def _why(start: Start) -> str:
    text = "\n".join((*start.lines, start.fault, start.probe)).lower()
    return next((mend for words, mend in _MENDS if all(word in text for word in words)), "")


def _healthy(seen: Evidence) -> Verdict:
    first = _first(seen)
    if first.healthy is not None:
        return ok(f"after {first.healthy:.1f} s of the {first.allowed:.0f} s that it gives itself")
    if not seen.image.health_test:
        declared = seen.subject.declared
        if declared is not None and declared.checked:
            return failed(f"{_NO_CHECK}, and its Dockerfile has one", BUILD)
        return not_run(_NO_CHECK)
    said = f": {first.probe}" if first.probe else ""
    return failed(
        f"its HEALTHCHECK says {first.health.value} after {first.allowed:.0f} s{said}",
        _why(first) or "see HEALTHCHECK of its Dockerfile: its port, its path, and that its program is in the image",
    )


def _answers(seen: Evidence) -> Verdict:
    first = _first(seen)
    if first.answer is None:
        return not_run("no health path is known: services.<name>.health in invoke.yaml")
    if first.answered is not None:
        return ok(f"{_told(first.answer)} after {first.answered:.1f} s")
    return failed(_told(first.answer), "see its health path and its port: health and port in invoke.yaml, EXPOSE")


def _version(seen: Evidence) -> Verdict:
    answer = seen.runs.ready
    if answer is None:
        return not_run("it was not asked")
    if not answer.well:
        return _missing(seen, answer, "ready")
    said = _fields(answer)
    told = {key: str(said[key]) for key in ("version", "revision") if said.get(key)}
    if not told:
        return _unless_asked(seen, "ready", f"{answer.path} tells neither version nor revision: {_quoted(answer.body)}")
    labels = {"version": seen.image.labels.get(_VERSION), "revision": seen.image.labels.get(_REVISION)}
    unlabelled = [key for key in told if labels[key] is None]
    held = {key: word for key, word in told.items() if key not in unlabelled}
    wrong = [f"{key} {word!r} is labelled {labels[key]!r}" for key, word in held.items() if word != labels[key]]
    if wrong:
        return failed(f"{answer.path}: {', '.join(wrong)}", "ARG VERSION and REVISION of its Dockerfile say it")
    if unlabelled:
        return not_run(f"{answer.path} tells its {unlabelled[0]}, and the image has no label to hold it against")
    same = f"{answer.path} tells the labels' {' and '.join(f'{key} {told[key]}' for key in told)}"
    left = [f"its {key}, labelled {label!r}" for key, label in labels.items() if label is not None and key not in told]
    return _unless_asked(seen, "ready", f"{same}, and not {left[0]}") if left else ok(same)


def _fields(answer: Answer) -> dict[str, object]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _metrics(seen: Evidence) -> Verdict:
    answer = seen.runs.metrics
    if answer is None:
        return not_run("it was not asked")
    if not answer.well:
        return _missing(seen, answer, "metrics")
    try:
        families, samples = _parsed(answer)
    except Exception as error:  # noqa: BLE001 - whatever the parser raises says that it does not parse
        return failed(f"{answer.path} does not parse: {error}", "prometheus.io: exposition formats")
    if not samples:
        return failed(f"{answer.path} holds no sample", "prometheus.io: exposition formats")
    return ok(f"{answer.path}: {families} metrics, {samples} samples")


def _parsed(answer: Answer) -> tuple[int, int]:
    """Return how many metrics and samples there are, in the format that the answer names."""
    text = answer.body.decode()
    if "openmetrics" in answer.kind:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    else:
        from prometheus_client.parser import text_string_to_metric_families
    families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]  # one of the two
    return len(families), sum(len(family.samples) for family in families)


def _restart(seen: Evidence) -> Verdict:
    again = seen.runs.again
    if again is None:
        return not_run("it was not started again")
    if again.well:
        return ok(f"killed and started again, well after {_took(again):.1f} s")
    return failed(f"after SIGKILL and a start it {_fault(again)}", "see what it leaves in a volume: a lock, a pid file")


def _random_user(seen: Evidence) -> Verdict:
    other = seen.runs.other
    if other is None:
        return not_run("it was not started as another user")
    if other.well:
        return ok(f"well as {seen.runs.other_user} after {_took(other):.1f} s")
    return failed(
        f"as {seen.runs.other_user} it {_fault(other)}",
        _why(other) or "what it reads has to be for everybody, and what it writes below /tmp",
    )


def _stuck(seen: Evidence) -> Verdict:
    if _first(seen).health is Health.NONE:
        return not_run(_NO_CHECK)
    if seen.runs.stuck is None and seen.runs.below:
        return not_run(
            f"its first process has started {seen.runs.below} more, and can alone be stopped from outside: "
            "its HEALTHCHECK went on saying healthy"
        )
    if seen.runs.stuck is None:
        return failed(
            "its process was stopped with SIGSTOP, and its HEALTHCHECK went on saying healthy",
            "HEALTHCHECK has to ask the service itself, with a time limit, and CMD has to be it, not a shell around it",
        )
    return ok(f"stopped with SIGSTOP, unhealthy after {seen.runs.stuck:.1f} s")


def _stop(seen: Evidence) -> Verdict:
    stop = seen.runs.stop
    if stop is None:
        return not_run("it was not stopped")
    hint = "handle it in the first process: CMD in exec form, no shell around it; answer what is asked, then exit 0"
    if stop.seconds is None or stop.seconds > STOP_WITHIN:
        return failed(f"it runs on {STOP_WITHIN:.0f} s after {stop.signal}", hint)
    if stop.code != 0:
        return failed(f"after {stop.signal} it ends with exit code {stop.code}", hint)
    return ok(f"exit code 0, {stop.seconds:.1f} s after {stop.signal}")


def _drain(seen: Evidence) -> Verdict:
    stop = seen.runs.stop
    if stop is None or stop.answer is None:
        return not_run("no slow path is known: services.<name>.slow in invoke.yaml")
    answer = stop.answer
    if stop.before:
        return not_run(
            f"{_told(answer)} after {answer.seconds:.1f} s, before the signal: slow has to take some seconds"
        )
    if not answer.well:
        return failed(
            f"a request in flight at {stop.signal}: {_told(answer)} after {answer.seconds:.1f} s",
            "stop accepting, finish what is in flight, then exit",
        )
    return ok(f"a request in flight at {stop.signal} was answered: HTTP {answer.status} after {answer.seconds:.1f} s")


def _first(seen: Evidence) -> Start:
    return seen.runs.first or Start(fault="was not started")


def _never_tried(seen: Evidence) -> str:
    return seen.runs.impossible


def _not_running(seen: Evidence) -> str:
    return _never_tried(seen) or ("it does not run" if _first(seen).fault else "")


def _deaf(seen: Evidence) -> str:
    silent = "it listens on no port that is known" if seen.subject.port is None else ""
    return _not_running(seen) or silent or seen.runs.deaf


def _unwell(seen: Evidence) -> str:
    first = _first(seen)
    return _not_running(seen) or ("" if first.well else f"it was never well: it {_fault(first)}")


def _undrainable(seen: Evidence) -> str:
    return _unwell(seen) or _deaf(seen)


def _missing(seen: Evidence, answer: Answer, what: str) -> Verdict:
    if answer.status in _ABSENT:
        return _unless_asked(seen, what, _told(answer))
    return failed(_told(answer), f"see {what} in invoke.yaml, and what it wrote")


def _unless_asked(seen: Evidence, what: str, said: str) -> Verdict:
    """Judge what is not there: a failure where invoke.yaml names it, not run elsewhere."""
    return (
        failed(said, f"{what} of the service in invoke.yaml names it") if what in seen.subject.asked else not_run(said)
    )


def _told(answer: Answer) -> str:
    if answer.status is None:
        return f"{answer.path} does not answer: {answer.fault}"
    return f"{answer.path} answers HTTP {answer.status}"


def _quoted(body: bytes) -> str:
    text = " ".join(body[: _LONGEST * 4].decode(errors="replace").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _took(start: Start) -> float:
    return max(start.healthy or 0.0, start.answered or 0.0)


def _fault(start: Start) -> str:
    if start.fault:
        return start.fault
    if start.health not in {Health.NONE, Health.HEALTHY}:
        return f"is {start.health.value}" + (f": {start.probe}" if start.probe else "")
    return "is not well" if start.answer is None else f"is not well: {_told(start.answer)}"


CHECKS = (
    Check("start", "starts as uid 1000 and stays up", _start, _never_tried),
    Check("healthy", "its own HEALTHCHECK says healthy", _healthy, _not_running),
    Check("answers", "its health path answers", _answers, _deaf),
    Check("version", "tells the version and revision of its labels", _version, _deaf),
    Check("metrics", "its metrics parse", _metrics, _deaf),
    Check("restart", "is well again after SIGKILL", _restart, _unwell),
    Check("random-user", "is well as any user", _random_user, _unwell),
    Check("stuck", "turns unhealthy when its process is stopped", _stuck, _unwell),
    Check("stop", "ends within 5 s of its stop signal, with exit code 0", _stop, _unwell),
    Check("drain", "finishes the request in flight at its stop signal", _drain, _undrainable),
)
