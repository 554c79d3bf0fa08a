"""The rows of the money screens in a real browser: a click on a name or number opens what it names."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.live_dashboard import chromium, click_first_cell, live_dashboard, tab


def metric(page: Page, label: str) -> str:
    return page.get_by_test_id("stMetric").filter(has_text=label).inner_text()


@pytest.mark.long
def test_a_click_on_a_row_opens_the_creator_the_user_and_the_entry(tmp_path: Path) -> None:
    with chromium() as browser, live_dashboard(tmp_path, CREDITS_DEMO="1") as live, tab(browser, live) as page:
        page.goto(f"{live.address}/creator-earnings")
        expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
        of_all = metric(page, "Gross fees")
        click_first_cell(page, row=1)
        expect(page).to_have_url(re.compile(r"creator=viktor"))
        expect(page.get_by_role("combobox", name="Creator")).to_have_value("viktor")
        expect(page.get_by_test_id("stMetric").filter(has_text="Gross fees")).not_to_have_text(of_all)
        with page.expect_download() as downloading:
            page.get_by_role("button", name="PDF").first.click()
        assert downloading.value.suggested_filename == "statement-viktor-all-days.pdf"
        assert downloading.value.path().read_bytes().startswith(b"%PDF")

        page.goto(f"{live.address}/balances")
        click_first_cell(page, row=1)
        expect(page.get_by_role("heading", name="ada", level=2)).to_be_visible()
        expect(page).to_have_url(re.compile(r"user=ada"))
        page.get_by_role("link", name="Run as ada").click()
        expect(page.get_by_role("combobox", name="User")).to_have_value("ada")

        page.goto(f"{live.address}/history?entry=19")
        expect(page.get_by_role("heading", name=re.compile("Entry 19: ")).first).to_be_visible()
        page.goto(f"{live.address}/history?period=all")
        sent_at = page.get_by_role("link", name="Download all matches as CSV").get_attribute("href")
        file = page.request.get(f"{live.address}{sent_at}")
        assert file.headers["content-disposition"] == 'attachment; filename="credit-transactions.csv"'
        assert len(file.text().splitlines()) > 1_000

        page.goto(f"{live.address}/history?user=nobody&types=Refund")
        page.get_by_role("button", name="Clear the filters").click()
        expect(page.get_by_text("One line an event.")).to_be_visible()
        expect(page).not_to_have_url(re.compile("user="))
        click_first_cell(page, row=2)
        expect(page.get_by_role("heading", name=re.compile("Entry [0-9]+: ")).first).to_be_visible()
        expect(page).to_have_url(re.compile(r"entry=[0-9]+"))
