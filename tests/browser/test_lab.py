"""The walk through the screens about plans in a real browser: find, cure, compare, replay, simulate, make live."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.live_dashboard import chromium, live_dashboard, tab

CAPPED = "promptflow-v1-capped"


def shown(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def go(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("link", name=re.compile(f"{name}$")).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def headline(page: Page, said: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", name=said, level=2)).to_be_visible()


def metric(page: Page, label: str, value: str) -> None:
    expect(page.get_by_test_id("stMetric").filter(has_text=label)).to_contain_text(value)


def plan_box(page: Page, label: str = "Price plan") -> Locator:
    return page.get_by_role("combobox", name=re.compile(f"^{label}"))


@pytest.mark.long
def test_a_plan_is_cured_compared_replayed_and_made_live(tmp_path: Path) -> None:
    with chromium() as browser, live_dashboard(tmp_path, CREDITS_DEMO="1") as live, tab(browser, live) as page:
        page.goto(f"{live.address}/pricing-lab")
        shown(page, "A run that costs us 9,999 is billed 11,998; one that costs 10,000 is billed 11,000.")
        headline(page, re.compile("905 of last month's 3,564 runs paid 3,195,812 credits"))

        page.locator(f".st-key-cure-{CAPPED}-button").get_by_role("button").click()
        shown(page, f"Saved the draft {CAPPED}")
        expect(plan_box(page)).to_have_value("promptflow-v1")  # it stays where one was
        page.get_by_role("button", name=f"Open {CAPPED}").click()
        expect(page).to_have_url(re.compile(f"plan={CAPPED}"))
        headline(page, "This plan has no cliffs.")

        page.get_by_role("link", name="Compare and edit").click()
        expect(page).to_have_url(re.compile("/compare-plans"))
        expect(plan_box(page, "Plan B")).to_have_value(CAPPED)
        page.get_by_text("Creator share, caps, rounding and holds").click()
        page.get_by_text("With a fee, we still earn at least our normal markup").click()
        expect(page).to_have_url(re.compile("edit=8000%3Bcap%3Bminimum-markup"))
        page.get_by_role("link", name="Replay all history under this plan").click()
        expect(plan_box(page, "Plan B: unsaved edit")).to_have_value(f"{CAPPED} (edited)")
        go(page, "Compare")
        expect(page).to_have_url(re.compile("edit=8000%3Bcap%3Bminimum-markup"))
        page.get_by_role("textbox", name="Save as").fill("promptflow-v2")
        page.get_by_role("textbox", name="Save as").press("Enter")
        page.get_by_role("button", name="Save draft").click()
        expect(plan_box(page, "Plan B")).to_have_value("promptflow-v2")
        expect(page).not_to_have_url(re.compile("edit="))
        assert live.rows("SELECT id, revision FROM price_plans ORDER BY id")[1:] == [(CAPPED, 1), ("promptflow-v2", 1)]

        go(page, "Replay")
        plan_box(page, "Plan B").fill("promptflow-v1")
        plan_box(page, "Plan B").press("Enter")
        expect(page).to_have_url(re.compile("plan=promptflow-v1(&|$)"))
        same = "Check passed: all 3,564 runs and 129 unlocks come out exactly as charged."
        shown(page, same)
        with tab(browser, live) as other:
            other.goto(page.url)
            shown(other, same)
        plan_box(page, "Plan B").fill(CAPPED)
        plan_box(page, "Plan B").press("Enter")
        expect(page).to_have_url(re.compile(f"plan={CAPPED}&revision=1"))
        metric(page, "Users pay 0.24 % less", "+3,195,812")

        go(page, "Scenario")
        runs = page.get_by_role("textbox", name="Runs")
        runs.fill("1000000")
        runs.press("Enter")
        metric(page, "Users paid", "5,096,689,151")  # the chosen plan goes along from screen to screen

        go(page, "Plans")
        expect(plan_box(page)).to_have_value(CAPPED)
        page.get_by_role("button", name="Make live").first.click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Make live")).to_be_disabled()
        dialog.get_by_role("textbox", name="Reason").fill("No cliffs")
        dialog.get_by_role("button", name="Make live").click()
        shown(page, f"{CAPPED} is live. It prices every new run and unlock.")
        expect(page.get_by_test_id("stSidebar").get_by_role("link", name=CAPPED, exact=True)).to_be_visible()

        page.goto(f"{live.address}/simulate-runs?user=ada&prompt=free-form&model=openai/gpt-4o&input_tokens=3600")
        page.get_by_role("textbox", name="Output tokens").fill("60")
        page.get_by_role("textbox", name="Output tokens").press("Enter")
        # 3,600 × 2.5 + 60 × 10 = 9,600, which would have cost 11,520 before; now as much as a run of 10,000.
        shown(page, "capped, because a larger run costs 11,000")
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("link", name="Explain this charge").click()
        shown(page, "Recalculated from the stored inputs: matches the charge exactly.")
        assert live.rows("SELECT plan_id, total_credits FROM prompt_runs ORDER BY entry_id DESC LIMIT 1") == [
            (CAPPED, 11_000)
        ]
