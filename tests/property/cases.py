"""How a property is tried: with hostile cases, of which it counts each one that it really runs."""

import functools
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import hypothesis
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
LONG = os.environ.get("CONTAINER_TESTS_LONG") == "1"
KIND = "long" if LONG else "short"
tried: Counter[str] = Counter()
measured: dict[str, Counter[bool]] = {}
"""How often something was so that may be so, but should be rare."""


def profiles() -> None:
    """Tell hypothesis how to try: the same cases each time, or as `inv test --long` does, others each time."""
    always: dict[str, Any] = {
        "deadline": None,  # a busy machine is no failure
        "database": None,
        "print_blob": True,
        "suppress_health_check": list(hypothesis.HealthCheck),
    }
    hypothesis.settings.register_profile("short", derandomize=True, **always)
    hypothesis.settings.register_profile("long", derandomize=False, **always)
    hypothesis.settings.load_profile(KIND)


def hostile(
    short: int, long: int, **given: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test of a property: so many cases in a short run, and so many in a long one."""

    def made(property_: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(property_)
        def counted(*fixtures: object, **values: object) -> None:
            tried[property_.__name__] += 1
            property_(*fixtures, **values)

        limited = hypothesis.settings(max_examples=long if LONG else short)
        return limited(hypothesis.given(**given)(counted))

    return made


def each(values: Iterable[T]) -> Iterator[T]:
    """Yield every one of these, and count it for the test that asks."""
    name = sys._getframe(1).f_code.co_name  # noqa: SLF001 - the test's
    for value in values:
        tried[name] += 1
        yield value


def measure(what: str, *, so: bool) -> None:
    """Count one more case, in which something was so or was not."""
    measured.setdefault(what, Counter())[so] += 1


def require(name: str) -> None:
    """Refuse a property that has run no case: it proves nothing."""
    assert tried[name], f"{name} has tried no case"


def summary() -> list[str]:
    """Return how many cases each property has tried, and all of them together."""
    width = max(map(len, tried), default=0)
    lines = [f"{name:<{width}}  {count:>6}" for name, count in sorted(tried.items())]
    lines += [f"{what}: {counts[True]} of {counts.total()}" for what, counts in sorted(measured.items())]
    return [*lines, f"{tried.total()} hostile cases tried ({KIND})"]
