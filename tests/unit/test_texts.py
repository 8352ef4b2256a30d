"""What BuildKit does with each of these links was seen on a real engine."""

from pathlib import Path

import pytest

from tasks.texts import leads_out

LINKS = {
    "below": ("in/file", False),
    "through a linked folder": ("linked/file", False),
    "down and up again": ("in/../in/file", False),
    "above": ("../file", True),
    "out and in again": ("../folder/in/file", True),
    "absolute": ("/file", True),
    "through a folder that is a link out": ("out/file", True),
}


@pytest.mark.parametrize(("target", "out"), LINKS.values(), ids=LINKS)
def test_a_link_leads_out_where_buildkit_does_not_follow_it(tmp_path: Path, target: str, *, out: bool) -> None:
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (folder / "linked").symlink_to("in")
    (folder / "out").symlink_to("../folder/in")
    (folder / "link").symlink_to(target)
    assert leads_out(folder, "link") is out
