"""Types a command in this process as a person would in a shell, and says what came of it."""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from invoke.exceptions import ParseError
from invoke.program import Program
from invoke.util import yaml

from tasks import cli
from tasks.errors import TaskError
from tests.property import watch
from tests.support import Repo, environment

CODES = {0, *(kind.exit_code for kind in TaskError.__subclasses__())}
# C0 but the end of a line, DEL, C1, line separators, and what turns the direction of text around.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._:/\[\]-]*/[a-z0-9][a-z0-9._-]*:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
NOWHERE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "BUILDX_CONFIG": "/nowhere", "DOCKER_CONFIG": "/nowhere"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str
    seen: watch.Seen
    unparsed: bool = False
    """Whether Invoke's own parser has refused the words."""

    def fine(self, *folders: Path) -> "Said":
        """Return itself, if it did and said nothing that it must not."""
        assert self.unparsed or self.code in CODES, f"exit code {self.code}\n{self.out}\n{self.err}"
        for name, stream in (("standard output", self.out), ("standard error", self.err)):
            assert "Traceback" not in stream, stream
            found = CONTROL.search(stream)
            assert found is None, f"{found!r} in {name}: {stream!r}"
        if self.code and not self.unparsed:
            _explained(self.err)
        assert not self.seen.otherwise, self.seen.otherwise
        assert not self.seen.outside(*folders), self.seen.outside(*folders)
        for argv in self.seen.started:
            no_option_of_a_value(argv)
        if self.out.startswith("{"):
            _defined(json.loads(self.out))
        return self


def strings(value: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    """Return every text of a JSON value, its keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def is_data(text: str) -> bool:
    """Whether bake finds no template in it: each `${` and `%{` is doubled."""
    return re.search(r"[$%]\{", text.replace("$${", "").replace("%%{", "")) is None


def _defined(content: Any) -> None:  # noqa: ANN401 - any JSON value
    """See that a definition takes nothing from above the root, and sends nothing where nobody said."""
    assert all(map(is_data, strings(content))), content
    for target in content["target"].values():
        assert all(map(_REFERENCE.fullmatch, target["tags"])), target
        assert set(target["platforms"]) <= {"linux/amd64", "linux/arm64"}, target
        assert set(target["output"]) <= {"type=docker", "type=cacheonly"}, target
        assert set(target.get("secret", [])) <= {"id=ca,src=.container/ca.pem"}, target
        for place in (target["context"], target["dockerfile"]):
            assert not place.startswith("/"), target
            assert ".." not in place.split("/"), target
            assert "://" not in place, target


def _explained(text: str) -> None:
    """See that an error is one, and that no value writes a line of its own into it."""
    lines = [line for line in text.splitlines() if not line.startswith("note: ")]
    assert lines[0].startswith("error: "), text
    assert len(lines) == 1 or lines[-1].startswith("hint: "), text
    assert all(line.startswith("  ") for line in lines[1:-1]), text


# What git is asked, without the values that stand behind `--`.
_GIT = (
    ("rev-parse", "--short", "HEAD"),
    ("rev-parse", "--is-shallow-repository"),
    ("rev-parse", "--git-path", "index"),
    ("describe", "--tags", "--always", "--dirty"),
    ("status", "--porcelain", "-z", "--untracked-files=normal"),
    ("ls-files", "--stage", "-z"),
    ("ls-files", "-v", "-z", "--"),
    ("ls-files", "--others", "--exclude-standard", "-z"),
    (
        *("-c", "log.showRoot=true", "log", "-z", "--format=%H %cI %P", "--raw", "--no-renames", "--relative"),
        *("-c", "--full-history", "--ignore-submodules=none", "--no-ext-diff", "--no-show-signature", "--no-notes"),
        *("HEAD", "--"),
    ),
    (
        *("diff", "--raw", "-z", "--no-renames", "--no-abbrev", "--relative", "--no-ext-diff"),
        *("--ignore-submodules=none", "HEAD", "--"),
    ),
    ("config", "--get-regexp", r"^remote\..*url$"),
)


def no_option_of_a_value(argv: Sequence[str]) -> None:
    """Refuse a command line in which a value stands where its program would read an option."""
    assert all(type(word) is str for word in argv), argv
    program = Path(argv[0]).name
    if program == "git":
        assert argv[1] == "-C", argv
        assert argv[2].startswith("/"), argv
        asked = tuple(argv[3:])
        assert any(asked == words or (words[-1] == "--" and asked[: len(words)] == words) for words in _GIT), argv
        return
    assert program in {"docker", "docker-buildx"}, argv
    words = iter(argv[1:])
    for word in words:
        if word in {"--builder", "--metadata-file"}:
            assert not next(words).startswith("-"), argv
        elif word == "-f":
            assert next(words) == "-", argv
        else:
            assert not word.startswith("-") or word in {"--print", "--progress=rawjson", "--progress=plain"}, argv


@contextlib.contextmanager
def repository(folder: Path) -> Iterator[Repo]:
    """Yield a new repository with two services, and with what a hostile one has lying about."""
    with tempfile.TemporaryDirectory(dir=folder) as above:
        root = Path(above, "shop")
        root.mkdir()
        repo = Repo(root, seed="")
        repo.write("VERSION", "1.2.3\n")
        for name in ("agent", "indexer"):
            repo.write(f"services/{name}/Dockerfile", "FROM alpine:3.24\nEXPOSE 8080\n")
        (root / "loop").symlink_to("loop")
        (root / "outside").symlink_to(above)
        os.mkfifo(root / "pipe")
        yield repo


def dumped(content: object) -> str:
    """Return YAML that reads back as just that, whatever it is."""
    return str(yaml.safe_dump(content))  # type: ignore[no-untyped-call]


def inv(repo: Repo, *words: str, env: Mapping[str, str] | None = None) -> Said:
    """Type a command at a repository's root, with no engine in reach and no program on PATH."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors) for errors in ("strict", "backslashreplace"))
    cache = repo.root.parent / "cache"
    variables = environment(env) | NOWHERE | {"XDG_CACHE_HOME": str(cache)}
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        contextlib.chdir(repo.root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        watch.watching() as seen,
    ):
        program = _Inv(repo.root)
        code = _run(program, words)
        sys.stdout.flush()
    return Said(code, _read(out), _read(err), seen, program.unparsed)


def _run(program: Program, words: Sequence[str]) -> int:
    try:
        program.run(["inv", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer: Any = stream.buffer
    return str(buffer.getvalue().decode("utf-8"))


class _Inv(Program):
    """Invoke's own program, which takes the tasks from here instead of a tasks.py."""

    def __init__(self, root: Path) -> None:
        super().__init__(version="1")
        self._root = root
        self.unparsed = False

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
        except ParseError:
            self.unparsed = True
            raise

    def load_collection(self) -> None:
        self.collection = cli.collection(self._root)
        self.config.set_project_location(self._root)
        self.config.load_project()
