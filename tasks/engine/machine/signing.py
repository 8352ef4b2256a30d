"""cosign on this machine: looked for, brought from packages where it is asked for, and tried with the key."""

from collections.abc import Iterator

from ...errors import ConfigError, EngineError, PushError, SignError, TaskError
from ...plan.retrying import Patience
from .. import cosign, keys
from ..retries import Retries
from . import mending, packages, refusals
from .check import Site
from .findings import Finding, Say, changed, doing, ok, told, warning

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
        text, way_out = told(error, _otherwise(site, error))
        yield warning("signing", f"{text}; builds do without it, a push is refused", way_out=way_out)
        return
    yield ok("signing", f"{program.path} signs with {wanted}" + (f" ({key.fingerprint})" if key else ""))


def _otherwise(site: Site, error: TaskError) -> str:
    if cosign.PASSWORD in error.reason:
        return f"read -rs {cosign.PASSWORD} && export {cosign.PASSWORD}"
    key = "sign" if error.reason.startswith("container.sign is ") else "sign_key"
    return mending.setting(site, key) or refusals.edit_key(site.root, "invoke.yaml", f"container.{key}")


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
