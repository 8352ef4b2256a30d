"""Sign images, say things of them that are signed, and see who has: by digest alone, through cosign.

Kept in the form that cosign 2 and 3 both read, and admission controllers too: a tag ``sha256-….sig`` or ``.att``
beside the image. A cosign that no longer writes it makes bundles, which cosign 2.5 and older do not read; with an
identity token each version keeps its own form, as the services of Sigstore want it.

An index and each of its manifests are signed (``--recursive``): a cluster, a scanner or a person that asks for one
platform by its digest finds a signature as well. No key's signature goes into the public log: it would tell the
names of private images, and need a network that sealed machines do not have.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..errors import SignError, TaskError
from ..plan.signing import PublicKey, Signing, split_reference
from . import moment
from .cosign import INSTALL, Cosign, patiently, refusal, said
from .keys import check_key
from .registry import host_of
from .retries import Retries

SPDX = "spdxjson"
_AT_ONCE = 4
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said of an image."""

    reference: str
    predicate: Path
    """The file that says it."""
    kind: str = SPDX
    """As cosign calls it."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """What signs images, in one way."""

    program: Cosign
    signing: Signing
    retries: Retries

    def check_key(self) -> PublicKey | None:
        """See that this can sign, as ``keys.check_key`` does: before anything is pushed."""
        return check_key(self.program, self.signing, self.retries)

    def sign(self, references: Iterable[str]) -> None:
        """Sign images, several at once; one that carries a key's signature already gets no other of that key.

        Raises SignError for a reference without a digest, and for what cosign says against those that could not be
        signed, when all have been tried; PushError where their registry was in the way.
        """
        wanted = tuple(dict.fromkeys(references))
        for reference in wanted:
            whole(reference)
        with self._written("sign") as words:
            in_parallel(lambda one: self._call(("sign", *words, "--recursive", one), one), wanted)

    def attest(self, statements: Iterable[Statement]) -> None:
        """Sign what is said of images. What was said before in the same kind is replaced, where cosign can do that.

        Several statements about one image go one after the other, for what they are kept in is read, changed and
        written as a whole: so nobody may sign that image meanwhile.

        Raises as ``sign`` does.
        """
        grouped: dict[str, list[Statement]] = {}
        for statement in statements:
            whole(statement.reference)
            if not statement.predicate.is_file():
                raise SignError(
                    f"{statement.predicate} is not there, and says nothing of {statement.reference}",
                    hint="write it first",
                )
            grouped.setdefault(statement.reference, []).append(statement)
        replacing = self._replacing()
        with self._written("attest") as words:

            def one(reference: str) -> None:
                for statement in grouped[reference]:
                    said = ("--type", statement.kind, "--predicate", str(statement.predicate.resolve()))
                    self._call(("attest", *words, *replacing, *said, reference), reference)

            in_parallel(one, grouped)

    def _replacing(self) -> tuple[str, ...]:
        classic = not self.signing.keyless and self.program.classic("attest") is not None
        return ("--replace",) if classic and self.program.accepts("attest", "--replace") else ()

    @contextmanager
    def _written(self, command: str) -> Iterator[tuple[str, ...]]:
        """Yield the flags by which a command signs; what they name is there meanwhile."""
        if self.signing.key is None:
            yield ("--yes",)
            return
        key = ("--yes", "--key", self.signing.key)
        classic = self.program.classic(command)
        if classic is not None:
            yield (*key, *classic)
            return
        with moment.folder() as folder:
            # Without services and roots of trust of its own it would ask for those of Sigstore, over the network.
            services, roots = folder / "services.json", folder / "roots.json"
            for what, path in (("signing-config", services), ("trusted-root", roots)):
                done = self.program.run(what, "create", "--out", path)
                if not done.ok or not path.is_file():
                    raise SignError(
                        f"this cosign signs in no way that is known here: {said(done)}",
                        hint=f"take cosign 2 or 3 of its own project, or {INSTALL}",
                    )
            yield (*key, "--signing-config", str(services), "--trusted-root", str(roots))

    def _call(self, words: Sequence[str], reference: str) -> None:
        host = host_of(reference)
        what = f"{reference} cannot be signed" if words[0] == "sign" else f"{reference} cannot be attested"

        def step() -> None:
            done = self.program.run(*words)
            if not done.ok:
                raise refusal(done, what, host)

        patiently(self.retries, reference, step, keyless=self.signing.keyless)


def whole(reference: str) -> tuple[str, str]:
    """Return name and digest of a reference.

    Raises SignError for one without a digest.
    """
    try:
        return split_reference(reference)
    except ValueError as error:
        raise SignError(str(error), hint="images are signed by digest: a tag may have moved meanwhile") from None


def in_parallel(step: Callable[[str], Result], keys: Iterable[str]) -> Mapping[str, Result]:
    """Return what a step returns for each key, some at once.

    Raises the error of the first that failed, when all have ended; the others are named in it.
    """
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE)
    try:
        pending = {key: pool.submit(step, key) for key in keys}
        errors = [error for one in pending.values() if (error := one.exception()) is not None]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    told = [error for error in errors if isinstance(error, TaskError)]
    if len(told) != len(errors):
        raise next(error for error in errors if not isinstance(error, TaskError))
    if len(told) > 1:
        reasons = "".join(f"\n  {error.reason}" for error in told)
        raise type(told[0])(f"{len(told)} of {len(pending)} images:{reasons}", hint=told[0].hint)
    if told:
        raise told[0]
    return {key: one.result() for key, one in pending.items()}
