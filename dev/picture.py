"""``inv picture``: draw what container-build says, for the README."""

import os
import re
import subprocess
import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/container-build.svg"
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


@task(name="picture")
def picture(_c: Context) -> None:
    """Draw docs/container-build.svg anew from a real build; needs an engine."""
    said = subprocess.run(
        # Quiet, because a terminal takes the live lines away in the end: what stays is the same.
        (sys.executable, "-m", "invoke", "container-build", "--progress", "quiet"),
        cwd=ROOT,
        env={**os.environ, "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if said.returncode:
        raise Exit(said.stdout, code=said.returncode)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg("inv container-build", said.stdout), encoding="utf-8")


def svg(command: str, output: str) -> str:
    """Return a picture of a terminal in which a command was typed and answered with ``output``."""
    import io

    from rich.console import Console
    from rich.terminal_theme import MONOKAI
    from rich.text import Text

    lines = [Text.assemble(("$ ", "green"), command), *map(Text.from_ansi, output.splitlines())]
    for line in lines:
        line.rstrip()
    width = max(line.cell_len for line in lines)
    console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True, highlight=False)
    for line in lines:
        # Each word gets a place of its own, so that columns stand straight in whatever font there is.
        for word in line.divide([place for found in re.finditer(r"\S+", line.plain) for place in found.span()]):
            console.print(word, end="")
        console.print()
    console.print()
    drawn = console.export_svg(title="", theme=MONOKAI, unique_id="terminal")
    # A font that rich would fetch from another host: pages refuse that, and a sealed network has none.
    plain = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL).replace("Fira Code, monospace", FONTS)
    return "".join(f"{line.rstrip()}\n" for line in plain.splitlines())
