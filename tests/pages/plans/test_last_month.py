"""The screen Plans on a month whose runs fall off the cliffs: money at stake, runs behind it, and what fixes cost."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.plans import month as plan_month
from tests.support import cliff_month, page_driver, world
from tests.support.page_driver import captions, choose, click, open_page, run, small_tables
from tests.support.plans import SPECIFICATION

CAPPED = replace(SPECIFICATION, id="capped", cap_down=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        yield engine


def headline(page: AppTest) -> str:
    return str(page.header[0].value).replace("\\", "")


def at_stake(page: AppTest) -> list[str]:
    """What is at stake by each finding that hits a run, as the buttons say that open the runs."""
    return [button.label.replace("\\", "") for button in page.button if (button.key or "").endswith(":runs")]


def prices(page: AppTest) -> dict[str, list[Any]]:
    """What each fix would have changed, by its name."""
    begin, end = "What ", " would have changed last month"
    return {
        alt.removeprefix(begin).removesuffix(end): [tuple(cell.replace("\\", "") for cell in row) for row in rows]
        for alt, rows in small_tables(page).items()
        if alt.endswith(end)
    }


def test_the_first_thing_read_is_what_users_paid_too_much(ids: dict[str, int]) -> None:
    page = open_page("plans/pricing_lab.py")
    # 400 + 400 + 880 before the first cliff and 4,000 before the second; 10 runs, one of them refunded.
    assert headline(page) == "4 of last month's 10 runs paid 5,680 credits ($0.00568) too much."
    assert "Last month is 2026-01-31 to 2026-03-01, UTC: 10 runs." in captions(page)


def test_each_finding_has_its_runs_and_its_money(ids: dict[str, int]) -> None:
    page = open_page("plans/pricing_lab.py")
    assert at_stake(page) == [
        "**3 runs paid 1,680 credits ($0.00168) too much**",
        "**1 run paid 4,000 credits ($0.004) too much**",
        "**1 run earned us 1,800 credits ($0.0018) less**",
        "**1 run lost 5,315 credits ($0.005315) to card fees**",
    ]
    assert captions(page).count("No run of last month") == 3  # the loss up to 4, no markup, below half a cent


def test_a_figure_opens_the_runs_behind_it_with_most_at_stake_first(ids: dict[str, int]) -> None:
    page = open_page("plans/pricing_lab.py")
    page.get_by_key("finding:0:runs").click()
    page = run(page)
    rows = next(frame.value for frame in page.dataframe if "Too much" in frame.value.columns)
    assert rows["Entry"].tolist() == [str(ids[name]) for name in ("ada 9,900", "ada 9,500 again", "ada 9,500")]
    assert rows["Too much"].tolist() == [880, 400, 400]
    assert rows["Charged"].tolist() == [11_880, 11_400, 11_400]
    assert rows["User"].tolist() == ["ada"] * 3
    # Once: with the next click elsewhere the drawer does not come back.
    assert not [frame for frame in choose(page, measure="Markup").dataframe if "Too much" in frame.value.columns]


def test_each_fix_has_its_price_and_the_cheapest_is_marked(ids: dict[str, int]) -> None:
    page = open_page("plans/pricing_lab.py")
    assert prices(page) == {
        "Cap down": [("Users", "+5,680 (+$0.00568)"), ("Creators", "0"), ("Platform", "−5,680 (−$0.00568)")],
        # 1,000 more for 50,000; 11,000 more for 200,000. Bob has 110,000, which covers 105,500: 1,000 more.
        "Graduated": [("Users", "−13,000 (−$0.013)"), ("Creators", "0"), ("Platform", "+13,000 (+$0.013)")],
        "Minimum platform income": [
            ("Users", "−1,800 (−$0.0018)"),
            ("Creators", "0"),
            ("Platform", "+1,800 (+$0.0018)"),
        ],
    }
    marked = [line.value for line in page.markdown if "Cheapest" in line.value or line.value.startswith("**")]
    assert [line for line in marked if line.startswith("**") or "badge" in line] == [
        "**Cap down**",
        ":green-badge[:material/check: Cheapest]",
        "**Graduated**",
        "**Minimum platform income**",
    ]


def test_a_fix_by_which_users_run_out_says_so(ledger: Engine) -> None:
    world.add(ledger, "bob", 104_999, key="bob")
    world.charge(ledger, cliff_month.run_costing("bob", 95_000), key="run")  # 104,500; graduated 105,500
    page = open_page("plans/pricing_lab.py")
    assert ":material/block: 1 charge refused: credits run out." in [line.value for line in page.markdown]
    assert prices(page)["Graduated"] == [
        ("Users", "0"),  # who is refused pays nothing, and gains nothing
        ("Creators", "0"),
        ("Platform", "−9,500 (−$0.0095)"),
    ]


def test_going_live_shows_the_effect_in_money_first(ledger: Engine) -> None:
    cliff_month.charge_all(ledger)
    world.save_draft(ledger, CAPPED)
    page = click(open_page("plans/pricing_lab.py", plan="capped"), "Make live")
    assert prices(page)["this plan"] == [
        ("Users", "+5,680 (+$0.00568)"),
        ("Creators", "0"),
        ("Platform", "−5,680 (−$0.00568)"),
    ]


def test_in_dollars_every_amount_is_in_dollars(ids: dict[str, int]) -> None:
    page = choose(open_page("plans/pricing_lab.py"), amounts="Dollars")
    assert headline(page) == "4 of last month's 10 runs paid $0.00568 too much."
    assert at_stake(page)[0] == "**3 runs paid $0.00168 too much**"
    assert prices(page)["Cap down"] == [("Users", "+$0.00568"), ("Creators", "0"), ("Platform", "−$0.00568")]


def test_of_a_month_with_too_many_runs_it_is_said_which_were_replayed(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(ledger, "ada", 1_000_000, key="fund", now=cliff_month.LONG_AGO)
    for number, day in enumerate((10, 20, 20)):
        then = world.NOW.replace(month=2, day=day)
        world.charge(ledger, cliff_month.run_costing("ada", 9_500), key=f"run-{number}", now=then)
    monkeypatch.setattr(plan_month, "MOST_RUNS", 2)
    page = open_page("plans/pricing_lab.py")
    assert "Of last month's 3 runs these are the newest 2: 2026-02-20, UTC." in captions(page)
    assert headline(page) == "2 of last month's 2 runs paid 800 credits ($0.0008) too much."


def test_when_no_run_fell_off_it_says_so(ledger: Engine) -> None:
    world.add(ledger, "ada", 1_000, key="fund")
    world.charge(ledger, world.HAIKU, key="run")
    page = open_page("plans/pricing_lab.py")
    assert headline(page) == "This plan has 2 cliffs, but no run of last month fell off."
    assert at_stake(page) == ["**1 run came to 300 credits ($0.0003) in all**"]


def test_a_charge_since_the_screen_was_opened_is_in_the_next_look(ledger: Engine) -> None:
    world.add(ledger, "ada", 100_000, key="fund")
    world.charge(ledger, cliff_month.run_costing("ada", 9_500), key="one")
    page = open_page("plans/pricing_lab.py")
    assert headline(page) == "1 of last month's 1 run paid 400 credits ($0.0004) too much."
    world.charge(ledger, cliff_month.run_costing("ada", 9_900), key="two")
    assert headline(run(page)) == "2 of last month's 2 runs paid 1,280 credits ($0.00128) too much."
