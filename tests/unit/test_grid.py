"""A table that fits is words with gaps: the same words that rich would set."""

import pytest

from tasks.report import grid, style

HEADS = ("service", "state", "seconds", "image")
TABLES = {
    "usual": [("agent", "built", "12.1", "ghcr.io/acme/agent:latest"), ("b", "up to date", "", "")],
    "one row": [("a", "", "", "")],
    "none": [],
}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_what_fits_is_set_as_rich_sets_it(
    rows: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid.show(HEADS, rows, right=("seconds",), giving=("image",))
    ours = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(grid, "as_it_is", lambda *_: None)
    grid.show(HEADS, rows, right=("seconds",), giving=("image",))
    assert ours == [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert ours[0].split() == list(HEADS)


def test_paint_has_no_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    grid.show(("service", "state"), [(style.paint("a", style.GOOD), "built"), ("longer", "built")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{style.paint('a', style.GOOD)}{' ' * 8}built"
    assert style.QUIET in lines[0]


@pytest.mark.parametrize("cell", ["ü", "界", "a" * grid.WIDE, "\t"])
def test_what_has_another_width_or_does_not_fit_is_left_to_rich(cell: str) -> None:
    assert grid.as_it_is([("a", "b"), (cell, "b")], (False, False)) is None
