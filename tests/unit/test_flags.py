from typing import Any

import pytest
from invoke.context import Context

from tasks import flags
from tasks.errors import Interrupted

TABLE = [flag for flag in vars(flags).values() if isinstance(flag, flags.Flag)]


def test_the_body_gets_the_flags_by_name() -> None:
    seen: list[dict[str, Any]] = []

    def body(_c: Context, values: dict[str, Any]) -> None:
        seen.append(values)

    flags.make_task("x", "Do.", (flags.TAGS, flags.PULL), body)(Context(), tags="a", pull=True)
    assert seen == [{"tags": "a", "pull": True, "task": "x"}]


def test_a_task_is_named_and_described_as_asked() -> None:
    made = flags.make_task("container-x", "Do it.", (flags.TAGS,), lambda *_: None)
    assert (made.name, made.__doc__) == ("container-x", "Do it.")
    assert [(argument.name, argument.help) for argument in made.get_arguments()] == [
        ("tags", flags.TAGS.help),
        ("json", flags.JSON.help),
    ]


def test_two_tasks_of_the_factory_are_not_the_same() -> None:
    first, second = (flags.make_task(name, "Do.", (), lambda *_: None) for name in ("a", "b"))
    assert first != second


def test_ctrl_c_outside_a_build_ends_with_its_own_code() -> None:
    def body(_c: Context, _values: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        flags.make_task("x", "Do.", (), body)(Context())
    assert caught.value.code == 130


@pytest.mark.parametrize("flag", TABLE, ids=lambda flag: flag.name)
def test_a_flag_takes_text_or_is_a_switch_and_explains_itself(flag: flags.Flag) -> None:
    assert flag.default is None or flag.default is False
    assert flag.help.endswith((".", "]"))


def test_a_flags_name_stands_for_one_thing() -> None:
    assert len({flag.name for flag in TABLE}) == len(TABLE)
