"""Fingerprint what the services' builds read, before anything is built."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from .engine.digests import Digests
from .engine.tree import Tree
from .engine.walk import Walks
from .engine.workspace import FOLDER
from .errors import ConfigError
from .plan import ignore
from .plan.bases import Origin
from .plan.dockerfile import instructions
from .plan.fingerprint import Inputs, Mark
from .plan.platforms import Platform
from .plan.reads import Reads, reads
from .plan.scope import Scope
from .plan.targets import Source
from .services import Repository, Service, join, read_dockerfile
from .texts import leads_out, read_text

_DIGEST = "@sha256:"


@dataclass(frozen=True, slots=True)
class _Said:
    """What a service's files say of its build, before its context is looked at."""

    dockerfile: str
    own_ignore: str | None
    """The ignore file that belongs to the Dockerfile alone, or another one that counts by itself."""
    ignore: ignore.Ignore
    reads: Reads
    wide: str


@dataclass(slots=True)
class Marks:
    """The marks of a run; what several services read is read once."""

    repository: Repository
    sources: Mapping[str, Source]
    """Of every service of the run and of those that they stand on, by bake's name for an image that others stand on."""
    platforms: Sequence[Platform]
    native: Platform
    walks: Callable[[str], Walks[Any]]
    """The ways through a build context, by its path relative to the root."""
    comparing: bool = False
    """Whether two states of the repository are compared: what only an engine can tell counts for nothing then."""
    _known: dict[str, Mark] = field(default_factory=dict)

    def of(self, source: Source) -> Mark:
        """Return what is known of a service's build before it runs.

        Raises ConfigError for a Dockerfile or an ignore file that cannot be read.
        """
        if source.service not in self._known:
            self._known[source.service] = Mark(None, always="it stands on itself")  # until it is known
            self._known[source.service] = self._mark(source)
        return self._known[source.service]

    def scope(self, source: Source) -> Scope:
        """Return which files of the repository a service's build reads, for asking git about them.

        Raises ConfigError as ``of`` does.
        """
        said, service = self._said(source), self._service(source)
        return Scope(
            context=service.context,
            sources=said.reads.sources,
            ignore=said.ignore,
            own=(service.dockerfile, *self._ignore_files(service)),
            files=self._read(service, said),
        )

    def _mark(self, source: Source) -> Mark:
        said = self._said(source)
        bases = {image: self._base(image, source) for image in said.reads.images}
        unknown = next((image for image, digest in bases.items() if digest is None), None)
        always = said.reads.always or ("" if unknown is None else self._unpinned(unknown, source))
        if always and not self.comparing:
            return Mark(None, always=always)
        files = self._read(self._service(source), said)
        if not self.comparing:
            self._refuse_own_folder(self._service(source), files, said.wide)
        return Mark(
            Inputs(
                dockerfile=_digest(said.dockerfile),
                ignore="" if said.own_ignore is None else _digest(said.own_ignore),
                stage=source.stage or "",
                args=dict(source.args),
                bases={image: digest or "" for image, digest in bases.items()},
                files=files,
            ),
            wide=said.wide,
        )

    def _unpinned(self, image: str, source: Source) -> str:
        base = next((one for one in source.bases if one.reference == image and one.origin is Origin.OWN), None)
        if base is None or base.replacement is None:
            return f"the base {image} is not pinned by a digest"
        return f"what it stands on, {image}: {self.of(self.sources[base.replacement]).always}"

    def _refuse_own_folder(self, service: Service, files: Mapping[str, str], wide: str) -> None:
        """Keep what the tasks write out of images; a build that reads it would also never be up to date."""
        if any(join(service.context, path).startswith(f"{FOLDER}/") for path in files):
            own, shared = self._ignore_files(service)
            counts = own if (self.repository.root / own).is_file() else shared
            left_out = f"{FOLDER}\\n.git" if wide and any(path.startswith(".git/") for path in files) else FOLDER
            raise ConfigError(
                f"the image of {service.name} {'may' if wide else 'would'} take in {FOLDER}/, where these tasks keep "
                f"their logs and records{f'; all of the context counts: {wide}' if wide else ''}",
                hint=f"printf '\\n{left_out}\\n' >> {counts}",
            )

    def _said(self, source: Source) -> _Said:
        service = self._service(source)
        text = self._text(source)
        said = reads(text, stage=source.stage, args=source.args, platforms=self.platforms, native=self.native)
        wide = said.whole
        if said.always:
            wide = said.always
            own = [base.reference for base in source.bases if base.origin is Origin.OWN]
            said = replace(said, sources=(".",), images=tuple(own))
        for base in source.bases:
            if base.origin is Origin.OWN and base.replacement is not None and self._triggers(base.replacement):
                wide = wide or f"ONBUILD of {base.reference} reads what only this image knows"
                said = replace(said, sources=(".",))
        own_ignore, patterns = self._ignore(service)
        try:
            rules = ignore.parse(patterns)
        except ignore.NotUnderstood as error:
            wide = f"only BuildKit knows what this line of its ignore file means: {error}"
            rules, own_ignore = ignore.Ignore(), patterns
        return _Said(text, own_ignore, rules, said, wide)

    def _text(self, source: Source) -> str:
        return read_dockerfile(self.repository, self._service(source)) if source.text is None else source.text

    def _triggers(self, base: str) -> bool:
        """Return whether an image of the repository does something in the builds of those that stand on it."""
        text = self._text(self.sources[base])
        return any(instruction.name == "ONBUILD" for instruction in instructions(text))

    def _read(self, service: Service, said: _Said) -> dict[str, str]:
        return self.walks(service.context).read(said.reads.sources, said.ignore)

    def _service(self, source: Source) -> Service:
        return next(one for one in self.repository.services if one.name == source.service)

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

    def _ignore(self, service: Service) -> tuple[str | None, str]:
        """Return the ignore file that belongs to the Dockerfile alone, if there is one, and the one that counts.

        One of its own counts even if it is empty.
        """
        paths = [self.repository.root / path for path in self._ignore_files(service)]
        own, shared = map(_text, paths)
        counts = paths[own is None]
        if leads_out(counts.parent, counts.name):
            raise ConfigError(
                f"{counts.relative_to(self.repository.root)} is a link out of its folder, which BuildKit ignores",
                hint="put a file there, or link within the folder",
            )
        return own, (shared or "") if own is None else own

    def _ignore_files(self, service: Service) -> tuple[str, str]:
        return f"{service.dockerfile}.dockerignore", join(service.context, ".dockerignore")


def on_disk(root: Path, digests: Digests) -> Callable[[str], Walks[Any]]:
    """Return what finds the ways through a context below the repository's root."""
    return cache(lambda context: Walks(Tree(root if context == "." else root / context, digests)))


def _text(path: Path) -> str | None:
    try:
        return read_text(path)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise ConfigError(
            f"{path.name} cannot be read: {error.strerror}", hint="what a build reads has to be yours to read"
        ) from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
