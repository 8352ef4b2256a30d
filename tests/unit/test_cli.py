import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.program import Program
from invoke.tasks import task

from tasks import cli
from tasks.errors import ConfigError
from tests.support import ROOT, Repo, environment

TASKS_PY = f"""\
import sys
from importlib import import_module
from pathlib import Path

sys.modules.pop("tasks", None)
sys.path.insert(0, {str(ROOT)!r})
namespace = import_module("tasks.cli").collection(Path(__file__).resolve().parent)
"""
ALWAYS = [
    "container-build",
    "container-build-amd64",
    "container-build-arm64",
    "container-clean",
    "container-config",
    "container-doctor",
    "container-plan",
    "container-push",
    "container-releases",
    "container-report",
    "container-rollback",
    "container-run",
    "container-sbom",
    "container-scan",
    "container-setup",
    "container-stop",
    "container-verify",
]
# asyncio is in the list for an Invoke that does not load it itself.
HEAVY = ("python_on_whales", "docker", "rich", "asyncio", "requests", "filelock", "platformdirs", "pydantic", "jinja2")


@pytest.fixture
def typed(repo: Repo) -> Repo:
    """The repository with a tasks.py, as a person types inv in it."""
    repo.write("tasks.py", TASKS_PY)
    return repo


def names(namespace: Collection) -> list[str]:
    return sorted(namespace.task_names)


def test_the_task_list_is_exact(repo: Repo) -> None:
    assert names(cli.collection(repo.root)) == sorted([*ALWAYS, "container-build-agent", "container-build-indexer"])


def test_this_repositorys_own_services_have_their_tasks() -> None:
    services = ("agent", "connector-gateway", "control-plane", "execution-plane", "indexer")
    assert names(cli.collection(ROOT)) == sorted([*ALWAYS, *(f"container-build-{service}" for service in services)])


def test_a_folder_more_is_a_task_more(repo: Repo) -> None:
    before = names(cli.collection(repo.root))
    repo.write("services/api.v2/Dockerfile", "FROM scratch")
    assert set(names(cli.collection(repo.root))) - set(before) == {"container-build-api-v2"}


def test_without_services_the_other_tasks_are_there(tmp_path: Path) -> None:
    assert names(cli.collection(tmp_path)) == ALWAYS


def test_the_root_may_be_text_and_relative(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo.root)
    assert names(cli.collection(".")) == names(cli.collection(repo.root))


def test_task_names_are_flat_and_every_task_is_its_own(repo: Repo) -> None:
    namespace = cli.collection(repo.root)
    assert not namespace.collections
    assert all("." not in name and "_" not in name for name in namespace.task_names)
    tasks = list(namespace.tasks.values())
    assert all(first != second for at, first in enumerate(tasks) for second in tasks[:at])
    assert [made.name for made in tasks] == list(namespace.tasks)
    assert not any(aliases for aliases in namespace.task_names.values())


def test_a_repositorys_own_tasks_stand_beside_them(repo: Repo) -> None:
    @task(name="lint")
    def lint(_c: object) -> None:
        """Check."""

    assert "lint" in names(cli.collection(repo.root, lint))


def test_a_folder_that_cannot_be_a_service_is_refused_before_anything_runs(repo: Repo) -> None:
    repo.write("services/arm64/Dockerfile", "FROM scratch")
    with pytest.raises(ConfigError, match="services/arm64"):
        cli.collection(repo.root)


BUILD = "platforms registry tags jobs builder progress no-cache pull print fail-fast json"
FLAGS = {
    "container-build": f"services failed force reuse {BUILD}",
    "container-build-arm64": f"services force reuse {BUILD.removeprefix('platforms ')}",
    "container-build-agent": f"force reuse {BUILD}",
    "container-plan": "services platforms registry tags reuse changed-since matrix json",
    "container-report": "print open json",
    "container-push": f"services force skip require {BUILD}",
    "container-releases": "registry most json",
    "container-rollback": "services registry to json",
    "container-clean": "dry-run yes json",
    "container-run": "services registry tags reuse detach json",
    "container-stop": "services json",
    "container-verify": "services platforms registry tags image require skip json",
    "container-scan": "services platforms registry tags image local sarif json",
    "container-sbom": "service platform registry tags image local json",
    "container-config": "init schema json",
    "container-doctor": "fix json",
    "container-setup": "down latest-buildx release-builder emulation signing scanner builder json",
}


@pytest.mark.parametrize(("name", "flags"), FLAGS.items(), ids=FLAGS)
def test_help_explains_every_flag(repo: Repo, capsys: pytest.CaptureFixture[str], name: str, flags: str) -> None:
    namespace = cli.collection(repo.root)
    Program(namespace=namespace, version="1").run(["inv", "--help", name], exit=False)
    said = capsys.readouterr().out
    options = said.partition("Options:\n")[2]
    assert namespace[name].__doc__
    assert " ".join(str(namespace[name].__doc__).split()) in " ".join(said.split())
    explained = re.findall(r"^  (?:-\w(?: STRING)?, )?--([a-z-]+)(?:=STRING)? {2,}(\S.*)$", options, re.MULTILINE)
    assert sorted(flag for flag, _ in explained) == sorted(flags.split())
    assert options.count("--") == len(explained)


def test_every_task_says_in_its_first_line_what_it_does(repo: Repo) -> None:
    for made in cli.collection(repo.root).tasks.values():
        assert str(made.__doc__).splitlines()[0].endswith(".")


def test_the_list_is_the_same_from_the_root_and_from_below(typed: Repo) -> None:
    places = (typed, Repo(typed.root / "services/agent"))
    with ThreadPoolExecutor() as side_by_side:
        root, below = side_by_side.map(lambda place: place.inv("--list").ok(), places)
    listed = [line.split()[0] for line in root.out.splitlines() if line.startswith("  container-")]
    assert listed == sorted([*ALWAYS, "container-build-agent", "container-build-indexer"])
    assert below.out == root.out


def test_a_broken_file_is_an_error_and_no_traceback_even_for_the_list(typed: Repo) -> None:
    typed.write("invoke.yaml", "container:\n  registry: [\n")
    typed.inv("--list").fails(2, "error: invoke.yaml is broken at line 3, column 1", "hint: ")


def test_listing_tasks_loads_nothing_heavy() -> None:
    script = (
        "import sys, invoke.program; from pathlib import Path; before = set(sys.modules); "
        "from tasks import cli; cli.collection(Path.cwd()); "
        f"print([name for name in {HEAVY} if name in sys.modules and name not in before])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_who_wants_no_bytecode_beside_the_sources_has_it_in_the_cache_folder(tmp_path: Path) -> None:
    env = environment({"PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(tmp_path)})
    subprocess.run([sys.executable, "-m", "invoke", "--list"], cwd=ROOT, env=env, check=True, capture_output=True)
    assert list((tmp_path / "container-tasks/bytecode").rglob("cli.*.pyc"))
