"""Where this machine's own state lies: the user's cache folder, outside every checkout."""

from pathlib import Path


def home() -> Path:
    """Return the cache folder (on Linux ``$XDG_CACHE_HOME/container-tasks``), which may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("container-tasks", appauthor=False)


def folder(name: str) -> Path | None:
    """Return a folder of it, made where it is not there; None where it cannot be."""
    path = home() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path
