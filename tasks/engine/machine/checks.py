"""Every check of a machine: those that a set-up mends, in its order, and all that a doctor looks at."""

from collections.abc import Iterator

from ...errors import BuildError, ConfigError, PushError, SignError
from .. import client_file
from . import (
    look_build,
    look_builders,
    look_checkout,
    look_engine,
    look_registries,
    mend_bases,
    mend_builders,
    mend_engine,
    reach,
    scanner,
    signing,
)
from .check import Check, Need, Site
from .findings import Finding, Say, State

_ENGINE, _BUILDX = frozenset({Need.ENGINE}), frozenset({Need.BUILDX})
_BOTH = _ENGINE | _BUILDX
_ALL = _BOTH | {Need.CLIENT}


def _engine(site: Site) -> Iterator[Finding]:
    client_file.require()  # the SDK would quietly ask another engine; what is said twice is shown once
    found = reach.look()
    site.engine = found if found.answers else None
    yield from mend_engine.look(found)


def _mend_engine(site: Site, say: Say) -> None:
    client_file.require()
    site.engine = mend_engine.engine(say)


def _client(site: Site) -> Iterator[Finding]:
    found = tuple(mend_engine.look_client())
    site.buildx = all(one.state is State.OK for one in found)
    yield from found


def _mend_client(site: Site, say: Say) -> None:
    site.client_is_new = mend_engine.client(say)


def _api(site: Site) -> Iterator[Finding]:
    found = tuple(look_engine.versions(site))
    site.understood = all(one.state is State.OK for one in found)
    yield from found


def _room(site: Site) -> list[Finding]:
    found: list[Finding] = []
    if site.engine is not None:
        mend_engine.room(site.engine, found.append)
    return found


def _mend_bases(site: Site, say: Say) -> None:
    ahead = None if site.client_is_new else site.refused
    refused = mend_bases.refusal(site.bases, site.mirror) if ahead is None else ahead.result()
    mend_bases.bases(site.bases, site.mirror, refused, say)


def _mend_release(site: Site, say: Say) -> None:
    mend_builders.release(site.wanted_builder, site.project, say)


def _latest(_site: Site, say: Say) -> None:
    mend_engine.latest_buildx(say)


def _emulate(site: Site, say: Say) -> None:
    mend_bases.emulate(site.bases, site.mirror, say)


ENGINE = Check(subject="engine", look=_engine, mend=_mend_engine)
CLIENT = Check(subject="buildx", look=_client, mend=_mend_client)
LATEST_BUILDX = Check(subject="buildx", look=CLIENT.look, mend=_latest)
ROOM = Check(subject="disk", look=_room, needs=_ENGINE)
BASES = Check(subject="bases", look=look_registries.bases, mend=_mend_bases, error=PushError, needs=_BUILDX)
RELEASE_BUILDER = Check(subject="release builder", look=look_builders.release, mend=_mend_release)
SCANNER = Check(subject="scanner", look=scanner.look, mend=scanner.mend)
EMULATION = Check(subject="emulation", look=look_builders.foreign, mend=_emulate, needs=_ALL)
SIGNING = Check(subject="signing", look=signing.look, mend=signing.mend, error=SignError)

VITAL = (ENGINE, CLIENT)
"""Without these there is nothing else to look at."""


def for_setup(
    *, latest_buildx: bool = False, emulation: bool = False, signing: bool = False, scanner: bool = False
) -> tuple[Check, ...]:
    """Return what a set-up mends after the vital ones, in order."""
    asked = {LATEST_BUILDX: latest_buildx, ROOM: True, BASES: True, RELEASE_BUILDER: True}
    asked |= {EMULATION: emulation, SIGNING: signing, SCANNER: scanner}
    return tuple(check for check, wanted in asked.items() if wanted)


BEFORE = (
    Check(subject="context", look=look_engine.context),
    *VITAL,
    Check(subject="api", look=_api, needs=_BOTH),
)
"""What a doctor looks at first, in turn: the rest depends on it."""
AFTER = (
    Check(subject="store", look=look_engine.store, needs=_ENGINE),
    Check(subject="clock", look=look_engine.clock, needs=_ENGINE),
    ROOM,
    Check(subject="build cache", look=look_engine.cache, needs=_ENGINE),
    Check(subject="builder", look=look_builders.builders, error=ConfigError, needs=_ALL),
    RELEASE_BUILDER,
    EMULATION,
    SCANNER,
    Check(subject="credentials", look=look_registries.helpers, error=PushError),
    BASES,
    Check(subject="registry", look=look_registries.published, error=PushError, needs=_BUILDX),
    SIGNING,
    Check(subject="clock", look=look_registries.clock),
    Check(subject="ca", look=look_build.authorities, error=ConfigError),
    Check(subject="build", look=look_build.build, error=BuildError, needs=_ALL),
    Check(subject="git", look=look_checkout.state, error=ConfigError),
    Check(subject="leftovers", look=look_checkout.leftovers, mend=look_checkout.tidy, error=ConfigError),
    Check(subject="containers", look=look_checkout.containers, mend=look_checkout.remove, needs=_ENGINE),
    Check(subject="environment", look=look_checkout.environment, error=ConfigError),
)
"""The rest, in the order in which it is told; it is looked at side by side."""
