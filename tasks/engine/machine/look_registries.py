"""Looks at what is asked for images: the bases, the mirror, the registry, whose login, and whose clock."""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...errors import ConfigError, PushError
from ...plan.bases import hub_path
from ...plan.commands import edit
from ...plan.names import is_loopback
from .. import client_file, credentials, registry, trust
from . import bases as base_images
from . import look_engine, mending, refusals, stand_in_record, stand_ins
from .check import Site
from .findings import Finding, cannot, ok, warning

_LOGIN = re.compile(r"\b40[13]\b|denied|unauthorized|insufficient_scope|authorization failed", re.IGNORECASE)
_BY_PROXY = re.compile(r"proxyconnect|\bproxy\b", re.IGNORECASE)
_ABSENT = re.compile(r"not found|\b404\b|manifest unknown|name unknown", re.IGNORECASE)


def bases(site: Site) -> Iterator[Finding]:
    """Say of each base whether it can be had, or what stands in for it."""
    known = stand_in_record.recorded() if site.mirror is None else {}
    standing = [one for one in site.bases if hub_path(one) is not None and base_images.short_name(one) in known]
    if standing:
        names = ", ".join(dict.fromkeys(map(base_images.short_name, standing)))
        if stand_ins.serving():
            yield ok("bases", f"stand-ins for {names}: images on them stay on this machine")
        else:
            yield cannot("bases", f"the registry of the stand-ins for {names} is gone", way_out="inv container-setup")
    asked = [one for one in site.bases if one not in standing]
    with ThreadPoolExecutor(max_workers=8) as pool:
        places = [base_images.mirrored(one, site.mirror) for one in asked]
        for place, refusal in zip(places, pool.map(base_images.refusal, places), strict=True):
            mirrored = site.mirror is not None and place.startswith(f"{site.mirror}/")
            yield told_of_base(place, refusal, site, mirrored=mirrored)


def told_of_base(reference: str, refusal: str | None, site: Site, *, mirrored: bool) -> Finding:
    """Return how a base stands, from what its registry said."""
    short, host = reference.partition("@")[0], registry.host_of(reference) if "/" in reference else registry.HUB
    if refusal is None:
        return ok("bases", f"{short} is to be had{' from the mirror' if mirrored else ''}")
    if _LOGIN.search(refusal):
        way_out = mending.login(host)
    elif _BY_PROXY.search(refusal) and (proxies := registry.dead_proxies(host)):
        way_out, refusal = f"unset {' '.join(proxies)}", f"{refusal}: {_silent(proxies)}"
    elif mirrored:
        way_out = mending.setting(site, "mirror") or refusals.edit_key(site.root, "invoke.yaml", "container.mirror")
    elif _ABSENT.search(refusal) or hub_path(reference) is None:
        way_out = mending.from_line(site, reference)
    else:
        way_out = "inv container-setup"
    return cannot("bases", f"{short} cannot be had: {refusal}", way_out=way_out)


def published(site: Site) -> Iterator[Finding]:
    """Say whether the registry answers that images are pushed to, and lets this user in."""
    if site.registry is None:
        return
    host = registry.host_of(site.registry)
    try:
        registry.require(site.registry, _bundle(site))
    except PushError as error:
        told = f"{error.reason}; builds do without it, pushes and --reuse do not"
        proxies = registry.dead_proxies(host)
        if proxies:
            told = f"{error.reason}: {_silent(proxies)}; builds do without it, pushes and --reuse do not"
            yield warning("registry", told, way_out=f"unset {' '.join(proxies)}")
            return
        asked = f"curl -sSv {'http' if is_loopback(host) else 'https'}://{host}/v2/"
        yield warning("registry", told, way_out=mending.setting(site, "registry") or asked)
        return
    asked_by = credentials.source(host)
    for service in site.services[:1]:
        refusal = base_images.refusal(f"{site.registry}/{service}:latest")
        if refusal is not None and _LOGIN.search(refusal):
            told = f"{host} answers, and does not show {site.registry}/{service} (login by {asked_by}): {refusal}"
            yield warning("registry", told, way_out=mending.login(host))
            return
    yield ok("registry", f"{host} answers; login by {asked_by}")


def _silent(proxies: tuple[str, ...]) -> str:
    return f"{proxies[0]} names a proxy, and nobody answers there"


def helpers(_site: Site) -> Iterator[Finding]:
    """Say whether the programs are there that the docker client's file has for logins."""
    content = client_file.content()
    named = {str(name) for name in (content.get("credHelpers") or {}).values()}
    if content.get("credsStore"):
        named.add(str(content["credsStore"]))
    for name in sorted(named):
        program = f"docker-credential-{name}"
        if shutil.which(program) is None:
            told = f"{client_file.path()} names {program}, which is not on PATH: what takes a login fails"
            line = refusals.line_of(client_file.path(), rf'.*"{re.escape(name)}"')
            yield warning("credentials", told, way_out=edit(client_file.path(), line))
        else:
            yield ok("credentials", f"{program} is there")
    if not named:
        count = len(content.get("auths") or {})
        yield ok("credentials", f"{count} logins in {client_file.path()}" if count else "no login is kept here")


def clock(site: Site) -> Iterator[Finding]:
    """Hold this machine's clock against the first registry that says what time it is."""
    hosts = dict.fromkeys(
        registry.host_of(place) for place in (site.registry, site.mirror, f"{registry.HUB}/x") if place is not None
    )
    for host in hosts:
        ahead = registry.ahead(host, _bundle(site))
        if ahead is not None:
            yield look_engine.told_of_clock(f"the clock of {host}", ahead, way_out=mending.set_clock(ahead))
            return
    yield ok("clock", "no registry answers to compare it with")


def _bundle(site: Site) -> Path | None:
    try:
        return trust.bundle(site.ca, site.root)
    except ConfigError:  # a line of its own says so
        return None
