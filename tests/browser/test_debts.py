"""In a real browser: a refund after the payout becomes a debt, and what is earned next pays it first."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from credits_core.store import database
from tests.support import paying_out
from tests.support.live_dashboard import live_dashboard, tab


def _metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=label)


@pytest.mark.long
def test_a_refund_after_the_payout_becomes_a_debt_and_is_netted_next_time(browser: Browser, tmp_path: Path) -> None:
    now, day = datetime.now(UTC), timedelta(days=1)
    engine = database.create_engine_for(f"sqlite:///{tmp_path / 'credits.db'}")
    database.migrate(engine)
    entry_id = paying_out.earn(engine, 25_000_000, now=now - 20 * day)  # a share of 20,000,000
    paying_out.pay_to(engine)
    paying_out.propose(engine, now=now - 12 * day)
    paying_out.approve(engine)
    paying_out.carry_out(engine, now - 12 * day)
    assert paying_out.has(engine) == (0, 0, 20_000_000)
    with live_dashboard(tmp_path, CREDITS_JOBS="0") as live, tab(browser, live) as page:
        page.goto(f"{live.address}/history?entry={entry_id}")
        page.get_by_role("button", name="Refund this entry").click()
        expect(page.get_by_text("ben gives back 0 of 20,000,000 and will owe 20,000,000")).to_be_visible()
        page.get_by_role("textbox", name="Reason").fill("The flow did not work")
        page.get_by_role("button", name="Refund", exact=True).click()
        expect(page.get_by_text("ben gave back 0 of 20,000,000 and came to owe 20,000,000").first).to_be_visible()
        page.goto(live.address)
        expect(_metric(page, "Owed to us")).to_contain_text("20,000,000")
        page.goto(f"{live.address}/creator-earnings?creator=ben")
        expect(page.get_by_text("nothing is left, and the creator owes 20,000,000 credits")).to_be_visible()
        paying_out.earn(engine, 50_000_000, now=datetime.now(UTC), key="next")  # a share of 40,000,000
        page.reload()
        expect(page.get_by_text("Debt netted: 20,000,000 credits ($20.00)")).to_be_visible()
        expect(_metric(page, "Waiting")).to_contain_text("20,000,000")
        expect(page.get_by_text("Debt to PromptFlow:")).to_contain_text("owed now 0")
    engine.dispose()
