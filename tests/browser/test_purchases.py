"""A user's credits from the purchase to the lost event that finance finds, in a real browser on the sandbox."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.live_dashboard import LiveDashboard, live_dashboard, tab

pytestmark = pytest.mark.long
RUN = "/simulate-runs?user=nora&prompt=summarise&model=claude-3-haiku"
"""A run of 300 credits: 250 inference and 20 % markup."""
PARTS = "SELECT account_id, balance_credits FROM user_parts ORDER BY account_id"
BALANCE = "SELECT balance_credits FROM user_credits WHERE user_id = 'nora'"


def shown(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def buy(page: Page, live: LiveDashboard, ending: str, then: str) -> None:
    """Buy the starter pack of 5,000,000 credits for 5 dollars and end its checkout so."""
    page.goto(f"{live.address}/buy-credits?user=nora")
    press(page, "Buy Starter")
    press(page, "Open the checkout")
    press(page, ending)
    shown(page, then)


def run_on_a_hold(page: Page, live: LiveDashboard) -> None:
    page.goto(f"{live.address}{RUN}")
    press(page, "Set credits aside first")
    shown(page, "are set aside and cannot be spent")
    press(page, "Charge what was used")
    shown(page, "for the run.")


def test_a_pack_is_bought_spent_refunded_disputed_and_a_lost_event_is_found(browser: Browser, tmp_path: Path) -> None:
    with live_dashboard(tmp_path) as live, tab(browser, live) as page:
        buy(page, live, "Pay $5.00", "Paid, with receipt 1.")
        run_on_a_hold(page, live)

        page.goto(f"{live.address}/buy-credits?purchase=1")
        with page.expect_download() as downloading:
            press(page, "Receipt")
        assert downloading.value.path().read_bytes().startswith(b"%PDF")
        press(page, "Refund")
        page.get_by_role("textbox", name="Amount, empty for all of it").fill("4.00")
        page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True).click()
        shown(page, "Partly refunded")
        assert live.rows(BALANCE) == [(5_000_000 - 300 - 4_000_000,)]

        buy(page, live, "Pay $5.00", "Paid, with receipt 2.")
        run_on_a_hold(page, live)  # the older purchase pays
        page.goto(f"{live.address}/payments?purchase=1")
        press(page, "Dispute the payment")
        shown(page, "is disputed.")
        press(page, "Lose the dispute")
        expect(page.get_by_role("heading", name=re.compile("Dispute lost"))).to_be_visible()
        # The 600 that were spent of the first purchase are paid by the second one.
        assert live.rows(BALANCE) == [(5_000_000 - 600,)]
        assert live.rows(PARTS) == [("nora:debt", 0), ("nora:frozen", 0), ("nora:held", 0)]

        buy(page, live, "Event is lost", "Waiting for the gateway")
        page.get_by_role("link", name="Find it in Reconciliation").click()
        shown(page, "The gateway's books differ from ours")
        press(page, "Mend")
        shown(page, "Everything matches")
        assert live.rows(BALANCE) == [(10_000_000 - 600,)]
        assert live.rows("SELECT id, purchase_id FROM purchase_receipts ORDER BY id") == [(1, 1), (2, 2), (3, 3)]
