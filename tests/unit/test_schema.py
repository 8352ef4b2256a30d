import json

from invoke.util import yaml

from tasks.configuration import SERVICE_SETTINGS, SETTINGS, read_file
from tasks.plan import schema
from tests.support import ROOT, Repo


def test_the_schema_knows_every_setting_and_refuses_others() -> None:
    container = schema.schema()["properties"]["container"]
    assert set(container["properties"]) == {setting.key for setting in SETTINGS} | {"services"}
    assert container["additionalProperties"] is False
    service = container["properties"]["services"]["additionalProperties"]
    assert set(service["properties"]) == {setting.key for setting in SERVICE_SETTINGS}
    assert service["additionalProperties"] is False


def test_the_schema_that_editors_read_here_is_the_one_that_is_printed() -> None:
    assert (ROOT / "invoke.schema.json").read_text(encoding="utf-8") == schema.dumps()
    assert json.loads(schema.dumps()) == schema.schema()


def test_the_starter_file_sets_nothing_and_names_everything(repo: Repo) -> None:
    text = schema.starter()
    repo.write("invoke.yaml", text)
    assert read_file(repo.root) == {"services": {}}
    for setting in (*SETTINGS, *SERVICE_SETTINGS):
        assert f"{setting.key}: {setting.example}" in text


def test_the_starter_file_with_every_line_said_is_read(repo: Repo) -> None:
    lines = [line for line in schema.starter().splitlines() if ": " in line and "Default:" not in line]
    said = [line.replace("# ", "", 1) for line in lines if line.startswith("  # ") and not line.startswith("  #  ")]
    written = "container:\n" + "\n".join(said)
    assert yaml.safe_load(written)["container"]["jobs"] == 4  # type: ignore[no-untyped-call]
    repo.write("invoke.yaml", written)
    assert set(read_file(repo.root)) == {setting.key for setting in SETTINGS}
