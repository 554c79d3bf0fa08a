"""Find a plan in a real browser: stop a search and see the best so far, find plans, open one, keep it, print some."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.live_dashboard import chromium, live_dashboard, tab


def header(page: Page) -> str:
    """The id of the plan that is shown below."""
    return page.get_by_role("heading", level=2, name=re.compile("^promptflow-v1-found")).inner_text()


@pytest.mark.long
def test_a_better_plan_is_found_opened_kept_and_printed(tmp_path: Path) -> None:
    with chromium() as browser, live_dashboard(tmp_path, CREDITS_DEMO="1") as live, tab(browser, live) as page:
        page.goto(f"{live.address}/find-a-plan?plans_tried=20000")
        page.get_by_role("button", name="Find plans").click()
        page.get_by_text(re.compile("plans best so far")).wait_for()
        page.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
        expect(page.get_by_text("These are the best plans so far.")).to_be_visible()
        expect(page.get_by_text(re.compile(r"^[0-9,]+ plans tried: "))).to_be_visible()

        page.goto(f"{live.address}/find-a-plan?plans_tried=300")
        page.get_by_role("button", name="Find plans").click()
        expect(page.get_by_text("300 plans tried: ")).to_be_visible()
        first = header(page)
        chart = page.locator(".st-key-found-plans")
        point = chart.locator(".scatterlayer .trace").first.locator(".points path").first
        point.click(force=True)
        page.wait_for_function(
            "first => ![...document.querySelectorAll('h2')].some(one => one.innerText === first)", arg=first
        )
        chosen = header(page)
        assert chosen != first

        page.get_by_role("button", name="Save as draft").click()
        expect(page.get_by_text(f"Saved the draft {chosen}").first).to_be_visible()
        assert live.rows("SELECT id FROM price_plans WHERE id LIKE '%found%'") == [(chosen,)]
        expect(page.get_by_role("link", name=f"Open {chosen}")).to_be_visible()

        page.get_by_role("button", name="Print").click()
        with page.expect_download() as started:
            page.get_by_role("button", name="Download PDF").click()
        path = tmp_path / "plans.pdf"
        started.value.save_as(path)
        assert path.read_bytes().startswith(b"%PDF-")
        assert started.value.suggested_filename == "price-plans.pdf"
