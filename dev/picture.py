"""``inv picture`` and ``inv picture-report``: draw what a build says and its page, for the README."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs/container-build.svg"
REPORT = ROOT / "docs/report.png"
RECORD = ROOT / "tests/unit/recorded/run.json"
WIDTH = 1024
# Of the timeline only what decided how long it took stays unfolded.
_FOLD = "document.querySelectorAll('#timeline details').forEach(one => one.open = one.matches(':has(.critical)'))"
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


@task(name="picture-report")
def picture_report(_c: Context) -> None:
    """Draw docs/report.png anew, in a real browser, from the record of a run that the tests have as well."""
    from tasks.report.page import render

    from .browser import browser

    with browser() as started, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "report.html")
        file.write_text(render(json.loads(RECORD.read_text(encoding="utf-8"))), encoding="utf-8")
        # A scale at which a README shows it whole.
        page = started.new_page(
            viewport={"width": WIDTH, "height": WIDTH}, color_scheme="light", device_scale_factor=0.9
        )
        page.goto(file.as_uri())
        page.evaluate(_FOLD)
        end = page.evaluate("document.querySelector('#timeline').getBoundingClientRect().bottom")
        page.screenshot(path=REPORT, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": end + 24})


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
