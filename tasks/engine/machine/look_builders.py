"""Looks at what builds: the builders that buildx knows, those of releases, and who runs foreign images."""

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from .. import buildx, process
from . import buildkitd, emulation, mend_bases, mending, processes, release_builder
from .check import Site
from .findings import Finding, cannot, ok, warning

_SECONDS = 30.0
_DEFAULT = "docker buildx use default"


def builders(site: Site) -> Iterator[Finding]:
    """Say of each builder how it is driven and what it builds for; of the one that counts, whether it can be used."""
    done = process.run("docker", "buildx", "ls", "--format", "json", timeout=_SECONDS, env={"BUILDX_BUILDER": ""})
    if not done.ok:
        way_out = "unset BUILDX_CONFIG" if os.environ.get("BUILDX_CONFIG") else "inv container-setup --latest-buildx"
        yield warning("builder", f"buildx cannot list them: {done.last_line}", way_out=way_out)
        return
    # buildx 0.13 says each once a node, and not which is in use.
    known = {one["Name"]: one for one in map(json.loads, done.stdout.splitlines())}
    name = chosen(site)
    if name is None and not any("Current" in one for one in known.values()):
        name = buildx.inspect(None).name
    yield from told_of_builders(tuple(known.values()), name, os.environ.get("BUILDX_BUILDER"), site, ended())


def chosen(site: Site) -> str | None:
    """Return the builder that builds here use by name; None for the one in use."""
    return site.builder or os.environ.get("BUILDX_BUILDER") or None


def told_of_builders(
    known: Sequence[Mapping[str, Any]],
    name: str | None,
    from_environment: str | None,
    site: Site,
    asleep: Collection[str] = (),
) -> Iterator[Finding]:
    """Say how the builders stand that buildx lists.

    ``asleep`` are those of a set-up that a set-up starts again: they have a line of their own where no build uses them.
    """
    names = [str(one.get("Name")) for one in known]
    if name is not None and name not in names:
        told = f"there is no builder {name}; choose from {', '.join(names)}"
        yield cannot("builder", told, way_out=_unchosen(site, from_environment))
    for one in known:
        called, used = str(one.get("Name")), one.get("Name") == name or (name is None and one.get("Current"))
        told = f"{called} ({one.get('Driver') or 'no driver'}){', in use' if used else ''}"
        fault = _fault(one)
        if not fault:
            yield _described(told, one, from_environment, site) if used else ok("builder", f"{told}: {_platforms(one)}")
        elif used:
            start = "inv container-setup" if called in asleep else f"docker buildx inspect --bootstrap {called}"
            yield cannot("builder", f"{told}: {fault}", way_out=start)
        elif called not in asleep:
            yield warning("builder", f"{told}: {fault}", way_out=f"docker buildx rm {called}")


def _unchosen(site: Site, from_environment: str | None) -> str:
    """Return what has builds use another builder than the one that was chosen."""
    chosen = mending.setting(site, "builder")
    if site.builder is None and from_environment:
        chosen = "unset BUILDX_BUILDER"
    return chosen or _DEFAULT


def _described(told: str, one: Mapping[str, Any], from_environment: str | None, site: Site) -> Finding:
    if len(site.platforms) > 1 and one.get("Driver") != "docker":
        return warning(
            "builder",
            f"{told}: it can push several platforms, and not load them at once",
            way_out=_unchosen(site, from_environment),
        )
    return ok("builder", f"{told}: {_platforms(one)}")


def _fault(one: Mapping[str, Any]) -> str:
    nodes = one.get("Nodes") or ()
    told = [one.get("Err"), *(node.get("Err") for node in nodes)]
    if one.get("Driver") == "remote":  # buildx does not start it, and gives no reason
        told += [f"nobody answers at {node.get('Endpoint')}" for node in nodes if node.get("Status") != "running"]
    return next((str(text) for text in told if text), "")


def _platforms(one: Mapping[str, Any]) -> str:
    nodes = one.get("Nodes") or ()
    found = dict.fromkeys(
        str(name) for node in nodes for name in node.get("Platforms") or () if str(name).count("/") == 1
    )
    return ", ".join(found) or f"{nodes[0].get('Status') or 'off'}; it starts when it is used" if nodes else "no node"


def ended() -> tuple[str, ...]:
    """Return the stand-alone builders whose BuildKit does not run."""
    return tuple(name for name in buildkitd.names() if not processes.find(buildkitd.mark(name)))


def release(site: Site) -> Iterator[Finding]:
    """Say whether the BuildKit of each stand-alone builder runs, and which builder releases have."""
    off = ended()
    for name in off:
        yield warning("release builder", f"the BuildKit of {name} does not run", way_out="inv container-setup")
    there = [name for name in release_builder.existing(site.project) if name not in off]
    if there:
        yield ok("release builder", ", ".join(there))
    elif not off:
        yield ok("release builder", "none; to push by digest: inv container-setup --release-builder")


def foreign(site: Site) -> Iterator[Finding]:
    """Say whether images of the other architecture run here, by trying it where an image is at hand."""
    if site.engine is None or site.engine.socket is None or sys.platform != "linux":
        return  # an engine elsewhere, as in a virtual machine: its kernel cannot be asked
    emulator = emulation.foreign()
    flags = emulation.registered(emulator)
    image = mend_bases.alpine(site.bases, site.mirror)
    there = image is not None and flags is not None
    if there and process.run("docker", "image", "inspect", str(image), timeout=_SECONDS).ok:
        yield told_of_emulation(emulator, flags, emulation.complaint(str(image), emulator))
    else:
        yield told_of_emulation(emulator, flags, None)


def told_of_emulation(emulator: emulation.Emulator, flags: str | None, complaint: str | None) -> Finding:
    """Return how emulation stands; pure."""
    if flags is None:
        told = f"{emulator.platform} is built here and does not run; to run it: inv container-setup --emulation"
        return ok("emulation", told)
    told = f"{emulator.platform} by {emulator.name} (flags {flags or 'none'})"
    if "F" not in flags:
        complaint = "without flag F it does not serve containers"
    if complaint is None:
        return ok("emulation", told)
    return warning("emulation", f"{told}: {complaint}", way_out=emulation.renewal(emulator))
