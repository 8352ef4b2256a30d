"""The small decisions of the set-up."""

import errno
import ipaddress
from pathlib import Path

import pytest

from tasks.engine.machine import (
    bridge,
    disk,
    emulation,
    findings,
    mounts,
    private,
    reach,
    records,
    registry,
    release_builder,
)
from tasks.engine.machine.reach import Reach
from tasks.errors import EngineError


def test_the_bridge_takes_a_network_that_no_route_leads_into() -> None:
    first = bridge.free_network(["default", "192.168.0.0/16", "fe80::/64"])
    assert bridge.free_network([str(first)]) != first
    assert not bridge.free_network([str(first)]).overlaps(ipaddress.IPv4Network("172.17.0.0/16"))


def test_no_free_network_is_an_error_a_person_can_act_on() -> None:
    with pytest.raises(EngineError, match="ip route"):
        bridge.free_network(["10.0.0.0/8", "172.16.0.0/12"])


def wrapped(inner: OSError) -> Exception:
    """As urllib3 and requests hand on what the socket said."""
    try:
        try:
            raise inner
        except OSError as error:
            raise ConnectionError("Connection aborted.", error) from None
    except ConnectionError as error:
        return RuntimeError("Error while fetching server API version", error)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOENT, Reach.ABSENT),
        (errno.ECONNREFUSED, Reach.REFUSED),
        (errno.EACCES, Reach.DENIED),
        (errno.ECONNRESET, Reach.FAILED),
    ],
)
def test_what_kept_an_engine_from_answering_is_found_inside(number: int, expected: Reach) -> None:
    assert reach.classify(wrapped(OSError(number, "text")))[0] is expected


def test_an_error_without_a_cause_keeps_its_text() -> None:
    assert reach.classify(ValueError("no such scheme\nmore")) == (Reach.FAILED, "no such scheme")


def test_an_engine_tells_of_its_image_store() -> None:
    info = {
        "ServerVersion": "26.1.5",
        "DockerRootDir": "/data",
        "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    }
    found = reach.described("unix:///x.sock", info)
    assert (found.version, found.data, found.containerd_store, found.socket) == (
        "26.1.5",
        Path("/data"),
        True,
        Path("/x.sock"),
    )
    assert not reach.described("tcp://x", {"DriverStatus": [["Backing Filesystem", "extfs"]]}).containerd_store


def test_a_private_engine_keeps_everything_to_itself() -> None:
    place = private.Layout(folder=Path("/c/engine"), run=Path("/c/engine/run"), bridge="ct-1")
    told = private.configuration(place, Path("/s.sock"))
    assert told["bridge"] == "ct-1"
    assert told["hosts"] == ["unix:///s.sock"]
    assert told["features"] == {"containerd-snapshotter": True}
    for key in ("data-root", "exec-root", "pidfile"):
        assert str(told[key]).startswith("/c/engine/")


def test_the_bridges_name_is_one_that_the_kernel_takes() -> None:
    assert len(private.layout().bridge) <= 15


def test_the_last_words_of_a_daemon_are_its_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("level=info msg=a\nlevel=fatal msg=why\nlevel=info msg=bye\n", encoding="utf-8")
    assert private.last_words(log) == "level=fatal msg=why"
    log.write_text("one\ntwo\n", encoding="utf-8")
    assert private.last_words(log) == "two"
    assert private.last_words(tmp_path / "none") == "it said nothing"


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ('msg="Daemon has completed initialization"\nmsg="stopping"\ncontext deadline exceeded', True),
        ('msg="Daemon has completed initialization"\nmsg="API listen on /s"\ncontext deadline exceeded\n', False),
        ('msg="Starting up"\ncontext deadline exceeded\n', False),
        ('msg="Daemon has completed initialization"\nlevel=fatal msg="no room"\n', False),
        ("", False),
    ],
    ids=["before it listened", "after", "before its builder", "another reason", "nothing"],
)
def test_a_builder_that_cannot_read_its_records_is_known_by_dockerds_last_line(
    tmp_path: Path, log: str, expected: bool
) -> None:
    (tmp_path / "log").write_text(log)
    assert records.are_too_many(tmp_path / "log") is expected
    assert not records.are_too_many(tmp_path / "none")


def test_the_registry_listens_on_the_loopback_only() -> None:
    assert registry.configuration(Path("/r"), 5001)["http"] == {"addr": "127.0.0.1:5001"}


@pytest.mark.parametrize(
    ("entry", "flags"),
    [
        ("enabled\ninterpreter /usr/bin/q\nflags: POCF\noffset 0\n", "POCF"),
        ("enabled\ninterpreter /usr/bin/q\nflags: \n", ""),
        ("disabled\ninterpreter /usr/bin/q\nflags: F\n", None),
        ("", None),
    ],
)
def test_a_registered_emulators_flags_are_read(entry: str, flags: str | None) -> None:
    assert emulation.flags_of(entry) == flags


@pytest.mark.parametrize("emulator", [emulation.ARM64, emulation.AMD64])
def test_an_emulators_line_matches_magic_and_mask_byte_by_byte(emulator: emulation.Emulator) -> None:
    line = emulator.line(Path("/usr/bin/q"))
    _, name, kind, offset, magic, mask, program, flags = line.split(":")
    assert (name, kind, offset, program, flags) == (emulator.name, "M", "", "/usr/bin/q", "PF")
    assert magic.count(r"\x") == mask.count(r"\x") == 20
    assert len(line) < 256  # the kernel's page for it is larger, its fields are not


def test_a_builders_driver_is_read() -> None:
    assert release_builder.driver_of("Name:          x\nDriver:        remote\n\nNodes:\n") == "remote"
    assert release_builder.driver_of("") is None


def test_mounts_are_found_below_a_folder_only_and_deepest_first() -> None:
    table = (
        "36 35 98:0 / /c/state/root/a rw - overlay overlay rw\n"
        "37 35 98:0 / /c/state/root/a/b\\040c rw - overlay overlay rw\n"
        "38 35 98:0 / /c/state-of-others rw - overlay overlay rw\n"
    )
    assert mounts.listed_below(Path("/c/state"), table) == ["/c/state/root/a/b c", "/c/state/root/a"]


def test_room_is_told_for_folders_that_are_not_there_yet(tmp_path: Path) -> None:
    free = disk.free_bytes(tmp_path / "a" / "b")
    assert free is not None
    assert free > 0


def test_a_finding_is_one_line_with_its_way_out() -> None:
    line = str(findings.cannot("bases", "no registry", way_out="set container.mirror"))
    assert line.split() == ["cannot", "bases", "no", "registry;", "set", "container.mirror"]
    assert "\n" not in line


@pytest.mark.parametrize(
    ("folder", "way_out"),
    [
        ("/w/shop/.container", "mount -o remount,rw,bind /w/shop"),
        ("/w/a dörf/x", "mount -o remount,rw,bind '/w/a dörf'"),
        ("/w/whole", "mount -o remount,rw /w/whole"),
        ("/w/part", "mount -o remount,rw /w/part"),
        ("/w/twice", "mount -o remount,rw,bind /w/twice"),
    ],
)
def test_a_mount_is_made_writable_where_it_is_read_only(folder: str, way_out: str) -> None:
    table = """\
1 0 254:0 / / rw,relatime - ext4 /dev/vda rw
2 1 254:0 /w/shop /w/shop ro,relatime shared:1 - ext4 /dev/vda rw
3 1 254:0 /w/a\\040dörf /w/a\\040dörf ro - ext4 /dev/vda rw
4 1 0:40 / /w/whole ro - tmpfs tmpfs ro,size=4k
5 1 0:40 /inner /w/part ro - tmpfs tmpfs ro,size=4k
6 1 0:41 / /w/twice rw - tmpfs tmpfs rw
7 6 254:0 /w/shop /w/twice ro - ext4 /dev/vda rw
"""
    assert mounts.remounted(Path(folder), table) == way_out
