"""Checks of what is in an image's layers."""

from collections.abc import Mapping, Sequence

from .evidence import Base, Evidence, Kind, Layer, Leak
from .layering import Placed, above, merged
from .verdicts import Check, Verdict, failed, failed_by, not_run, ok

_BASELESS = "it stands on no base that is known"
_SETUID, _SETGID = 0o4000, 0o2000


def unreadable(seen: Evidence) -> str:
    """Return why a layer cannot be read; empty text when all can."""
    reasons = [layer.unreadable for layer in seen.image.layers if layer.unreadable]
    return f"a layer cannot be read: {reasons[0]}" if reasons else ""


def _added(seen: Evidence) -> tuple[Mapping[str, Placed], str]:
    """Return the programs that an image adds over its base, and what to call them; all where no base is known."""
    everything = merged(seen.image.layers)
    count = above(seen.image.layers, seen.base.layers) if isinstance(seen.base, Base) else None
    programs = {path: one for path, one in everything.items() if one.entry.program is not None}
    if count is None:
        return programs, f"in the whole image, as {_BASELESS}"
    return {path: one for path, one in programs.items() if one.layer >= count}, "added over its base"


def _architecture(seen: Evidence) -> Verdict:
    wanted = seen.subject.platform.arch
    if seen.image.architecture != wanted:
        return failed(
            f"the image says that it is for {seen.image.architecture or 'no processor'}, not for {wanted}",
            "build it for the platform: inv container-build --platforms",
        )
    programs, where = _added(seen)
    wrong = {
        path: one.entry.program.architecture
        for path, one in programs.items()
        if one.entry.program is not None and one.entry.program.architecture != wanted
    }
    if wrong:
        bad = [f"/{path} is for {arch}" for path, arch in wrong.items()]
        return failed_by(bad, "compile for $TARGETARCH", begin=f"not for {wanted}: ")
    return ok(f"{_counted(programs)} for {wanted} {where}") if programs else not_run(f"there is no program {where}")


def _static(seen: Evidence) -> Verdict:
    return _of_programs(
        seen,
        "dynamic",
        "static",
        "link it statically: CGO_ENABLED=0, a musl target; or rule the check out: skip_checks",
    )


def _stripped(seen: Evidence) -> Verdict:
    return _of_programs(seen, "symbols", "stripped", "-ldflags='-s -w'; strip = true")


def _of_programs(seen: Evidence, flaw: str, virtue: str, hint: str) -> Verdict:
    added, where = _added(seen)
    programs = {path: one for path, one in added.items() if one.entry.program and not one.entry.program.linkable}
    if programs and (not isinstance(seen.base, Base) or above(seen.image.layers, seen.base.layers) is None):
        return not_run(f"which programs it adds cannot be told, as {_BASELESS}")
    if not programs:
        return not_run(f"there is no program {where}")
    bad = [f"/{path}" for path, one in programs.items() if getattr(one.entry.program, flaw)]
    return failed_by(bad, hint, begin=f"not {virtue}: ") if bad else ok(f"{_counted(programs)} {virtue}, {where}")


def _setuid(seen: Evidence) -> Verdict:
    files = {path: one.entry for path, one in merged(seen.image.layers).items() if one.entry.kind is Kind.FILE}
    bad = [f"/{path} ({one.mode & 0o7777:o})" for path, one in files.items() if one.mode & (_SETUID | _SETGID)]
    bad += [f"/{path} (capabilities)" for path, one in files.items() if one.capable]
    hint = "chmod a-s or setcap -r, in the layer that brings it"
    return failed_by(bad, hint, begin="set: ") if bad else ok("none is set")


def _secrets(seen: Evidence) -> Verdict:
    more = [f"{leak.what}: {leak.path}" for leak in seen.image.secrets]
    return _none_of(
        seen,
        "secrets",
        more,
        "what is in a layer stays there: mount it with RUN --mount=type=secret, exclude it in .dockerignore, and "
        "call the secret in",
    )


def _leftovers(seen: Evidence) -> Verdict:
    return _none_of(seen, "leftovers", [], "copy only the result, from a stage of its own")


def _none_of(seen: Evidence, kind: str, more: Sequence[str], hint: str) -> Verdict:
    found = [*(_placed(leak, at, seen.image.layers) for at, leak in _leaks(seen.image.layers, kind)), *more]
    if found:
        return failed_by(found, hint)
    lacking = unreadable(seen)
    return not_run(lacking) if lacking else ok(f"none in {len(seen.image.layers)} layers")


def _leaks(layers: Sequence[Layer], kind: str) -> list[tuple[int, Leak]]:
    return [(number, leak) for number, layer in enumerate(layers) for leak in getattr(layer, kind)]


def _placed(leak: Leak, number: int, layers: Sequence[Layer]) -> str:
    there = any(path == leak.path or path.startswith(f"{leak.path}/") for path in merged(layers))
    gone = "" if there else ", deleted above it and still there"
    return f"{leak.what}: /{leak.path} in layer {number + 1}{gone}"


def _counted(programs: Mapping[str, Placed]) -> str:
    return f"{len(programs)} program{'' if len(programs) == 1 else 's'}"


CHECKS = (
    Check("architecture", "its programs are for its platform", _architecture, unreadable),
    Check("static", "its programs need no library", _static, unreadable),
    Check("stripped", "its programs carry no symbols", _stripped, unreadable),
    Check("setuid", "nothing runs with another user's rights", _setuid, unreadable),
    Check("secrets", "no layer holds a key, a token or an environment file", _secrets),
    Check("leftovers", "no layer holds a history or a build tool", _leftovers),
)
