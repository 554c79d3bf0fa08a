"""The screen Watching: the list, one finding with its entries, and the note of who looked at it."""

import pytest
import streamlit as st
from sqlalchemy import Connection, Engine

from credits_core.operations import runs, watch_findings
from credits_core.operations.watch_decide import Found
from credits_core.operations.watch_rules import WatchRule
from credits_core.store import database
from credits_core.store.activity import Change
from credits_core.values.days import number_of_day
from pages.people import change_words
from tests.support import world
from tests.support.page_driver import button_labels, captions, choose, click, click_in_row, links, open_page, table
from tests.support.plain_sql import rows
from tests.support.world import NOW

FILE = "operations/watching.py"
DAY = number_of_day(NOW.date())
FOUND = {
    WatchRule.SPENDING: Found(
        WatchRule.SPENDING, "ada", DAY, {"spent_credits": 40_000_000, "largest_day_credits": 2_000_000}, (2, 1)
    ),
    WatchRule.REFUNDS: Found(WatchRule.REFUNDS, "ben", DAY, {"refunded_credits": 30, "earned_credits": 100}),
    WatchRule.ONE_PAYER: Found(
        WatchRule.ONE_PAYER,
        "ben",
        DAY,
        {"paid_credits": 90, "earned_credits": 100, "payments": 20, "payer": "ada"},
    ),
    WatchRule.OWN_RUNS: Found(
        WatchRule.OWN_RUNS, "ben", DAY, {"paid_credits": 40, "earned_credits": 100, "payments": 20, "payer": "ben"}
    ),
    WatchRule.BELOW_COST: Found(WatchRule.BELOW_COST, "gpt-4 under plan-1", DAY, {"runs": 2, "lost_credits": 30}),
    WatchRule.MANY_USERS: Found(
        WatchRule.MANY_USERS, "api/shop", DAY, {"users": 20, "most_before": 4, "window_minutes": 10}
    ),
}


def keep(engine: Engine, *rules: WatchRule) -> None:
    for rule in rules:
        database.write(engine, lambda connection, rule=rule: watch_findings.keep(connection, FOUND[rule], 7, now=NOW))


def watched(engine: Engine, *, is_ok: bool) -> None:
    """The job that watches ran."""

    def run(connection: Connection) -> None:
        number = runs.begin(connection, "watch", process="here:1", actor="jobs", now=NOW)
        runs.end(connection, number, is_ok=is_ok, message="", now=NOW)

    database.write(engine, run)


def test_where_nothing_waits_the_screen_says_what_would_stand_there(ledger: Engine) -> None:
    watched(ledger, is_ok=True)
    page = open_page(FILE)
    assert [one.proto.title for one in page.info] == ["Nothing waits to be looked at"]
    assert "Last looked through 2026-03-01 12:00 UTC." in captions(page)
    assert [*page.dataframe, *page.warning] == []


def test_where_nobody_has_looked_nothing_is_called_well(ledger: Engine) -> None:
    watched(ledger, is_ok=False)
    page = open_page(FILE)
    assert [one.proto.title for one in page.warning] == ["Nobody has looked through the entries yet"]
    assert list(page.info) == []


def test_findings_are_listed_with_what_they_are_about(ledger: Engine) -> None:
    keep(ledger, WatchRule.SPENDING, WatchRule.BELOW_COST)
    page = open_page(FILE)
    listed = table(page)
    assert [(row["Finding"], row["About"], row["Day"]) for row in listed] == [
        ("Priced at zero or below cost", "gpt-4 under plan-1", "2026-03-01"),
        ("Unusual spending", "ada", "2026-03-01"),
    ]
    assert "Looked at" not in [one.value for one in page.header]


def test_a_click_opens_a_finding_with_the_entries_that_led_to_it(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(ledger, WatchRule.SPENDING)
    page = click_in_row(open_page(FILE), 0, "Unusual spending", column="Finding")
    assert (
        r"ada spent 40,000,000 credits (\$40.00) on one day. The largest day before had 2,000,000 credits (\$2.00)."
        in [one.value for one in page.main.markdown]
    )
    entries = table(page, 0)
    assert [(row["Entry"], row["User"], row["Credits"]) for row in entries] == [
        ("2", "cleo", 1_000),
        ("1", "ada", 1_000_000),
    ]
    assert links(page)["See this user"][0] == "balances"
    went: list[tuple[str, object]] = []
    monkeypatch.setattr(st, "switch_page", lambda file, query_params: went.append((file, query_params["entry"])))
    page = click_in_row(page, 1, "1", column="Entry")
    assert went == [("explore/history.py", "1")]
    assert "See this user" not in links(click(page, "Close"))


def test_who_looked_at_a_finding_notes_what_it_was(ledger: Engine) -> None:
    keep(ledger, WatchRule.SPENDING)
    page = open_page(FILE, finding="1")
    (button,) = (one for one in page.button if one.label == "Looked at")
    assert button.disabled
    page = choose(page, **{"note:1": "A large order, announced"})
    page = click(page, "Looked at")
    assert [one.proto.title for one in page.info] == ["Nothing waits to be looked at"]
    (row,) = table(page)
    assert (row["Looked at by"], row["Note"]) == ("dashboard", "A large order, announced")
    assert rows(ledger, "SELECT note, looked_by FROM watch_findings") == [("A large order, announced", "dashboard")]
    page = open_page(FILE, finding="1")
    assert any("looked at it" in one.value and "A large order, announced" in one.value for one in page.main.markdown)
    assert "Looked at" not in button_labels(page)


def test_that_somebody_else_was_quicker_is_said(ledger: Engine) -> None:
    keep(ledger, WatchRule.SPENDING)
    page = choose(open_page(FILE, finding="1"), **{"note:1": "Mine"})
    database.write(
        ledger, lambda connection: watch_findings.look_at(connection, 1, note="Theirs", now=NOW, actor=world.TESTER)
    )
    page = click(page, "Looked at")
    assert any(one.value.startswith("tester looked at it") and "Theirs" in one.value for one in page.main.markdown)
    assert rows(ledger, "SELECT note FROM watch_findings") == [("Theirs",)]


@pytest.mark.parametrize("number", ["7", "0", "1x", "99999999999999999999"])
def test_a_link_to_no_finding_opens_none(ledger: Engine, number: str) -> None:
    assert "What was it?" not in [box.label for box in open_page(FILE, finding=number).text_input]


@pytest.mark.parametrize(
    ("rule", "said", "link"),
    [
        (WatchRule.REFUNDS, r"Of the 100 credits (\$0.0001) that ben earned, 30 credits (\$0.00003) were refunded.", 1),
        (
            WatchRule.ONE_PAYER,
            r"ada paid 90 credits (\$0.00009) of 100 credits (\$0.0001), the last 20 payments of ben.",
            1,
        ),
        (
            WatchRule.OWN_RUNS,
            r"ben paid themselves 40 credits (\$0.00004) of 100 credits (\$0.0001), the last 20 payments.",
            1,
        ),
        (
            WatchRule.BELOW_COST,
            r"2 runs of gpt\-4 under plan\-1 had a model that costs nothing, or lost credits: 30 credits (\$0.00003).",
            0,
        ),
        (
            WatchRule.MANY_USERS,
            r"The key api/shop charged for 20 users within 10 minutes\. Its most on a day before was 4 users\.",
            1,
        ),
    ],
)
def test_every_kind_is_said_in_words_with_a_link_to_whom_it_is_about(
    ledger: Engine, rule: WatchRule, said: str, link: int
) -> None:
    keep(ledger, rule)
    page = open_page(FILE, finding="1")
    assert said in [one.value for one in page.main.markdown]
    assert len([label for label in links(page) if label.startswith("See ")]) == link


def test_pages_of_those_that_were_looked_at(ledger: Engine) -> None:
    for number in range(27):
        found = Found(WatchRule.REFUNDS, f"user-{number:02}", DAY, {"refunded_credits": 1, "earned_credits": 2})
        database.write(ledger, lambda connection, found=found: watch_findings.keep(connection, found, 7, now=NOW))
        database.write(
            ledger,
            lambda connection, number=number: watch_findings.look_at(
                connection, number + 1, note="x", now=NOW, actor=world.TESTER
            ),
        )
    page = open_page(FILE)
    assert len(table(page)) == 25
    assert [row["About"] for row in table(click(page, "Next"))] == ["user-01", "user-00"]


def test_the_activity_says_that_a_finding_was_looked_at() -> None:
    assert change_words.kind_name(Change.FINDING_LOOKED_AT) == "Finding looked at"


def test_captions_name_the_finding(ledger: Engine) -> None:
    keep(ledger, WatchRule.SPENDING)
    assert "Finding 1, about 2026-03-01, found 2026-03-01 12:00 UTC" in captions(open_page(FILE, finding="1"))
