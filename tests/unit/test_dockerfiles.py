"""The services' own Dockerfiles, held against the rules that all of them follow."""

import re

import pytest

from tasks.discovery import discover
from tasks.plan import dockerfile
from tasks.services import read_dockerfile
from tests.support import ROOT

REPOSITORY = discover(ROOT)
PORTS = {"control-plane": 8000, "connector-gateway": 8001, "execution-plane": 9000, "agent": 9001, "indexer": 9002}
TEXTS = {service.name: read_dockerfile(REPOSITORY, service) for service in REPOSITORY.services}
each = pytest.mark.parametrize("service", TEXTS)


def _runtime(text: str) -> list[dockerfile.Instruction]:
    found = dockerfile.instructions(text)
    last = max(index for index, instruction in enumerate(found) if instruction.name == "FROM")
    return list(found[last:])


def test_the_five_services_are_there() -> None:
    assert set(TEXTS) == set(PORTS)


@each
def test_every_base_is_pinned_by_tag_and_digest(service: str) -> None:
    bases = dockerfile.references(TEXTS[service])
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", base)


@each
def test_compilers_run_on_the_build_platform_alone(service: str) -> None:
    *builders, _ = [i.value for i in dockerfile.instructions(TEXTS[service]) if i.name == "FROM"]
    own = ("--platform=$BUILDPLATFORM ", "rust AS ", "${TARGETARCH}-on-${BUILDARCH} AS build", "build AS test")
    assert all(value.startswith(own) for value in builders)


@each
def test_the_runtime_stage_runs_nothing_and_copies_from_stages_with_a_mode(service: str) -> None:
    runtime = _runtime(TEXTS[service])
    assert not [instruction for instruction in runtime if instruction.name in {"RUN", "ADD", "ENTRYPOINT"}]
    for instruction in runtime:
        if instruction.name == "COPY":
            assert re.match(r"--from=[a-z]+ --chmod=0\d{3} ", instruction.value)
    assert ("USER", "1000:1000") in [(i.name, i.value) for i in runtime]
    assert ("CMD", f'["/usr/local/bin/{service}"]') in [(i.name, i.value) for i in runtime]


@each
def test_it_listens_and_checks_its_health_on_its_own_port(service: str) -> None:
    assert dockerfile.exposed_port(TEXTS[service]) == PORTS[service]
    env = next(i.value for i in _runtime(TEXTS[service]) if i.name == "ENV")
    assert f"PORT={PORTS[service]} " in env
    health = next(i.value for i in _runtime(TEXTS[service]) if i.name == "HEALTHCHECK")
    assert "http://127.0.0.1:$PORT/health" in health
    assert " -T " in health


@each
def test_cache_mounts_carry_the_projects_prefix_and_are_locked(service: str) -> None:
    ids = dockerfile.cache_ids(TEXTS[service])
    assert ids
    assert all(one.startswith("aic-sos-") for one in ids)
    mounts = [m for i in dockerfile.instructions(TEXTS[service]) for m in re.findall(r"--mount=type=cache\S+", i.value)]
    assert all("sharing=locked" in mount for mount in mounts)


@each
def test_no_frontend_is_fetched(service: str) -> None:
    assert "syntax=" not in TEXTS[service]


def test_the_ignore_file_has_more_than_forty_lines_that_apply() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line.strip() and not line.startswith("#")]) > 40
