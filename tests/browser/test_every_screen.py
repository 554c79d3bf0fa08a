"""Every screen in both themes: nothing that axe-core finds, nothing cut, no request that leaves the machine."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, expect

from tests.support.live_dashboard import PATHS, ROOT, LiveDashboard, live_dashboard

pytestmark = pytest.mark.long
PICTURES = ROOT / "pages" / "parts"
VIEWS = [*PATHS, "/balances?user=noor", "/history?entry=40", "/guide?task=cure-a-cliff"]
# What Streamlit draws by itself and no setting of ours changes: its menu's lists, the marks of its small metric charts,
# the colours of code, its button to stop a run, and the roles of its box for files.
OF_STREAMLIT = ("stSidebarNav", "mark-symbol", "token ", "stBaseButton-header", "stFileUploaderDropzone")
# The number over a slider has the colour of the slider. The box that goes with the slider shows the same number.
OVER_A_SLIDER = "[data-testid=stSliderThumbValue]"
WIDTH, HEIGHT = 1280, 800
DARK = "rgb(18, 19, 28)"
_FADING_MS = 400
"""Buttons and boxes take a moment to get their new colours."""


@pytest.fixture(scope="module")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    with live_dashboard(tmp_path_factory.mktemp("screens"), CREDITS_DEMO="1") as live:
        yield live


@pytest.fixture(scope="module")
def nothing(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDashboard]:
    """A dashboard on an empty database, which asks how to begin."""
    with live_dashboard(tmp_path_factory.mktemp("nothing"), CREDITS_DEMO="") as live:
        yield live


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.set_default_timeout(120_000)
    with context:
        yield context.new_page()


@pytest.mark.parametrize("path", VIEWS)
def test_a_screen_can_be_used_by_everyone_and_asks_no_other_machine(page: Page, live: LiveDashboard, path: str) -> None:
    open_and_look(page, live, path)
    # Streamlit's header is 60 pixels high; nothing but the head line stands between it and the first answer.
    assert page.get_by_role("heading", level=1).bounding_box()["y"] < 120  # type: ignore[index]


@pytest.mark.parametrize("path", ["/", "/pricing-lab", "/test-credits"])
def test_so_it_is_in_an_empty_database(page: Page, nothing: LiveDashboard, path: str) -> None:
    open_and_look(page, nothing, path)
    title = re.compile("^Start$" if path == "/" else "^(Plans|Test bench)$")
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    if path != "/":
        expect(page.get_by_role("link", name="Choose how to begin")).to_be_visible()


def open_and_look(page: Page, live: LiveDashboard, path: str) -> None:
    """Open the screen: in neither theme axe-core may find anything, and it may ask no other machine."""
    elsewhere: list[str] = []

    def note(asked: Request) -> None:
        if not re.match(rf"{re.escape(live.root)}|ws://{re.escape(live.root[7:])}|data:|blob:", asked.url):
            elsewhere.append(asked.url)

    page.emulate_media(color_scheme="light")
    page.goto("about:blank")  # what the screen before it still asks for, perhaps of another server, ends here
    page.on("request", note)
    page.goto(live.address + path)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    is_drawn(page)
    in_light = faults(page)
    page.emulate_media(color_scheme="dark")  # as a machine does that turns dark in the evening
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    page.wait_for_timeout(_FADING_MS)
    is_drawn(page)
    in_dark = faults(page)
    page.remove_listener("request", note)

    assert elsewhere == []
    for theme in (in_light, in_dark):
        assert [fault for fault in theme if not is_of_streamlit(fault)] == []


def is_drawn(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_guide_shows_its_pictures_in_the_theme_of_the_browser(
    page: Page, live: LiveDashboard, theme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(f"{live.address}/guide?task=cure-a-cliff")
    picture = page.get_by_test_id("stImage").first.get_by_role("img")
    expect(picture).to_have_attribute("alt", re.compile("^The screen Plans"))
    shown = page.request.get(picture.evaluate("one => one.src")).body()
    assert shown == (ROOT / "docs" / "images" / f"cliff-{theme}.png").read_bytes()


def faults(page: Page) -> list[tuple[str, str]]:
    """What axe-core finds: the rule and the element."""
    found: list[dict[str, Any]] = Axe().run(page, context={"exclude": [[OVER_A_SLIDER]]}).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def is_of_streamlit(fault: tuple[str, str]) -> bool:
    rule, html = fault
    return rule in ("list", "listitem") or any(mark in html for mark in OF_STREAMLIT)


def test_what_cannot_be_used_by_everyone_is_found(page: Page) -> None:
    page.set_content('<html lang="en"><title>t</title><main><h1>Title</h1><h3>Too deep</h3></main></html>')

    assert ("heading-order", "<h3>Too deep</h3>") in faults(page)


@pytest.mark.parametrize("name", ["logo.svg", "icon.svg"])
def test_a_picture_of_ours_needs_no_font_and_is_not_cut(page: Page, name: str, tmp_path: Path) -> None:
    picture = (PICTURES / name).read_text(encoding="utf-8")
    assert "<text" not in picture

    page.set_content(f"<body style='margin:0'>{picture}</body>")
    drawn = page.evaluate(
        """() => {
            const svg = document.querySelector('svg'), frame = svg.getBoundingClientRect();
            const boxes = [...svg.querySelectorAll('path, circle')].map(shape => {
                const box = shape.getBoundingClientRect();  // moved as it is, with the width of its line
                return [box.x - frame.x, box.y - frame.y, box.right - frame.x, box.bottom - frame.y];
            });
            return {width: frame.width, height: frame.height, boxes};
        }"""
    )
    right, bottom = max(box[2] for box in drawn["boxes"]), max(box[3] for box in drawn["boxes"])
    assert min(edge for box in drawn["boxes"] for edge in box[:2]) >= 0
    assert 0 < right <= drawn["width"]
    assert 0 < bottom <= drawn["height"]
    # Its letters fill it: an empty margin would make it smaller than it could be.
    assert right > 0.8 * drawn["width"]
