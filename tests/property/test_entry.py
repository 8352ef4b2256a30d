"""The whole program, started as a person starts it, with hostile files, variables and flags."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.property import hostile, test_output, test_settings, typed
from tests.property.cases import hostile as tries
from tests.support import TASKS_PY, Repo, environment

COMMANDS = st.sampled_from(
    (
        ("--list",),
        ("container-config",),
        ("container-build", "--print"),
        ("container-build-agent", "--print"),
        ("container-build",),
        ("container-push",),
        ("container-run",),
        ("container-clean", "--dry-run"),
    )
)
_UNPARSED = ("No idea what", "Flag <", "Ambiguous", "'")


def fine(code: int, out: str, err: str) -> None:
    """Refuse a traceback, an exit code that nobody is told of, and what a terminal would obey."""
    said = f"exit code {code}\n{out}\n{err}"
    assert "Traceback" not in out + err, said
    assert code in typed.CODES or (code == 1 and err.startswith(_UNPARSED)), said
    assert typed.CONTROL.search(out) is None, repr(out)
    assert typed.CONTROL.search(err) is None, repr(err)
    assert code == 0 or err, said


settings = st.fixed_dictionaries(
    {"container": st.just({}) | test_settings.files, "services": st.just({}) | test_settings.services}
)


@tries(
    15,
    150,
    command=COMMANDS,
    settings=settings,
    env=test_settings.environments,
    files=st.fixed_dictionaries(
        {}, optional={"VERSION": hostile.text, "services/agent/Dockerfile": hostile.dockerfiles}
    ),
    coding=st.sampled_from(("utf-8", "ascii", "latin-1")),
)
def test_what_a_person_starts(  # noqa: PLR0913, PLR0917 - each is a way in
    tmp_path: Path,
    command: tuple[str, ...],
    settings: dict[str, Any],
    env: dict[str, str],
    files: dict[str, str],
    coding: str,
) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("tasks.py", TASKS_PY)
        configure(repo, settings)
        for name, text in files.items():
            (repo.root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        done = _start(repo, command, env | {"PYTHONIOENCODING": coding, "XDG_CACHE_HOME": str(repo.root.parent)})
        fine(done.returncode, done.stdout.decode(coding), done.stderr.decode(coding))


def configure(repo: Repo, settings: dict[str, Any]) -> None:
    repo.write("invoke.yaml", typed.dumped({"container": settings["container"] | {"services": settings["services"]}}))


@tries(6, 60, words=st.lists(hostile.native, min_size=1, max_size=2), container=test_settings.files)
def test_flags_as_a_person_types_them(tmp_path: Path, words: list[str], container: dict[str, Any]) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("tasks.py", TASKS_PY)
        repo.write("invoke.yaml", typed.dumped({"container": container}))
        flags = [f"--{key}={word}" for key, word in zip(("registry", "tags"), words, strict=False)]
        done = _start(repo, ("container-build", "--print", *flags), {"XDG_CACHE_HOME": str(repo.root.parent)})
        fine(done.returncode, done.stdout.decode(), done.stderr.decode())


@tries(4, 40, command=COMMANDS, settings=settings)
def test_on_a_terminal_nothing_is_sent_but_letters_and_our_own_colours(
    tmp_path: Path, command: tuple[str, ...], settings: dict[str, Any]
) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("tasks.py", TASKS_PY)
        configure(repo, settings)
        code, said = _on_terminal(repo, command)
        plain = re.sub(r"\x1b\[\d+m", lambda found: "" if found[0] in test_output.OWN else found[0], said)
        assert typed.CONTROL.search(plain.replace("\r\n", "\n")) is None, repr(said)
        assert "Traceback" not in said, said
        assert code in typed.CODES or (code == 1 and said.startswith(_UNPARSED)), said


def _start(repo: Repo, words: tuple[str, ...], env: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=repo.root,
        env=environment(env) | typed.NOWHERE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )


def _on_terminal(repo: Repo, words: tuple[str, ...]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    env = environment({"TERM": "xterm-256color", "FORCE_COLOR": "1"}) | typed.NOWHERE
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *words], cwd=repo.root, env=env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as child:
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 65536):
                said += chunk
        except OSError:  # the other end is closed
            pass
        finally:
            os.close(ours)
    return child.returncode, said.decode("utf-8", "replace")
