"""What every image of a release has to pass before any tag moves: verify, scan, SBOM, signature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ConfigError, EngineError, ScanError, SignError, TaskError
from ..plan.names import is_loopback
from ..plan.signing import Choice
from ..report.release import Gate

if TYPE_CHECKING:
    from ..decision import Run
    from ..plan.release import Member, Release
    from ..settings import Settings
    from ..signers import Signers

NAMES = ("verify", "scan", "sign")
_SCAN_WAY_OUT = "inv container-setup --scanner"
_SIGN_WAY_OUT = "set container.sign_key, or let a job of GitHub Actions have id-token: write"
Say = Callable[[Gate], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of one release."""

    skipped: frozenset[str]
    """Those that a person leaves out."""
    require: bool
    """Whether a platform that cannot run here is a failure."""
    signers: "Signers | None"
    """Who signs; None where nothing says it."""

    def pass_all(self, run: "Run", members: "Sequence[Member]", say: Say, proved: "set[str]") -> str | None:
        """Let the images through every gate, and return who signed them; None where nobody did.

        ``proved``: digests that container-verify has passed in an earlier try; what it passes now is added.

        Raises the gate's own TaskError.
        """
        for name, gate in (("verify", self._verify), ("scan", self._scan)):
            if name in self.skipped:
                say(Gate(name, "skipped", f"--skip {name}"))
            else:
                gate(run, members, say, proved)
        if "sign" in self.skipped:
            say(Gate("sign", "skipped", "--skip sign"))
            return None
        return self._sign(run, members, say)

    def refusal(self, reference: str) -> str:
        """Return why an image that the registry has may not be taken as one of ours; empty where it may.

        Raises PushError where the registry is in the way.
        """
        if self.signers is None:
            return ""
        try:
            self.signers.verifier.verify([reference])
        except SignError as error:
            return f"the image there {error.reason.removeprefix(reference).lstrip()}"
        return ""

    def sign_record(self, reference: str) -> None:
        """Sign the record of a release, and see that it is signed.

        Raises SignError, and PushError where the registry was in the way.
        """
        if self.signers is not None:
            self.signers.sign([reference])

    def _verify(self, run: "Run", members: "Sequence[Member]", say: Say, proved: "set[str]") -> None:
        from . import proving

        # An earlier try may have left out a platform that cannot run here, which is not enough now.
        left = [member for member in members if self.require or member.digest not in proved]
        if not left:
            say(Gate("verify", "ok", "proved by an earlier try"))
            return
        if run.engine is None:
            say(_no_engine(run.settings))
            return
        text = proving.prove(run, left, require=self.require)
        proved |= {member.digest for member in left}
        say(Gate("verify", "ok", text))

    def _scan(self, run: "Run", members: "Sequence[Member]", say: Say, _proved: "set[str]") -> None:
        from . import inspecting

        if not inspecting.can_scan():
            say(_not_run("scan", run.settings, "Trivy is not on this machine", _SCAN_WAY_OUT, ScanError))
            return
        say(Gate("scan", "ok", inspecting.scan(run.settings, members)))

    def _sign(self, run: "Run", members: "Sequence[Member]", say: Say) -> str | None:
        from . import inspecting

        if self.signers is None:
            say(_nobody_signs(run.settings))
            return None
        signer = self.signers.sign([f"{run.settings.registry}/{member.service}@{member.digest}" for member in members])
        say(Gate("sign", "ok", f"{len(members)} images, by {signer}"))
        if inspecting.can_scan():
            say(Gate("sbom", "ok", inspecting.attest(run.settings, members, self.signers)))
        else:
            say(_not_run("sbom", run.settings, "Trivy is not on this machine", _SCAN_WAY_OUT, ScanError))
        return signer


def prepare(settings: "Settings", skipped: Sequence[str], *, require: bool, source: str) -> Gates:
    """Return the gates, after seeing that each can be passed here at all: before anything is built or pushed.

    Raises ConfigError for a gate that there is not and for exceptions that cannot be used, SignError for a key that
    cannot be used, and the gate's own error where what others pull would not pass it.
    """
    from .. import scanning, signers
    from . import inspecting

    for word in skipped:
        if word not in NAMES:
            raise ConfigError(f"{source}: {word!r} is no gate", hint=f"choose from {', '.join(NAMES)}")
    left_out = frozenset(skipped)
    if "verify" not in left_out:
        _require_engine(settings)
    own = None if "sign" in left_out else signers.prepare(settings)
    if own is None and "sign" not in left_out:
        _nobody_signs(settings)
    if "scan" not in left_out:
        scanning.read_exemptions(settings.root)  # what is wrong with them is said before anything builds
        if not inspecting.can_scan():
            _not_run("scan", settings, "Trivy is not on this machine", _SCAN_WAY_OUT, ScanError)
    return Gates(skipped=left_out, require=require, signers=own)


def require_signed(settings: "Settings", release: "Release", place: str) -> str | None:
    """See that the record of a release and its images are signed by who is trusted; return who that is.

    None is returned where nothing says whose signatures count, and nobody has signed. Raises SignError.
    """
    from .. import signers

    references = [f"{place}@{release.digest}"]
    references += [f"{settings.registry}/{member.service}@{member.digest}" for member in release.members]
    signer = signers.verified(settings, references)
    if signer is None and release.signer is not None:
        raise SignError(
            f"the release {release.name} is signed by {release.signer}, and nothing here says whether that counts",
            hint="set container.verify_key, or container.identity",
        )
    return signer


def _nobody_signs(settings: "Settings") -> Gate:
    if settings.sign == Choice.NONE:
        return _not_run("sign", settings, "container.sign is none", "set it to auto, or to key or keyless", SignError)
    return _not_run("sign", settings, "nothing says who signs", _SIGN_WAY_OUT, SignError)


def _require_engine(settings: "Settings") -> None:
    from ..engine import api

    try:
        api.connect()
    except EngineError:
        _no_engine(settings)


def _no_engine(settings: "Settings") -> Gate:
    return _not_run("verify", settings, "there is no engine to run them", "inv container-setup", EngineError)


def _not_run(name: str, settings: "Settings", why: str, way_out: str, kind: type[TaskError]) -> Gate:
    """Return that a gate was not run: a rehearsal on this machine's own registry goes on, anything else does not."""
    if not is_loopback(settings.registry):
        raise kind(f"{name}: {why}, and what others pull has to pass it", hint=f"{way_out}; or --skip {name}")
    return Gate(name, "not run", f"{why}: {way_out}")
