from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.parts import links as page_links
from tests.support import page_driver, plain_sql, world
from tests.support.page_driver import button_labels, charts, click, links, metrics, open_page, run, small_tables, table
from tests.support.plain_sql import rows, scalar

CHECK = ":green[:material/check:]"
WRONG = ":red[:material/close:]"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo world, which no test here changes."""
    with page_driver.dashboard(tmp_path_factory.mktemp("explain"), demo=True) as engine:
        yield engine


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    """Entry 1 adds credits, 2 is a run without a fee, 3 one with a fee, 4 an unlock, 5 refunds the run."""
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="add")
        world.charge(engine, world.TOKENS, key="tokens")
        world.charge(engine, world.HAIKU_WITH_FEE, key="fee")
        world.unlock(engine, world.UNLOCK, key="unlock")
        world.refund(engine, 2, key="refund")
        yield engine


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


def page_for(entry: object) -> AppTest:
    return open_page("explain/explain_charge.py", entry=str(entry))


def unescaped(text: str) -> str:
    return text.replace("\\", "")


def steps(page: AppTest) -> list[tuple[str, ...]]:
    return [tuple(map(unescaped, row)) for row in small_tables(page)["Every step of the price"]]


def titles(page: AppTest) -> list[str]:
    return [unescaped(heading.value) for heading in page.header]


def test_a_token_run_is_told_from_its_tokens_to_its_total(ledger: Engine) -> None:
    page = page_for(2)
    assert titles(page)[0] == "Entry 2: Run of summarise on openai/gpt-4o"
    assert [(found.title, found.value) for found in page.success] == [
        ("Proved", "Recalculated from the stored inputs: matches the charge exactly.")
    ]
    # 1,021 × 2.5 is 2,552.5 and 129 × 10 is 1,290; 20 % of 3,843 is 768.6.
    assert steps(page) == [
        ("**1. Input tokens:** 1,021 × 2.5 → 2,552.5 = 5,105/2", *"–––", ""),
        ("**2. Output tokens:** 129 × 10 → 1,290", *"–––", ""),
        ("**3. Inference cost:** 3,842.5, rounded up once", "3,843", "3,843", "$0.003843", CHECK),
        ("**4. Creator fee:** none", "0", "0", "$0.000000", CHECK),
        ("**5. Price tier:** an inference cost of 3,843 is below 10,000 → tier 1 of 3", *"–––", ""),
        (
            "**6. Platform markup:** 20 % of 3,843 = 768.6 = 3,843/5, rounded down",
            "768",
            "768",
            "$0.000768",
            CHECK,
        ),
        (
            "**7. Total:** inference cost + creator fee + platform markup: 3,843 + 0 + 768",
            "4,611",
            "4,611",
            "$0.004611",
            CHECK,
        ),
    ]
    stored = unescaped(next(caption.value for caption in page.caption if "Input tokens" in caption.value))
    assert "Input tokens: **1,021** · Output tokens: **129**" in stored
    assert "Input tokens price: **$2.5 per 1,000,000 input tokens, so 2.5 credits each**" in stored


def test_who_got_what_of_a_fee_adds_up_to_what_the_user_paid(ledger: Engine) -> None:
    page = page_for(3)
    assert metrics(page) == {
        "User paid": ("1,251", "$0.001251"),
        "Inference": ("250", "$0.00025"),
        "Creator got": ("800", "$0.0008"),
        "Platform got": ("201", "$0.000201"),
    }
    assert [tuple(map(unescaped, row)) for row in small_tables(page)["The entry's transactions"]] == [
        ("ada", "Prompt run", "-1,251 (-$0.001251)", "995,389 ($0.995389)", "994,138 ($0.994138)", CHECK),
        ("ben", "Creator payment", "+800 ($0.0008)", "0 ($0.00)", "800 ($0.0008)", CHECK),
        ("Platform revenue", "Platform revenue", "+201 ($0.000201)", "–", "–", CHECK),
        ("Inference costs", "Inference cost", "+250 ($0.00025)", "–", "–", CHECK),
    ]


def test_the_waterfall_stands_each_part_on_those_before_it(ledger: Engine) -> None:
    (bars,) = charts(page_for(3))[0]["data"]
    assert list(zip(bars["x"], bars["base"], bars["y"], bars["marker"]["color"], strict=True)) == [
        ("Inference", 0, 250, "#94A3B8"),
        ("Creator's share", 250, 800, "#10B981"),
        ("Platform's share", 1_050, 201, "#8B5CF6"),
        ("Total", 0, 1_251, "#3B82F6"),
    ]


def test_an_unlock_is_the_split_of_its_fee(ledger: Engine) -> None:
    page = page_for(4)
    assert titles(page)[0] == "Entry 4: Unlock of report-flow"
    assert steps(page)[1:] == [
        (
            "**2. Creator's share:** 80 % of 1,001 = 800.8 = 4,004/5, rounded down",
            "800",
            "800",
            "$0.000800",
            CHECK,
        ),
        (
            "**3. Platform's share:** the rest of the fee, 1,001 − 800, plus the credit left by rounding",
            "201",
            "201",
            "$0.000201",
            CHECK,
        ),
    ]
    assert metrics(page)["Inference"] == ("0", "$0.00")


def test_a_refunded_run_leads_to_its_refund(ledger: Engine) -> None:
    page = page_for(2)
    assert [found.value for found in page.info] == ["Refunded by entry 5. Below is the charge, as it was before."]
    assert links(page) == {"Entry 2 in the history": ("history", "to_entry=2&anew=")}
    assert titles(click(page, "Explain the refund"))[0] == "Entry 5: Refund of entry 2"


def test_a_charge_that_was_changed_behind_the_ledgers_back_is_not_proved(ledger: Engine) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER prompt_runs_no_update")
        connection.exec_driver_sql(
            "UPDATE prompt_runs SET platform_markup_credits = 700, total_credits = 4543 WHERE entry_id = 2"
        )
    page = page_for(2)
    assert page.success == []
    (error,) = page.error
    assert (error.title, unescaped(error.value)) == (
        "Not proved",
        "The charge does not match the stored inputs: 2 differences.\n\n"
        "- Platform markup: 700 credits were recorded, but the inputs give 768.\n"
        "- Total: 4,543 credits were recorded, but the inputs give 4,611.",
    )
    assert steps(page)[-1][1:] == ("4,611", "4,543", "$0.004543", WRONG)


def test_a_charge_says_which_credits_paid_and_when_they_would_have_gone(ledger: Engine) -> None:
    assert [tuple(map(unescaped, row)) for row in small_tables(page_for(3))["The credits by source and expiry"]] == [
        ("Purchase", "1", "-1,251 (-$0.001251)", "Never")
    ]


def test_a_run_that_is_missing_still_shows_its_transactions(ledger: Engine) -> None:
    with ledger.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER prompt_runs_no_delete")
        connection.exec_driver_sql("DELETE FROM prompt_runs WHERE entry_id = 3")
    page = page_for(3)
    assert "Entry 3 has no recorded run" in unescaped(page.error[0].value)
    assert list(small_tables(page)) == ["The entry's transactions", "The credits by source and expiry"]
    assert charts(page) == []


def test_without_an_entry_the_latest_charges_are_listed_and_the_newest_is_told(demo: Engine) -> None:
    page = open_page("explain/explain_charge.py")
    latest = rows(
        demo,
        "SELECT entry_id, account_id, amount_credits FROM credit_transactions"
        " WHERE type IN ('prompt_run', 'flow_unlock') AND position = 0 AND amount_credits < 0"
        " ORDER BY entry_id DESC LIMIT 6",
    )
    assert [(int(row["Entry"]), row["User"], row["Credits"]) for row in table(page)] == latest
    assert titles(page)[1].startswith(f"Entry {latest[0][0]}: ")
    assert [found.title for found in page.success] == ["Proved"]


def test_every_kind_of_charge_of_the_demo_world_is_proved(demo: Engine) -> None:
    for condition in (
        "SELECT MAX(entry_id) FROM unlocked_flows",
        "SELECT MAX(entry_id) FROM prompt_runs WHERE creator_id IS NOT NULL",
        "SELECT MAX(entry_id) FROM prompt_runs WHERE creator_id IS NULL AND run_price_credits IS NULL",
        "SELECT MAX(refunds_entry_id) FROM journal_entries WHERE type = 'refund'",
    ):
        page = page_for(scalar(demo, condition))
        assert [found.title for found in page.success] == ["Proved"]


def test_going_back_lists_the_charges_again(ledger: Engine) -> None:
    page = click(page_for(2), "Choose another charge")
    assert [row["Entry"] for row in table(page)] == ["4", "3", "2"]


def test_a_refund_is_told_by_who_bore_it(ledger: Engine) -> None:
    page = page_for(5)
    assert titles(page) == ["Entry 5: Refund of entry 2", "How the refund was calculated", "Transactions"]
    assert [(found.title, found.value) for found in page.success] == [
        ("Proved", "Recalculated from the stored inputs: matches the refund exactly.")
    ]
    assert "ada got back 4,611 credits ($0.004611): PromptFlow bore 4,611." in [
        unescaped(text.value) for text in page.markdown
    ]
    # The run had no fee: 768 was markup, and 3,843 the provider is paid all the same.
    assert [tuple(map(unescaped, row)) for row in small_tables(page)["Every step of the refund"]] == [
        (
            "**1. Platform revenue:** the platform gives back its own part of the charge",
            *("768",) * 2,
            "$0.000768",
            CHECK,
        ),
        (
            "**2. Inference cost:** the provider is paid all the same, so the platform bears it",
            *("3,843",) * 2,
            "$0.003843",
            CHECK,
        ),
        ("**3. Total:** what ada gets back: 768 + 3,843", *("4,611",) * 2, "$0.004611", CHECK),
    ]
    assert [unescaped(row[0]) for row in small_tables(page)["The entry's transactions"]] == [
        "ada",
        "Platform revenue",
        "Inference of refunded runs",
    ]
    stored = unescaped(next(caption.value for caption in page.caption if "Reason" in caption.value))
    assert stored.startswith(
        "Refunded entry: **2 (prompt run)** · Reason: **The answer was empty** · Rule: **The provider"
    )
    assert unescaped(page.main.caption[-1].value).startswith("Refunded to ada, posted 2026-03-01")
    assert titles(click(page, "Explain the refunded entry"))[0] == "Entry 2: Run of summarise on openai/gpt-4o"


def test_every_refund_of_the_demo_world_is_proved(demo: Engine) -> None:
    refunds = rows(demo, "SELECT id FROM journal_entries WHERE type = 'refund'")
    assert len(refunds) == 8
    for (entry_id,) in refunds:
        assert [found.title for found in page_for(entry_id).success] == ["Proved"]


def test_a_purchase_has_nothing_to_explain(ledger: Engine) -> None:
    page = page_for(1)
    assert [found.title for found in page.info] == ["There is nothing to explain"]
    assert button_labels(page) == ["Choose another charge"]


def test_an_entry_that_does_not_exist_says_so(ledger: Engine) -> None:
    assert [found.title for found in page_for(987654).info] == ["No such entry"]


@pytest.mark.parametrize("entry", ["abc", "-5", "0", "2.5", "9" * 5_000, "1\0"])
def test_a_value_that_makes_no_sense_names_no_entry(ledger: Engine, entry: str) -> None:
    assert [row["Entry"] for row in table(page_for(entry))] == ["4", "3", "2"]


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("explain/explain_charge.py")
    assert [found.title for found in page.info] == ["No charge yet"]
    assert links(page) == {"Run a prompt": ("simulate-runs", "")}


def test_the_history_the_test_bench_and_simulated_runs_lead_here(ledger: Engine) -> None:
    explanation = ("explain-charge", "to_entry=2&anew=")
    assert links(open_page("explore/history.py", entry="2"))["Explain this charge"] == explanation
    assert "Explain this charge" not in links(open_page("explore/history.py", entry="1"))
    for file in ("act/simulate_runs.py", "test_credits.py"):
        page = click(open_page(file, user="ada", model="claude-3-haiku"), "Run")
        newest = scalar(ledger, "SELECT MAX(id) FROM journal_entries")
        assert links(page)["Explain this charge"] == ("explain-charge", f"to_entry={newest}&anew=")
    assert plain_sql.contradictions(ledger) == []


def test_a_link_from_another_page_opens_the_entry_it_names(ledger: Engine) -> None:
    page = page_for(2)
    page.query_params.clear()
    run(page.switch_page("explore/balances.py"))
    page.switch_page("explain/explain_charge.py")
    page.query_params.update(page_links.carry_to(entry="3"))
    assert titles(run(page))[0] == "Entry 3: Run of summarise on claude-3-haiku"
    page.switch_page("explore/history.py")
    page.query_params.update(page_links.carry_to(entry="4"))
    assert titles(run(page)) == ["Entry 4: Unlock of report-flow"]
