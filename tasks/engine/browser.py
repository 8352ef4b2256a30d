"""The door to a person's browser."""

import os
import sys
from pathlib import Path


def display() -> bool:
    """Whether a page can be shown to the person who typed: a screen, and a terminal to type at."""
    if not sys.stdout.isatty() or os.environ.get("CI"):
        return False
    if os.environ.get("BROWSER"):  # an editor on another machine forwards pages by it
        return True
    if sys.platform in {"darwin", "win32"}:
        return not os.environ.get("SSH_CONNECTION")
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(page: Path) -> bool:
    """Open a page in the browser, and return whether there was one to ask."""
    import webbrowser

    return webbrowser.open(page.resolve().as_uri())
