"""The record of a run of builds, from its beginning to its end, however it ends."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .engine import github, records
from .engine.interrupts import Interrupts
from .errors import ConfigError, Interrupted, TaskError
from .plan import record
from .plan.outcomes import Outcome
from .plan.targets import Output
from .report import style

if TYPE_CHECKING:
    from .plan.targets import Plan
    from .settings import Settings


@dataclass(slots=True)
class Recording:
    """One run while it goes on."""

    settings: "Settings"
    outline: "Plan"
    commit: str | None = None
    fingerprints: Mapping[str, str | None] = field(default_factory=dict)
    """Of what each service's build reads."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """What has come of each service, as far as it has come."""
    release: Mapping[str, Any] | None = None
    """What a push has made of it, as far as it has come."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """The record, at the end."""
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.monotonic() - self._began

    def close(self, ending: record.Ending) -> None:
        """Make the record and keep it; where it cannot be kept, say so: what was built is built.

        A run of which nothing had come yet leaves the last record: it says what is left to do. Another Ctrl-C
        meanwhile takes nothing from it: it is a matter of moments.
        """
        if self.outcomes:
            with Interrupts(lambda: None):
                self._keep(ending)

    def _keep(self, ending: record.Ending) -> None:
        root = self.settings.root
        self.content = record.make(
            self._run(), self._parts(), ending, seconds=self.seconds, before=records.read_last(root)
        )
        try:
            records.write_last(root, record.dumps(self.content))
        except ConfigError as error:
            style.note(f"this run leaves no record: {error.reason}")
        else:
            if any(part["steps"] for part in self.content["services"]):
                self._draw()
        if github.here():
            self._tell_github()

    def _draw(self) -> None:
        """Make the page of a run that has built something; without one the run is as good."""
        from .report import page

        try:
            records.write_file(self.settings.root, records.PAGE, page.render(self.content))
        except ConfigError as error:
            style.note(f"this run leaves no page: {error.reason}")

    def _tell_github(self) -> None:
        from .report import github as report

        report.annotate(self.content, github.folder(self.settings.root))
        there = github.summary_size()
        try:
            if there is not None:
                github.append_summary(report.summary(self.content, report.LARGEST - there))
        except ConfigError as error:
            style.note(error.reason)

    def _run(self) -> record.Run:
        settings, request = self.settings, self.outline.request
        return record.Run(
            task=settings.task,
            project=settings.project,
            version=settings.version,
            commit=self.commit,
            started=self._started,
            began=self._began,
            settings={key: (_value(settings, key), source) for key, source in settings.sources.items()},
            platforms=request.platforms,
            output="push" if request.output is Output.PUSH else "load",
            stand_ins=self.outline.stand_ins,
            release=self.release,
        )

    def _parts(self) -> list[record.Part]:
        budgets = {service.name: service.budget for service in self.settings.services}
        return [
            record.Part(
                outcome=self.outcomes[target.service],
                references=target.references,
                fingerprint=self.fingerprints.get(target.service),
                budget=budgets.get(target.service),
            )
            for target in self.outline.targets
            if target.service in self.outcomes
        ]


@contextmanager
def recorded(recording: Recording) -> Iterator[Recording]:
    """Keep the record when the run ends; an error carries it to whoever tells programs."""
    try:
        yield recording
    except KeyboardInterrupt:
        stopped = Interrupted("stopped by Ctrl-C")
        recording.close(record.ending(stopped))
        stopped.record = recording.content
        raise stopped from None
    except TaskError as error:
        recording.close(record.ending(error))
        error.record = recording.content
        raise
    except Exception as error:
        recording.close(record.ending(error))
        raise
    recording.close(record.ending(None))


def _value(settings: "Settings", key: str) -> str | int | bool | None:
    value = getattr(settings, key)
    if key == "services":
        return ",".join(service.name for service in value)
    return ",".join(value) if isinstance(value, tuple) else value
