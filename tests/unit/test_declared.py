from dataclasses import replace

import pytest

from tasks.plan.declared import declared
from tasks.plan.evidence import Declared

WHOLE = """\
ARG BASE=alpine:3
FROM golang AS build
USER 7
EXPOSE 7
FROM ${BASE} AS below
USER 1000:1000
EXPOSE 80 53/udp
LABEL a=1 b="two words" c='3'
FROM below
ARG PORT=9000 UNKNOWN
ENV NAME=app
EXPOSE $PORT
LABEL b=$NAME d=$UNKNOWN e=$VERSION old form
LABEL legacy the rest is its value
STOPSIGNAL SIGINT
"""


def test_a_stage_has_what_it_says_on_top_of_what_it_stands_on() -> None:
    assert declared(WHOLE, None, {}) == Declared(
        user="1000:1000",
        ports=("80/tcp", "53/udp", "9000/tcp"),
        labels={"a": "1", "c": "3", "b": "app", "legacy": "the rest is its value"},
        stop_signal="SIGINT",
        base="alpine:3",
    )


@pytest.mark.parametrize(
    ("written", "ports", "more"),
    [
        ("8000-8002 53/UDP", ("8000/tcp", "8001/tcp", "8002/tcp", "53/udp"), False),
        ("80 $X", ("80/tcp",), True),
        ("many 9-", (), True),
    ],
)
def test_ports_are_counted_one_by_one(written: str, ports: tuple[str, ...], more: bool) -> None:
    said = declared(f"FROM scratch\nEXPOSE {written}\n", None, {})
    assert (said.ports, said.more_ports) == (ports, more)


@pytest.mark.parametrize(
    ("lines", "checked"),
    [("", None), ("HEALTHCHECK NONE", False), ("HEALTHCHECK --interval=1s CMD true\nFROM a", True)],
)
def test_a_health_check_is_declared_or_ruled_out(lines: str, checked: bool | None) -> None:
    assert declared(f"FROM scratch AS a\n{lines}\n", None, {}).checked is checked


def test_build_arguments_win_over_the_defaults_but_what_each_build_decides_is_not_known() -> None:
    said = declared(WHOLE, None, {"PORT": "7000", "BASE": "debian:13", "VERSION": "1", "UNKNOWN": "x"})
    assert said.ports[-1] == "7000/tcp"
    assert said.base == "debian:13"
    assert said.labels["d"] == "x"
    assert "e" not in said.labels


def test_a_stage_that_is_named_counts_and_nothing_stands_on_scratch() -> None:
    assert declared("FROM scratch AS a\nUSER 5\nFROM b", "a", {}) == Declared(user="5", from_scratch=True)


@pytest.mark.parametrize("text", ["", "FROM", "FROM $X\nUSER $Y\nEXPOSE $Z\nLABEL 'x", "USER 1"])
def test_what_only_buildkit_knows_is_left_out(text: str) -> None:
    said = declared(text, None, {})
    assert said.more_ports is ("EXPOSE" in text)
    assert replace(said, more_ports=False) in [Declared(), Declared(base="")]
