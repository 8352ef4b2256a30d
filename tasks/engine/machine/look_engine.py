"""Looks at the engine: which one is meant, whether docker's client speaks with it, what it keeps."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import closing

from .. import api, client_file, process
from . import mend_bases, mend_engine, reach
from .check import Site
from .findings import Finding, cannot, ok, warning

_SECONDS = 15.0
_MOST_RECORDS = 4000
"""Above it a start of dockerd before 27.4 comes near the ten seconds that it gives its builder (see records.py)."""
_READS_ALL = (27, 4)
_APART = 60.0  # seconds by which clocks may differ before certificates and file times suffer


def context(_site: Site) -> Iterator[Finding]:
    """Say which engine docker's client means here, and who chose it."""
    client_file.require()
    name, source = client_file.context()
    host = os.environ.get("DOCKER_HOST")
    if not host:
        by = f", chosen by {source}" if source else ""
        yield ok("context", f"{name}{by}, at {reach.endpoint()}")
    elif name == "default":
        yield warning("context", f"DOCKER_HOST names the engine: {host}", way_out="unset DOCKER_HOST")
    else:
        told = f"DOCKER_HOST ({host}) wins over the context {name}, chosen by {source}"
        yield warning("context", told, way_out="unset DOCKER_HOST")


def versions(site: Site) -> Iterator[Finding]:
    """Say whether docker's client and the SDK of these tasks speak with one and the same engine."""
    done = process.run("docker", "version", "--format", "{{json .}}", timeout=_SECONDS)
    about = json.loads(done.stdout or "{}")
    client, server = about.get("Client") or {}, about.get("Server") or {}
    if not server:
        way_out = "inv container-setup"
        if os.environ.get("DOCKER_API_VERSION"):
            way_out = "unset DOCKER_API_VERSION"
        yield cannot("api", done.last_line, way_out=way_out)
        return
    told = f"docker {client.get('Version')} speaks API {client.get('ApiVersion')}; the engine's is "
    told += f"{server.get('MinAPIVersion')} to {server.get('ApiVersion')}"
    asked = process.run("docker", "info", "--format", "{{json .ID}}", timeout=_SECONDS)
    if site.engine is not None and asked.ok and json.loads(asked.stdout) != site.engine.id:
        there = f"docker's client does not speak with the engine at {site.engine.endpoint}"
        yield cannot("api", there, way_out="unset DOCKER_HOST DOCKER_CONTEXT")
    else:
        yield ok("api", told)


def store(site: Site) -> Iterator[Finding]:
    """Say what the image store can."""
    if site.engine is not None:
        yield mend_engine.store(site.engine)


def clock(site: Site) -> Iterator[Finding]:
    """Say whether the engine's clock is this machine's: that of a virtual machine stands still while it sleeps."""
    if site.engine is not None:
        image = mend_bases.alpine(site.bases, site.mirror) or "alpine"
        # That of a virtual machine is set by its hardware's, which goes on while it sleeps.
        way_out = f"docker run --rm --privileged {image} hwclock -s"
        yield told_of_clock("the engine's clock", site.engine.ahead, way_out=way_out)


def told_of_clock(whose: str, apart: float, *, way_out: str) -> Finding:
    """Return by how many seconds a clock is ahead of this machine's (behind, where negative); pure."""
    if abs(apart) > _APART:
        word = "ahead of" if apart > 0 else "behind"
        return warning("clock", f"{whose} is {abs(apart):.0f} s {word} this machine's", way_out=way_out)
    return ok("clock", f"{whose} is this machine's, to the minute")


def cache(site: Site) -> Iterator[Finding]:
    """Say what the engine's builder keeps, and whether it could read it again."""
    with closing(api.client()) as client:
        records = api.Engine(client).cache_records()
    version = site.engine.version if site.engine else ""
    yield told_of_cache(len(records), sum(record.size for record in records), version)


def told_of_cache(records: int, size: int, version: str) -> Finding:
    """Return how the builder's cache stands; pure."""
    told = f"{records} records, {size / 10**9:.1f} GB, in the engine's builder"
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if records > _MOST_RECORDS and numbers and numbers < _READS_ALL:
        told += f", everybody's; engine {version} may not start again with more than 4500"
        return warning("build cache", told, way_out="docker builder prune")
    return ok("build cache", told)
