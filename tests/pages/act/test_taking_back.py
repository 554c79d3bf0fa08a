"""A finished batch on Simulate runs is refunded as a whole: at once, stopped and continued, refused."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.bulk import pieces
from pages.parts import action
from tests.support import plain_sql, world
from tests.support.page_driver import button_labels, captions, click, links, open_page, run, table

REFUNDS = "SELECT COUNT(*), COUNT(DISTINCT refunds_entry_id) FROM journal_entries WHERE type = 'refund'"
REFUND = "Refund this batch"


def charged(runs: int, *, user: str = "ada") -> AppTest:
    """The page after a batch of runs of 1,251 credits, of which ben has 800 each."""
    query = {"model": "claude-3-haiku", "creator": "ben", "fee": "1001", "user": user, "runs": str(runs)}
    page = click(open_page("act/simulate_runs.py", **query), f"Run {runs} times")
    return click(page, "Run it") if "Run it" in button_labels(page) else page


def test_a_batch_is_refunded_as_a_whole(ledger: Engine) -> None:
    page = charged(250)
    click(page, REFUND)
    assert [success.value for success in page.success] == [
        "Charged 250 of 250 runs to ada.",
        # 250 × 1,251, 250 × 800 and 250 × 451
        "Refunded 250 of 250 charged runs. ada got back 312,750 credits (\\$0.3128): ben gave back 200,000, "
        "PromptFlow bore 112,750.",
    ]
    assert [label for label in button_labels(page) if label.startswith("Refund")] == []
    assert plain_sql.rows(ledger, REFUNDS) == [(250, 250)]
    assert (plain_sql.balance(ledger, "ada"), plain_sql.balance(ledger, "ben")) == (1_000_000, 0)
    assert any("holds 1,000,000 credits" in caption.value for caption in page.caption)


def test_the_link_of_a_batch_opens_its_runs_and_their_refunds_alone(ledger: Engine) -> None:
    world.charge(ledger, world.run_by("ada", world.TOKENS), key="before")
    page = charged(2)
    world.charge(ledger, world.run_by("ada", world.TOKENS), key="after")
    screen, query = links(page)["Runs of this batch"]
    chosen = dict(parse_qsl(query, keep_blank_values=True))
    assert (screen, chosen["period"]) == ("history", "all")

    entries = [int(str(one)) for (one,) in plain_sql.rows(ledger, "SELECT entry_id FROM prompt_runs ORDER BY entry_id")]
    history = open_page("explore/history.py", **chosen)
    assert [int(row["Entry"]) for row in table(history)] == [entries[2], entries[1]]
    said = captions(history).replace("\\", "")
    assert "2 movements: 0 credits ($0.00) received, 2,502 credits ($0.002502) paid." in said
    click(page, REFUND)
    history = open_page("explore/history.py", **chosen)
    assert [row["Type"] for row in table(history)] == ["Refund", "Refund", "Prompt run", "Prompt run"]
    assert "Save" not in button_labels(history)  # a view could not hold the batch
    click(history, "Show everything")
    assert "Save" in button_labels(history)
    assert len(table(history)) == 8  # two entries of credits, four runs, two refunds
    assert "batch" not in history.query_params


def in_list(page: AppTest) -> list[str]:
    return [text.value.replace("\\", "") for text in page.sidebar.markdown if "ada paid" in text.value]


def test_a_batch_is_in_the_list_of_the_visit_and_is_refunded_there_on_any_screen(ledger: Engine) -> None:
    page = charged(250)
    said = "ada paid 312,750 credits ($0.3128) for 250 of 250 runs"
    assert in_list(page) == [said]
    click(page, "Run 250 times")  # a repeat, which charges nothing
    assert in_list(page) == [said]

    run(page.switch_page("explore/balances.py"))
    click(page, "Refund")
    (asked,) = (text.value for text in page.markdown if text.value.startswith("ada gets back"))
    assert asked == (
        "ada gets back at most 312,750 credits (\\$0.3128) for 250 runs. Runs already refunded are left out. A refund "
        "cannot be undone."
    )
    assert plain_sql.rows(ledger, REFUNDS) == [(0, 0)]
    page.button(key="taking-back:run").click()
    run(page)
    assert plain_sql.rows(ledger, REFUNDS) == [(250, 250)]
    assert in_list(page) == [
        f"~~{said}~~ Refunded 250 of 250 charged runs. ada got back 312,750 credits ($0.3128): ben gave back 200,000, "
        "PromptFlow bore 112,750."
    ]
    assert "Refund" not in button_labels(page)
    run(page.switch_page("act/simulate_runs.py"))  # there it is known, too
    assert REFUND not in button_labels(page)


def test_a_batch_that_was_refunded_on_its_screen_says_so_in_the_list(ledger: Engine) -> None:
    page = click(charged(3), REFUND)
    (said,) = in_list(page)
    assert said.startswith("~~ada paid 3,753 credits ($0.003753) for 3 of 3 runs~~ Refunded 3 of 3 charged runs.")


def test_a_batch_of_which_a_run_was_refunded_says_so(ledger: Engine) -> None:
    page = charged(3)
    first = int(str(plain_sql.scalar(ledger, "SELECT MIN(entry_id) FROM prompt_runs")))
    world.refund(ledger, first, key="by-hand")
    click(page, REFUND)
    assert page.success[1].value == (
        "Refunded 2 of 3 charged runs. 1 run had been refunded before. ada got back 2,502 credits (\\$0.002502): ben "
        "gave back 1,600, PromptFlow bore 902."
    )
    assert plain_sql.rows(ledger, REFUNDS) == [(3, 3)]


def test_a_batch_that_is_refunded_already_refunds_nothing(ledger: Engine) -> None:
    page = charged(2)
    for (entry_id,) in plain_sql.rows(ledger, "SELECT entry_id FROM prompt_runs"):
        world.refund(ledger, int(str(entry_id)), key=f"by-hand-{entry_id}")
    click(page, REFUND)
    assert [info.value for info in page.info] == [
        "Refunded 0 of 2 charged runs. 2 runs had been refunded before.",
    ]


def test_only_the_runs_that_were_charged_count(ledger: Engine) -> None:
    world.add(ledger, "dora", 3_000, key="d")
    page = click(charged(5, user="dora"), REFUND)
    assert page.success[0].value.startswith("Refunded 2 of 2 charged runs. dora got back 2,502 credits")
    assert plain_sql.balance(ledger, "dora") == 3_000


def test_a_batch_of_which_nothing_was_charged_has_nothing_to_refund(ledger: Engine) -> None:
    assert REFUND not in button_labels(charged(5, user="cleo"))  # who has 1,000


def test_a_refund_of_a_batch_that_was_stopped_half_way_is_continued(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces = action.perform_in_pieces

    def end_the_run_after_the_first_piece(*arguments: Any, **named: Any) -> Iterator[Any]:
        yield next(in_pieces(*arguments, **named))
        st.stop()

    page = charged(120)
    with monkeypatch.context() as patch:
        patch.setattr(pieces, "HOLD_NANOSECONDS", 10**15)
        patch.setattr(action, "perform_in_pieces", end_the_run_after_the_first_piece)
        click(page, REFUND)
    assert plain_sql.rows(ledger, REFUNDS) == [(100, 100)]
    run(page)
    assert [(warning.proto.title, warning.value) for warning in page.warning] == [
        (
            "Stopped half way",
            "Refunded 100 of 120 runs so far. ada got back 125,100 credits (\\$0.1251): ben gave back 80,000, "
            "PromptFlow bore 45,100.",
        )
    ]
    assert REFUND not in button_labels(page)
    click(page, "Refund the rest")
    assert page.success[1].value.startswith("Refunded 120 of 120 charged runs. ada got back 150,120 credits")
    assert plain_sql.rows(ledger, REFUNDS) == [(120, 120)]
    assert plain_sql.balance(ledger, "ada") == 1_000_000


def test_runs_that_cannot_be_refunded_are_named_and_refunded_once_they_can_be(ledger: Engine) -> None:
    page = charged(4)
    # ada has 1,000,000 - 5,004 and room for two runs of 1,251.
    world.add(ledger, "ada", 9_007_199_254_740_991 - 994_996 - 2_502, key="much")
    click(page, REFUND)
    assert page.warning[0].value.startswith("Refunded 2 of 4 charged runs.")
    ((title, reason),) = [(error.proto.title, error.value) for error in page.error]
    assert title == "2 runs could not be refunded"
    assert reason.startswith("First reason: ada cannot hold 1,251 more credits")
    world.charge(ledger, world.run_by("ada", world.TOKENS), key="spend")
    click(page, "Refund the rest")
    assert page.success[1].value.startswith("Refunded 4 of 4 charged runs.")
    assert plain_sql.rows(ledger, REFUNDS) == [(4, 4)]
    assert len(page.error) == 0


def test_each_batch_is_refunded_on_its_own(ledger: Engine) -> None:
    page = click(charged(2), REFUND)
    click(page, "New run")
    assert [success.value for success in page.success] == []
    click(page, "Run 2 times")
    assert [success.value for success in page.success] == ["Charged 2 of 2 runs to ada."]
    click(page, REFUND)
    assert page.success[1].value.startswith("Refunded 2 of 2 charged runs.")
    assert plain_sql.rows(ledger, REFUNDS) == [(4, 4)]
    assert plain_sql.balance(ledger, "ada") == 1_000_000


def test_what_a_refund_refused_is_said_in_the_question_on_any_screen(ledger: Engine) -> None:
    page = charged(4)
    # ada has 1,000,000 - 5,004 and room for two runs of 1,251.
    world.add(ledger, "ada", 9_007_199_254_740_991 - 994_996 - 2_502, key="much")
    run(page.switch_page("explore/balances.py"))
    click(page, "Refund")
    page.button(key="taking-back:run").click()
    run(page)
    assert page.warning[0].value.startswith("Refunded 2 of 4 charged runs.")
    ((title, reason),) = [(error.proto.title, error.value) for error in page.error]
    assert title == "2 runs could not be refunded"
    assert reason.startswith("First reason: ada cannot hold 1,251 more credits")
    assert in_list(page) == ["ada paid 5,004 credits ($0.005004) for 4 of 4 runs"]  # not refunded as a whole

    world.charge(ledger, world.run_by("ada", world.TOKENS), key="spend")
    page.button(key="taking-back:run").click()
    run(page)
    assert (len(page.warning), len(page.error)) == (0, 0)
    assert in_list(page)[0].endswith("ben gave back 3,200, PromptFlow bore 1,804.")
    assert plain_sql.rows(ledger, REFUNDS) == [(4, 4)]
    assert "taking-back:run" not in [button.key for button in page.button]
