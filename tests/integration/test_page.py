"""The page of a run in a real browser: what a person sees, at a desk, on a phone, by keyboard."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from dev.browser import browser
from tasks.errors import EngineError
from tasks.report import page
from tests import records
from tests.support import Repo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RECORDS: dict[str, Callable[[], records.Record]] = {
    "built": records.built,
    "failed": records.failed,
    "up to date": records.current,
    "many": records.many,
    "hostile": records.hostile,
}
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
UNFOLD = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A real browser; where none can be had the test is skipped, which CI takes for a failure."""
    try:
        with browser() as started:
            yield started
    except EngineError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each record."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, make in RECORDS.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(page.render(make()), encoding="utf-8")
    return found


@pytest.fixture
def opened(chromium: "Browser") -> Iterator[Callable[..., "Page"]]:
    """Open a page; it may say nothing on the console and ask for nothing but itself."""
    said: list[str] = []
    contexts = []

    def open_page(path: Path, **options: object) -> "Page":
        context = chromium.new_context(**options)  # type: ignore[arg-type]  # the keywords of its own signature
        contexts.append(context)
        made = context.new_page()
        made.on("console", lambda message: said.append(f"console: {message.text}"))
        made.on("pageerror", lambda error: said.append(f"error: {error}"))
        made.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        made.on("request", lambda request: None if request.url == path.as_uri() else said.append(request.url))
        made.goto(path.as_uri())
        return made

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("view", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", RECORDS)
def test_it_is_quiet_and_nothing_sticks_out_with_everything_unfolded(
    files: dict[str, Path], opened: Callable[..., "Page"], name: str, view: dict[str, int]
) -> None:
    shown = opened(files[name], viewport=view)
    assert shown.evaluate("document.documentElement.scrollWidth") == view["width"]
    shown.evaluate(UNFOLD)
    assert shown.evaluate("document.documentElement.scrollWidth") == view["width"]
    assert shown.evaluate("document.querySelectorAll('script, img, link, iframe, [onerror]').length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["built", "failed", "up to date"])
def test_who_sees_or_holds_little_can_use_it(
    chromium: "Browser", files: dict[str, Path], name: str, scheme: str
) -> None:
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport=DESK)  # type: ignore[arg-type]
    try:
        shown = context.new_page()
        shown.goto(files[name].as_uri())
        shown.evaluate(UNFOLD)
        found = Axe().run(shown)
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found.response["violations"]] == []
        assert "color-contrast" in [one["id"] for one in found.response["passes"]]
    finally:
        context.close()


def test_the_two_schemes_are_two(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    colours = {
        scheme: opened(files["built"], color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert colours["light"] != colours["dark"]


def test_on_paper_it_is_dark_on_white(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    shown = opened(files["failed"], color_scheme="dark")
    shown.emulate_media(media="print")
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not shown.locator("nav").is_visible()
    assert len(shown.pdf()) > 10_000


def test_the_tab_key_reaches_every_section_in_order(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    shown = opened(files["failed"])
    sections: list[str] = shown.evaluate("[...document.querySelectorAll('section')].map(one => one.id)")
    links: list[str] = shown.evaluate("[...document.querySelectorAll('nav a')].map(one => one.hash.slice(1))")
    assert links == sections
    reached = []
    for _ in range(200):
        shown.keyboard.press("Tab")
        place = shown.evaluate("document.activeElement.closest('section')?.id")
        if place and place not in reached:
            reached.append(place)
    assert reached == [name for name in sections if name in reached]
    assert set(sections) - set(reached) <= {"path"}  # which has one link, and may have none


def test_a_service_folds_by_keyboard_without_a_script(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    shown = opened(files["built"], java_script_enabled=False)
    folded = shown.locator("#timeline details").first
    assert folded.get_attribute("open") is not None
    folded.locator("summary").first.focus()
    shown.keyboard.press("Enter")
    assert folded.get_attribute("open") is None


def test_the_link_of_a_service_unfolds_its_steps(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    shown = opened(files["many"])
    steps = shown.locator("#s3")
    assert not steps.is_visible()
    shown.locator('#services a[href="#s3"]').click()
    shown.wait_for_function("document.querySelector('#s3').closest('details').open")
    assert steps.is_visible()


def test_a_hundred_services_open_quickly(files: dict[str, Path], opened: Callable[..., "Page"]) -> None:
    assert files["many"].stat().st_size < 2_000_000
    shown = opened(files["many"], viewport=PHONE)
    took = shown.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert took < 3000  # milliseconds, on a machine that does other things as well


@pytest.mark.docker
def test_a_build_leaves_its_page_and_the_task_makes_it_anew(tiny: Repo, opened: Callable[..., "Page"]) -> None:
    tiny.service("good", "RUN sleep 1")
    tiny.service("bad", "RUN echo '<b>the reason</b>' && exit 3")
    tiny.inv("container-build").fails(4)
    path = tiny.root / ".container/report.html"
    shown = opened(path)
    assert shown.locator("h1").inner_text().startswith("1 failed, 1 built in")
    assert "<b>the reason</b>" in shown.locator("#failures").inner_text()
    assert "RUN echo" in shown.locator("#failures .hit").last.inner_text()
    path.unlink()
    tiny.inv("container-report").ok()
    assert "1 failed, 1 built" in path.read_text(encoding="utf-8")


@pytest.mark.docker
def test_a_run_with_nothing_to_build_leaves_the_page_of_the_one_before(tiny: Repo) -> None:
    tiny.service("good")
    tiny.inv("container-build").ok()
    path = tiny.root / ".container/report.html"
    before = path.read_bytes()
    tiny.inv("container-build").ok()
    said = tiny.inv("container-report").ok()
    assert path.read_bytes() == before
    assert "1 up to date" in said.out
    assert "nothing to build" in said.all
