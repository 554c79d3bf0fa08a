import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.lab.replay.report import signed
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from tests.support import page_driver, world
from tests.support.page_driver import captions, charts, choose, click, downloads, links, metrics, open_page, table
from tests.support.plain_sql import every_row, rows, scalar
from tests.support.plans import SPECIFICATION
from tests.support.slow_replay import SlowReplay

CAPPED = replace(SPECIFICATION, id="capped", cap_down=True)
DEARER = PricePlan(
    "dearer",
    7_000,
    (MarkupTier(10_000, 9_000, None), MarkupTier(None, 1_000, None)),
    tier_mode=TierMode.GRADUATED,
)
EVERY_DAY, SOME_DAYS = ("2026-01-01", "2027-01-01"), ("2026-11-03", "2026-11-09")
PARTIES = {
    "Users pay": ("users", -1),
    "Creators get": ("creators", 1),
    "Platform gets": ("platform", 1),
    "Providers get": ("inference", 1),
}
"""The four headline figures by how they begin: whose they are, and the sign of a gain."""
TABS = ("Models", "Creators", "Users")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo month, with two more plans to choose."""
    with page_driver.dashboard(tmp_path_factory.mktemp("replay"), demo=True) as engine:
        for plan in (CAPPED, DEARER):
            world.save_draft(engine, plan)
        yield engine


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        yield engine


def recorded(engine: Engine, days: tuple[str, str] = EVERY_DAY) -> dict[str, int]:
    """What the three parties received, by the transactions, and what users paid for it."""
    within = f"date(created_at_us / 1000000, 'unixepoch') BETWEEN '{days[0]}' AND '{days[1]}'"
    sql = "SELECT COALESCE(SUM(amount_credits), 0) FROM credit_transactions WHERE {} AND {}"
    wheres = {
        "inference": "account_id = 'platform:inference'",
        "creators": "type = 'creator_payment'",
        "platform": "account_id IN ('platform:revenue', 'platform:refunded_inference')",
    }
    found = {label: int(str(scalar(engine, sql.format(where, within)))) for label, where in wheres.items()}
    return {"users": sum(found.values()), **found}


def number(text: str) -> int:
    return int(text.replace(",", "").replace("−", "-"))


def headline(page: AppTest) -> dict[str, tuple[int, int]]:
    """What each party gains, and what is recorded for it, as the four figures on top say."""
    found = {}
    for metric in page.metric:
        (of,) = (of for label, (of, _) in PARTIES.items() if metric.label.startswith(label))
        found[of] = number(metric.value), number(metric.proto.delta_description.removeprefix("of "))
    return found


def said(page: AppTest) -> str:
    return captions(page).replace("\\", "")


def under_plan(page: AppTest) -> dict[str, int]:
    """What users pay and the others receive under plan B, by the four figures on top."""
    signs = dict(PARTIES.values())
    return {of: was + signs[of] * gain for of, (gain, was) in headline(page).items()}


def tables_of(**query: str | list[str]) -> dict[str, list[dict[str, Any]]]:
    """The table of each tab, turned to its end."""
    return {show: _all_rows(open_page("replay/replay_history.py", show=show, **query)) for show in TABS}


def _all_rows(page: AppTest) -> list[dict[str, Any]]:
    found = table(page)
    while any(button.label == "Next" and not button.disabled for button in page.button):
        found += table(click(page, "Next"))
    return found


@pytest.mark.parametrize("days", [EVERY_DAY, SOME_DAYS])
def test_the_demo_month_under_its_own_plan_equals_the_record(ledger: Engine, days: tuple[str, str]) -> None:
    query = {"days": list(days)} if days == SOME_DAYS else {}
    page = open_page("replay/replay_history.py", **query)
    within = f"date(created_at_us / 1000000, 'unixepoch') BETWEEN '{days[0]}' AND '{days[1]}'"
    runs, unlocks = (
        scalar(ledger, f"SELECT COUNT(*) FROM {name} WHERE {within}") for name in ("prompt_runs", "unlocked_flows")
    )
    plural = "unlock" if unlocks == 1 else "unlocks"
    assert f"Check passed: all {runs:,} runs and {unlocks} {plural} come out exactly as charged." in said(page)
    assert "Nobody would have run out of credits." in said(page)
    assert headline(page) == {of: (0, credits) for of, credits in recorded(ledger, days).items()}
    assert list(metrics(page)) == [f"{label} the same" for label in PARTIES]
    assert "Nobody gains or loses. Choose another plan B, or edit one." in said(page)
    assert links(page)["Edit a plan"][0] == "compare-plans"


@pytest.mark.parametrize("plan", [CAPPED, DEARER])
@pytest.mark.parametrize("days", [EVERY_DAY, SOME_DAYS])
def test_the_demo_month_under_another_plan_is_what_a_plain_loop_gives(
    ledger: Engine, plan: PricePlan, days: tuple[str, str]
) -> None:
    query = {"days": list(days)} if days == SOME_DAYS else {}
    page = open_page("replay/replay_history.py", plan=plan.id, show="Changes of a run", **query)
    largest = int(str(scalar(ledger, "SELECT MAX(inference_cost_credits) FROM prompt_runs")))
    slow = SlowReplay(ledger, plan, days, largest_cost=largest)
    assert under_plan(page) == slow.sums
    assert {of: was for of, (_, was) in headline(page).items()} == recorded(ledger, days)
    assert sum(gain for gain, _ in headline(page).values()) == 0
    models, creators, users = tables_of(plan=plan.id, **query).values()
    assert {row["User"]: row["Plan B"] for row in users} == {row["User"]: slow.by["user", row["User"]] for row in users}
    assert sum(row["Plan B"] for row in users) == slow.sums["users"]
    assert sum(row["Plan B"] for row in models) == slow.sums["users"]
    assert sum(row["Recorded"] for row in models) == recorded(ledger, days)["users"]
    assert {row["Creator"]: row["Plan B"] for row in creators} == {
        name: credits for (kind, name), credits in slow.by.items() if kind == "creator" and name
    }
    assert sum(row["Refused"] for row in users) == len(slow.refused)
    counts = [
        sum(one < 0 for one in slow.changes),
        sum(one == 0 for one in slow.changes),
        sum(one > 0 for one in slow.changes),
    ]
    assert "{:,} cheaper, {:,} unchanged, {:,} dearer".format(*counts) in said(page)


def test_plus_is_better_off_in_every_figure_table_and_bar(ledger: Engine) -> None:
    page = open_page("replay/replay_history.py", plan="dearer")
    models, creators, users = tables_of(plan="dearer").values()
    for row in creators:
        assert row["Gains"] == row["Plan B"] - row["Recorded"]
    for row in [row for row in users if not row["Refused"]]:
        assert row["Gains"] == row["Recorded"] - row["Plan B"]
    assert sum(row["Gains"] for row in models) == sum(row["Gains"] for row in users)
    gains = {f"{row['User']} (user)": row["Gains"] for row in users}
    gains |= {f"{row['Creator']} (creator)": row["Gains"] for row in creators}
    drawn: dict[str, int] = {}
    for bars in charts(page)[0]["data"]:
        drawn |= dict(zip(bars["y"], bars["x"], strict=True))
    assert len(drawn) == 6
    assert drawn == {name: gains[name] for name in drawn}
    assert sorted(drawn.values()) == sorted(gains.values())[:6]  # under this plan nobody gains
    assert headline(page)["creators"][0] == sum(row["Gains"] for row in creators)
    assert list(charts(page)[0]["layout"]["yaxis"]["categoryarray"]) == sorted(drawn, key=lambda name: drawn[name])


def test_the_capped_plan_costs_what_sql_says(ledger: Engine) -> None:
    capped = (
        "CASE WHEN creator_fee_credits > 0 THEN 0 WHEN c < 10000 THEN MIN(c * 20 / 100, 11000 - c)"
        " WHEN c < 100000 THEN MIN(c * 10 / 100, 100500 - c) ELSE 500 END"
    )
    not_refunded = "entry_id NOT IN (SELECT refunds_entry_id FROM journal_entries WHERE refunds_entry_id IS NOT NULL)"
    paid = scalar(
        ledger,
        f"SELECT SUM(c + creator_fee_credits + {capped}) FROM (SELECT *, inference_cost_credits AS c FROM prompt_runs)"
        f" WHERE {not_refunded}",
    )
    unlocked = scalar(ledger, f"SELECT SUM(unlock_fee_credits) FROM unlocked_flows WHERE {not_refunded}")
    found = under_plan(open_page("replay/replay_history.py", plan="capped"))["users"]
    assert found == int(str(paid)) + int(str(unlocked))


def test_who_is_refused_is_said_in_a_sentence_and_counted_for_each_user(ledger: Engine) -> None:
    page = open_page("replay/replay_history.py", plan="dearer", show="Users")
    largest = int(str(scalar(ledger, "SELECT MAX(inference_cost_credits) FROM prompt_runs")))
    slow = SlowReplay(ledger, DEARER, EVERY_DAY, largest_cost=largest)
    assert len(slow.refused) > 0
    refused = ", ".join(map(str, slow.refused))
    by_user = rows(
        ledger,
        "SELECT user_id, COUNT(*) FROM (SELECT entry_id, user_id FROM prompt_runs UNION ALL SELECT entry_id, user_id"
        f" FROM unlocked_flows) WHERE entry_id IN ({refused}) GROUP BY user_id",
    )
    runs = scalar(ledger, f"SELECT COUNT(*) FROM prompt_runs WHERE entry_id IN ({refused})")
    (sentence,) = (text.value.replace("\\", "") for text in page.markdown if ":material/block:" in text.value)
    assert f"{runs} runs" in sentence
    assert f"of {len(by_user)} users would have been refused for lack of credits." in sentence
    assert sorted((row["User"], row["Refused"]) for row in _all_rows(page) if row["Refused"]) == sorted(by_user)
    assert "match the plan they were made under" in said(page)


def test_bars_are_what_is_recorded_and_what_plan_b_makes_of_it(ledger: Engine) -> None:
    page = open_page("replay/replay_history.py", plan="dearer", show="Changes of a run")
    _, days, changes = charts(page)
    before, after = days["data"]
    assert (before["name"], after["name"], after["marker"]["color"]) == ("Recorded", "Plan B", "#8B5CF6")
    assert list(zip(before["x"], before["y"], strict=True)) == rows(
        ledger,
        "SELECT date(created_at_us / 1000000, 'unixepoch') AS day, SUM(CASE WHEN account_id IN ('platform:revenue',"
        " 'platform:refunded_inference') THEN amount_credits ELSE 0 END) FROM credit_transactions WHERE entry_id IN"
        " (SELECT id FROM journal_entries WHERE type IN ('prompt_run', 'flow_unlock', 'refund')) GROUP BY day"
        " ORDER BY day",
    )
    assert sum(after["y"]) == under_plan(page)["platform"]
    by_model = open_page("replay/replay_history.py", plan="dearer", what="Users", by="Model")
    bars = charts(by_model)[1]["data"][1]
    assert dict(zip(bars["x"], bars["y"], strict=True)) == {row["Model"]: row["Plan B"] for row in table(by_model)}
    assert sum(changes["data"][0]["y"]) == sum(
        row["Charges"] - row["Refused"] for row in table(by_model) if row["Model"] != "Flow unlocks"
    )


def test_the_runs_can_be_downloaded_with_both_prices(ledger: Engine) -> None:
    with downloads() as downloaded:
        open_page("replay/replay_history.py", plan="dearer")
    text = downloaded.files["replay-dearer.csv"]().decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    recorded_runs = rows(
        ledger,
        "SELECT entry_id, user_id, COALESCE(creator_id, ''), model_id, inference_cost_credits, creator_fee_credits,"
        " total_credits, creator_share_credits FROM prompt_runs ORDER BY entry_id",
    )
    assert [
        (
            int(line["entry"]),
            line["user"],
            line["creator"],
            line["model"],
            int(line["inference_cost_credits"]),
            int(line["creator_fee_credits"]),
            int(line["recorded_total_credits"]),
            int(line["recorded_creator_credits"]),
        )
        for line in lines
    ] == recorded_runs
    for line in lines:
        cost, fee = int(line["inference_cost_credits"]), int(line["creator_fee_credits"])
        markup = cost * 90 // 100 if cost < 10_000 else (90_000 + cost - 10_000) // 10
        assert int(line["plan_b_total_credits"]) == cost + (fee or markup)
        assert int(line["plan_b_creator_credits"]) == fee * 70 // 100
    refused = sum(line["plan_b_outcome"] == "refused" for line in lines)
    assert 0 < refused < len(lines)


def test_the_summary_to_print_is_one_file_with_the_numbers_of_the_screen(ledger: Engine) -> None:
    with downloads() as downloaded:
        page = open_page("replay/replay_history.py", plan="dearer", days=list(SOME_DAYS))
    text = downloaded.files["replay-dearer.html"]().decode()
    assert "<h1>History under dearer, 2026-11-03 to 2026-11-09, UTC</h1>" in text
    for of, (gain, was) in headline(page).items():
        assert f"<td>{was:,} ($" in text
        assert f"<td>{under_plan(page)[of]:,} ($" in text
        assert f"<td>{signed(gain)} ({'-' if gain < 0 else ''}$" in text
    assert "creator_share_bps = 7000" in text
    assert "A cheaper plan cannot bring them back." in text


def test_winners_and_losers_are_users_and_creators_with_the_largest_differences(empty: Engine) -> None:
    world.add(empty, "ada", 10_000, key="add")
    world.add(empty, "cy", 10_000, key="add-cy")
    world.charge(empty, world.run_by("cy"), key="dearer-run", book=world.dearer_book())
    world.charge(empty, world.HAIKU_WITH_FEE, key="fee", book=world.dearer_book())
    page = open_page("replay/replay_history.py")
    # Under plan-1 a run at 400 costs 480 and not 600, and ben receives 800 of 1,001 and not 700.
    users, creators = charts(page)[0]["data"]
    assert (users["y"], users["x"], users["text"]) == (["cy (user)"], [120], ["+120"])
    assert (creators["y"], creators["x"], creators["text"]) == (["ben (creator)"], [100], ["+100"])
    assert "come out exactly as charged" not in said(page)
    assert [metric.label for metric in page.metric] == [
        "Users pay 6 % less",  # 480 and 1,401, of 600 and 1,401
        "Creators get 14.29 % more",  # 800, of 700
        "Platform gets 43.91 % less",  # 80 and 201, of 200 and 301
        "Providers get the same",
    ]


def test_many_users_are_read_a_page_at_a_time(empty: Engine) -> None:
    for number in range(27):
        world.add(empty, f"user-{number:02}", 1_000, key=f"add-{number}")
        world.charge(empty, world.run_by(f"user-{number:02}"), key=f"run-{number}")
    before = every_row(empty)
    page = open_page("replay/replay_history.py", show="Users")
    assert [row["User"] for row in table(page)] == [f"user-{number:02}" for number in range(25)]
    assert [row["User"] for row in table(click(page, "Next"))] == ["user-25", "user-26"]
    assert every_row(empty) == before


def test_a_new_run_is_in_the_replay_at_once(empty: Engine) -> None:
    world.add(empty, "ada", 1_000, key="add")
    world.charge(empty, world.HAIKU, key="one")
    page = open_page("replay/replay_history.py")
    assert under_plan(page)["users"] == 300
    world.charge(empty, world.HAIKU, key="two")
    assert under_plan(choose(page, by="Model"))["users"] == 600


def test_days_without_runs_say_so(ledger: Engine) -> None:
    page = open_page("replay/replay_history.py", days=["2020-01-01", "2020-01-02"])
    assert [info.title for info in page.info] == ["Nothing ran on these days"]


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("replay/replay_history.py")
    assert [info.title for info in page.info] == ["There is no history yet"]
    assert links(page) == {"Run a prompt": ("simulate-runs", "")}
