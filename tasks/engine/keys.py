"""Keys for signatures: what is wrong with one is said before anything is pushed."""

import os
from pathlib import Path

from ..errors import SignError
from ..plan.retrying import words_can_pass
from ..plan.signing import PublicKey, Signing, Trust, is_elsewhere, pem_type, public_key
from . import cosign
from .cosign import PASSWORD, Cosign
from .process import Completed
from .retries import PassingError, Retries

_ENVIRONMENT = "env://"
_LONGEST = 64 * 1024  # bytes
_ENCRYPTED = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")


def check_key(program: Cosign, signing: Signing, retries: Retries) -> PublicKey | None:
    """See that there is what signs, and that it can be used; return the key that its signatures verify with.

    Nothing is returned where an identity token signs, which cosign alone can judge, when it signs. Raises
    SignError that names what is missing or wrong, PassingError when a key's service does not answer.
    """
    if signing.key is None:
        if cosign.token_source() is None:
            raise SignError(
                "there is no identity token: cosign would open a browser, and wait",
                hint="in GitHub Actions: permissions: id-token: write; elsewhere SIGSTORE_ID_TOKEN",
            )
        return None
    return _other_half(program, signing.key, retries)


def trusted_key(program: Cosign, trust: Trust, retries: Retries) -> PublicKey | None:
    """Return the public key that is trusted; None where an identity is.

    Raises SignError that names what is missing or wrong.
    """
    if trust.key is None:
        return None
    if trust.derived:
        return _other_half(program, trust.key, retries)
    text = _text(trust.key, setting="container.verify_key")
    if text is None:
        return _asked(program, trust.key, retries)
    try:
        return public_key(text)
    except ValueError as error:
        kind = str(error)
        if "PRIVATE KEY" in kind:
            raise SignError(
                f"{trust.key} is a private key", hint=f"cosign public-key --key {trust.key}, into a file of its own"
            ) from None
        raise SignError(
            f"{trust.key} holds no public key ({kind})", hint="set container.verify_key to one in PEM"
        ) from None


def _other_half(program: Cosign, reference: str, retries: Retries) -> PublicKey:
    """Return the public half of a private key."""
    text = _text(reference, setting="container.sign_key")
    if text is not None:
        _check_private(reference, text)
        if PASSWORD not in os.environ:
            raise SignError(
                f"{PASSWORD} is not set, and the key {reference} has a password",
                hint=f"set {PASSWORD} in the environment; empty for a key without one",
            )
    return _asked(program, reference, retries)


def _check_private(reference: str, text: str) -> None:
    kind = pem_type(text)
    if kind in _ENCRYPTED:
        return
    if kind == "PUBLIC KEY":
        raise SignError(
            f"{reference} is a public key, which signs nothing", hint="set container.sign_key to its other half"
        )
    if kind is not None and "PRIVATE KEY" in kind:
        raise SignError(
            f"{reference} is a key that cosign does not take as it is ({kind})",
            hint=f"cosign import-key-pair --key {reference}",
        )
    raise SignError(
        f"the key {reference} is damaged: it is no PEM of a private key",
        hint="set container.sign_key to what cosign generate-key-pair has made",
    )


def _asked(program: Cosign, reference: str, retries: Retries) -> PublicKey:
    """Return a key's public half as cosign has it."""

    def step() -> PublicKey:
        done = program.run("public-key", "--key", reference)
        if not done.ok:
            raise _refusal(done, reference)
        try:
            return public_key(done.stdout)
        except ValueError as error:
            raise SignError(
                f"cosign says something else than the public key of {reference} ({error})", hint=cosign.INSTALL
            ) from error

    return retries.call(f"the key {reference}", step)


def _refusal(done: Completed, reference: str) -> SignError | PassingError:
    words = cosign.said(done)
    if "decryption failed" in words:
        return SignError(f"{PASSWORD} is not the password of the key {reference}", hint=f"set {PASSWORD} to it")
    if "inappropriate ioctl" in words or "password" in words.lower():
        return SignError(
            f"{PASSWORD} is not set, and the key {reference} has a password", hint=f"set {PASSWORD} in the environment"
        )
    if "unrecognized scheme" in words:
        return SignError(
            f"this cosign takes no key from {reference.partition(':')[0]}",
            hint="distributions leave out key management services; take a release of cosign's own project",
        )
    if is_elsewhere(reference) and words_can_pass(words):
        return PassingError(f"the key {reference}: {words}")
    if is_elsewhere(reference):
        return SignError(f"the key {reference} cannot be had: {words}", hint="mend container.sign_key, or its service")
    return SignError(
        f"the key {reference} is damaged: {words}", hint="take it from its safe copy, or make another and say so"
    )


def _text(reference: str, *, setting: str) -> str | None:
    """Return the text of a key in a file or a variable; None where only cosign can get at it.

    Raises SignError where there is none.
    """
    if reference.startswith(_ENVIRONMENT):
        name = reference.removeprefix(_ENVIRONMENT)
        text = os.environ.get(name)
        if text is None:
            raise SignError(f"{setting} is {reference}, and {name} is not set", hint=f"set {name}, or mend {setting}")
        return text
    if is_elsewhere(reference):
        return None
    path = Path(reference)
    try:
        if not path.is_file():  # a pipe would wait
            reason = "is no regular file" if path.exists() else "is not there"
            raise SignError(f"the key {reference} {reason}", hint=f"mend {setting}")
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace")
    except OSError as error:
        raise SignError(f"the key {reference} cannot be read: {error.strerror}", hint=f"mend {setting}") from error
