"""Every setting, by every way in, with values that nobody means well with."""

import json
import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from tasks import flags
from tasks.plan.keys import MAPPINGS, SERVICE_SETTINGS, SETTINGS
from tests.property import cases, hostile, typed
from tests.property.cases import hostile as tries

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # docker's, where nobody answers

FLAGS = {flag.name for flag in flags.BUILD if flag.default is None}
COMMANDS = (
    ("--list",),
    ("container-config",),
    ("container-build", "--print"),
    ("container-build-agent", "--print"),
    ("container-build-arm64", "--print"),
    ("container-build",),
    ("container-push",),
    ("container-run",),
    ("container-stop",),
    ("container-clean", "--dry-run"),
)
VARIABLES = sorted(
    {f"INVOKE_CONTAINER_{setting.key.upper()}" for setting in SETTINGS}
    | {setting.variable for setting in SETTINGS if setting.variable is not None}
)
commands = st.sampled_from(COMMANDS)
files = st.dictionaries(st.sampled_from([setting.key for setting in SETTINGS]), hostile.values, min_size=1, max_size=3)
environments = st.dictionaries(st.sampled_from(VARIABLES), hostile.native, min_size=1, max_size=3)
services = st.dictionaries(
    st.sampled_from(("agent", "indexer", "site")) | hostile.keys,
    st.dictionaries(st.sampled_from([setting.key for setting in SERVICE_SETTINGS]), hostile.values, max_size=3),
    max_size=2,
)


DIGITS = ("9" * 19, "9" * 5000)
WORST = (
    "",
    "\x1b[2J",
    "\u202e",
    "\udcff",
    "x\n",
    "--push",
    "-f",
    "${HOME}",
    "٣",
    "²",
    "0",
    "65536",
    "x" * 5000,
    *DIGITS,
)
PRINT = ("container-build", "--print")


def test_the_worst_of_each_setting(tmp_path: Path) -> None:
    for setting, value in cases.each(product(SETTINGS, WORST)):
        with typed.repository(tmp_path) as repo:
            for name in {f"INVOKE_CONTAINER_{setting.key.upper()}", setting.variable} - {None}:
                typed.inv(repo, *PRINT, env={str(name): value}).fine(repo.root)
            if setting.key in FLAGS:
                typed.inv(repo, *PRINT, f"--{setting.key}={value}").fine(repo.root)
            repo.write("invoke.yaml", typed.dumped({"container": {setting.key: f"{value}\x00"}}))
            typed.inv(repo, *PRINT).fine(repo.root)


def test_the_worst_of_each_setting_of_a_service(tmp_path: Path) -> None:
    for setting, value in cases.each(product(SERVICE_SETTINGS, (*WORST, "\x00", "99999MB", f"{'9' * 5000}MB", "/\n"))):
        with typed.repository(tmp_path) as repo:
            service = {setting.key: {"A": value, value: "x"} if setting.key in MAPPINGS else value}
            repo.write("invoke.yaml", typed.dumped({"container": {"services": {"agent": service}}}))
            typed.inv(repo, *PRINT).fine(repo.root)


def test_an_empty_list_or_line_for_each_setting(tmp_path: Path) -> None:
    empty: tuple[object, ...] = ([], {}, None, [None], [[]], [""])
    for setting, value in cases.each(product((*SETTINGS, *SERVICE_SETTINGS), empty)):
        with typed.repository(tmp_path) as repo:
            section = {setting.key: value}
            inner = section if setting in SETTINGS else {"services": {"agent": section}}
            repo.write("invoke.yaml", typed.dumped({"container": inner}))
            typed.inv(repo, *PRINT).fine(repo.root)


@tries(30, 2000, command=commands, container=files)
def test_a_setting_of_the_file(tmp_path: Path, command: tuple[str, ...], container: dict[str, Any]) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", typed.dumped({"container": container}))
        typed.inv(repo, *command).fine(repo.root)


@tries(30, 2000, command=commands, env=environments)
def test_a_setting_of_the_environment(tmp_path: Path, command: tuple[str, ...], env: dict[str, str]) -> None:
    with typed.repository(tmp_path) as repo:
        typed.inv(repo, *command, env=env).fine(repo.root)


@tries(30, 2000, command=commands, container=files, env=environments)
def test_settings_of_both(
    tmp_path: Path, command: tuple[str, ...], container: dict[str, Any], env: dict[str, str]
) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", typed.dumped({"container": container}))
        typed.inv(repo, *command, env=env).fine(repo.root)


@tries(30, 2000, given=st.dictionaries(st.sampled_from(sorted(FLAGS)), hostile.native, min_size=1, max_size=3))
def test_a_flag(tmp_path: Path, given: dict[str, str]) -> None:
    with typed.repository(tmp_path) as repo:
        words = [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]
        typed.inv(repo, "container-build", "--print", *words).fine(repo.root)


@tries(30, 1000, command=st.sampled_from(("container-build", "container-push", "container-run")), chosen=hostile.native)
def test_the_services_that_are_asked_for(tmp_path: Path, command: str, chosen: str) -> None:
    with typed.repository(tmp_path) as repo:
        typed.inv(repo, command, f"--services={chosen}").fine(repo.root)


@tries(40, 3000, command=commands, services=services)
def test_a_setting_of_a_service(tmp_path: Path, command: tuple[str, ...], services: dict[Any, Any]) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", typed.dumped({"container": {"services": services}}))
        typed.inv(repo, *command).fine(repo.root)


@tries(30, 1000, args=st.dictionaries(hostile.text, hostile.text, min_size=1, max_size=4))
def test_build_arguments_are_printed_as_they_were_written(tmp_path: Path, args: dict[str, str]) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", typed.dumped({"container": {"services": {"agent": {"args": args}}}}))
        said = typed.inv(repo, "container-build-agent", "--print").fine(repo.root)
        if said.code == 0:
            printed = json.loads(said.out)["target"]["agent"]["args"]
            assert printed.items() >= {escaped(key): escaped(value) for key, value in args.items()}.items()


def escaped(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


@tries(20, 800, content=st.dictionaries(hostile.keys, hostile.values, max_size=3), command=commands)
def test_sections_of_others(tmp_path: Path, content: dict[Any, Any], command: tuple[str, ...]) -> None:
    with typed.repository(tmp_path) as repo:
        repo.write("invoke.yaml", typed.dumped(content))
        typed.inv(repo, *command).fine(repo.root)


def test_the_names_of_variables_are_those_that_are_read() -> None:
    assert "DOCKER_REGISTRY" in VARIABLES
    assert not [name for name in VARIABLES if name in os.environ]
