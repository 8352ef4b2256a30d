"""A table of words, as wide as the terminal."""

from collections.abc import Collection, Iterable, Sequence

from . import style

WIDE = 240  # columns where nothing limits them


def show(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = (), giving: Collection[str] = ()
) -> None:
    """Print rows under their heads; cells may be painted.

    ``right`` are the columns aligned there, and ``giving`` those that give way where a
    terminal is narrow.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="", pad_edge=False)
    for head in heads:
        gives = head in giving
        table.add_column(
            Text.from_ansi(style.paint(head, style.QUIET)),
            justify="right" if head in right else "left",
            no_wrap=not gives,
            overflow="ellipsis" if gives else "fold",
        )
    for row in rows:
        table.add_row(*map(Text.from_ansi, row))
    console = Console(
        width=None if style.live() else WIDE,
        no_color=not style.coloured(),
        force_terminal=style.coloured() or None,
        highlight=False,
    )
    with console.capture() as text:
        console.print(table)
    style.say(text.get().removesuffix("\n"))
