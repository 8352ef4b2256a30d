"""What a benchmark found, as a table for people, as JSON, and held against what is required."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ground import RUST_SERVICE
from .measure import Case, Row
from .profiles import PATH, Cost
from .ways import Way

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Requirement:
    """A ratio that must not be exceeded."""

    what: str
    ratio: float
    most: float

    @property
    def holds(self) -> bool:
        """Whether it is not exceeded."""
        return self.ratio <= self.most


# How much of the classic way's time ours may take.
_OF_CLASSIC = {Case.COLD: 0.45, Case.GO_LINE: 0.15, Case.RUST_LINE: 0.3, Case.DEPENDENCY: 0.1}
_OF_LIMIT = 1.2
_OF_ONE = 1.2
_TWO_OF_ONE = 1.95


def requirements(rows: Sequence[Row]) -> list[Requirement]:
    """Return every requirement that the rows can be held against; those of the classic way are for one platform."""
    found = []
    for row in rows:
        if len(row.platforms) > 1:
            continue
        ours = row.seconds(Way.OURS)
        references = (
            (Way.CLASSIC.value, row.seconds(Way.CLASSIC), _OF_CLASSIC.get(row.case)),
            ("the processors' limit", row.limit if row.case is Case.COLD else None, _OF_LIMIT),
            (Way.ONE.value, row.seconds(Way.ONE), _OF_ONE),
        )
        for name, other, most in references:
            if ours is not None and other and most is not None:
                found.append(Requirement(f"{row.case}: ours of {name}", ours / other, most))
    return found + _two_of_one(rows)


def _two_of_one(rows: Sequence[Row]) -> list[Requirement]:
    cold = {len(row.platforms): row.seconds(Way.OURS) for row in rows if row.case is Case.COLD}
    one, two = cold.get(1), cold.get(2)
    return [] if one is None or two is None else [Requirement("cold: two platforms of one", two / one, _TWO_OF_ONE)]


def markdown(rows: Sequence[Row], date: str, machine: str) -> str:
    """Return the tables that the documents show."""
    lines = [
        f"{date}, {machine}. Wall seconds, the median of the runs; in brackets what ours takes of each.",
        "",
        f"| case | platforms | ours | {Way.CLASSIC} | `{Way.BAKE}` | `docker buildx build` of that service | limit |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
        "",
        "| required | at most | measured | |",
        "|---|---|---|---|",
        *(
            f"| {one.what} | {one.most:g} | {one.ratio:.2f} | {'holds' if one.holds else 'exceeded'} |"
            for one in requirements(rows)
        ),
    ]
    return "\n".join(lines) + "\n"


def designs(found: Mapping[str, Sequence[Row]], date: str, machine: str) -> str:
    """Return the table that holds designs of the Dockerfiles against each other."""
    cases = [row.case for row in next(iter(found.values()))]
    lines = [
        f"{date}, {machine}, linux/amd64. Wall seconds of `{Way.OURS}`, the median of the runs.",
        "",
        f"| design | {' | '.join(cases)} |",
        f"|---|{'---|' * len(cases)}",
        *(f"| {name} | {' | '.join(_cell(row.seconds(Way.OURS)) for row in rows)} |" for name, rows in found.items()),
    ]
    return "\n".join(lines) + "\n"


def profiles(found: Sequence[Cost], date: str, machine: str) -> str:
    """Return the table that holds the binaries of the profiles against each other."""
    first = found[0]
    lines = [
        f"{date}, {machine}, {RUST_SERVICE}; in brackets the share of {first.profile}.",
        "",
        f"| profile | binary | processor time for one `{PATH}` |",
        "|---|---|---|",
        *(
            f"| {one.profile} | {one.size / 10**6:.2f} MB ({one.size / first.size:.2f}) "
            f"| {one.microseconds:.0f} µs ({one.microseconds / first.microseconds:.2f}) |"
            for one in found
        ),
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    ours = row.seconds(Way.OURS)
    others = (row.seconds(Way.CLASSIC), row.seconds(Way.BAKE), row.seconds(Way.ONE), row.limit)
    cells = [_cell(ours), *(_cell(other, ours) for other in others)]
    return f"| {row.case} | {len(row.platforms)} | {' | '.join(cells)} |"


def _cell(seconds: float | None, ours: float | None = None) -> str:
    if seconds is None:
        return ""
    ratio = f" ({ours / seconds:.2f})" if ours is not None and seconds else ""
    return f"{seconds:.2f}{ratio}" if seconds < 10 else f"{seconds:.0f}{ratio}"  # noqa: PLR2004 - three figures


def document(rows: Sequence[Row], date: str, machine: str) -> str:
    """Return everything that was measured, as JSON; times in seconds."""
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "date": date,
        "machine": machine,
        "rows": [
            {
                "case": row.case.name.lower(),
                "platforms": list(row.platforms),
                "runs": {way.name.lower(): runs for way, runs in row.runs.items()},
                "limit": row.limit,
            }
            for row in rows
        ],
        "required": [
            {"what": one.what, "ratio": one.ratio, "most": one.most, "holds": one.holds} for one in requirements(rows)
        ],
    }
    return json.dumps(content, indent=2) + "\n"
