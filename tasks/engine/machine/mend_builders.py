"""Steps of the set-up: the release builder, made where it was asked for, and its BuildKit started again."""

from . import release_builder
from .findings import Say, changed, doing, ok


def release(name: str | None, project: str, say: Say) -> None:
    """Have the builder ``name`` there; without a name, start again those of this machine that have ended.

    Raises EngineError when it cannot be had, or does not get up.
    """
    if name is None:
        for revived in release_builder.revive():
            say(changed("release builder", f"the BuildKit of {revived} was started again"))
        return
    if name not in release_builder.existing(project):
        say(doing("release builder", f"making {name}, up to 3 minutes"))
    driver, done = release_builder.ensure(name, project=project)
    say((changed if done else ok)("release builder", f"{name} ({driver})"))
