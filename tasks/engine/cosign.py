"""The only door to cosign: where it is, what it can, and what came of a call.

cosign 2 and 3 have other flags and other ways to keep a signature: what the program at hand can is asked of its own
parser of flags, never of its version. A flag that ``--help`` no longer lists is still one as long as it is parsed.
"""

import functools
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import PushError, SignError
from ..plan.retrying import words_can_pass
from . import process
from .machine import packages
from .process import Completed
from .registry import host_of
from .retries import PassingError, Retries

INSTALL = "inv container-setup --signing"
PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - its name
_SECRET = (PASSWORD, "SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
# What it reads that is no flag, but for COSIGN_EXPERIMENTAL, which changes where signatures are.
_HEEDED = frozenset(
    {
        PASSWORD,
        "COSIGN_DOCKER_MEDIA_TYPES",
        "COSIGN_MAX_ATTACHMENT_SIZE",
        "COSIGN_PKCS11_IGNORE_CERTIFICATE",
        "COSIGN_PKCS11_MODULE_PATH",
        "COSIGN_PKCS11_PIN",
        "COSIGN_REPOSITORY",
    }
)
Result = TypeVar("Result")
_PROBE_SECONDS = 20.0
_CALL_SECONDS = 120.0
_DENIED = re.compile(r"\b40[13]\b|unauthorized|denied|no basic auth credentials|insufficient_scope", re.IGNORECASE)
_OF_SIGSTORE = (
    (
        re.compile("identity token"),
        "is it some minutes old, or for another audience than sigstore? get another",
    ),
    (
        re.compile(r"\bfulcio\b|\brekor\b|\btimestamp authority\b", re.IGNORECASE),
        "it is a service of Sigstore, and not the registry, that refuses",
    ),
)
"""What a service of Sigstore has against a signature, and what mends it; the first counts."""
_REFUSED = re.compile(r"unexpected status code [45]\d\d\b")
_REPEATED = re.compile(r"^signing \[[^\]]*\]: ")
_MARKS = ("error during command execution: ", "Error: ")
# One after the other: what writes a signature to the registry beside the image, without a public log of it.
_CLASSIC = (
    ("--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"),
    ("--tlog-upload=false",),
)


@dataclass(frozen=True, slots=True)
class Cosign:
    """A cosign program."""

    path: str
    seconds: float = _CALL_SECONDS
    """Of one call that talks to a registry, until it counts as hung."""

    def accepts(self, *words: str) -> bool:
        """Whether its parser takes these words: a command, and flags with their values."""
        return _accepts(self.path, words)

    def classic(self, command: str) -> tuple[str, ...] | None:
        """Return the flags by which ``sign`` or ``attest`` write what every cosign reads; None where it cannot."""
        return next((flags for flags in _CLASSIC if self.accepts(command, *flags)), None)

    @property
    def knows_bundles(self) -> bool:
        """Whether it writes signatures as bundles, and so reads them."""
        return self.accepts("sign", "--signing-config=x") or self.accepts("sign", "--new-bundle-format=true")

    def reading(self, command: str) -> tuple[tuple[str, ...], ...]:
        """Return the flags of ``verify`` or ``verify-attestation`` for each form that it reads, the older first.

        Always named: by itself cosign 3 looks at no older signature where there is any bundle, whoever made it.
        """
        chosen = self.accepts(command, "--new-bundle-format=false")
        if not self.knows_bundles:
            return (("--new-bundle-format=false",) if chosen else (),)
        return (("--new-bundle-format=false",), ("--new-bundle-format=true",)) if chosen else ((),)

    def run(self, *words: str | Path) -> Completed:
        """Call it, with nobody to ask; whatever came of it.

        Each of its flags can also be a variable: COSIGN_UPLOAD=false signs and keeps nothing, COSIGN_KEY puts another
        key in the place of an identity. Only those are handed on that are no flags.

        Raises PassingError when it does not end in time: behind it is a network.
        """
        try:
            return process.run(self.path, *words, drop=_flags_of(words), timeout=self.seconds)
        except process.TimedOut as error:
            raise PassingError(
                f"cosign {words[0]} did not end within {self.seconds:g} s",
                hint="does the registry answer? container.registry_timeout gives it more time",
            ) from error


def find(seconds: float = _CALL_SECONDS) -> Cosign:
    """Return the cosign on PATH, or the one that the set-up has unpacked; ``seconds`` are those of one call.

    Raises SignError when there is none.
    """
    unpacked = packages.root_of(packages.COSIGN) / "usr/bin/cosign"
    path = shutil.which("cosign") or (str(unpacked) if unpacked.is_file() else None)
    if path is None:
        raise SignError("cosign is not on PATH", hint=INSTALL)
    return Cosign(path, seconds)


def token_source() -> str | None:
    """Return the variable that gives an identity token here; None where none does."""
    if os.environ.get("SIGSTORE_ID_TOKEN"):
        return "SIGSTORE_ID_TOKEN"
    if os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL") and os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        return "ACTIONS_ID_TOKEN_REQUEST_URL"
    return None


def said(done: Completed) -> str:
    """Return its own reason, in one line, without anything secret."""
    words = done.last_line
    lines = done.stderr.splitlines()
    for mark in _MARKS:
        found = next((line for line in reversed(lines) if mark in line), None)
        if found is not None:
            words = found.rpartition(mark)[2].strip()
            break
    for name in _SECRET:
        value = os.environ.get(name)
        if value:
            words = words.replace(value, "***")
    return words


def refusal(done: Completed, what: str, host: str) -> PushError | SignError:
    """Return what has kept cosign from doing something with an image: its registry, or a matter of signing."""
    words = _REPEATED.sub("", said(done))
    if words_can_pass(words):
        return PassingError(f"{what}: {words}")
    way_out = next((hint for pattern, hint in _OF_SIGSTORE if pattern.search(words)), None)
    if way_out is not None:
        return SignError(f"{what}: {words}", hint=way_out)
    if _DENIED.search(words):
        return PushError(f"{what}: {host} refuses: {words}", hint=f"docker login {host}")
    if _REFUSED.search(words):
        return PushError(f"{what}: {host} refuses: {words}", hint="check --registry, and what that registry allows")
    if host in words and "dial tcp" in words:
        return PushError(f"{what}: {host} cannot be reached: {words}", hint="check the network and --registry")
    return SignError(f"{what}: {words}", hint="by itself it may say more: cosign --verbose")


def patiently(retries: Retries, reference: str, step: Callable[[], Result], *, keyless: bool) -> Result:
    """Return what a step about an image returns, trying it again as long as what is in the way may pass.

    Raises the step's last error; SignError where it is not the registry, but Sigstore, that does not answer.
    """
    try:
        return retries.call(reference, step)
    except PassingError as error:
        if keyless and host_of(reference) not in error.reason.removeprefix(reference):
            way_out = "Sigstore's services have to be in reach; or sign with a key"
            raise SignError(error.reason, hint=way_out) from error
        raise


def _flags_of(words: Sequence[str | Path]) -> frozenset[str]:
    """Return the variables here that cosign would take for flags."""
    heeded = {*_HEEDED, *(str(word).removeprefix("env://") for word in words)}
    return frozenset(name for name in os.environ if name.startswith("COSIGN_") and name not in heeded)


@functools.cache
def _accepts(path: str, words: Sequence[str]) -> bool:
    # Flags are parsed in turn: an unknown one ends with an error before --help ends with none.
    return process.run(path, *words, "--help", timeout=_PROBE_SECONDS).ok
