"""Every key that ``container:`` may hold: what it means, and what holds where nothing else is said."""

from typing import NamedTuple


class Setting(NamedTuple):
    """One key: what it means, and what holds where nothing else is said."""

    key: str
    help: str
    default: str
    """In words, for people; the code that uses the setting knows the value."""
    example: str
    several: bool = False
    """Whether a list may be written, as well as text with commas."""
    variable: str | None = None
    """The environment variable that says the same, beside ``INVOKE_CONTAINER_<KEY>``."""


SETTINGS = (
    Setting("project", "Marks the images and begins the ids of cache mounts.", "the root folder's name", "acme"),
    Setting("services_dir", "Folders whose sub-folders are services; patterns.", "services", "apps/*", several=True),
    Setting("dockerfile", "The name of the Dockerfiles.", "Dockerfile", "Containerfile"),
    Setting("context", "The build context: root, or service (its own folder).", "root", "service"),
    Setting(
        "registry",
        "Where the images belong: host[:port]/path.",
        "ghcr.io/<project>",
        "ghcr.io/acme",
        variable="DOCKER_REGISTRY",
    ),
    Setting(
        "platforms",
        "What to build for.",
        "linux/amd64",
        "linux/amd64,linux/arm64",
        several=True,
        variable="BUILD_PLATFORMS",
    ),
    Setting(
        "tags", "The tags of each image.", "latest,v<version>", "latest,edge", several=True, variable="DOCKER_TAGS"
    ),
    Setting("version", "file, git (describe), or a version.", "file, else git, else dev", "git"),
    Setting("mirror", "A registry's path that holds copies of Docker Hub's images.", "none", "harbor.example.com/hub"),
    Setting("ca", "What builds trust: auto (as this machine), none, or a file.", "auto", "certificates/company.pem"),
    Setting("builder", "A buildx builder.", "the one in use", "cloud"),
    Setting(
        "reuse", "registry: pull what the registry has of the same fingerprint; none: build it.", "none", "registry"
    ),
    Setting(
        "cache",
        "What builds read and write beside the builder's own cache: registry[=host/path], gha, local[=folder].",
        "none",
        "registry",
        several=True,
    ),
    Setting(
        "severity",
        "Findings of a scan that fail; with one, all that are worse.",
        "HIGH,CRITICAL",
        "MEDIUM,HIGH,CRITICAL",
        several=True,
    ),
    Setting(
        "scan_db",
        "Where the scanner's vulnerability database is published.",
        "Trivy's own",
        "harbor.example.com/trivy-db:2",
    ),
    Setting("jobs", "How many services build at once.", "twice the processors, at least 5", "4"),
    Setting("tries", "How often what a registry refuses for the moment is asked for in all.", "6", "10"),
    Setting("retry_wait", "Seconds before the second try; before each next one twice as long.", "1", "5"),
    Setting("retry_limit", "Seconds that all such waiting of a run may take.", "300", "900"),
    Setting("registry_timeout", "Seconds without a word from a registry until a step counts as hung.", "120", "30"),
    Setting(
        "provenance",
        "What a pushed image says of its build: min, max (its arguments and sources, too); auto: max where GitHub says "
        "that the repository is public.",
        "auto",
        "max",
    ),
    Setting(
        "sign",
        "Who signs what is pushed: key, keyless (an identity token), none; auto: what is there.",
        "auto",
        "keyless",
    ),
    Setting(
        "sign_key",
        "Where the private key is: a file, env://NAME, or a URI that cosign takes.",
        "none",
        "env://COSIGN_PRIVATE_KEY",
    ),
    Setting("verify_key", "Where the public key is that is trusted.", "the other half of sign_key", "cosign.pub"),
    Setting(
        "identity",
        "Who is trusted without a key: a regular expression for all of an identity.",
        "in GitHub Actions the workflow itself",
        "^https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v[0-9.]+$",
    ),
    Setting("issuer", "Who says so.", "https://token.actions.githubusercontent.com", "https://accounts.google.com"),
)
SERVICE_SETTINGS = (
    Setting("folder", "Where it lies, for a name that is not its folder's.", "the folder of its name", "apps/site"),
    Setting("dockerfile", "The name of its Dockerfile.", "container.dockerfile", "Dockerfile.web"),
    Setting("context", "Its build context: root or service.", "container.context", "service"),
    Setting("target", "The stage to build.", "the last", "web"),
    Setting("args", "Build arguments, key: value.", "none", "{}"),
    Setting("local_args", "The same, only for images that are loaded here; a push has none of them.", "none", "{}"),
    Setting("port", "Where it listens.", "its stage's first EXPOSE", "8080"),
    Setting("publish", "The port of this machine at which container-run publishes it.", "the same", "18080"),
    Setting("budget", "The size that its image is held against.", "none", "100MB"),
    Setting(
        "health",
        "The path that container-verify asks, and container-run where the image has no HEALTHCHECK.",
        "none",
        "/health",
    ),
    Setting(
        "slow",
        "A path whose answer takes some seconds: what container-verify asks while it stops the service.",
        "none",
        "/slow?seconds=3",
    ),
    Setting("ready", "The path that tells its version and revision as JSON.", "/ready, where it answers", "/version"),
    Setting("metrics", "The path of its Prometheus metrics.", "/metrics, where it answers", "/internal/metrics"),
    Setting("skip_checks", "Checks of container-verify that do not apply to it.", "none", "static", several=True),
    Setting(
        "memory",
        "What container-run and container-verify let it have, without any swap.",
        "no limit; 64MB in container-verify",
        "256MB",
    ),
    Setting(
        "tmpfs",
        "Folders that it may write under container-run and container-verify, in memory; the rest cannot be written.",
        "none",
        "/run/app,/var/cache/app",
        several=True,
    ),
    Setting(
        "env", "Environment of container-run and container-verify alone, key: value.", "none", "{LOG_LEVEL: debug}"
    ),
)
MAPPINGS = frozenset({"args", "local_args", "env"})
"""Settings of a service that hold key: value lines of their own."""
