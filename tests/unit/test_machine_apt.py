"""What apt's files say."""

import pytest

from tasks.engine.machine import apt

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""


def test_deb822_stanzas_are_read_with_continued_lines_and_without_disabled_ones() -> None:
    sources = list(apt.deb822_sources(DEB822))
    assert sources == [
        apt.Source(
            uri="http://mirror.example/debian", suites=("bookworm", "bookworm-updates"), components=("main", "contrib")
        ),
        apt.Source(uri="http://mirror.example/security", suites=("bookworm-security",), components=("main",)),
    ]


def test_a_source_package_stanza_is_no_source_of_binaries() -> None:
    assert not list(apt.deb822_sources("Types: deb-src\nURIs: http://a.example\nSuites: x\nComponents: main\n"))


@pytest.mark.parametrize(
    ("line", "uri"),
    [
        ("deb http://a.example/debian bookworm main contrib", "http://a.example/debian"),
        ("deb [arch=amd64 signed-by=/k.gpg] https://b.example/debian bookworm main", "https://b.example/debian"),
        ("deb [ arch=amd64 ] https://c.example/debian bookworm main # why", "https://c.example/debian"),
    ],
)
def test_one_line_sources_are_read_with_and_without_options(line: str, uri: str) -> None:
    (source,) = apt.one_line_sources(line)
    assert (source.uri, source.suites) == (uri, ("bookworm",))


@pytest.mark.parametrize(
    "line", ["", "# deb http://a.example x main", "deb-src http://a.example x main", "deb", "deb [x"]
)
def test_lines_that_name_no_source_of_binaries_are_left_out(line: str) -> None:
    assert not list(apt.one_line_sources(line))


def test_the_mirror_is_where_the_release_itself_comes_from() -> None:
    sources = [
        apt.Source(uri="https://packages.example/tool", suites=("bookworm",), components=("stable",)),
        apt.Source(uri="http://mirror.example/security", suites=("bookworm-security",), components=("main",)),
        apt.Source(uri="cdrom:[disc]/", suites=("bookworm",), components=("main",)),
        apt.Source(uri="http://mirror.example/debian/", suites=("bookworm",), components=("main",)),
    ]
    assert apt.mirror(sources, "bookworm") == "http://mirror.example/debian"
    assert apt.mirror(sources[:3], "bookworm") is None


def test_os_release_is_read_with_and_without_quotes() -> None:
    debian = apt.distribution('NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=bookworm\n')
    assert (debian.name, debian.codename, debian.is_debian, debian.is_known) == ("debian", "bookworm", True, True)
    ubuntu = apt.distribution('ID="ubuntu"\nVERSION_CODENAME="noble"\n')
    assert (ubuntu.is_debian, ubuntu.is_known) == (False, True)
    assert not apt.distribution("ID=fedora\n").is_known
    assert not apt.distribution("").is_known
