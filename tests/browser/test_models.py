"""The screen Models in a real browser: a click on a model opens it, whatever the table shows later."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.support.live_dashboard import chromium, click_first_cell, live_dashboard, tab


def search(page: Page, text: str, says: str) -> None:
    """The page after a search, when the browser has also sent what other rows make of its selection."""
    box = page.get_by_placeholder("Part of a name")
    box.fill(text)
    box.press("Enter")
    expect(page.get_by_text(says)).to_be_visible()
    page.wait_for_timeout(1_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def test_the_model_that_was_clicked_stays_open_whatever_the_table_shows(tmp_path: Path) -> None:
    with chromium() as browser, live_dashboard(tmp_path) as live, tab(browser, live) as page:
        page.goto(f"{live.address}/models")
        click_first_cell(page, row=3)
        opened = page.get_by_role("heading", name="DALL·E 3", exact=True)
        expect(opened).to_be_visible()
        for text, says in (("claude", "8 of"), ("no such model", "Nothing found"), ("o", "42 of"), ("", "53 of")):
            search(page, text, says)
            expect(opened).to_be_visible()
            expect(page).to_have_url(re.compile("[?&]model=dall-e-3(&|$)"))
            expect(page.get_by_text("Price lists")).to_be_visible()

        with tab(browser, live) as other:
            other.goto(page.url)
            expect(other.get_by_role("heading", name="DALL·E 3", exact=True)).to_be_visible()
            click_first_cell(other, row=1)
            expect(other.get_by_role("heading", name="GPT-4", exact=True)).to_be_visible()
            other.get_by_role("button", name="Withdraw model").click()
            other.get_by_role("textbox", name="Reason").fill("Retired by its maker")
            other.get_by_role("button", name="Withdraw", exact=True).click()
            expect(other.get_by_text("52 of")).to_be_visible()
            expect(other.get_by_text("This model is not offered and has no known price")).to_be_visible()

        search(page, "gpt", "13 of")
        expect(opened).to_be_visible()
        page.get_by_role("button", name="Close", exact=True).click()
        expect(opened).not_to_be_visible()
        expect(page).to_have_url(re.compile(r"/models\?search=gpt$"))
