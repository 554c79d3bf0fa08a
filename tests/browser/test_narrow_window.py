"""A window below 900 pixels: the sidebar is folded until somebody opens it, and nothing of a screen is cut."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.live_dashboard import chromium, live_dashboard, tab

WIDE, NARROW = {"width": 900, "height": 800}, {"width": 899, "height": 800}


@pytest.mark.long
def test_the_sidebar_folds_below_900_pixels_and_opens_when_it_is_asked_to(tmp_path: Path) -> None:
    with chromium() as browser, live_dashboard(tmp_path, CREDITS_DEMO="1") as live, tab(browser, live) as page:
        unfold = page.get_by_test_id("stExpandSidebarButton")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        page.goto(live.address)
        expect(page.get_by_test_id("stMetric")).to_have_count(4)
        expect(unfold).to_have_count(0)
        wide = left_edge(page)

        page.set_viewport_size(NARROW)  # type: ignore[arg-type]
        expect(unfold).to_be_visible()
        assert left_edge(page) < wide - 100
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        expect(unfold).to_have_count(0)

        page.set_viewport_size({"width": 800, "height": 800})
        page.goto(f"{live.address}/test-credits")  # a new visit, which begins narrow
        expect(unfold).to_be_visible()
        shown = page.get_by_test_id("stMetricValue").first
        assert shown.evaluate("one => one.scrollWidth <= one.clientWidth")

        unfold.click()
        page.get_by_test_id("stSidebar").get_by_role("link", name="Balances").click()
        expect(page.get_by_role("heading", name="Balances", level=1)).to_be_visible()
        expect(unfold).to_have_count(0)  # it stays as the person left it


def left_edge(page: Page) -> float:
    box = page.get_by_role("heading", level=1).bounding_box()
    assert box is not None
    return box["x"]
