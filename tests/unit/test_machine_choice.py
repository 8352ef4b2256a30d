"""Which engine is used, and whether one is started."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.engine.machine.choice import Refuse, Start, Surroundings, Use, choose
from tasks.engine.machine.reach import Engine, Reach
from tasks.plan.commands import is_command

OWN = Path("/cache/engine/docker.sock")
USUAL = "unix:///var/run/docker.sock"
AROUND = Surroundings(
    root=True,
    packages=True,
    service=False,
    foreign_engine=False,
    ours=False,
    usual=True,
    own_socket=OWN,
    distribution="debian",
)


def engine(reach: Reach, endpoint: str = USUAL) -> Engine:
    return Engine(endpoint=endpoint, reach=reach)


def test_an_engine_that_answers_is_used_whatever_else_holds() -> None:
    assert choose(engine(Reach.ANSWERS), replace(AROUND, root=False, packages=False, service=True)) == Use()


@pytest.mark.parametrize("reach", [Reach.ABSENT, Reach.REFUSED])
def test_a_free_usual_socket_gets_a_private_engine(reach: Reach) -> None:
    assert choose(engine(reach), AROUND) == Start(socket=Path("/var/run/docker.sock"))


def test_a_usual_socket_that_somebody_holds_is_left_alone() -> None:
    assert choose(engine(Reach.FAILED), AROUND) == Start(socket=OWN)
    assert choose(engine(Reach.ABSENT), replace(AROUND, foreign_engine=True)) == Start(socket=OWN)


def test_a_socket_that_docker_host_names_gets_the_engine() -> None:
    found = engine(Reach.ABSENT, "unix:///tmp/mine.sock")
    for foreign in (True, False):
        around = replace(AROUND, usual=False, foreign_engine=foreign)
        assert choose(found, around) == Start(socket=Path("/tmp/mine.sock"))  # noqa: S108 - never opened


def test_an_engine_of_ours_that_hangs_is_mended_where_it_is() -> None:
    found = engine(Reach.FAILED)
    assert choose(found, replace(AROUND, ours=True, service=True)) == Start(socket=Path("/var/run/docker.sock"))


def refused(found: Engine, around: Surroundings) -> Refuse:
    choice = choose(found, around)
    assert isinstance(choice, Refuse)
    return choice


@pytest.mark.parametrize(
    ("found", "around", "way_out"),
    [
        (engine(Reach.DENIED), replace(AROUND, root=False, packages=False), 'sudo usermod -aG docker "$USER"'),
        (
            replace(engine(Reach.DENIED), endpoint="unix:///x.sock"),
            replace(AROUND, root=False, socket_group=None),
            "sudo groupadd -f docker && sudo chgrp docker /x.sock && sudo usermod -aG docker",
        ),
        (
            engine(Reach.DENIED),
            replace(AROUND, root=False, socket_group="staff", group_may=False),
            'sudo chmod g+rw /var/run/docker.sock && sudo usermod -aG staff "$USER" && newgrp staff',
        ),
        (
            replace(engine(Reach.DENIED), endpoint="unix:///run/user/1/x.sock"),
            replace(AROUND, root=False, usual=False, hidden=True),
            "unset DOCKER_HOST",
        ),
        (engine(Reach.FAILED, "tcp://build.example:2376"), replace(AROUND, usual=False), "unset DOCKER_HOST"),
        (
            engine(Reach.FAILED, "unix:///x.sock"),
            replace(AROUND, usual=False, chosen_by_host=False),
            "docker context use default",
        ),
        (engine(Reach.ABSENT), replace(AROUND, service=True), "systemctl start docker"),
        (engine(Reach.ABSENT), replace(AROUND, root=False, packages=False), "sudo apt-get install docker.io"),
        (engine(Reach.ABSENT), replace(AROUND, packages=False, distribution="fedora"), "https://get.docker.com | sh"),
        (engine(Reach.ABSENT), replace(AROUND, packages=False, distribution="macos"), "open -a Docker"),
    ],
)
def test_where_nothing_may_be_started_a_person_is_told_what_to_do(
    found: Engine, around: Surroundings, way_out: str
) -> None:
    assert way_out in refused(found, around).way_out
    assert is_command(refused(found, around).way_out)


def test_the_reason_names_the_place_that_was_asked() -> None:
    told = refused(engine(Reach.FAILED, "ssh://builder"), replace(AROUND, usual=False))
    assert "ssh://builder" in told.reason


def test_a_client_that_takes_tls_to_a_socket_is_told_so() -> None:
    found = choose(engine(Reach.FAILED), replace(AROUND, tls=True))
    assert isinstance(found, Refuse)
    assert found.way_out == "unset DOCKER_TLS_VERIFY"
