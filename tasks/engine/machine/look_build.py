"""A look by building: whether a step runs, and whether what runs in it gets out: proxies, authorities, names."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from ...errors import ConfigError, EngineError
from ...plan import bases, download, surroundings
from ...plan.commands import edit
from .. import api, buildx, cache, client_file, moment, process, trust
from . import mending, refusals, stand_in_record
from .check import Site
from .findings import Finding, cannot, ok, refused, warning

_SECONDS = 180.0  # a base may have to be pulled first


def authorities(site: Site) -> Iterator[Finding]:
    """Say which authorities builds are given."""
    try:
        bundle = trust.bundle(site.ca, site.root)
    except ConfigError as error:
        yield refused("ca", error, way_out=mending.trusted(site))
        return
    told = "builds are given no authorities" if bundle is None else f"builds trust what is in {bundle}"
    yield ok("ca", f"{told} (container.ca: {site.ca})")


def build(site: Site) -> Iterator[Finding]:
    """Build something tiny, and say what came of it."""
    resolved = bases.resolve(site.bases, mirror=site.mirror, stand_ins=stand_in_record.recorded())
    tried = download.probes({base.reference: base.replacement or base.reference for base in resolved})
    nonce = f"doctor-{secrets.token_hex(8)}"
    with _folder() as folder, _forgotten(nonce):
        (folder / "Dockerfile").write_text(download.dockerfile(tried, nonce), encoding="utf-8")
        words = [*buildx.command(), "build", *buildx.of_builder(site.builder), "--progress=plain"]
        words += ["--output", f"type=local,dest={folder / 'out'}", *_secret(site, folder), str(folder)]
        done = process.run(*words, timeout=_SECONDS)
        if not done.ok:
            told = f"a tiny build fails: {done.last_line.removeprefix('ERROR: ')}"
            yield cannot("build", told, way_out=_way_out(site))
            return
        yield ok("build", "a tiny build goes through")
        for probe in tried:
            place = folder / "out" / nonce / probe.language
            code, said = ((place / part).read_text(encoding="utf-8", errors="replace") for part in ("code", "said"))
            yield _told(download.result(probe.language, code, said), probe, site)


@contextmanager
def _folder() -> Iterator[Path]:
    """Yield an empty folder, the same each time where that can be: an engine keeps a record of each."""
    from filelock import FileLock

    place = cache.home() / "doctor"
    with ExitStack() as held:
        try:
            place.mkdir(parents=True, exist_ok=True)
            held.enter_context(FileLock(place.with_suffix(".lock")).acquire(timeout=0))
            shutil.rmtree(place)
            place.mkdir()
            held.callback(shutil.rmtree, place, ignore_errors=True)
        except OSError:  # another doctor builds there, or nobody may
            place = held.enter_context(moment.folder())
        yield place


def _way_out(site: Site) -> str:
    for one in surroundings.influences(os.environ, ()):
        if one.stops or (one.name == "BUILDX_BUILDER" and site.builder is None):
            return one.way_out
    return "inv container-setup" if site.builder is None else f"docker buildx inspect --bootstrap {site.builder}"


@contextmanager
def _forgotten(nonce: str) -> Iterator[None]:
    """Take what a build of these steps leaves in the engine's own builder away again."""
    try:
        yield
    finally:
        with suppress(EngineError), closing(api.client()) as client:  # what stays is cache
            api.Engine(client).forget_steps(nonce)


def _secret(site: Site, folder: Path) -> list[str]:
    try:
        bundle = trust.bundle(site.ca, site.root)
    except ConfigError:  # a line of its own says so
        return []
    if bundle is None:
        return []
    shutil.copyfile(bundle, folder / "ca.pem")
    return ["--secret", f"id=ca,src={folder / 'ca.pem'}"]


def _told(found: download.Result, probe: download.Probe, site: Site) -> Finding:
    if not found.fault:
        return ok("downloads", f"{found.language} fetches inside a build")
    told = f"{found.language} cannot fetch inside a build: {found.fault}"
    if found.hint:
        told += f" ({found.hint})"
    return warning("downloads", told, way_out=mend_of(found, probe, site))


def mend_of(found: download.Result, probe: download.Probe, site: Site) -> str:
    """Return the command for a download that failed: by what stands between it and where it fetches from."""
    match found.cause:
        case download.Cause.TRUST:
            return mending.trusted(site)
        case download.Cause.PROXY if client_file.content().get("proxies"):
            place = client_file.path()
            return edit(place, refusals.line_of(place, r'.*"proxies"'))
        case download.Cause.OTHER:
            return f"docker run --rm -it {probe.image} sh"
        case _:
            return "inv container-doctor"
