"""container-setup on a machine that is ready, and what it makes ready."""

import re
import shutil
from pathlib import Path

import pytest

from tasks.engine import process
from tasks.engine.machine import emulation as emulators
from tasks.engine.machine import packages, stand_in_record, stand_ins
from tasks.engine.machine import plugin as plugins
from tests.support import Repo, docker

pytestmark = pytest.mark.docker

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")


def stand_in(name: str) -> str:
    found = stand_in_record.recorded().get(name)
    if found is None:
        pytest.skip("the real bases are in reach")
    return found


def run(image: str, script: str, *options: str) -> str:
    return docker("run", "--rm", "--network", "none", *options, image, "sh", "-c", script)


def test_a_machine_that_is_ready_is_left_as_it_is(tiny: Repo) -> None:
    tiny.service("one")
    tiny.inv("container-setup").ok()
    told = tiny.inv("container-setup").ok()
    assert [line.split()[0] for line in told.out.splitlines()] == ["ok"] * len(told.out.splitlines())
    assert {line.split()[1] for line in told.out.splitlines()} >= {"engine", "buildx", "disk", "bases"}
    tiny.inv("container-setup", "--signing").ok()
    assert "cosign is there: " in tiny.inv("container-setup", "--signing").ok().out


@pytest.mark.parametrize("plugin", ["packaged", "latest"])
def test_each_buildx_of_this_machine_can_what_builds_need(buildx_config: Path) -> None:
    assert plugins.lacking(str(buildx_config / "cli-plugins/docker-buildx")) is None


def test_a_buildx_that_lacks_something_is_told_by_its_name(tmp_path: Path) -> None:
    old = tmp_path / "docker-buildx"
    old.write_text('#!/bin/sh\ncase "$*" in *rawjson*) exit 1 ;; esac\n', encoding="utf-8")
    old.chmod(0o755)
    assert plugins.lacking(str(old)) == "bake --progress rawjson"


def test_a_mirror_out_of_reach_is_said_with_its_setting(tiny: Repo) -> None:
    tiny.service("one")
    tiny.write("invoke.yaml", "container:\n  project: tiny\n  mirror: localhost:1/hub\n")
    tiny.inv("container-setup").fails(3, "localhost:1/hub", "mend container.mirror")


@pytest.mark.parametrize("name", stand_ins.NAMES)
def test_stand_ins_say_what_they_are(name: str) -> None:
    image = stand_in(name)
    docker("pull", "-q", image)
    label = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{stand_ins.LABEL}"}}}}', image)
    assert label.strip() == "stand-in"


@pytest.mark.parametrize("name", stand_ins.NAMES)
def test_no_authority_of_this_machine_is_in_a_stand_in(name: str) -> None:
    inside = set(CERTIFICATE.findall(run(stand_in(name), "cat /etc/ssl/certs/ca-certificates.crt")))
    assert len(inside) > 100
    own = {
        certificate
        for path in OWN_AUTHORITIES.rglob("*.crt")
        for certificate in CERTIFICATE.findall(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert not inside & own


def test_alpines_stand_in_has_what_dockerfiles_use() -> None:
    told = run(
        stand_in("alpine"),
        "addgroup -S -g 1000 app && adduser -S -D -H -u 1000 -G app app && id app && test -d /lib && "
        "env true && wget --help 2>&1 | head -1",
    )
    assert "uid=1000(app) gid=1000(app)" in told
    assert "BusyBox" in told


def test_golangs_stand_in_has_the_real_ones_places() -> None:
    told = run(stand_in("golang"), "pwd; go env GOTOOLCHAIN GOPATH; command -v go; adduser -D -u 1000 app; id -u app")
    assert told.split() == ["/go", "local", "/go", "/usr/local/go/bin/go", "1000"]


def test_rusts_stand_in_has_both_targets_and_refuses_others() -> None:
    told = run(
        stand_in("rust"),
        "rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl && echo $CARGO_HOME $RUSTUP_HOME; "
        "for machine in x86_64 aarch64; do "
        "  ls $(rustc --print target-libdir --target $machine-unknown-linux-musl) | grep -c libstd-; done; "
        "rustup target add wasm32-unknown-unknown 2>&1 || echo refused",
    )
    assert told.split()[:4] == ["/usr/local/cargo", "/usr/local/rustup", "1", "1"]
    assert told.rstrip().endswith("refused")


def test_a_program_that_a_shell_starts_runs_under_emulation(emulation: None) -> None:
    assert emulators.complaint(stand_in("alpine"), emulators.foreign()) is None


def test_the_record_is_served() -> None:
    stand_in("alpine")
    assert stand_ins.serving()


def test_scripts_of_the_recipe_pass_shellcheck() -> None:
    if packages.can_install():
        packages.ensure_installed({"shellcheck": "shellcheck"})
    elif shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here")
    scripts = sorted((Path(stand_ins.__file__).parent / "recipe").glob("*.sh"))
    assert process.run("shellcheck", *scripts).ok
