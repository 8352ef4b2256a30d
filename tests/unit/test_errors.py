import ast
from pathlib import Path

import pytest

from tasks import errors

# design: 0 done, 1 a bug, and one code for each kind of failure.
CODES = {
    "ConfigError": 2,
    "EngineError": 3,
    "BuildError": 4,
    "PushError": 5,
    "VerifyError": 6,
    "ScanError": 7,
    "SignError": 8,
    "Interrupted": 130,
}
KINDS = errors.TaskError.__subclasses__()
TASKS = Path(errors.__file__).parent
# What no person sees as an error: it ends a pull that a build goes on without, and a probe of a check that is over.
INNER = {
    "engine/specimens.py": ["EngineError('the verification is over')"],
    "engine/transfers.py": ["EngineError(str(event['error']))", "EngineError(self.silence)"],
}


def test_every_failure_has_the_exit_code_that_people_are_told() -> None:
    assert {kind.__name__: kind.exit_code for kind in KINDS}.items() <= CODES.items()
    assert {"ConfigError", "EngineError", "BuildError", "PushError", "Interrupted"} <= {kind.__name__ for kind in KINDS}


def test_exit_codes_are_unique_and_none_says_done_or_bug() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert not {0, 1} & set(codes)


@pytest.mark.parametrize("kind", KINDS)
def test_invoke_exits_with_that_code_and_prints_the_whole_text(kind: type[errors.TaskError]) -> None:
    error = kind("what is wrong", hint="what mends it")
    assert error.code == kind.exit_code
    assert error.message == str(error) == "error: what is wrong\nhint: what mends it"


@pytest.mark.parametrize("path", sorted(TASKS.rglob("*.py")), ids=lambda path: str(path.relative_to(TASKS)))
def test_each_error_says_what_mends_it(path: Path) -> None:
    names = {kind.__name__ for kind in KINDS} - {"Interrupted"}
    bare = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            bare += [ast.unparse(node)] if "hint" not in {keyword.arg for keyword in node.keywords} else []
    assert bare == INNER.get(path.relative_to(TASKS).as_posix(), [])


def test_without_a_hint_there_is_no_line_of_it() -> None:
    assert str(errors.ConfigError("what is wrong")) == "error: what is wrong"


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_in_the_documentation_names_every_code(kind: type[errors.TaskError]) -> None:
    assert f"{kind.__name__} ({kind.exit_code})" in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no engine at tcp://user:secret@host:1", "no engine at tcp://***@host:1"),
        ("--registry: 'user:secret@host/x' is not a registry", "--registry: '***@host/x' is not a registry"),
        ("alpine:3.24@sha256:29 is not there", "alpine:3.24@sha256:29 is not there"),
    ],
)
def test_no_credential_is_shown(said: str, shown: str) -> None:
    assert str(errors.ConfigError(said)) == f"error: {shown}"


def test_what_is_refused_is_shown_by_its_begin_and_its_end_however_long_it_is() -> None:
    text = str(errors.ConfigError(f"tags: {'y' * 5000} is too long", hint="h"))
    assert len(text) < 900
    assert text.startswith("error: tags: yyy")
    assert text.endswith("yyy is too long\nhint: h")
    assert str(errors.ConfigError("x" * 900)) == f"error: {'x' * 900}"
