"""cosign on this machine: looked for, brought from packages where it is asked for, and tried with the key."""

from collections.abc import Iterator

from ...errors import ConfigError, EngineError, PushError, SignError
from ...plan.retrying import Patience
from .. import cosign, keys
from ..retries import Retries
from . import packages
from .check import Site
from .findings import Finding, Say, changed, doing, ok, warning

_RELEASES = "install cosign: https://docs.sigstore.dev/cosign/system_config/installation/"


def look(site: Site) -> Iterator[Finding]:
    """Say what signs pushed images here, and whether it can; builds do without it."""
    try:
        wanted = site.signing()
        if wanted is None:
            yield ok("signing", "what is pushed from here is not signed; to sign it: container.sign_key")
            return
        program = cosign.find()
        key = keys.check_key(program, wanted, Retries(Patience(times=0)))
    except (ConfigError, SignError, PushError) as error:
        told = f"{error.reason}; builds do without it, a push is refused"
        yield warning("signing", told, way_out=error.hint or cosign.INSTALL)
        return
    yield ok("signing", f"{program.path} signs with {wanted}" + (f" ({key.fingerprint})" if key else ""))


def mend(_site: Site, say: Say) -> None:
    """Have a cosign: the one on PATH, or that of the distribution.

    Raises EngineError when it cannot be had.
    """
    try:
        say(ok("signing", f"cosign is there: {cosign.find().path}"))
    except SignError as error:
        if not packages.can_install():
            raise EngineError(error.reason, hint=_RELEASES) from error
        say(doing("signing", "fetching cosign, 15 MB"))
        packages.unpacked(packages.COSIGN)
        say(changed("signing", f"cosign is there now: {cosign.find().path}"))
