"""Records of runs for the tests: real ones, and what is made from them."""

import copy
import json
from typing import Any

from tests.support import ROOT

Record = dict[str, Any]
EVIL = "<script>alert(1)</script>\"'><img src=http://evil.test/ onerror=alert(2)>\x1b[31m\u202egnp.exe{{7*7}}\ud800"


def built() -> Record:
    """Five services, built by one run of container-build."""
    return _read("run.json")


def failed() -> Record:
    """Three of four services failed."""
    return _read("run-failed.json")


def current() -> Record:
    """Nothing had changed."""
    record = built()
    for service in record["services"]:
        service |= {"state": "up to date", "because": [], "start": None, "seconds": 0, "cached": None, "steps": []}
    return record


def step(number: int, start: float, seconds: float, **more: Any) -> Record:  # noqa: ANN401 - what a record may hold
    """One step as a record has it."""
    return {"number": number, "name": f"[build {number}/9] RUN make", "start": start, "seconds": seconds, **more}


def service(name: str, *steps: Record, **more: Any) -> Record:  # noqa: ANN401 - what a record may hold
    """One service as a record has it."""
    return {"name": name, "state": "built", "because": [], "seconds": 1.0, "steps": list(steps), **more}


def run(*services: Record, seconds: float = 10.0) -> Record:
    """A whole record of these services."""
    return built() | {"services": list(services), "seconds": seconds}


def many(services: int = 100, steps: int = 30) -> Record:
    """Many services of many steps each, half of them from the cache."""
    layers = [{"created_by": f"COPY /out/{number} /usr/local/bin/ # buildkit", "size": 10**6} for number in range(8)]
    return run(
        *(
            service(
                f"team-{number % 7}-service-{number:03}",
                *(step(at, number * 0.5 + at * 0.4, 0.4, cached=at % 2 == 0, inputs=[at - 1]) for at in range(steps)),
                because=["libs/common/log.go changed"],
                size=8 * 10**6,
                budget=10**7,
                layers=layers,
            )
            for number in range(services)
        ),
        seconds=70.0,
    )


def hostile() -> Record:
    """Every text tries to be markup, or is without end; there are more steps and lines than anybody reads."""
    record: Record = _spoilt(failed(), keep=("started", "state", "result"))
    long = "A" * 10**6
    for one in record["services"]:
        one["steps"] += [step(100 + at, 0.1 + at * 0.0001, 0.3, inputs=[]) for at in range(5000)]
        one["steps"][0]["name"] += long
        one["because"] += [f"{at} {EVIL}" for at in range(3000)]
        if one["failure"]:
            one["failure"]["lines"] = [long] * 5 + [f"line {at} {EVIL}" for at in range(3000)]
            one["failure"]["message"] += long
    return record


def _spoilt(value: Any, keep: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list):
        return [_spoilt(one, keep) for one in value]
    if isinstance(value, dict):
        return {key: one if key in keep else _spoilt(one, keep) for key, one in value.items()}
    return value


def _read(name: str) -> Record:
    read: Record = json.loads((ROOT / "tests/unit/recorded" / name).read_text(encoding="utf-8"))
    return copy.deepcopy(read)
