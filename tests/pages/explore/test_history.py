import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.ledger import actions
from credits_core.store.kinds import CreditSource
from pages.parts import links as page_links
from tests.support import page_driver, plain_sql, world
from tests.support.actors import named
from tests.support.page_driver import button_labels, captions, choose, click, downloads, links, open_page, run, table
from tests.support.plain_sql import rows, scalar

LISTED = "SELECT entry_id, account_id, amount_credits FROM credit_transactions"
NEWEST_FIRST = " ORDER BY entry_id DESC, position DESC"
OF_DAYS = "date(created_at_us / 1000000, 'unixepoch') BETWEEN '2026-11-03' AND '2026-11-09'"
SOME_DAYS = ["2026-11-03", "2026-11-09"]
PLATFORM = {
    "platform:revenue": "Platform revenue",
    "platform:inference": "Inference costs",
    "platform:refunded_inference": "Inference of refunded runs",
    "platform:payments_in": "Payments in",
    "platform:grants": "Grants",
    "platform:adjustments": "Adjustments",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The demo world, which no test here changes."""
    with page_driver.dashboard(tmp_path_factory.mktemp("history"), demo=True) as engine:
        yield engine


@pytest.fixture
def own_ledger(tmp_path: Path) -> Iterator[Engine]:
    """The demo world, for a test that changes it. What it leaves must add up."""
    with page_driver.dashboard(tmp_path, demo=True) as engine:
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path, demo=False) as engine:
        yield engine


def listed(page: AppTest) -> list[tuple[Any, ...]]:
    return [(int(row["Entry"]), row["Account"], row["Credits"]) for row in table(page)]


def stored(engine: Engine, condition: str) -> list[tuple[Any, ...]]:
    """What the history should list, all pages of it, from the transactions themselves."""
    found = rows(engine, f"{LISTED} WHERE {condition}{NEWEST_FIRST}")
    return [(entry, PLATFORM.get(str(account), account), credits) for entry, account, credits in found]


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ({}, "position = 0"),
        ({"legs": "true"}, "1 = 1"),
        ({"user": "ada"}, "account_id = 'ada'"),
        ({"user": "noor"}, "account_id = 'noor'"),
        ({"types": "Refund"}, "type = 'refund'"),
        ({"types": ["Grant", "Flow unlock"]}, "type IN ('grant', 'flow_unlock')"),
        ({"days": SOME_DAYS}, f"position = 0 AND {OF_DAYS}"),
        ({"days": SOME_DAYS, "legs": "true"}, OF_DAYS),
        ({"days": "2026-11-03"}, "position = 0 AND date(created_at_us / 1000000, 'unixepoch') = '2026-11-03'"),
        (
            {"user": "ada", "types": "Prompt run", "days": SOME_DAYS},
            f"account_id = 'ada' AND type = 'prompt_run' AND {OF_DAYS}",
        ),
    ],
)
def test_a_filter_lists_and_downloads_what_it_says(ledger: Engine, query: dict[str, Any], condition: str) -> None:
    with downloads() as downloaded:
        page = open_page("explore/history.py", **query)
    expected = stored(ledger, condition)
    assert len(expected) > 2
    assert listed(page) == expected[:25]
    (file,) = downloaded.files.values()
    lines = list(csv.DictReader(io.StringIO(file().decode("utf-8-sig"), newline="")))
    assert [
        (int(line["entry"]), PLATFORM.get(line["account"], line["account"]), int(line["amount_credits"]))
        for line in lines
    ] == expected


def test_the_file_has_every_transaction_with_six_decimals_of_dollars(ledger: Engine) -> None:
    with downloads() as downloaded:
        open_page("explore/history.py", legs="true")
    text = downloaded.files["credit-transactions.csv"]().decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(lines) == scalar(ledger, "SELECT COUNT(*) FROM credit_transactions")
    assert sum(int(line["amount_credits"]) for line in lines) == 0
    for line in lines:
        whole, decimals = line["amount_usd"].removeprefix("-").split(".")
        assert (len(decimals), int(whole + decimals)) == (6, abs(int(line["amount_credits"])))


def test_turning_the_pages_shows_each_transaction_once(ledger: Engine) -> None:
    page = open_page("explore/history.py", user="priya", types="Creator payment")
    seen = listed(page)
    while not next(button for button in page.button if button.label == "Next").disabled:
        seen += listed(click(page, "Next"))
    expected = stored(ledger, "account_id = 'priya' AND type = 'creator_payment'")
    assert (seen, len(expected) > 100) == (expected, True)
    while not next(button for button in page.button if button.label == "Previous").disabled:
        click(page, "Previous")
    assert listed(page) == expected[:25]


def test_another_filter_begins_on_its_first_page(ledger: Engine) -> None:
    page = click(open_page("explore/history.py"), "Next")
    page.multiselect(key="types").set_value(["Creator payment"])
    assert listed(run(page)) == stored(ledger, "type = 'creator_payment'")[:25]


def test_a_link_opens_the_entry_it_names_and_keeps_the_filters_for_the_list(ledger: Engine) -> None:
    page = open_page("explore/history.py", user="ada", entry="65")
    assert [heading.value.replace("\\", "") for heading in page.header] == [
        "Entry 65: Run of unit-test-writer on claude-3-sonnet"
    ]
    price, movements, lots = (shown.value.to_dict("records") for shown in page.table)
    assert price[-1]["Credits"] == 3_600
    assert [(row["Account"], row["Credits"]) for row in movements] == [
        ("zane", -3_600),
        ("Platform revenue", 600),
        ("Inference costs", 3_000),
    ]
    assert [(row["Credits of zane"], row["Change"]) for row in lots] == [("Grant", -3_600)]
    assert any("sums to zero" in caption.value for caption in page.caption)
    assert listed(click(page, "Back to the list")) == stored(ledger, "account_id = 'ada'")[:25]


def test_choosing_a_filter_leads_back_to_the_list(ledger: Engine) -> None:
    page = open_page("explore/history.py", entry="65")
    page.multiselect(key="types").set_value(["Grant"])
    assert listed(run(page)) == stored(ledger, "type = 'grant'")[:25]


def test_a_link_from_another_page_shows_what_it_names_alone(ledger: Engine) -> None:
    page = open_page("explore/history.py", types="Refund", days=SOME_DAYS, legs="true", entry="65")
    page.query_params.clear()
    run(page.switch_page("explore/balances.py"))
    page.switch_page("explore/history.py")
    page.query_params.update(page_links.link_to(user="ada", period="all"))
    assert listed(run(page)) == stored(ledger, "account_id = 'ada'")[:25]


@pytest.mark.parametrize("entry", ["987654", "999999999999999"])
def test_an_entry_that_does_not_exist_says_so(ledger: Engine, entry: str) -> None:
    page = open_page("explore/history.py", entry=entry)
    assert [info.title for info in page.info] == ["No such entry"]
    assert button_labels(page) == ["Save", "Back to the list"]


@pytest.mark.parametrize(
    "query",
    [{"entry": text} for text in ("abc", "-5", "0", "2.5", "1e999", "inf", "٣", "9" * 5_000, "1\0")]
    + [{"types": "Nope"}, {"days": "soon"}, {"legs": "maybe"}, {"user": "\0"}, {"user": ""}],
)
def test_a_value_that_makes_no_sense_is_no_filter(ledger: Engine, query: dict[str, str]) -> None:
    assert listed(open_page("explore/history.py", **query)) == stored(ledger, "position = 0")[:25]


def test_filters_that_let_nothing_through_say_so(ledger: Engine) -> None:
    page = open_page("explore/history.py", user="nobody")
    assert [info.title for info in page.info] == ["Nothing found"]


def test_nothing_found_offers_to_clear_the_filters_and_then_lists_all(ledger: Engine) -> None:
    page = click(open_page("explore/history.py", user="nobody", types="Refund", days="2026-11-03"), "Clear the filters")
    assert listed(page) == stored(ledger, "position = 0")[:25]


def test_movements_have_their_number_and_sums_above_them_and_events_do_not(ledger: Engine) -> None:
    ((count, received, paid),) = rows(
        ledger,
        "SELECT COUNT(*), SUM(MAX(amount_credits, 0)), -SUM(MIN(amount_credits, 0)) FROM credit_transactions"
        " WHERE account_id = 'ada'",
    )
    said = captions(open_page("explore/history.py", user="ada"))
    assert f"{count} movements: {received:,} credits" in said
    assert re.search(rf"received, {paid:,} credits \(\S+\) paid\.", said)
    assert "One line an event." in captions(open_page("explore/history.py"))
    assert "movements:" not in captions(open_page("explore/history.py"))


def test_an_empty_ledger_says_what_to_do_next(empty: Engine) -> None:
    page = open_page("explore/history.py")
    assert [info.title for info in page.info] == ["No entry yet"]
    assert links(page) == {"Add credits": ("add-credits", "")}


def ask_for_refund(entry: str, reason: str) -> AppTest:
    page = click(open_page("explore/history.py", entry=entry), "Refund this entry")
    page.text_input(key="refund:reason").set_value(reason)
    return page


def test_a_refund_reverses_the_entry_and_then_the_button_is_gone(own_ledger: Engine) -> None:
    before = plain_sql.balance(own_ledger, "zane")
    last_entry = scalar(own_ledger, "SELECT MAX(id) FROM journal_entries")
    page = click(ask_for_refund("65", "The answer cost $5 *twice*"), "Refund")
    ((refund_id, actor, reason),) = rows(
        own_ledger,
        "SELECT id, actor, description FROM journal_entries WHERE refunds_entry_id = 65 AND id > :last",
        last=last_entry,
    )
    assert (actor, reason) == ("dashboard", "The answer cost $5 *twice*")
    assert [row[:3] for row in plain_sql.transactions(own_ledger, int(str(refund_id)))] == [
        ("zane", "refund", 3_600),
        ("platform:revenue", "platform_revenue", -600),
        ("platform:refunded_inference", "refund", -3_000),
    ]
    assert isinstance(before, int)
    assert plain_sql.balance(own_ledger, "zane") == before + 3_600
    borne = "zane got back 3,600 credits (\\$0.0036): PromptFlow bore 3,600."
    assert [success.value for success in page.success] == [f"Refunded by entry {refund_id}. {borne}"]
    assert button_labels(page) == ["Save", "Back to the list", "Open the refund"]
    opened = click(page, "Open the refund")
    assert button_labels(opened) == ["Save", "Back to the list", "Open the refunded entry"]
    assert [success.value for success in opened.success] == [
        f"{borne} The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost."
    ]
    assert links(opened)["Explain this refund"] == ("explain-charge", f"to_entry={refund_id}&anew=")


def test_the_dialog_says_who_gets_what_and_does_nothing_before_it_is_confirmed(own_ledger: Engine) -> None:
    before = plain_sql.every_row(own_ledger)
    page = click(open_page("explore/history.py", entry="65"), "Refund this entry")
    said = "A new entry does this; nothing is deleted. Then nothing is left to refund."
    bears = r"zane gets back 3,600 credits (\$0.0036): PromptFlow bears 3,600."
    assert f"{bears} {said}" in [text.value for text in page.markdown]
    page.checkbox(key="refund:provider").check()
    asked = run(page)
    bears = r"zane gets back 3,600 credits (\$0.0036): PromptFlow bears 600, the provider gives back 3,000."
    assert f"{bears} {said}" in [text.value for text in asked.markdown]
    assert [error.value for error in page.error] == []
    assert plain_sql.every_row(own_ledger) == before


def test_a_run_is_refunded_in_parts_and_the_entry_says_what_is_left(own_ledger: Engine) -> None:
    page = ask_for_refund("65", "Half of it was empty")
    assert page.number_input(key="refund:credits").value == 3_600
    page.number_input(key="refund:credits").set_value(1_000)
    asked = run(page)
    bears = r"zane gets back 1,000 credits (\$0.001): PromptFlow bears 1,000."
    later = r"2,600 credits (\$0.0026) can be refunded later."
    assert f"{bears} A new entry does this; nothing is deleted. {later}" in [text.value for text in asked.markdown]
    asked.text_input(key="refund:reason").set_value("Half of it was empty")
    page = click(asked, "Refund")
    part_id = int(str(scalar(own_ledger, "SELECT MAX(id) FROM journal_entries")))
    in_part = "Refunded in part: 1,000 of 3,600 credits, 2,600 left."
    assert in_part in [info.value for info in page.info]
    assert button_labels(page) == ["Save", "Back to the list", f"Part: entry {part_id}", "Refund more"]
    assert links(page)["Explain this charge"] == ("explain-charge", "to_entry=65&anew=")
    explained = open_page("explain/explain_charge.py", entry="65")
    assert in_part in [info.value for info in explained.info]

    opened = click(page, f"Part: entry {part_id}")
    assert [success.value.split(" The provider")[0] for success in opened.success] == [
        r"zane got back 1,000 credits (\$0.001): PromptFlow bore 1,000."
    ]
    assert links(opened)["Explain this refund"] == ("explain-charge", f"to_entry={part_id}&anew=")
    explained = open_page("explain/explain_charge.py", entry=str(part_id))
    assert "matches the refund exactly" in "".join(str(one.value) for one in [*explained.success, *explained.info])

    rest = click(open_page("explore/history.py", entry="65"), "Refund more")
    assert rest.number_input(key="refund:credits").value == 2_600
    rest.text_input(key="refund:reason").set_value("The rest, too")
    page = click(rest, "Refund")
    ((refund_id, amount),) = rows(
        own_ledger,
        "SELECT e.id, t.amount_credits FROM journal_entries e JOIN credit_transactions t ON t.entry_id = e.id"
        " AND t.position = 0 WHERE e.refunds_entry_id = 65",
    )
    assert amount == 2_600
    assert page.success[0].value.startswith(f"Refunded by entry {refund_id}. zane got back 2,600")
    assert button_labels(page) == ["Save", "Back to the list", "Open the refund", f"Part: entry {part_id}"]


def test_a_refund_that_the_provider_gave_back_says_so(own_ledger: Engine) -> None:
    page = ask_for_refund("65", "Empty answer")
    page.checkbox(key="refund:provider").check()
    page = click(page, "Refund")
    refund_id = int(str(scalar(own_ledger, "SELECT MAX(id) FROM journal_entries")))
    assert [row[:3] for row in plain_sql.transactions(own_ledger, refund_id)] == [
        ("zane", "refund", 3_600),
        ("platform:revenue", "platform_revenue", -600),
        ("platform:inference", "inference_cost", -3_000),
    ]
    assert [success.value for success in page.success] == [
        f"Refunded by entry {refund_id}. zane got back 3,600 credits (\\$0.0036): PromptFlow bore 600, the provider"
        " gave back 3,000."
    ]


def test_without_an_inference_cost_nobody_is_asked_whether_the_provider_gave_it_back(own_ledger: Engine) -> None:
    unlock = scalar(own_ledger, "SELECT MAX(entry_id) FROM unlocked_flows WHERE refunded_by_entry_id IS NULL")
    page = click(open_page("explore/history.py", entry=str(unlock)), "Refund this entry")
    assert [box.label for box in page.checkbox] == []
    assert button_labels(page)[-1] == "Refund"


def test_a_refund_without_a_reason_is_refused_beside_the_form(own_ledger: Engine) -> None:
    before = plain_sql.every_row(own_ledger)
    page = click(ask_for_refund("65", "  "), "Refund")
    assert [warning.value for warning in page.warning] == ["Enter a reason, at most 500 printable characters."]
    assert plain_sql.every_row(own_ledger) == before


def test_added_credits_that_were_spent_are_not_refunded(own_ledger: Engine) -> None:
    grant = scalar(
        own_ledger,
        "SELECT t.entry_id FROM credit_transactions t JOIN user_credits u ON u.user_id = t.account_id"
        " WHERE t.type = 'credit_purchase' AND t.amount_credits > u.balance_credits ORDER BY t.entry_id LIMIT 1",
    )
    before = plain_sql.every_row(own_ledger)
    page = click(open_page("explore/history.py", entry=str(grant)), "Refund this entry")
    assert {box.key for box in page.text_input} == {"entry", "find", "view:name"}  # there is no form to fill in
    assert "this takes 10,000,000 credits" in page.error[0].proto.title
    assert "The added credits are spent\\: first refund what they were spent on" in page.error[0].value
    assert not any("Add credits" in link.label for link in page.get("page_link"))
    assert plain_sql.every_row(own_ledger) == before


def test_two_who_refund_the_same_entry_refund_it_once(own_ledger: Engine) -> None:
    first, second = ask_for_refund("65", "Empty answer"), ask_for_refund("65", "Wrong answer")
    click(first, "Refund")
    page = click(second, "Refund")
    assert ["Refunded by entry" in success.value for success in page.success] == [True]
    assert scalar(own_ledger, "SELECT COUNT(*) FROM journal_entries WHERE refunds_entry_id = 65") == 1


def test_an_added_credits_entry_can_be_taken_back(empty: Engine) -> None:
    world.add(empty, "ada", 5_000, key="1", source=CreditSource.GRANT, reason="For the wrong user")
    page = click(open_page("explore/history.py", entry="1"), "Refund this entry")
    assert any(r"ada gives back 5,000 credits (\$0.005)" in text.value for text in page.markdown)
    page.text_input(key="refund:reason").set_value("Meant for ben")
    click(page, "Refund")
    assert plain_sql.balance(empty, "ada") == 0


def test_what_a_person_posted_is_found_by_the_address(empty: Engine) -> None:
    ben = named("dashboard/ben@example.org")
    with empty.begin() as connection:
        actions.add_credits(
            connection, "ada", 5_000, source=CreditSource.PURCHASE, reason="", key="1", now=world.NOW, actor=ben
        )
    page = open_page("explore/history.py", period="all")
    assert page.selectbox(key="by").options == ["ben@example.org"]
    assert [int(row["Entry"]) for row in table(choose(page, by="ben@example.org"))] == [1]
    assert [int(row["Entry"]) for row in table(open_page("explore/history.py", by="dashboard/ben@example.org"))] == [1]


def test_entries_are_found_by_who_posted_them(ledger: Engine) -> None:
    page = open_page("explore/history.py", by="support", period="all")
    assert {int(row["Entry"]) for row in table(page)} == {
        entry_id for (entry_id,) in rows(ledger, "SELECT id FROM journal_entries WHERE actor = 'support'")
    }
    assert choose(page, by="nobody at all").info[0].value.startswith("No movement matches these filters")
