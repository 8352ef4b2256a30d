"""What GitHub Actions gives a job: where its checkout is, and the file of its summary."""

import json
import os
from pathlib import Path

from ..errors import ConfigError


def here() -> bool:
    """Whether this process runs in a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def folder(root: Path) -> str:
    """Return where the root lies in the checkout, with forward slashes; nothing where it is the checkout itself."""
    workspace = os.environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return ""
    there, root = Path(workspace).resolve(), root.resolve()
    return root.relative_to(there).as_posix() if root.is_relative_to(there) else ""


def summary_size() -> int | None:
    """Return the bytes that the step's summary has already; None where there is no summary to write."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return None
    try:
        return Path(path).stat().st_size if Path(path).is_file() else 0
    except OSError:
        return 0


def append_summary(text: str) -> None:
    """Add to the step's summary.

    Raises ConfigError where it cannot be written.
    """
    try:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            f"the job's summary cannot be written: {error.strerror}",
            hint="GITHUB_STEP_SUMMARY names its file: the runner sets it, and elsewhere nobody has to",
        ) from error


def workflow() -> str | None:
    """Return this job's workflow as its identity tokens name it; None outside of GitHub Actions.

    Of a reusable workflow they name that one instead, which no variable tells.
    """
    server, reference = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_WORKFLOW_REF")
    return f"{server}/{reference}" if here() and server and reference else None


def is_public() -> bool:
    """Whether the event that began this job says that its repository is public."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not (here() and path):
        return False
    try:
        event = json.loads(Path(path).read_bytes())
    except (OSError, ValueError):
        return False
    repository = event.get("repository") if isinstance(event, dict) else None
    return isinstance(repository, dict) and repository.get("private") is False
