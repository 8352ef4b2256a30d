"""See who has signed an image, and refuse the others: nobody, another key, another identity, another image."""

import base64
import binascii
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self

from ..errors import SignError
from ..plan.signing import PublicKey, Signer, Trust, only, sole
from . import cosign, identities, moment
from .cosign import Cosign
from .keys import trusted_key
from .process import Completed
from .registry import host_of
from .retries import Retries
from .signatures import SPDX, in_parallel, whole

if TYPE_CHECKING:
    from .distribution import Distribution

_UNSIGNED, _OTHERS = 10, 12  # cosign's own exit codes, of signatures that are no bundles
# What cosign says with 1 of bundles and statements.
_NONE = re.compile(r"no signatures found|found no attestations|none of the attestations matched the predicate type")
_OTHER = re.compile(r"no matching (?:signatures|attestations): *\S|none of the expected identities matched")
# What a signature of an image calls itself; anything else that is signed may be about it, and is none.
_SIGNATURES = frozenset({"cosign container image signature", "https://sigstore.dev/cosign/sign/v1"})
_IDENTITY = "--certificate-identity-regexp"
_PREDICATES = {SPDX: "https://spdx.dev/Document"}


@dataclass(frozen=True, slots=True)
class Attested:
    """What somebody has signed of an image."""

    signer: Signer
    predicates: tuple[Mapping[str, Any], ...]
    """What is said of it, each as its kind has it; nothing beside a mere signature."""


class _Refused(Enum):
    UNSIGNED = auto()
    BY_OTHERS = auto()


@dataclass(frozen=True, slots=True)
class Verifier:
    """What sees who has signed, for one kind of trust."""

    program: Cosign
    trust: Trust
    retries: Retries
    key: PublicKey | None
    """The key that is trusted; None where an identity is."""

    @classmethod
    def of(cls, program: Cosign, trust: Trust, retries: Retries) -> Self:
        """Return it with the key that it needs.

        Raises SignError that says what is wrong with the key, or that nothing says whose signatures count.
        """
        if trust.key is None and trust.identity is None:
            raise SignError(
                "nothing says whose signatures count", hint="set container.verify_key, or container.identity"
            )
        return cls(program, trust, retries, trusted_key(program, trust, retries))

    def verify(self, references: Iterable[str]) -> Mapping[str, Signer]:
        """Return who has signed each image.

        Raises SignError that says which image is not signed, or not by whom is trusted; PushError where a registry
        was in the way.
        """
        wanted = tuple(dict.fromkeys(references))
        for reference in wanted:
            whole(reference)
        with self._trusting() as words:
            return in_parallel(lambda one: self._signer_of(one, words), wanted)

    def attested(self, reference: str, kind: str = SPDX) -> Attested:
        """Return what is said of an image in that kind, by whom is trusted.

        Raises as ``verify`` does.
        """
        whole(reference)
        with self._trusting() as words:
            found = self._tried("verify-attestation", (*words, "--type", kind), reference)
        if isinstance(found, _Refused):
            raise self._refusal(found, reference, f"attested ({kind})")
        return found

    def _signer_of(self, reference: str, words: Sequence[str]) -> Signer:
        found = self._tried("verify", words, reference)
        if isinstance(found, _Refused):
            raise self._refusal(found, reference, "signed")
        return found.signer

    @contextmanager
    def _trusting(self) -> Iterator[tuple[str, ...]]:
        """Yield the flags that say who is trusted; the file that they name is there meanwhile."""
        if self.key is None:
            yield (_IDENTITY, str(self.trust.identity), "--certificate-oidc-issuer", self.trust.issuer)
            return
        with moment.folder() as folder:
            path = folder / "key.pub"
            path.write_text(self.key.pem, encoding="ascii")
            # Signatures with a key are in no public log, so there is nothing to look for.
            yield ("--key", str(path), "--insecure-ignore-tlog=true")

    def _tried(self, command: str, words: Sequence[str], reference: str) -> "Attested | _Refused":
        """Return who signed and what is said, from the first form in which somebody trusted has."""
        refused = _Refused.UNSIGNED
        for form in self.program.reading(command):
            asked = (command, *form, *words, reference)
            step = functools.partial(self._asked, asked, reference)
            found = cosign.patiently(self.retries, reference, step, keyless=self.key is None)
            if isinstance(found, Attested):
                return self._narrowed(found, asked, reference)
            if found is _Refused.BY_OTHERS:
                refused = found
        return refused

    def _narrowed(self, found: Attested, words: Sequence[str], reference: str) -> Attested:
        """Return what one identity has signed, where several are trusted and cosign has not said which it was.

        Of bundles it says nothing of the kind, and a certificate beside an image is anybody's word: so cosign is
        asked for each identity that one names, and that is trusted, as if it were the only one.
        """
        pattern = self.trust.identity
        if pattern is None or found.signer.identity != pattern:
            return found
        look = functools.partial(self.program.run, "download", "signature", reference)
        beside = cosign.patiently(self.retries, reference, look, keyless=True).stdout
        for name in dict.fromkeys(identities.named(beside)):
            if re.fullmatch(pattern, name):
                asked = tuple(only(name) if word == pattern else word for word in words)
                step = functools.partial(self._asked, asked, reference)
                again = cosign.patiently(self.retries, reference, step, keyless=True)
                if isinstance(again, Attested):
                    return again
        return found

    def _asked(self, words: Sequence[str], reference: str) -> "Attested | _Refused":
        done = self.program.run(*words)
        if not done.ok:
            return _why(done, reference)
        digest = reference.partition("@")[2]
        try:
            if words[0] == "verify":
                claims = tuple(_claims(done.stdout, digest))
                return Attested(self._signer(claims[0], words), ()) if claims else _Refused.UNSIGNED
            told = tuple(_statements(done.stdout, digest, words[words.index("--type") + 1]))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise SignError(
                f"what cosign says of {reference} cannot be read: {type(error).__name__}", hint=cosign.INSTALL
            ) from error
        return Attested(self._signer({}, words), told) if told else _Refused.UNSIGNED

    def _signer(self, claim: Mapping[str, Any], words: Sequence[str]) -> Signer:
        if self.key is not None:
            return Signer(fingerprint=self.key.fingerprint)
        told, pattern = claim.get("optional") or {}, words[words.index(_IDENTITY) + 1]
        return Signer(
            identity=told.get("Subject") or sole(pattern) or pattern, issuer=told.get("Issuer") or self.trust.issuer
        )

    def _refusal(self, why: "_Refused", reference: str, what: str) -> SignError:
        if why is _Refused.BY_OTHERS:
            wanted = f"the key {self.key.fingerprint}" if self.key else f"{self.trust.identity} ({self.trust.issuer})"
            way_out = "container.verify_key" if self.key else "container.identity and container.issuer"
            return SignError(f"{reference} is {what}, but not by {wanted}", hint=f"do not use it; or mend {way_out}")
        blind = "" if self.program.knows_bundles else "; this cosign reads no bundles, which cosign 3 makes: try that"
        return SignError(f"{reference} is not {what}", hint=f"inv container-push signs what it pushes{blind}")


def unmoved(registry: "Distribution", name: str, tag: str, digest: str) -> None:
    """See that a tag still leads to a digest.

    Raises SignError when it leads elsewhere or nowhere, PushError where the registry was in the way.
    """
    found = registry.manifest(name, tag)
    place = f"{registry.registry}/{name}:{tag}"
    if found is None:
        raise SignError(f"{place} is not there; {digest} was expected", hint="push again")
    if found.digest != digest:
        raise SignError(
            f"{place} has moved: it is {found.digest} now, not {digest}",
            hint="somebody else has pushed it; look who, before you push again",
        )


def _why(done: Completed, reference: str) -> _Refused:
    """Return why cosign refuses an image; raises what has nothing to do with who signed it."""
    words = cosign.said(done)
    if done.code == _UNSIGNED or _NONE.search(words):
        return _Refused.UNSIGNED
    if done.code == _OTHERS or _OTHER.search(words):
        return _Refused.BY_OTHERS
    if re.search(r"no matching attestations: *$", words):  # there is none at all
        return _Refused.UNSIGNED
    raise cosign.refusal(done, f"{reference} cannot be verified", host_of(reference))


def _claims(text: str, digest: str) -> Iterator[Mapping[str, Any]]:
    """Yield what signatures say that are of an image with that digest."""
    for claim in json.loads(text[text.index("[") :]):
        critical = claim["critical"]
        if critical["type"] in _SIGNATURES and critical["image"]["docker-manifest-digest"] == digest:
            yield claim


def _statements(text: str, digest: str, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield what is said of an image with that digest, of envelopes a line each."""
    wanted = _PREDICATES.get(kind, kind)
    for line in filter(str.strip, text.splitlines()):
        try:
            statement = json.loads(base64.b64decode(json.loads(line)["payload"], validate=True))
        except binascii.Error as error:
            raise ValueError("payload") from error
        about = {f"sha256:{one['digest'].get('sha256')}" for one in statement["subject"]}
        if digest in about and statement["predicateType"] == wanted:
            yield statement["predicate"]
