"""Batches on Simulate runs: charged run by run, refused, stopped and continued."""

from collections.abc import Iterator
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.bulk import pieces
from pages.parts import action
from tests.support import plain_sql, world
from tests.support.page_driver import button_labels, captions, charts, choose, click, links, metrics, open_page, run

RUNS = "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs"
HAIKU = {"model": "claude-3-haiku"}
FEE = {**HAIKU, "creator": "ben", "fee": "1001"}


def page_for(**query: str) -> AppTest:
    return open_page("act/simulate_runs.py", **query)


def in_list(page: AppTest) -> list[str]:
    """What the list of this visit says of batches."""
    return [text.value.replace("\\", "") for text in page.sidebar.markdown if "runs" in text.value]


def test_a_batch_is_charged_run_by_run_and_summed_up(ledger: Engine) -> None:
    page = page_for(user="ada", runs="250", **FEE)
    assert metrics(page)["Total of 250 runs"] == ("312,750", "$0.3128")
    click(click(page, "Run 250 times"), "Run it")
    assert [success.value for success in page.success] == ["Charged 250 of 250 runs to ada."]
    summed = metrics(page)
    assert summed["Total charged"] == ("312,750", "$0.3128")
    assert summed["Balance before"] == ("1,000,000", "$1.00")
    assert summed["Balance after"] == ("687,250", "$0.6873")
    assert [(bar["name"], bar["x"][0]) for bar in charts(page)[0]["data"]] == [
        ("Inference", 62_500),
        ("Creators", 200_000),
        ("Platform", 50_250),
    ]
    assert [text.value for text in page.markdown if "-badge[" in text.value and "credits" in text.value] == [
        ":gray-badge[Inference: 62,500 credits (\\$0.0625)]",
        ":green-badge[Creators: 200,000 credits (\\$0.20)]",
        ":violet-badge[Platform: 50,250 credits (\\$0.05025)]",
    ]
    assert plain_sql.rows(ledger, RUNS) == [(250, 312_750)]
    assert plain_sql.balance(ledger, "ben") == 200_000


@pytest.mark.parametrize(
    ("runs", "asked"),
    [("333", []), ("334", ["This takes 100,200 credits (\\$0.1002), 10 % of ada's balance. Run it?"])],
)
def test_a_batch_that_takes_more_than_a_tenth_of_the_balance_asks_first(
    ledger: Engine, runs: str, asked: list[str]
) -> None:
    page = page_for(user="ada", runs=runs, **HAIKU)
    click(page, f"Run {runs} times")
    assert [text.value for text in page.markdown if "Run it?" in text.value] == asked
    assert plain_sql.rows(ledger, RUNS) == ([(0, None)] if asked else [(333, 99_900)])
    if asked:
        click(page, "Run it")
        assert plain_sql.rows(ledger, RUNS) == [(334, 100_200)]
        assert "Run it" not in button_labels(page)
        click(page, "Run 334 times")  # a repeat charges nothing, so it does not ask
        assert page.info[0].proto.title == "This click was a repeat and was not charged"


def test_a_large_batch_is_not_charged_at_another_price_than_the_question_named(ledger: Engine) -> None:
    page = click(page_for(user="ada", runs="500", **HAIKU), "Run 500 times")
    world.make_prices_live(ledger, DEARER)
    click(page, "Run it")
    assert [error.value for error in page.error] == ["Nothing was charged."]
    assert plain_sql.rows(ledger, RUNS) == [(0, None)]
    assert metrics(page)["Total of 500 runs"] == ("240,000", "$0.24")


def test_runs_of_a_batch_that_cannot_be_paid_for_are_refused_with_the_reason(ledger: Engine) -> None:
    page = page_for(user="cleo", runs="5", **HAIKU)
    assert "which is not enough for all runs: some will be refused." in captions(page)
    click(click(page, "Run 5 times"), "Run it")
    assert [warning.value for warning in page.warning] == ["Charged 3 of 5 runs to cleo."]
    assert links(page)["Add credits to cleo"] == ("add-credits", "to_user=cleo&anew=")
    assert [(error.proto.title, error.value) for error in page.error] == [
        (
            "2 runs were refused",
            "First reason: cleo has 100 credits (\\$0.0001), but this takes 300 credits (\\$0.0003).",
        )
    ]
    assert plain_sql.balance(ledger, "cleo") == 100


def test_the_same_batch_is_charged_once_until_a_new_run_is_asked_for(ledger: Engine) -> None:
    page = page_for(user="ada", runs="120", **HAIKU)
    click(page, "Run 120 times")
    click(page, "Run 120 times")
    assert page.info[0].proto.title == "This click was a repeat and was not charged"
    assert plain_sql.rows(ledger, RUNS) == [(120, 36_000)]
    click(page, "New run")
    click(page, "Run 120 times")
    assert plain_sql.rows(ledger, RUNS) == [(240, 72_000)]


def test_a_batch_with_drawn_tokens_costs_what_was_shown(ledger: Engine) -> None:
    page = page_for(user="ada", runs="40", tokens="Conversation", model="openai/gpt-4o")
    shown, _ = metrics(page)["Total of 40 runs"]
    assert "From 19,366 real requests. Median:" in captions(page)
    click(click(page, "Run 40 times"), "Run it")
    assert metrics(page)["Total charged"][0] == shown
    ((charged, total_credits, different),) = plain_sql.rows(
        ledger, "SELECT COUNT(*), SUM(total_credits), COUNT(DISTINCT input_tokens) FROM prompt_runs"
    )
    assert (charged, f"{total_credits:,}") == (40, shown)
    assert int(str(different)) > 30


DEARER = world.PRICE_LIST.replace("250", "400")


def test_a_batch_is_not_charged_at_another_price_than_was_shown(ledger: Engine) -> None:
    page = page_for(user="ada", runs="250", **HAIKU)
    world.make_prices_live(ledger, DEARER)
    click(page, "Run 250 times")
    assert [(error.proto.title, error.value) for error in page.error] == [
        (
            "Another price plan or price list was made live after the price was shown\\. See the new price and try "
            "again\\.",
            "Nothing was charged.",
        )
    ]
    assert plain_sql.rows(ledger, RUNS) == [(0, None)]
    assert metrics(page)["Total of 250 runs"] == ("120,000", "$0.12")
    assert "Run it" not in button_labels(page)
    click(click(page, "Run 250 times"), "Run it")
    assert plain_sql.rows(ledger, RUNS) == [(250, 250 * 480)]
    click(page, "Run 250 times")
    assert plain_sql.rows(ledger, RUNS) == [(250, 250 * 480)]


def test_a_batch_stops_when_another_plan_is_made_live_and_is_continued_at_the_new_price(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_for(user="ada", runs="250", **HAIKU)
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
        # After a hundred runs, with 50 % markup: 250 + 125.
        patch.setattr(pieces, "pause", lambda: world.put_in_force(ledger, world.dearer_book().plan))
        click(page, "Run 250 times")
    assert [(warning.proto.title, warning.value) for warning in page.warning] == [
        ("Stopped half way", "Charged 100 of 250 runs to ada so far.")
    ]
    assert [error.value for error in page.error] == ["The rest of the batch was not charged."]
    assert plain_sql.rows(ledger, RUNS) == [(100, 30_000)]
    world.put_in_force(ledger, world.price_book().plan, reason="Too dear")
    click(page, "Continue the batch")  # the page still has the dearer price
    assert plain_sql.rows(ledger, RUNS) == [(100, 30_000)]
    click(page, "Continue the batch")
    assert [success.value for success in page.success] == ["Charged 250 of 250 runs to ada."]
    assert plain_sql.rows(ledger, RUNS) == [(250, 75_000)]


def test_a_batch_that_was_stopped_half_way_is_continued(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_pieces = action.perform_in_pieces

    def end_the_run_after_the_first_piece(*arguments: Any, **named: Any) -> Iterator[Any]:
        yield next(in_pieces(*arguments, **named))
        st.stop()

    page = page_for(user="ada", runs="250", **HAIKU)
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
        patch.setattr(action, "perform_in_pieces", end_the_run_after_the_first_piece)
        click(page, "Run 250 times")
    assert plain_sql.rows(ledger, RUNS) == [(100, 30_000)]
    run(page)
    assert in_list(page) == ["ada paid 30,000 credits ($0.03) for 100 of 250 runs"]
    assert [(warning.proto.title, warning.value) for warning in page.warning] == [
        ("Stopped half way", "Charged 100 of 250 runs to ada so far.")
    ]
    assert page.button(key="simulate:run").disabled
    choose(page, user="cleo", runs=3)
    click(page, "Continue the batch")
    assert [success.value for success in page.success] == ["Charged 250 of 250 runs to ada."]
    assert plain_sql.rows(ledger, RUNS) == [(250, 75_000)]
    assert plain_sql.balance(ledger, "cleo") == 1_000
