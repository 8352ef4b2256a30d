import json

import pytest

from tasks.configuration import SERVICE_SETTINGS, SETTINGS, read_file
from tasks.errors import ConfigError
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


def test_the_starter_file_is_all_comments_and_names_everything(repo: Repo) -> None:
    text = schema.starter()
    repo.write("invoke.yaml", text)
    assert read_file(repo.root) == {}
    assert all(line.startswith("#") for line in text.splitlines())
    for setting in (*SETTINGS, *SERVICE_SETTINGS):
        assert f"{setting.key}: {setting.example}" in text


def test_the_starter_file_with_every_line_said_is_read(repo: Repo) -> None:
    repo.write("invoke.yaml", "".join(line.removeprefix("# ") for line in schema.starter().splitlines(keepends=True)))
    section = read_file(repo.root)
    assert set(section) == {setting.key for setting in SETTINGS} | {"services"}
    assert section["jobs"] == 4
    assert set(section["services"]["name-of-a-service"]) == {setting.key for setting in SERVICE_SETTINGS}


@pytest.mark.parametrize("mark", ["# ", "#"])
def test_a_line_of_the_starter_file_needs_the_one_above_it(repo: Repo, mark: str) -> None:
    text = schema.starter().replace("#   registry:", "#   registry:".removeprefix(mark))
    repo.write("invoke.yaml", text)
    with pytest.raises(ConfigError, match="registry stands below nothing\nhint: take the # from the line container:"):
        read_file(repo.root)
    repo.write("invoke.yaml", text.replace("# container:", "# container:".removeprefix(mark)))
    assert read_file(repo.root) == {"registry": "ghcr.io/acme"}
