"""What is handed to buildx: a definition whose values stay data, and command lines whose values stay values."""

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tasks.engine import buildx
from tasks.errors import TaskError
from tasks.plan import bake
from tasks.plan.bases import Base
from tasks.plan.targets import Output
from tasks.printable import spelled_in_json
from tasks.report import progress
from tests.property import hostile, typed, watch
from tests.property.cases import hostile as tries
from tests.support import docker
from tests.unit.samples import plan, source

CROWD = 40
texts = st.dictionaries(hostile.text, hostile.text, max_size=4)


def without_surrogates(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


fields = st.fixed_dictionaries(
    {
        "args": texts,
        "revision": hostile.text | st.none(),
        "committed": hostile.text | st.none(),
        "context": hostile.text,
        "dockerfile": hostile.text,
        "stage": hostile.text | st.none(),
        "bases": hostile.text.map(lambda base: (Base(reference=base, replacement="mirror.example/x"),)),
    }
)


@tries(100, 3000, given=fields, version=hostile.text, output=st.sampled_from(Output))
def test_a_definition_is_json_in_which_every_value_is_data(
    given: Mapping[str, Any], version: str, output: Output
) -> None:
    made = plan(source(**given), version=version, output=output)
    text = spelled_in_json(bake.dumps(bake.definition(made)))
    assert typed.CONTROL.search(text) is None
    assert text.encode()
    read = json.loads(text)
    assert all(map(typed.is_data, typed.strings(read)))
    target = read["target"]["agent"]
    labels = {key: undoubled(value) for key, value in target["labels"].items()}
    assert labels["org.opencontainers.image.version"] == version
    assert labels.get("org.opencontainers.image.revision") == given["revision"]
    assert {undoubled(key): undoubled(value) for key, value in target["args"].items()}.items() >= given["args"].items()


def composed(text: str) -> str:
    """Return the text as HCL, which bake reads, hands it on: with composed letters, and no byte order mark in front."""
    return unicodedata.normalize("NFC", text.removeprefix("\ufeff"))


def undoubled(text: str) -> str:
    return text.replace("$${", "${").replace("%%{", "%{")


def doubled(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


@tries(40, 1000, builder=hostile.native)
def test_a_builder_is_never_an_option(tmp_path: Path, builder: str) -> None:
    with typed.repository(tmp_path) as repo:
        seen = _built(repo.root, builder)
    for argv in seen.started:
        typed.no_option_of_a_value(argv)
    assert not seen.otherwise
    assert not seen.outside(repo.root)


def _built(root: Path, builder: str) -> watch.Seen:
    """Check and build with a builder as far as it goes where no program starts."""
    from invoke.config import Config
    from invoke.context import Context

    from tasks import settings
    from tasks.discovery import discover

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.which", lambda *_: "/usr/bin/docker")
        with watch.watching() as seen:
            try:
                wanted = settings.load(Context(Config()), discover(root), {"builder": builder})
            except TaskError:
                return seen
            made = plan()
            text = bake.dumps(bake.definition(made))
            (root / ".container/logs").mkdir(parents=True)
            conduct = buildx.Conduct(root=root, builder=wanted.builder, jobs=1, fail_fast=False)
            for start in (
                lambda: buildx.check(text, root, wanted.builder),
                lambda: buildx.inspect(wanted.builder),
                lambda: buildx.build(made, text, progress.Quiet(["agent"]), conduct),
            ):
                with pytest.raises((TaskError, FileNotFoundError)):
                    start()
    assert len(seen.started) >= 3
    return seen


@pytest.mark.docker
@tries(4, 60, crowd=st.lists(hostile.text.map(without_surrogates), min_size=CROWD, max_size=CROWD))
def test_bake_itself_reads_every_value_as_it_was(crowd: list[str]) -> None:
    args = {f"A{number}": value for number, value in enumerate(crowd)}
    text = spelled_in_json(bake.dumps(bake.definition(plan(source(args=args), ca=None))))
    read = json.loads(docker("buildx", "bake", "--print", "-f", "-", "agent", stdin=text))
    found = read["target"]["agent"]["args"]  # printed as it is, or as bake would read it again
    wrong = {
        key: (found[key], value)
        for key, value in args.items()
        if found[key] not in {composed(value), doubled(composed(value))}
    }
    assert not wrong
