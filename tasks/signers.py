"""How this run signs, and whose signatures it trusts: from the settings, and what the environment offers."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .engine.distribution import Distribution
    from .engine.signatures import Signatures, Statement
    from .engine.signed import Verifier
    from .plan.signing import Signing, Trust
    from .settings import Settings


def signing(settings: "Settings") -> "Signing | None":
    """Return how images are signed; None for not at all.

    Raises ConfigError where what was chosen cannot be.
    """
    from .engine.cosign import token_source
    from .plan.signing import decide

    return decide(settings.sign, key=_place(settings.root, settings.sign_key), token=token_source() is not None)


def trust(settings: "Settings") -> "Trust | None":
    """Return whose signatures count; None where nothing says it.

    Raises ConfigError as ``signing`` does.
    """
    from .engine.github import workflow
    from .plan import signing as plan

    identity, own = settings.identity, workflow()
    if identity is None and own is not None:
        identity = plan.only(own)
    return plan.trust(
        signing(settings),
        sign_key=_place(settings.root, settings.sign_key),
        verify_key=_place(settings.root, settings.verify_key),
        identity=identity,
        issuer=settings.issuer,
    )


def _place(root: "Path", key: str | None) -> str | None:
    """Return where a key is, wherever the program that reads it runs."""
    from .plan.signing import is_elsewhere

    return key if key is None or is_elsewhere(key) else str(root / os.path.expanduser(key))  # noqa: PTH111 - no home is no failure


@dataclass(frozen=True, slots=True)
class Signers:
    """Who signs in this run, and whose signatures count."""

    signatures: "Signatures"
    verifier: "Verifier"
    registry: "Distribution"

    def sign(self, references: Sequence[str]) -> str:
        """Sign images by digest, those that are not yet, see that all are signed, and return by whom.

        Raises SignError, and PushError where the registry was in the way.
        """
        from .engine.signatures import in_parallel

        signed = in_parallel(self._is_signed, references) if self.signatures.signing.keyless else {}
        self.signatures.sign(one for one in references if not signed.get(one))
        return str(next(iter(self.verifier.verify(references).values())))

    def _is_signed(self, reference: str) -> bool:
        """Whether an image and each of its manifests are signed: with a token cosign would sign and log them again."""
        from .errors import SignError

        place, _, digest = reference.partition("@")
        try:
            self.verifier.verify([reference])
            found = self.registry.manifest(place.removeprefix(f"{self.registry.registry}/"), digest)
            listed = [] if found is None else json.loads(found.content).get("manifests", [])
            for one in listed:  # in turn: several images are looked at already
                self.verifier.verify([f"{place}@{one['digest']}"])
        except SignError:
            return False
        return True

    def attest(self, statements: "Sequence[Statement]") -> None:
        """Sign what is said of images, and see that it is there.

        Raises as ``sign`` does.
        """
        self.signatures.attest(statements)
        for statement in statements:
            self.verifier.attested(statement.reference, statement.kind)


def prepare(settings: "Settings") -> Signers | None:
    """Return who signs, when the key has been tried; None where nothing says who.

    Raises ConfigError and SignError with what is missing or wrong.
    """
    from . import ports
    from .engine import cosign
    from .engine.signatures import Signatures
    from .engine.signed import Verifier
    from .errors import SignError

    how, whom = signing(settings), trust(settings)
    if how is None:
        return None
    if whom is None:
        raise SignError(
            "an identity token signs, and nothing says whose signatures count",
            hint="set container.identity: what is signed is verified before it is tagged",
        )
    program, retries = cosign.find(float(settings.registry_timeout)), ports.retries(settings)
    if how.keyless and os.environ.get("TUF_ROOT") and not program.knows_bundles:
        raise SignError(
            "TUF_ROOT names a Sigstore of your own, and this cosign would hand the identity token to the public one",
            hint="cosign 3 heeds it; or unset TUF_ROOT",
        )
    signatures, verifier = Signatures(program, how, retries), Verifier.of(program, whom, retries)
    own = signatures.check_key()
    if own is not None and verifier.key is not None and own.fingerprint != verifier.key.fingerprint:
        raise SignError(
            f"container.sign_key signs as {own.fingerprint}, and container.verify_key trusts "
            f"{verifier.key.fingerprint} alone: what is signed would not count",
            hint="set container.verify_key to the public half of the key that signs, or leave it out",
        )
    return Signers(signatures, verifier, ports.registry(settings))


def is_expected(settings: "Settings") -> bool:
    """Whether what is published has to be signed: because this run signs, or a setting says whose signature counts."""
    return bool(settings.verify_key or settings.identity) or signing(settings) is not None


def verifier(settings: "Settings") -> "Verifier | None":
    """Return what sees who has signed; None where nothing says whose signatures count.

    Raises SignError without cosign, and for a key that is none.
    """
    from . import ports
    from .engine import cosign
    from .engine.signed import Verifier

    whom = trust(settings)
    if whom is None:
        return None
    return Verifier.of(cosign.find(float(settings.registry_timeout)), whom, ports.retries(settings))


def verified(settings: "Settings", references: Sequence[str]) -> str | None:
    """Return who has signed all of these; None where nothing says whose signatures count.

    Raises SignError where one is not signed by who is trusted.
    """
    found = verifier(settings)
    return None if found is None else str(next(iter(found.verify(references).values())))
