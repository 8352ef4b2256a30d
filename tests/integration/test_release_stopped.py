"""A release that is stopped: whatever it was doing, the tags are the old ones, and the same command goes on."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests import shops
from tests.cosigns import Keys
from tests.faulty import Faulty
from tests.shops import Shop
from tests.support import docker, wait_for

pytestmark = pytest.mark.docker

# What is asked of the registry first in each phase.
PHASES = {
    "the push of a layer": ("PUT", "/team/one/blobs/uploads/"),
    "the push of an image": ("PUT", "/team/one/manifests/sha256:"),
    "verify": ("GET", "/team/(one|two)/blobs/"),
    "the signature": ("PUT", "/team/one/manifests/sha256-"),
    "the version's tags": ("PUT", "/team/one/manifests/v1.1.0"),
    "the record": ("PUT", "/team/releases/manifests/sha256:"),
    "the record's signature": ("PUT", "/team/releases/manifests/sha256-"),
    "the record's tag": ("PUT", "/team/releases/manifests/v1.1.0"),
    "the moving tags": ("PUT", "/team/one/manifests/latest"),
}
# The others are alike to a signal that reaches the task alone.
BY_ITSELF = ("verify", "the signature", "the moving tags")
ENDS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@pytest.fixture
def signing(every_key: tuple[Keys, Keys], tmp_path: Path) -> dict[str, str]:
    """The environment of one who signs, and whose temporary files lie apart."""
    (tmp_path / "tmp").mkdir()
    return {**shops.signed(every_key[0]), "TMPDIR": str(tmp_path / "tmp")}


@pytest.mark.parametrize(
    ("phase", "number"),
    [*((phase, signal.SIGINT) for phase in PHASES), *((phase, signal.SIGTERM) for phase in BY_ITSELF)],
)
def test_it_is_all_old_and_the_next_run_makes_it_all_new(
    spoilt_shop: tuple[Shop, Faulty], signing: dict[str, str], tmp_path: Path, phase: str, number: signal.Signals
) -> None:
    shop, spoilt = spoilt_shop
    push = ("container-push", "--skip", "scan" if phase == "verify" else "verify,scan")
    shop.push(*shops.SIGNING, **signing).ok()
    first = shop.moving()
    shop.state("1.1.0", one="second", two="second")
    method, path = PHASES[phase]
    with shop.running(*push, **signing) as child:
        shops.ending(spoilt, method, path, child, number)
        said = child.communicate(timeout=120)[0]
    word = next(word for word, one in ENDS.items() if one == number)
    assert child.returncode == 130, said
    assert "Traceback" not in said, said
    assert f"stopped by {word}" in said, said
    assert re.search("hint: .*inv container-push", said), said
    assert shop.moving() == first
    assert [one.name for one in (tmp_path / "tmp").iterdir() if one.name.startswith("container-tasks")] == []
    assert docker("ps", "-aq", "--filter", "label=container-tasks.project=shop") == ""
    spoilt.anew()
    shop.inv(*push, **signing).ok()
    second = shop.moving()
    assert set(second.values()).isdisjoint(first.values())
    assert {name: found["v1.1.0"] for name, found in shop.tags().items()} == second
    assert [name for name, one in shop.listed(**signing).items() if one["current"]] == ["v1.1.0"]
    assert docker("images", "-q", "--filter", f"reference={shop.address}/*") == ""


@pytest.mark.parametrize("number", ENDS.values(), ids=ENDS)
def test_a_build_of_a_release_can_be_stopped(shop: Shop, number: signal.Signals) -> None:
    path = shop.repo.root / "services/two/Dockerfile"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("USER", "RUN echo asleep && sleep 60\nUSER"), encoding="utf-8")
    shop.state("1.0.0")
    log = shop.repo.root / ".container/logs/two.log"
    with shop.running("container-push", *shops.QUICK) as child:
        wait_for(lambda: log.exists() and b"asleep" in log.read_bytes().replace(b"echo asleep", b""))
        began = time.monotonic()
        os.killpg(child.pid, number)
        said = child.communicate(timeout=60)[0]
    assert time.monotonic() - began < 15
    assert child.returncode == 130, said
    assert "inv container-push --skip verify,scan,sign" in said
    assert "--failed" not in said
    assert shop.tags() == {"one": {}, "two": {}}


def test_a_rollback_that_is_stopped_has_moved_nothing(spoilt_shop: tuple[Shop, Faulty]) -> None:
    shop, spoilt = spoilt_shop
    shop.push(*shops.QUICK).ok()
    shop.state("1.1.0", one="second", two="second")
    shop.push(*shops.QUICK).ok()
    second = shop.moving()
    with shop.running("container-rollback") as child:
        shops.ending(spoilt, "PUT", "/team/one/manifests/latest", child, signal.SIGINT)
        said = child.communicate(timeout=60)[0]
    assert child.returncode == 130, said
    assert "no tag that anybody follows has moved" in said
    assert "inv container-rollback --to v1.0.0 goes on" in said
    assert shop.moving() == second
