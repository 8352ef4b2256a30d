"""A table of words, as wide as the terminal."""

import re
from collections.abc import Collection, Iterable, Sequence
from shutil import get_terminal_size

from . import style

WIDE = 240  # letters where nothing limits them
LEAST = 12  # letters of a column that gives way; with fewer it would tell nothing
_GAP = 2
_KEPT = 2  # the first columns say what it is, and how it is
_PAINT = re.compile(r"\x1b\[[0-9;]*m")


def load() -> None:
    """Import what a table is drawn with, which takes a while."""
    import rich.console
    import rich.table  # noqa: F401


def show(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    giving: Collection[str] = (),
    told: Collection[str] = (),
) -> None:
    """Print rows under their heads; cells may be painted.

    ``right`` are the columns aligned there, and ``giving`` those that give way where a
    terminal is narrow. Where that does not do, columns go from the right, but never the
    first two; those fold. What a column of ``told`` held is then said below, a line each.
    """
    rows = [tuple(row) for row in rows]
    lines = as_it_is([[style.paint(head, style.QUIET) for head in heads], *rows], [head in right for head in heads])
    if lines is None:
        _fitted(heads, rows, right=right, giving=giving, told=told)
        return
    for line in lines:
        style.say(line)


def as_it_is(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str] | None:
    """Return rows as lines, where nothing has to give way or has letters of another width; None elsewhere.

    Most tables are so, and rich needs longer to load than all that a run does where nothing has changed.
    """
    plain = [[_PAINT.sub("", cell) for cell in row] for row in rows]
    if not all(cell.isascii() and cell.isprintable() for row in plain for cell in row):
        return None
    widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
    wide = get_terminal_size().columns if style.live() else WIDE
    if sum(widths) + _GAP * (len(widths) - 1) > wide:
        return None
    lines = []
    for row, bare in zip(rows, plain, strict=True):
        gaps = [" " * (width - len(cell)) for width, cell in zip(widths, bare, strict=True)]
        cells = [gap + cell if end else cell + gap for gap, cell, end in zip(gaps, row, right, strict=True)]
        lines.append((" " * _GAP).join(cells).rstrip())
    return lines


def _fitted(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str],
    giving: Collection[str],
    told: Collection[str],
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        width=None if style.live() else WIDE,
        no_color=not style.coloured(),
        force_terminal=style.coloured() or None,
        highlight=False,
    )
    cells = [[Text.from_ansi(cell) for cell in row] for row in rows]
    widest = [max([len(head), *(row[number].cell_len for row in cells)]) for number, head in enumerate(heads)]
    needed = [min(LEAST, width) if head in giving else width for head, width in zip(heads, widest, strict=True)]
    count = fitting(needed, console.width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), show_header=True, header_style="", pad_edge=False)
    for head in heads[:count]:
        gives = head in giving
        table.add_column(
            Text.from_ansi(style.paint(head, style.QUIET)),
            justify="right" if head in right else "left",
            no_wrap=count > _KEPT and not gives,
            overflow="ellipsis" if gives else "fold",
        )
    for row in cells:
        table.add_row(*row[:count])
    with console.capture() as text:
        console.print(table)
    style.say(text.get().removesuffix("\n"))
    for row in cells:
        for head, cell in zip(heads[count:], row[count:], strict=True):
            if head in told and cell.plain:
                style.say(f"{row[0].plain}: {cell.plain}")


def fitting(needed: Sequence[int], wide: int) -> int:
    """Return how many columns, from the left, fit into so many letters; at least the first two."""
    count = len(needed)
    while count > _KEPT and sum(needed[:count]) + _GAP * (count - 1) > wide:
        count -= 1
    return count
