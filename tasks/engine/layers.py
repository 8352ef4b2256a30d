"""Read an image out of the engine's store, layer by layer, as ``docker save`` writes it; no container, no shell.

An archive is an OCI layout (image-layout.md of the OCI image specification); engines before
25 write manifest.json alone. Each layer is read from end to end, also what a later one
deletes: whoever pulls the image gets that, too.
"""

import gzip
import json
import mmap
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from ..errors import EngineError, VerifyError
from ..plan import elf, leaks
from ..plan.conditions import allowance
from ..plan.evidence import Entry, Image, Kind, Layer, Leak
from ..plan.platforms import Platform
from .api import translated

if TYPE_CHECKING:
    from docker import APIClient

_SMALL = 4_000_000  # bytes of a file that are read at once; a larger one is mapped
_CAPABILITIES = "SCHILY.xattr.security.capability"  # as engines and BuildKit write extended attributes
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 20
_DEPTH = 4  # an index may hold another one
_LONGEST_FILE = 32_000_000  # bytes of a manifest or a configuration


@dataclass(frozen=True, slots=True)
class Part:
    """A layer inside the archive."""

    name: str
    size: int
    digest: str


class Store:
    """The images of an engine; each layer is read once."""

    def __init__(self, api: "APIClient") -> None:
        """Take an open client."""
        self._api = api
        self._read: dict[str, Layer] = {}
        self._lock = Lock()

    def image(self, reference: str, platform: Platform) -> Image:
        """Return one platform's image.

        Raises VerifyError when the image is not for that platform, and EngineError.
        """
        with tempfile.TemporaryFile() as spool, told_of(reference):
            with translated():
                for chunk in self._api.get_image(reference):
                    spool.write(chunk)
            spool.seek(0)
            with tarfile.open(fileobj=spool) as archive:
                return self._image(Archive(archive), reference, platform)

    def _image(self, archive: "Archive", reference: str, platform: Platform) -> Image:
        digest, configuration, parts = archive.image(platform, reference)
        config = configuration.get("config") or {}
        environment = dict(word.partition("=")[::2] for word in config.get("Env") or ())
        steps = [str(step.get("created_by") or "") for step in configuration.get("history") or ()]
        text = json.dumps(configuration)
        test = tuple((config.get("Healthcheck") or {}).get("Test") or ())
        return Image(
            id=digest,
            architecture=str(configuration.get("architecture") or ""),
            layers=tuple(self._layer(archive, part) for part in parts),
            packed=archive.is_layout,
            user=str(config.get("User") or ""),
            ports=tuple(sorted(config.get("ExposedPorts") or ())),
            labels=config.get("Labels") or {},
            stop_signal=config.get("StopSignal") or None,
            allowed=allowance(config.get("Healthcheck") if test[:1] != ("NONE",) else None),
            health_test=() if test[:1] == ("NONE",) else test,
            secrets=(
                *(leak for name, value in environment.items() if (leak := leaks.secret_variable(name, value))),
                *dict.fromkeys(leak for step in steps for leak in leaks.secret_arguments(step)),
                *_logins(config, configuration.get("history") or ()),
                *leaks.secrets_within("its configuration and history", text.encode()),
            ),
        )

    def _layer(self, archive: "Archive", part: Part) -> Layer:
        with self._lock:
            known = self._read.get(part.digest)
        if known is None:
            known = read_layer(archive, part)
            with self._lock:
                self._read[part.digest] = known
        return known


class Archive:
    """What ``docker save`` has written."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        """Take the archive, open for reading anywhere."""
        self._archive = archive
        self._members = {member.name.removeprefix("./"): member for member in archive.getmembers()}
        self.is_layout = "index.json" in self._members

    def open(self, name: str) -> IO[bytes]:
        """Return a file of it.

        Raises KeyError where there is none.
        """
        member = self._members[name]
        if member.issym() or member.islnk():  # engines before 25 link layers that are the same
            member = self._archive._find_link_target(member)  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
        content = self._archive.extractfile(member)
        if content is None:
            raise KeyError(name)
        return content

    def _json(self, name: str) -> Any:  # noqa: ANN401 - JSON
        with self.open(name) as content:
            return json.loads(content.read(_LONGEST_FILE))

    def images(self) -> Iterator[tuple[str, tuple[str, Mapping[str, Any], tuple[Part, ...]]]]:
        """Yield each platform with its manifest's digest, its configuration and its layers."""
        if not self.is_layout:
            for entry in self._json("manifest.json"):
                config = self._json(entry["Config"])
                sizes = [self._members[name].size for name in entry["Layers"]]
                digest = str(entry["Config"]).removesuffix(".json").rpartition("/")[2]
                yield _platform(config), (f"sha256:{digest}", config, _parts(config, entry["Layers"], sizes))
            return
        yield from self._of_index(self._json("index.json"), _DEPTH)

    def image(self, platform: Platform, reference: str) -> tuple[str, Mapping[str, Any], tuple[Part, ...]]:
        """Return one platform's digest, configuration and layers; ``reference`` is named in errors.

        Raises VerifyError where it is not there.
        """
        found = dict(self.images())
        if platform not in found:
            there = ", ".join(sorted(found)) or "no platform that is here"
            hint = f"--platforms {min(found, default=platform)}"
            raise VerifyError(f"{reference} is not for {platform}, but for {there}", hint=hint)
        return found[platform]

    def _of_index(
        self, index: Mapping[str, Any], depth: int
    ) -> Iterator[tuple[str, tuple[str, Mapping[str, Any], tuple[Part, ...]]]]:
        for descriptor in index.get("manifests") or ():
            name = _blob(descriptor["digest"])
            if name not in self._members or depth == 0:  # a platform that was not pulled
                continue
            content = self._json(name)
            if "manifests" in content:
                yield from self._of_index(content, depth - 1)
                continue
            layers = content.get("layers") or ()
            names = [_blob(layer["digest"]) for layer in layers]
            if _blob(content["config"]["digest"]) not in self._members or not all(
                one in self._members for one in names
            ):
                continue
            config = self._json(_blob(content["config"]["digest"]))
            if "rootfs" in config and config.get("architecture") not in {None, "unknown"}:  # else it is an attestation
                parts = _parts(config, names, [int(layer["size"]) for layer in layers])
                yield _platform(config), (str(descriptor["digest"]), config, parts)


def _logins(config: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Iterator[Leak]:
    """Yield the logins in addresses that the words of a configuration have, each place once."""
    check = config.get("Healthcheck") or {}
    places: dict[str, Iterable[object]] = {
        "its history": [step.get(key) for step in history for key in ("created_by", "comment")],
        "its HEALTHCHECK": check.get("Test") or (),
        "its CMD": config.get("Cmd") or (),
        "its ENTRYPOINT": config.get("Entrypoint") or (),
        "its labels": (config.get("Labels") or {}).values(),
    }
    for place, texts in places.items():
        leak = leaks.login_within(place, "\n".join(map(str, texts)))
        if leak is not None:
            yield leak


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _platform(config: Mapping[str, Any]) -> str:
    return f"{config.get('os') or 'linux'}/{config.get('architecture') or ''}"


def _parts(config: Mapping[str, Any], names: list[str], sizes: list[int]) -> tuple[Part, ...]:
    digests = (config.get("rootfs") or {}).get("diff_ids") or ()
    return tuple(Part(name, size, digest) for name, size, digest in zip(names, sizes, digests, strict=True))


def read_layer(archive: Archive, part: Part) -> Layer:
    """Return everything that a layer has, good and bad; one that cannot be read says so."""
    entries: list[Entry] = []
    secrets: list[Leak] = []
    leftovers: list[Leak] = []
    unreadable = ""
    with archive.open(part.name) as packed:
        begins = packed.read(4)
        packed.seek(0)
        if begins == _ZSTD:
            unreadable = "it is packed with zstd"
        try:
            with tarfile.open(fileobj=gzip.open(packed) if begins[:2] == _GZIP else packed, mode="r|") as content:
                for member in () if unreadable else content:
                    entry, found = _entry(content, member)
                    entries.append(entry)
                    secrets += found
                    left = leaks.leftover(entry.path, executable=_runs(entry))
                    if left is not None and left not in leftovers:
                        leftovers.append(left)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            unreadable = unreadable or f"it is damaged: {error}"
    return Layer(
        digest=part.digest,
        packed=part.size,
        entries=tuple(entries),
        secrets=tuple(secrets),
        leftovers=tuple(leftovers),
        unreadable=unreadable,
    )


def _runs(entry: Entry) -> bool:
    return entry.kind is Kind.LINK or (entry.kind is Kind.FILE and bool(entry.mode & 0o111))


def _entry(content: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[Entry, list[Leak]]:
    path = member.name.removeprefix("./").strip("/")
    above, _, name = path.rpartition("/")
    if name == _OPAQUE:
        return Entry(above, Kind.EMPTIED), []
    if name.startswith(_WHITEOUT):
        return Entry(f"{above}/{name.removeprefix(_WHITEOUT)}".lstrip("/"), Kind.GONE), []
    if not member.isreg():
        kind = Kind.FOLDER if member.isdir() else Kind.LINK if member.issym() or member.islnk() else Kind.OTHER
        return Entry(path, kind, member.mode), []
    named = leaks.secret_name(path)
    with _bytes(content, member) as inside:
        program = elf.parse(inside)
        if program is not None and not program.known and not member.mode & 0o111:
            program = None
        found = [*([named] if named else []), *leaks.secrets_within(path, inside)]
    return Entry(path, Kind.FILE, member.mode, member.size, program, _CAPABILITIES in member.pax_headers), found


@contextmanager
def _bytes(content: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Any]:
    """Give a file's content, however large, without holding all of it in memory."""
    source = content.extractfile(member)
    if source is None or member.size == 0:
        yield b""
    elif member.size <= _SMALL:
        yield source.read()
    else:
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped


@contextmanager
def told_of(reference: str) -> Iterator[None]:
    """Say for a person why an engine's copy of an image cannot be kept or read.

    Raises EngineError.
    """
    try:
        yield
    except OSError as error:
        raise EngineError(
            f"{reference} cannot be copied out of the engine: {error.strerror or error}",
            hint=f"it needs room in {tempfile.gettempdir()}; TMPDIR names another folder",
        ) from error
    except (tarfile.TarError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise EngineError(
            f"the engine's copy of {reference} cannot be read: {error!r}",
            hint=f"pull or build it again; docker save {reference} | tar -t shows what there is of it",
        ) from error
