"""Where this machine's own state lies: the user's cache folder, outside every checkout."""

from pathlib import Path


def home() -> Path:
    """Return the cache folder (on Linux ``$XDG_CACHE_HOME/container-tasks``), which may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("container-tasks", appauthor=False)
