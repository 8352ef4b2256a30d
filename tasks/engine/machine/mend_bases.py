"""Steps of the set-up: base images that can be had, real or standing in; emulation to run them."""

from ...errors import EngineError
from . import bases as base_images
from . import emulation, packages, registry, stand_in_record, stand_ins
from .findings import Say, changed, doing, ok


def refusal(references: tuple[str, ...], mirror: str | None) -> str | None:
    """Return why the bases cannot be had from the registry or mirror that builds take them from, or None."""
    return base_images.refusal(base_images.mirrored(base_images.telling(references), mirror)) if references else None


def bases(references: tuple[str, ...], mirror: str | None, refused: str | None, say: Say) -> None:
    """Have the bases there, or stand-ins for them where ``refused`` says why they cannot be had.

    Raises EngineError when neither is possible.
    """
    if not references:
        return
    if refused is None:
        retired = stand_ins.retire()
        text = f"{mirror or 'the registry'} has them"
        say(changed("bases", f"{text}: stand-ins are no longer used") if retired else ok("bases", text))
    elif mirror is not None:
        raise EngineError(
            f"the mirror {mirror} is out of reach: {refused}", hint="mend container.mirror, or leave it out"
        )
    else:
        _stand_ins(references, refused, say)


def emulate(references: tuple[str, ...], mirror: str | None, say: Say) -> None:
    """Have images of the other architecture run here, and try it.

    Raises EngineError when none is registered and none can be, or the one that is does not work.
    """
    emulator = emulation.foreign()
    done = emulation.ensure(emulator)
    text = f"{emulator.platform} by {emulator.name} (flags {emulation.registered(emulator) or 'none'})"
    image = alpine(references, mirror)
    complaint = emulation.complaint(image, emulator) if image is not None else None
    if complaint is not None:
        raise EngineError(
            f"{text} does not work: {complaint}",
            hint=emulation.renewal(emulator),
        )
    say((changed if done else ok)("emulation", text))


def _stand_ins(references: tuple[str, ...], refused: str, say: Say) -> None:
    want = stand_ins.wanted(references)
    missing = stand_ins.missing(want)
    changes = False
    if not missing:
        changes = stand_ins.ensure_served()
        missing = () if stand_ins.serving() else want.names
    if missing:
        if not packages.can_install():
            raise EngineError(
                f"the registry is out of reach ({refused}), and stand-ins can only be built as root on Debian",
                hint="let this machine reach the registry, or set container.mirror in invoke.yaml",
            )
        say(doing("bases", f"the registry is out of reach ({refused})"))
        say(doing("bases", f"building stand-ins for {', '.join(missing)} from Debian packages, 4 to 8 minutes"))
        stand_ins.build(want, missing)
        changes = True
    text = f"stand-ins for {', '.join(want.names)} at localhost:{registry.port()}"
    say(changed("bases", text) if changes else ok("bases", text))


def alpine(references: tuple[str, ...], mirror: str | None) -> str | None:
    """Return an image to try emulation with, for either platform."""
    stand_in = stand_in_record.recorded().get("alpine")
    if stand_in is not None:
        return stand_in
    real = next((reference for reference in references if base_images.short_name(reference) == "alpine"), None)
    return None if real is None else base_images.mirrored(real, mirror)
