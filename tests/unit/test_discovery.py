from pathlib import Path
from typing import Any

import pytest

from tasks.discovery import discover
from tasks.errors import ConfigError
from tests.support import Repo

FROM = "FROM scratch"


def folders(root: Path, section: dict[str, Any]) -> dict[str, str]:
    return {service.name: service.folder for service in discover(root, section).services}


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ("apps", {"web": "apps/web"}),
        ("apps/", {"web": "apps/web"}),
        (".", {"site": "site"}),
        ("apps,.", {"web": "apps/web", "site": "site"}),
        (["apps", "teams/*"], {"web": "apps/web", "api": "teams/red/api", "job": "teams/blue/job"}),
        (["./apps", "apps//."], {"web": "apps/web"}),
    ],
)
def test_services_lie_where_the_patterns_say(tmp_path: Path, patterns: object, found: dict[str, str]) -> None:
    repo = Repo(tmp_path)
    for folder in ("apps/web", "site", "teams/red/api", "teams/blue/job", "services/unseen"):
        repo.write(f"{folder}/Dockerfile", FROM)
    assert folders(tmp_path, {"services_dir": patterns}) == found


def test_the_environment_says_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Repo(tmp_path).write("apps/web/Dockerfile", FROM)
    monkeypatch.setenv("INVOKE_CONTAINER_SERVICES_DIR", "apps")
    assert folders(tmp_path, {"services_dir": "other"}) == {"web": "apps/web"}


@pytest.mark.parametrize("pattern", ["/etc", "..", "a/../..", "", "a,,b"])
def test_a_pattern_that_leaves_the_repository_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match=r"container.services_dir: .* is not a folder of this repository"):
        discover(tmp_path, {"services_dir": pattern})


@pytest.mark.parametrize(
    ("patterns", "words"),
    [
        ("services, .", "container.services_dir: ' .' has a space at its end\nhint: write ."),
        (["services", "aps"], "container.services_dir: there is no aps"),
        ("services/*/none*", "container.services_dir: there is no services/*/none*"),
        ("deep/**", "container.services_dir: 'deep/**' is of any depth\nhint: name each level: deep/*,"),
        ([None], "container.services_dir: '' is not a folder of this repository"),
    ],
)
def test_a_folder_that_is_written_and_not_there_is_named(repo: Repo, patterns: object, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        discover(repo.root, {"services_dir": patterns})
    assert words in str(caught.value)


def test_an_empty_variable_does_not_decide_where_services_are(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_CONTAINER_DOCKERFILE", "")
    with pytest.raises(ConfigError, match="INVOKE_CONTAINER_DOCKERFILE is empty"):
        discover(repo.root, {"dockerfile": "Containerfile"})


def test_a_folder_is_the_same_however_it_is_written(repo: Repo) -> None:
    assert folders(repo.root, {"services": {"x": {"folder": "./services//agent/."}}})["x"] == "services/agent"


def test_two_folders_of_one_name_are_named(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    for folder in ("apps/web", "libs/web"):
        repo.write(f"{folder}/Dockerfile", FROM)
    with pytest.raises(ConfigError, match="apps/web and libs/web have one name"):
        discover(tmp_path, {"services_dir": "apps,libs"})


def test_a_dockerfile_of_another_name(repo: Repo) -> None:
    repo.write("services/odd/Containerfile", FROM)
    assert "odd" not in folders(repo.root, {})
    assert list(folders(repo.root, {"dockerfile": "Containerfile"})) == ["odd"]
    (odd,) = (
        s
        for s in discover(repo.root, {"services": {"odd": {"dockerfile": "Containerfile"}}}).services
        if s.name == "odd"
    )
    assert odd.dockerfile == "services/odd/Containerfile"


def test_one_dockerfile_for_two_images(repo: Repo) -> None:
    entries = {
        "web": {"folder": "services/agent", "target": "web", "port": 80},
        "worker": {"folder": "services/agent", "target": "worker", "args": {"A": 1}},
    }
    found = discover(repo.root, {"services": entries}).services
    assert [service.name for service in found] == ["indexer", "web", "worker"]
    web, worker = found[1:]
    assert (web.stage, web.port, web.dockerfile) == ("web", 80, "services/agent/Dockerfile")
    assert (worker.stage, worker.args) == ("worker", {"A": "1"})


def test_the_root_itself_may_be_a_service(tmp_path: Path) -> None:
    Repo(tmp_path).write("Dockerfile", FROM)
    (service,) = discover(tmp_path, {"services": {"whole": {"folder": "."}}}).services
    assert (service.dockerfile, service.context) == ("Dockerfile", ".")


@pytest.mark.parametrize(
    ("section", "context"),
    [
        ({}, "."),
        ({"context": "service"}, "services/agent"),
        ({"context": "service", "services": {"agent": {"context": "root"}}}, "."),
        ({"services": {"agent": {"context": "service"}}}, "services/agent"),
    ],
)
def test_the_context_is_the_root_or_the_services_own_folder(repo: Repo, section: dict[str, Any], context: str) -> None:
    assert discover(repo.root, section).services[0].context == context


def test_what_a_container_is_given_is_said_of_its_service(repo: Repo) -> None:
    entry = {
        "health": "/health?deep=1",
        "slow": "/slow",
        "memory": "256 MB",
        "tmpfs": ["/run/", "/var/cache/app", "/run"],
        "env": {"LEVEL": "debug", "COUNT": 3},
        "ready": "/version",
        "metrics": "/stats",
        "skip_checks": "static,stripped",
    }
    agent = discover(repo.root, {"services": {"agent": entry}}).services[0]
    assert (agent.health, agent.slow, agent.memory) == ("/health?deep=1", "/slow", 256_000_000)
    assert (agent.ready, agent.metrics, agent.skip_checks) == ("/version", "/stats", ("static", "stripped"))
    assert agent.tmpfs == ("/run", "/var/cache/app")
    assert agent.env == {"LEVEL": "debug", "COUNT": "3"}
    assert discover(repo.root, {"services": {"agent": {"tmpfs": "/a,/b"}}}).services[0].tmpfs == ("/a", "/b")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"services": {"agnet": {}}}, "there is no service 'agnet'\nhint: did you mean agent?"),
        ({"services": {"other": {}}}, "there is no service 'other'\nhint: say where it lies"),
        ({"services": {"x": {"folder": "../x"}}}, "container.services.x.folder: '../x' is not a folder"),
        ({"services": {"x": {"folder": "/etc"}}}, "container.services.x.folder: '/etc' is not a folder"),
        ({"services": {"agent": {"port": 0}}}, "container.services.agent.port: 0 is not a port"),
        ({"services": {"agent": {"port": "http"}}}, "container.services.agent.port: 'http' is not a port"),
        ({"services": {"agent": {"context": "here"}}}, "container.services.agent.context: 'here' is not a kind"),
        ({"services": {"agent": {"port": "²"}}}, "container.services.agent.port: '²' is not a port"),
        ({"services": {"agent": {"health": "health"}}}, "container.services.agent.health: 'health' is not a path"),
        ({"services": {"agent": {"health": ""}}}, "container.services.agent.health: '' is not a path"),
        ({"services": {"agent": {"slow": "/a b"}}}, "container.services.agent.slow: '/a b' is not a path"),
        ({"services": {"agent": {"slow": "/\u00e4"}}}, "container.services.agent.slow: '/\u00e4' is not a path"),
        ({"services": {"agent": {"slow": "/a\r\nX: y"}}}, "is not a path of an address\nhint: it begins with /"),
        ({"services": {"agent": {"memory": "much"}}}, "container.services.agent.memory: 'much' is not a size"),
        (
            {"services": {"agent": {"memory": "6MB"}}},
            "memory: '6MB' is less than an engine can give\nhint: at least 7MB",
        ),
        ({"services": {"agent": {"tmpfs": "run"}}}, "container.services.agent.tmpfs: 'run' is not a folder"),
        ({"services": {"agent": {"tmpfs": ["/run", "/"]}}}, "container.services.agent.tmpfs: '' is not a folder"),
        ({"services": {"agent": {"tmpfs": "/a/../b"}}}, "container.services.agent.tmpfs: '/a/../b' is not a folder"),
        ({"services": {"agent": {"tmpfs": "/a:exec"}}}, "container.services.agent.tmpfs: '/a:exec' is not a folder"),
        ({"services": {"agent": {"env": {"A=B": "c"}}}}, "container.services.agent.env: 'A=B' cannot be set"),
        ({"services": {"agent": {"args": {"A=B": "c"}}}}, "container.services.agent.args: 'A=B' cannot be a build"),
        ({"services": {"agent": {"local_args": {"": "c"}}}}, "agent.local_args: '' cannot be a build argument"),
        ({"services": {"agent": {"ready": "version"}}}, "container.services.agent.ready: 'version' is not a path"),
        ({"services": {"agent": {"skip_checks": "statik"}}}, "there is no check 'statik'\nhint: did you mean static?"),
        ({"services": {"agent": {"skip_checks": ["static", ""]}}}, "agent.skip_checks: there is no check ''"),
        ({"services": {"agent": {"dockerfile": ""}}}, "container.services.agent.dockerfile is empty\nhint: give it"),
        ({"services": {"agent": {"target": " "}}}, "container.services.agent.target is empty"),
        ({"services": {"agent": {"publish": 0}}}, "container.services.agent.publish: 0 is not a port"),
        ({"dockerfile": ""}, "container.dockerfile is empty"),
        ({"context": "here"}, "container.context: 'here' is not a kind of context"),
        ({"services": {"Big": {"folder": "services/agent"}}}, "'Big' cannot be an image's name"),
        ({"services": {"amd64": {"folder": "services/agent"}}}, "container-build-amd64 already builds"),
    ],
)
def test_what_a_service_cannot_be_is_named(repo: Repo, section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        discover(repo.root, section)
    assert words in str(caught.value)


def test_the_environment_says_dockerfile_and_context_too(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write("services/odd/Containerfile", FROM)
    monkeypatch.setenv("INVOKE_CONTAINER_DOCKERFILE", "Containerfile")
    monkeypatch.setenv("INVOKE_CONTAINER_CONTEXT", "service")
    (odd,) = discover(repo.root, {}).services
    assert (odd.dockerfile, odd.context) == ("services/odd/Containerfile", "services/odd")
    monkeypatch.setenv("INVOKE_CONTAINER_CONTEXT", "bogus")
    with pytest.raises(ConfigError, match="'bogus' is not a kind of context"):
        discover(repo.root, {})
