"""What the tests of container-doctor share: a run of it, and what is apart between two."""

import json
from collections.abc import Mapping
from pathlib import Path

from tasks.plan.commands import is_command
from tests.support import TASKS_PY, Repo

_OTHERS = frozenset({"registry", "downloads", "build cache"})
"""What the machine's own network decides, and whoever builds on its engine."""


class Told:
    """What a doctor's run found."""

    def __init__(self, repo: Repo, *words: str, env: Mapping[str, str] | None = None) -> None:
        """Run it."""
        done = repo.inv("container-doctor", "--json", *words, env=env)
        assert "Traceback" not in done.all, done.all
        self.code, self.text = done.code, done.all
        self.findings = json.loads(done.out)["findings"]
        for one in self.findings:
            if one["state"] in {"warning", "cannot"}:
                assert is_command(one["way_out"]), one

    def of(self, subject: str) -> list[tuple[str, str, str]]:
        """Return the state, the text and the way out of each finding about a subject."""
        return [(one["state"], one["text"], one["way_out"] or "") for one in self.findings if one["subject"] == subject]

    def bad(self) -> set[tuple[str, str]]:
        """Return what is not well, but what others decide."""
        return {
            (one["subject"], one["state"])
            for one in self.findings
            if one["state"] != "ok" and one["subject"] not in _OTHERS
        }

    def says(self, subject: str, state: str, *words: str) -> None:
        """See that a finding about a subject stands so and has all these words, its way out's too."""
        found = [" ".join(one) for one in self.of(subject) if one[0] == state]
        assert any(all(word in one for word in words) for one in found), self.text

    def states(self) -> dict[str, set[str]]:
        """Return how each subject stands."""
        found: dict[str, set[str]] = {}
        for one in self.findings:
            found.setdefault(one["subject"], set()).add(one["state"])
        return found

    def only(self, well: "Told", *subjects: str, unseen: bool = False) -> None:
        """See that exactly these subjects stand otherwise than in an unbroken run, and badly.

        ``unseen``: what cannot be looked at without them is named in a line of its own.
        """
        here, there = self.states(), well.states()
        apart = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}
        if unseen:
            apart = {name for name in apart if name in here and name != "not looked at"}
        assert apart - (_OTHERS - set(subjects)) == set(subjects), f"{sorted(apart)}\n{self.text}"
        assert all(here[name] & {"warning", "cannot"} for name in subjects), self.text


def sound(root: Path) -> Repo:
    """Make a repository with a service and a commit, in which nothing is wrong."""
    root.mkdir()
    repo = Repo(root)
    repo.write("tasks.py", TASKS_PY)
    repo.write("VERSION", "1.2.3\n")
    repo.write("invoke.yaml", "container:\n  project: tiny\n  registry: images.test/tiny\n")
    fill(repo)
    return repo


def fill(repo: Repo) -> None:
    """Give a repository a service and a commit."""
    repo.service("one")
    repo.write(".gitignore", ".container\n__pycache__/\n")
    repo.commit()


def plugins(folder: Path) -> Path:
    """Make a folder for the docker client's file, with this machine's buildx in it."""
    from tasks.engine.machine import plugin

    (folder / "cli-plugins").mkdir(parents=True)
    program = plugin.chosen()
    assert program is not None
    (folder / "cli-plugins/docker-buildx").symlink_to(program.resolve())
    return folder


def with_file(folder: Path, **content: object) -> dict[str, str]:
    """Write the docker client's file, and return the environment that names it."""
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return {"DOCKER_CONFIG": str(folder)}
