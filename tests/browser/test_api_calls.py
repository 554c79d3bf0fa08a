"""The screen API with its own server: a call is sent from the screen, and calls are there after a restart."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.live_dashboard import LiveDashboard, click_first_cell, live_dashboard, tab
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long
_SETTINGS = {"CREDITS_DEMO": "1"}


def send_a_charge(browser: Browser, live: LiveDashboard) -> str:
    """Send the example's charge, and return the address at which the call is shown."""
    with tab(browser, live) as page:
        page.goto(f"{live.address}/api-console?example=Charge")
        page.get_by_role("button", name="Make a key for today").click()
        expect(page.get_by_text(re.compile("Sent with the key"))).to_be_visible()
        # What is clicked while the screen is still being drawn may have moved by then.
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("201 Created")).to_be_visible()
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Repeated, not charged again")).to_be_visible()
        expect(page.get_by_text("2 of 2 calls. Updates every two seconds.")).to_be_visible()
        click_first_cell(page, row=1)
        expect(page).to_have_url(re.compile("call="))
        expect(page.get_by_role("heading", name="POST /api/credits/charge-prompt")).to_be_visible()
        time.sleep(3)  # the list is not drawn any more, so nothing closes what is open
        expect(page.get_by_role("link", name="Explain this charge")).to_be_visible()
        return page.url


def test_a_call_is_sent_to_this_server_and_is_still_shown_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    settings = _SETTINGS | {"STREAMLIT_SERVER_BASE_URL_PATH": "tools/credits"}
    with live_dashboard(tmp_path, **settings) as live:
        url = send_a_charge(browser, live)
        assert live.rows("SELECT COUNT(*) FROM journal_entries WHERE idempotency_key LIKE 'caller:try-%'") == [(1,)]
    with live_dashboard(tmp_path, **settings) as live, tab(browser, live) as page:
        page.goto(f"{live.address}/api-console?{url.partition('?')[2]}")
        expect(page.get_by_role("link", name="Explain this charge")).to_be_visible()
        page.get_by_role("button", name="All calls").click()
        expect(page.get_by_text("2 of 2 calls. Updates every two seconds.")).to_be_visible()


def test_calls_that_come_in_are_listed_by_themselves(browser: Browser, tmp_path: Path) -> None:
    with live_dashboard(tmp_path, **_SETTINGS) as live, tab(browser, live) as page:
        page.goto(f"{live.address}/api-console")
        expect(page.get_by_text("Send one above. It shows up here.")).to_be_visible()
        page.request.get(f"{live.root}/api/models")
        expect(page.get_by_text("1 of 1 calls. Updates every two seconds.")).to_be_visible()
        page.request.get(f"{live.root}/api/models")
        expect(page.get_by_text("2 of 2 calls. Updates every two seconds.")).to_be_visible()


def test_the_last_call_before_the_end_of_the_server_is_kept(browser: Browser, tmp_path: Path) -> None:
    with live_dashboard(tmp_path, **_SETTINGS) as live, tab(browser, live) as page:
        assert page.request.get(f"{live.root}/api/ready").status == 200
        page.request.get(f"{live.root}/api/models")
        wait_until(lambda: live.rows("SELECT COUNT(*) FROM api_calls") == [(1,)])
        page.request.get(f"{live.root}/api/credits/balance")
    assert live.rows("SELECT path FROM api_calls ORDER BY id") == [("/models",), ("/credits/balance",)]
