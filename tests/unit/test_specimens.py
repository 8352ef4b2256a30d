"""What is told of a container that a verification has started."""

from types import SimpleNamespace

from tasks.engine.specimens import Specimen


def test_a_log_of_one_long_line_is_told_by_its_beginning() -> None:
    specimen = Specimen.__new__(Specimen)
    specimen.id = "x"
    specimen._api = SimpleNamespace(logs=lambda *_, **__: b"short\n" + b"x" * 1_000_000)  # type: ignore[assignment]  # noqa: SLF001
    assert specimen.last_lines(5) == ("short", f"{'x' * 300}…")
