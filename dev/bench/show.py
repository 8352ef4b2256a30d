"""What a benchmark found, as a table for people, as JSON, and held against what is required."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .ground import RUST_SERVICE
from .many import Many
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
_OF_BAKE = {Case.COLD: 1.05, Case.NOTHING: 0.5}
_OF_LIMIT = 1.2
_OF_ONE = 1.2
_TWO_OF_ONE = 1.95
_MANY_QUIET, _MANY_BUSY, _OWN_PART = 0.15, 0.05, 3


def requirements(rows: Sequence[Row]) -> list[Requirement]:
    """Return every requirement that the rows can be held against; those of the classic way are for one platform."""
    found = []
    for row in rows:
        if len(row.platforms) > 1:
            continue
        ours = row.seconds(Way.OURS)
        references = (
            (Way.CLASSIC.value, row.seconds(Way.CLASSIC), _OF_CLASSIC.get(row.case)),
            (Way.BAKE.value, row.seconds(Way.BAKE), _OF_BAKE.get(row.case)),
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


def requirements_of_many(found: Sequence[Many]) -> list[Requirement]:
    """Return every requirement on many services; the one on our own part needs the smallest count as well."""
    least, most = found[0], found[-1]
    of_bake, count = f"ours of {Way.BAKE}", f"{most.count} services"
    return [
        Requirement(f"{count}, quiet builder: {of_bake}", most.quiet_ours / most.quiet_bake, _MANY_QUIET),
        Requirement(f"{count}, back to back: {of_bake}", most.busy_ours / most.busy_bake, _MANY_BUSY),
        Requirement(f"{count}: our own part of that for {least.count}", most.own / least.own, _OWN_PART),
        Requirement(f"one of {most.count} changed: ours of {Way.ALONE}", most.one_of_all / most.one_alone, _OF_ONE),
    ]


def all_requirements(rows: Sequence[Row], generated: Sequence[Many]) -> list[Requirement]:
    """Return every requirement that what was measured can be held against."""
    return requirements(rows) + (requirements_of_many(generated) if generated else [])


def many(found: Sequence[Many]) -> str:
    """Return the tables of generated services."""
    lines = [
        "",
        "Generated services of one small file each; wall seconds, the median of the runs, in brackets what ours takes.",
        "",
        f"| services | case | ours | `{Way.BAKE}` | ours, of that service alone | `docker buildx build` of it |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        lines += [
            _cells(one, "nothing changed, quiet builder", one.quiet_ours, one.quiet_bake, None, None),
            _cells(one, "nothing changed, back to back", one.busy_ours, one.busy_bake, None, None),
            _cells(one, "one changed, quiet builder", one.one_of_all, None, one.one_alone, one.one_plain),
        ]
    own = ", ".join(f"{one.own:.2f} s with {one.count}" for one in found)
    return "\n".join([*lines, "", f"Processor time of our own part where nothing changed: {own}.", ""])


def _cells(one: Many, case: str, ours: float, *others: float | None) -> str:
    return f"| {one.count} | {case} | {' | '.join([_cell(ours), *(_cell(other, ours) for other in others)])} |"


def table_of(required: Sequence[Requirement]) -> str:
    """Return the table that says what holds."""
    lines = [
        "",
        "| required | at most | measured | |",
        "|---|---|---|---|",
        *(
            f"| {one.what} | {one.most:g} | {one.ratio:.3f} | {'holds' if one.holds else 'exceeded'} |"
            for one in required
        ),
    ]
    return "\n".join(lines) + "\n"


def markdown(rows: Sequence[Row], date: str, machine: str) -> str:
    """Return the table of our own services."""
    lines = [
        f"{date}, {machine}. Wall seconds, the median of the runs; in brackets what ours takes of each.",
        "",
        f"| case | platforms | ours | {Way.CLASSIC} | `{Way.BAKE}` | `docker buildx build` of that service | limit |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
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


def document(rows: Sequence[Row], generated: Sequence[Many], date: str, machine: str) -> str:
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
        "many": [asdict(one) for one in generated],
        "required": [
            {"what": one.what, "ratio": one.ratio, "most": one.most, "holds": one.holds}
            for one in all_requirements(rows, generated)
        ],
    }
    return json.dumps(content, indent=2) + "\n"
