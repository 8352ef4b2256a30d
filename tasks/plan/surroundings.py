"""What of the environment reaches into a build, and what only seems to (tried with buildx 0.36)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..printable import masked

_EPOCH = "SOURCE_DATE_EPOCH"
# Variables that change what comes out, or whether anything does, and how.
DECIDES: Mapping[str, str] = {
    "BUILDX_BUILDER": "builds go to the builder {value}, unless one is set",
    "BUILDX_CONFIG": "buildx keeps its builders in {value}",
    "COSIGN_REPOSITORY": "signatures are kept in {value}, and looked for there: who verifies has to know",
    "DOCKER_API_VERSION": "docker's client speaks API {value}, whatever the engine's is",
    "DOCKER_AUTH_CONFIG": "docker's client takes its logins from it, not from its file",
    "DOCKER_CONFIG": "docker's client has its file, logins and plugins in {value}",
    "DOCKER_CONTEXT": "docker's client takes the engine of the context {value}",
    "DOCKER_TLS_VERIFY": "docker's client takes TLS to its engine",
    "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": "the policy {value} replaces what Dockerfiles name",
    "GIT_DIR": "git takes the repository {value}, wherever it is asked",
    "GIT_INDEX_FILE": "git takes the index {value}, whatever the checkout's own says",
    "GIT_WORK_TREE": "git takes the files of {value}, wherever it is asked",
    "PYTHON_ON_WHALES_DEBUG": "a library prints every command with the whole environment",
    _EPOCH: "images are dated {value}, so the same content gets another digest",
}
_SECONDS = re.compile(r"[+-]?[0-9]{1,18}")
# Variables and files that `docker buildx bake` heeds when it is typed, and our builds, which name all, do not.
_IGNORED = frozenset(
    {
        "BUILDX_BAKE_FILE",
        "BUILDX_BAKE_FILE_SEPARATOR",
        "BUILDX_NO_DEFAULT_ATTESTATIONS",
        "BUILDX_NO_DEFAULT_LOAD",
        "BUILDKIT_HOST",
        "DOCKER_DEFAULT_PLATFORM",
    }
)
OVERRIDES = ("docker-bake.override.json", "docker-bake.override.hcl")
_SECRET = frozenset({"DOCKER_AUTH_CONFIG"})
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")


@dataclass(frozen=True, slots=True)
class Influence:
    """One thing around a build."""

    name: str
    told: str
    decides: bool
    """Whether it changes what our builds do."""
    stops: bool = False
    """Whether it lets none of them through."""
    file: bool = False

    @property
    def way_out(self) -> str:
        """The command that takes it away."""
        return f"rm {self.name}" if self.file else f"unset {self.name}"


def influences(environment: Mapping[str, str], files: Collection[str]) -> tuple[Influence, ...]:
    """Return what is set in an environment and lies at a root that decides a build, or seems to."""
    found = [_deciding(name, value) for name in DECIDES if (value := environment.get(name))]
    seeming = "docker buildx bake heeds it, builds here do not"
    found += [Influence(name, seeming, decides=False) for name in sorted(_IGNORED) if environment.get(name)]
    found += [Influence(name, seeming, decides=False, file=True) for name in OVERRIDES if name in files]
    return tuple(found)


def _deciding(name: str, value: str) -> Influence:
    told = masked(value)
    if name == _EPOCH and not _SECONDS.fullmatch(value):
        return Influence(name, f"{told!r} is no number of seconds, and no build takes it", decides=True, stops=True)
    return Influence(name, DECIDES[name].format(value=told), decides=True)


def unheard_proxies(environment: Mapping[str, str], client: Mapping[str, object]) -> tuple[str, ...]:
    """Return the proxy variables that this shell has while docker's client hands none on to builds.

    ``client`` is what its file says.
    """
    return () if client.get("proxies") else tuple(name for name in _PROXIES if environment.get(name))
