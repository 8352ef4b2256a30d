"""The flow behind container-verify: choose the images, try each, judge what was seen, report."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import subjects
from .engine import api, git, layers, manifests, records, trials, workspace
from .engine.interrupts import Interrupts
from .engine.specimens import Specimens, mark_of
from .errors import Interrupted, VerifyError
from .plan import checks, record
from .plan.evidence import Base, Evidence, Image, Runs, Subject, Unknown, completed
from .plan.verdicts import some
from .report import running as live
from .report import style, verify_page
from .report import verify as report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker import APIClient

    from .plan.bases import Base as TakenBase
    from .plan.platforms import Platform
    from .services import Repository
    from .settings import Settings

LOCK = "verify.lock"
JSON_FILE, JUNIT_FILE, PAGE = "verify.json", "verify.xml", "verify.html"
_TICK = 0.1  # seconds between two looks at whether a person has lost patience
_AT_ONCE = 6  # images that are tried side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for beside the settings."""

    image: str | None = None
    require: bool = False
    skip: frozenset[str] = frozenset()


def run(settings: "Settings", repository: "Repository", wish: Wish) -> "Mapping[str, Any]":
    """Verify every image, show what was found, keep it, and return it for programs.

    Raises VerifyError when a check fails, BuildError for an image that could not be built,
    PushError for one that could not be had, and Interrupted.
    """
    client, engine = api.client(), api.connect()
    chosen = (
        subjects.of_services(settings, repository, engine)
        if wish.image is None
        else subjects.of_reference(wish.image, settings, repository, client)
    )
    found, content, error = verified(settings, repository, chosen, wish)
    report.show(found)
    if error is not None:
        error.record = content
        raise error
    return content


def verified(
    settings: "Settings", repository: "Repository", chosen: Sequence[Subject], wish: Wish
) -> "tuple[report.Report, Mapping[str, Any], VerifyError | None]":
    """Verify images, keep what was found, and return it, as programs get it, and the error where a check failed.

    Raises BuildError for an image that cannot be read, and Interrupted.
    """
    client, engine = api.client(), api.connect()
    began, started = time.monotonic(), datetime.now(UTC)
    chosen = tuple(replace(one, skipped=one.skipped | wish.skip) for one in chosen)
    with workspace.alone(settings.root, lambda: style.note("another verification runs here; waiting for it"), LOCK):
        records.remove_files(settings.root, JSON_FILE, JUNIT_FILE, PAGE)  # an older one would tell of another run
        seen = _Round(settings, repository, chosen, client, engine.native()).all()
        judged = [report.Line(one, checks.judge(one, require=wish.require)) for one in seen]
        found = report.Report(
            project=settings.project,
            version=settings.version,
            commit=git.head(repository.root),
            seconds=time.monotonic() - began,
            images=tuple(judged),
        )
        error = _failure(found)
        content = report.answer(found)
        frame = record.frame(settings.task, started, found.seconds, record.ending(error))
        records.write_file(settings.root, JSON_FILE, record.dumps({**frame, **content}))
        records.write_file(settings.root, PAGE, verify_page.render({**frame, **content}))
        records.write_file(settings.root, JUNIT_FILE, report.as_junit(found))
        for line in found.images:
            if not line.failed:
                size = sum(layer.size for layer in line.evidence.image.layers)
                held = {"image": line.evidence.image.id, "size": size}
                records.write(settings.root, _record_name(line.evidence.subject), held, records.VERIFIED)
    return found, content, error


def _failure(found: report.Report) -> VerifyError | None:
    bad = [one for one in found.images if one.failed]
    if not bad:
        return None
    return VerifyError(
        f"{len(bad)} of {len(found.images)} did not pass: {some([one.told for one in bad])}",
        hint="above is the evidence; all of it is in .container/verify.json",
    )


class _Round:
    """All images side by side."""

    def __init__(
        self,
        settings: "Settings",
        repository: "Repository",
        chosen: Sequence[Subject],
        client: "APIClient",
        native: "Platform",
    ) -> None:
        self._settings, self._repository, self._chosen, self._native = settings, repository, chosen, native
        self._store = layers.Store(client)
        self._manifests = manifests.Manifests(client, native)
        self._specimens = Specimens(client, mark_of(settings.project, settings.root), native)
        self._bases = subjects.bases(
            [service for service in repository.services if service.name in {one.name for one in chosen}],
            settings,
            repository,
        )
        self._going = True

    def all(self) -> tuple[Evidence, ...]:
        """Return the evidence of every image; no container is left, whatever happens."""
        names = list(dict.fromkeys(one.name for one in self._chosen))
        with Interrupts(lambda: None) as interrupts, live.coming(names) as show:
            try:
                self._specimens.clear()
                with ThreadPoolExecutor(min(_AT_ONCE, len(self._chosen))) as pool:
                    futures = {pool.submit(self._one, subject): subject for subject in self._chosen}
                    self._await(futures, lambda: interrupts.count > 0, show)
            finally:
                self._going = False
                self._specimens.close()
            if interrupts.count:
                raise Interrupted(f"stopped by {interrupts.word}; nothing of it is left")
        for future in futures:
            error = future.exception()
            if error is not None:
                raise error
        return tuple(future.result() for future in futures)

    def _await(
        self,
        futures: "dict[Future[Evidence], Subject]",
        stopped: Callable[[], bool],
        show: Callable[[Sequence[str]], None],
    ) -> None:
        while pending := wait(futures, timeout=_TICK).not_done:
            if stopped():
                self._going = False
                self._specimens.close()
                for future in pending:
                    future.cancel()
                return
            show(list(dict.fromkeys(futures[one].name for one in futures if one in pending)))

    def _one(self, subject: Subject) -> Evidence:
        image = self._store.image(subject.reference, subject.platform)
        subject = completed(subject, image)
        with ThreadPoolExecutor(1) as beside:
            published = beside.submit(self._published, subject)
            runs = self._runs(subject, image)
            return Evidence(
                subject=subject,
                image=image,
                runs=runs,
                base=self._base(subject, image),
                before=self._before(subject),
                published=published.result(),
            )

    def _runs(self, subject: Subject, image: Image) -> Runs:
        network = self._specimens.network([one.reference for one in self._chosen if one.platform == self._native])
        return trials.run(network, subject, image, foreign=subject.platform != self._native, going=lambda: self._going)

    def _base(self, subject: Subject, image: Image) -> Base | Unknown:
        declared = subject.declared
        if declared is None:
            return self._labelled_base(subject, image)
        if declared.from_scratch:
            return Base(name="nothing (FROM scratch)", layers=())
        taken = self._bases.get(subject.name)
        if declared.base is None or taken is None:
            return Unknown(reason="only BuildKit can tell which base its Dockerfile names")
        return self._looked_up(subject, taken)

    def _looked_up(self, subject: Subject, taken: "TakenBase") -> Base | Unknown:
        reference = subjects.own_reference(taken, self._settings, self._repository)
        place = (
            taken.reference if taken.replacement is None else f"{reference}, the {taken.origin} of {taken.reference}"
        )
        return self._manifests.base(reference, subject.platform, name=place)

    def _labelled_base(self, subject: Subject, image: Image) -> Base | Unknown:
        """Return the base that an image names by OCI's own labels."""
        name = image.labels.get("org.opencontainers.image.base.name")
        digest = image.labels.get("org.opencontainers.image.base.digest")
        if not name or not digest:
            return Unknown(reason="neither a Dockerfile here nor a label of the image names its base")
        reference = f"{name.partition('@')[0]}@{digest}"
        return self._manifests.base(reference, subject.platform, name=reference)

    def _before(self, subject: Subject) -> int | Unknown:
        held = records.read(self._settings.root, _record_name(subject), records.VERIFIED) or {}
        size = held.get("size")
        return size if isinstance(size, int) else Unknown(reason="none was verified here before")

    def _published(self, subject: Subject) -> tuple[int, ...] | Unknown:
        if not subject.service:
            return Unknown(reason="it is no service of this repository, so nothing of it is published")
        reference = f"{self._settings.registry}/{subject.name}:{self._settings.tags[0]}"
        return self._manifests.sizes(reference, subject.platform)


def _record_name(subject: Subject) -> str:
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in subject.name)
    return f"{name}-{subject.platform.arch}"
