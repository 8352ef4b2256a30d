"""What every image of a release has to pass before any tag moves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ConfigError, EngineError
from .plan.names import is_loopback
from .report.release import Gate

if TYPE_CHECKING:
    from .decision import Run
    from .plan.release import Member

NAMES = ("verify", "scan", "sign")
Say = Callable[[Gate], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of one release."""

    skipped: frozenset[str] = frozenset()
    """Those that a person leaves out."""
    require: bool = False
    """Whether a platform that cannot run here is a failure."""

    def pass_all(self, run: "Run", members: "Sequence[Member]", say: Say, verified: "set[str]") -> str | None:
        """Let the images through every gate, and return who signed them; None where nobody did.

        ``verified``: digests that an earlier try has proved; what is proved now is added.

        Raises the gate's own TaskError.
        """
        for name, gate in (("verify", self._verify), ("scan", self._scan)):
            if name in self.skipped:
                say(Gate(name, "skipped", f"--skip {name}"))
            else:
                gate(run, members, say, verified)
        return None

    def _verify(self, run: "Run", members: "Sequence[Member]", say: Say, verified: "set[str]") -> None:
        from . import proving

        left = [member for member in members if member.digest not in verified]
        if not left:
            say(Gate("verify", "ok", "proved by an earlier try"))
            return
        if run.engine is None:
            _not_run("verify", run, "there is no engine to run them", "inv container-setup", say)
            return
        text = proving.prove(run, left, require=self.require)
        verified |= {member.digest for member in left}
        say(Gate("verify", "ok", text))

    def _scan(self, run: "Run", _members: "Sequence[Member]", say: Say, _verified: "set[str]") -> None:
        _not_run("scan", run, "there is no scanner here", "inv container-setup --scanner", say)

    def sign_record(self, reference: str) -> None:
        """Sign the record of the release."""


def parse(words: Sequence[str], *, source: str) -> frozenset[str]:
    """Return the gates that are named.

    Raises ConfigError for one that there is not.
    """
    for word in words:
        if word not in NAMES:
            raise ConfigError(f"{source}: {word!r} is no gate", hint=f"choose from {', '.join(NAMES)}")
    return frozenset(words)


def _not_run(name: str, run: "Run", why: str, way_out: str, say: Say) -> None:
    """Say that a gate was not run: a rehearsal on this machine's own registry goes on, anything else does not.

    Raises EngineError for a registry that others pull from.
    """
    if not is_loopback(run.settings.registry):
        raise EngineError(f"{name}: {why}, and what others pull has to pass it", hint=f"{way_out}; or --skip {name}")
    say(Gate(name, "not run", f"{why}: {way_out}"))
