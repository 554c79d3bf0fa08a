"""The sandbox's checkout: every ending, and that the page says what the ledger knows, never what was clicked."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.payments import sandbox
from credits_core.payments.sandbox import Ending
from credits_core.store import database
from credits_core.values.roles import PersonRole
from tests.support import paying, plain_sql, selling
from tests.support.acting import actor_as, signed_in
from tests.support.actors import TESTER
from tests.support.page_driver import as_read, button_labels, captions, click, links, metrics, open_page

CHECKOUT = "money/checkout.py"
NO_PROOF = "The gateway has not said that $5.00 is paid. No credits yet."
PAID = "Paid, with receipt 1. zoe got 5,000,000 credits ($5.00)."


def known(page: AppTest) -> list[str]:
    """What the ledger knows, as the page says it."""
    return [as_read(one.value) for one in [*page.success, *page.info, *page.warning]]


@pytest.mark.parametrize(
    ("clicks", "state", "credits", "says"),
    [
        (["Pay \\$5.00"], "paid", 5_000_000, PAID),
        (["Pay with 3-D Secure", "Confirm"], "paid", 5_000_000, PAID),
        (["Pay with 3-D Secure", "Do not confirm"], "declined", 0, "Declined. Nothing was paid, no credits came."),
        (["Card declined"], "declined", 0, "Declined. Nothing was paid, no credits came."),
        (["Bank transfer"], "pending", 0, "The gateway says that the money is on its way. No credits yet."),
        (["Paid twice"], "paid", 5_000_000, "Paid, with receipt 1. $5.00 was paid too much and should go back."),
        (["Event is lost"], "new", 0, NO_PROOF),
        (["Card declined", "Pay \\$5.00"], "paid", 5_000_000, PAID),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_an_ending_comes_to_what_the_ledger_knows_of_it(
    ledger: Engine, clicks: list[str], state: str, credits: int, says: str
) -> None:
    selling.sell(ledger, "zoe")
    page = open_page(CHECKOUT, purchase="1")
    assert known(page) == [NO_PROOF]
    for label in clicks:
        click(page, label)
    assert paying.stored(ledger).standing.state == state
    assert plain_sql.balance(ledger, "zoe") == credits
    assert says in known(page)
    assert links(page)["Purchase 1"] == ("buy-credits", "to_purchase=1&anew=")


def test_a_checkout_that_has_ended_is_not_paid_again(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    before_it_ended = open_page(CHECKOUT, purchase="1")
    page = click(open_page(CHECKOUT, purchase="1"), "Pay \\$5.00")
    assert metrics(page)["Paid"][0] == "$5.00"
    assert "To pay" not in metrics(page)
    assert [one.value for one in page.header] == ["Purchase 1: Starter", "What the ledger knows"]
    assert "Pay \\$5.00" not in button_labels(open_page(CHECKOUT, purchase="1"))
    click(before_it_ended, "Pay \\$5.00")
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM sandbox_events") == 1
    assert plain_sql.balance(ledger, "zoe") == 5_000_000


def test_why_a_payment_was_not_confirmed_stands_in_its_event(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    click(click(open_page(CHECKOUT, purchase="1"), "Pay with 3-D Secure"), "Do not confirm")
    assert paying.stored(ledger).told[-1].note == "The payment was not confirmed with 3-D Secure."


def test_a_bank_transfer_says_when_it_comes_and_a_lost_event_where_to_find_it(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    page = click(open_page(CHECKOUT, purchase="1"), "Bank transfer")
    assert any(said.startswith("The money arrives on ") for said in known(page))
    assert metrics(page)["Price"][0] == "$5.00"
    assert "This checkout has ended" in [one.value for one in page.header]
    selling.sell(ledger, "zoe", key="again")
    page = click(open_page(CHECKOUT, purchase="2"), "Event is lost")
    assert links(page)["Find it in Reconciliation"] == ("payments", "view=Reconciliation&anew=")


def test_money_that_has_come_meanwhile_is_asked_for(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    days_ago = datetime.now(UTC) - timedelta(days=4)
    database.write(ledger, lambda one: sandbox.play(one, 1, Ending.BANK_TRANSFER, now=days_ago, actor=TESTER))
    page = open_page(CHECKOUT, purchase="1")
    assert known(page) == [NO_PROOF]
    click(page, "Ask the gateway again")
    assert known(page) == [PAID]
    assert "Ask the gateway again" not in button_labels(page)


def test_a_viewer_is_told_who_may_play(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    with signed_in(actor_as(PersonRole.VIEWER)):
        page = open_page(CHECKOUT, purchase="1")
    assert "Pay \\$5.00" not in button_labels(page)
    assert "You may not charge, add or refund credits of test users." in captions(page)


def test_who_may_not_move_so_many_credits_alone_pays_a_smaller_pack(ledger: Engine) -> None:
    selling.sell(ledger, "zoe", "regular")
    with signed_in(actor_as(PersonRole.FINANCE)):
        page = click(open_page(CHECKOUT, purchase="1"), "Pay \\$20.00")
    assert [one.value for one in page.error] == ["Nothing was played."]
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM sandbox_events") == 0


@pytest.mark.parametrize("query", [{}, {"purchase": "7"}, {"purchase": "ada"}])
def test_without_a_purchase_the_page_leads_to_the_packs(ledger: Engine, query: dict[str, str]) -> None:
    page = open_page(CHECKOUT, **query)  # type: ignore[arg-type]
    assert [one.title for one in page.info] == ["No such purchase"]
    assert links(page)["Buy credits"][0] == "buy-credits"
