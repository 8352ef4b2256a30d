"""What apt's own files say: which distribution this is, and where its packages come from. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source of binary packages."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What /etc/os-release says of a machine."""

    name: str
    codename: str

    @property
    def is_debian(self) -> bool:
        """Whether it is Debian itself, whose mirror has every Debian suite."""
        return self.name == "debian"

    @property
    def is_known(self) -> bool:
        """Whether an engine of our own can be made of its packages."""
        return self.name in ("debian", "ubuntu")


def distribution(os_release: str) -> Distribution:
    """Read the text of /etc/os-release (shell-like ``KEY="value"`` lines; man os-release)."""
    values: dict[str, str] = {}
    for line in os_release.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = value.strip("\"'")
    return Distribution(name=values.get("ID", "linux"), codename=values.get("VERSION_CODENAME", ""))


def one_line_sources(text: str) -> Iterator[Source]:
    """Read ``deb [options] uri suite component…`` lines (man sources.list)."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words or words[0] != "deb":
            continue
        rest = words[1:]
        if rest and rest[0].startswith("["):
            while rest and not rest.pop(0).endswith("]"):
                pass
        if len(rest) >= 2:  # noqa: PLR2004 - uri and suite
            yield Source(uri=rest[0], suites=(rest[1],), components=tuple(rest[2:]))


def deb822_sources(text: str) -> Iterator[Source]:
    """Read the stanzas of a ``.sources`` file (man sources.list, DEB822-style format)."""
    for stanza in _stanzas(text):
        enabled = stanza.get("enabled", "yes").lower() not in ("no", "false", "0")
        if not enabled or "deb" not in stanza.get("types", "").split():
            continue
        for uri in stanza.get("uris", "").split():
            yield Source(
                uri=uri,
                suites=tuple(stanza.get("suites", "").split()),
                components=tuple(stanza.get("components", "").split()),
            )


def mirror(sources: Sequence[Source], codename: str) -> str | None:
    """Return where the distribution's own packages come from: the first source with its release and ``main``."""
    for source in sources:
        fetched = source.uri.startswith(("http://", "https://", "file:", "copy:"))
        if fetched and codename in source.suites and "main" in source.components:
            return source.uri.rstrip("/")
    return None


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    stanza: dict[str, str] = {}
    key = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line[0].isspace():
            if key:
                stanza[key] = f"{stanza[key]} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            stanza[key] = value.strip()
