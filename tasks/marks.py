"""Fingerprint what the services' builds read, before anything is built."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .engine.tree import Tree
from .errors import ConfigError
from .plan import ignore
from .plan.bases import Origin
from .plan.fingerprint import Inputs, Mark
from .plan.platforms import Platform
from .plan.reads import reads
from .plan.targets import Source
from .services import Repository, Service, join, read_dockerfile
from .texts import read_text

_DIGEST = "@sha256:"


@dataclass(slots=True)
class Marks:
    """The marks of a run; what several services read is read once."""

    repository: Repository
    sources: Mapping[str, Source]
    """Of every service of the run and of those that they stand on, by bake's name for an image that others stand on."""
    platforms: Sequence[Platform]
    native: Platform
    _trees: dict[str, Tree] = field(default_factory=dict)
    _known: dict[str, Mark] = field(default_factory=dict)

    def of(self, source: Source) -> Mark:
        """Return what is known of a service's build before it runs.

        Raises ConfigError for a Dockerfile or an ignore file that cannot be read.
        """
        if source.service not in self._known:
            self._known[source.service] = Mark(None, always="it stands on itself")  # until it is known
            self._known[source.service] = self._mark(source)
        return self._known[source.service]

    def _mark(self, source: Source) -> Mark:
        service = next(one for one in self.repository.services if one.name == source.service)
        text = read_dockerfile(self.repository, service)
        said = reads(text, stage=source.stage, args=source.args, platforms=self.platforms, native=self.native)
        if said.always:
            return Mark(None, always=said.always)
        bases = {image: self._base(image, source) for image in said.images}
        unknown = next((image for image, digest in bases.items() if digest is None), None)
        if unknown is not None:
            return Mark(None, always=f"the base {unknown} is not pinned by a digest")
        own, patterns = self._ignore(service)
        wide = said.whole
        try:
            rules = ignore.parse(patterns)
        except ignore.NotUnderstood as error:
            wide = f"only BuildKit knows what this line of its ignore file means: {error}"
            rules, own = ignore.Ignore(), own or patterns
        tree = self._trees.setdefault(service.context, Tree(self.repository.root / service.context))
        return Mark(
            Inputs(
                dockerfile=_digest(text),
                ignore=_digest(own) if own else "",
                stage=source.stage or "",
                args=dict(source.args),
                bases={image: digest or "" for image, digest in bases.items()},
                files=tree.read(said.sources, rules),
            ),
            wide=wide,
        )

    def _base(self, image: str, source: Source) -> str | None:
        """Return the digest of what takes a base's place where that differs; None where nothing pins it."""
        base = next((one for one in source.bases if one.reference == image), None)
        if base is not None and base.origin is Origin.OWN and base.replacement is not None:
            return self.of(self.sources[base.replacement]).fingerprint
        written = image.partition(_DIGEST)[2]
        replaced = (base.replacement or "").partition(_DIGEST)[2] if base is not None else ""
        if not written and not replaced:
            return None
        return replaced if replaced != written else ""

    def _ignore(self, service: Service) -> tuple[str, str]:
        """Return the ignore file that belongs to the Dockerfile alone, if there is one, and the one that counts."""
        root = self.repository.root
        own = _text(root / f"{service.dockerfile}.dockerignore")
        return own, own or _text(root / join(service.context, ".dockerignore"))


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        return ""
    except NotADirectoryError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
