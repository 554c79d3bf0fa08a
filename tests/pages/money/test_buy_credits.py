"""The screen Buy credits: the packs, the purchase that a click makes, the purchases of a user, and refunds."""

import io
from dataclasses import replace

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.payments.sandbox import Ending
from credits_core.values.roles import PersonRole
from pages.money import at_gateway
from tests.support import paying, plain_sql, selling, world
from tests.support.acting import actor_as, signed_in
from tests.support.page_driver import (
    as_read,
    button_labels,
    captions,
    click,
    downloads,
    links,
    metrics,
    open_page,
    run,
    table,
)

BUY = "money/buy_credits.py"
PURCHASES = "SELECT user_id, pack_id, price_minor, fee_minor, credits, actor FROM purchases ORDER BY id"


def said(page: AppTest) -> str:
    return as_read("\n".join(one.value for one in [*page.markdown, *page.info, *page.error, *page.success]))


def refund(page: AppTest, amount: str) -> AppTest:
    """The page after a person has refunded so much; nothing typed means all of it."""
    click(page, "Refund")
    page.get_by_key("give_back:amount").set_value(amount)
    page.get_by_key("give_back:now").click()
    return run(page)


def test_a_card_says_what_a_pack_costs_and_brings(ledger: Engine) -> None:
    page = open_page(BUY, user="ada")
    shown = metrics(page)
    assert shown["Regular"] == ("$20.00", "20,000,000 credits")
    assert "Plus 1,000,000 bonus credits for 90 days" in said(page)
    assert "\\$0.9524 per million credits" in captions(page)  # 20 / 21


def test_a_surcharge_of_the_live_plan_is_in_the_price_of_a_card(ledger: Engine) -> None:
    plan = replace(world.price_book().plan, id="dearer", purchase_fee_bps=250)
    world.put_in_force(ledger, plan)
    page = open_page(BUY, user="ada")
    assert metrics(page)["Starter"] == ("$5.12", "5,000,000 credits")  # 500 + 12.5 rounded down
    assert "with a surcharge of \\$0.12" in captions(page)
    click(page, "Buy Starter")
    assert plain_sql.rows(ledger, PURCHASES) == [("ada", "starter", 500, 12, 5_000_000, "dashboard")]


def test_buying_notes_the_purchase_opens_its_checkout_and_adds_nothing(ledger: Engine) -> None:
    page = click(open_page(BUY, user="zoe"), "Buy Starter")
    assert plain_sql.rows(ledger, PURCHASES) == [("zoe", "starter", 500, 0, 5_000_000, "dashboard")]
    assert "Not paid yet. Pay $5.00 at the checkout." in said(page)
    assert plain_sql.balance(ledger, "zoe") == 0
    (row,) = table(page)
    assert (row["State"], row["Money"], row["Receipt"]) == ("Not paid yet", "$5.00", None)
    assert metrics(click(page, "Open the checkout"))["To pay"][0] == "$5.00"


def test_a_second_click_on_the_same_pack_buys_nothing_until_one_begins_anew(ledger: Engine) -> None:
    page = click(open_page(BUY, user="ada"), "Buy Starter")
    click(page, "Buy Starter")
    assert "This click was a repeat: nothing was bought twice." in said(page)
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM purchases") == 1
    click(click(page, "Buy another pack"), "Buy Starter")
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM purchases") == 2


def test_an_id_that_looks_like_another_one_is_asked_about_first(ledger: Engine) -> None:
    page = click(open_page(BUY, user="Ada"), "Buy Starter")
    assert "Nothing was bought." in said(page)
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM purchases") == 0
    page.checkbox[0].check()
    click(run(page), "Buy Starter")
    assert plain_sql.rows(ledger, "SELECT user_id FROM purchases") == [("Ada",)]


def test_a_user_is_chosen_before_anything_is_bought(ledger: Engine) -> None:
    def disabled(page: AppTest) -> set[bool]:
        return {button.disabled for button in page.button if button.label.startswith("Buy ")}

    assert disabled(open_page(BUY)) == {True}
    assert disabled(open_page(BUY, user="ada")) == {False}


def test_one_purchase_shows_its_events_its_lots_and_their_entries(ledger: Engine) -> None:
    selling.sell(ledger, pack_id="regular")
    selling.play(ledger, Ending.PAID)
    page = open_page(BUY, purchase="1")
    events, lots, entries = (table(page, number) for number in range(3))
    assert [(row["Event"], row["Money"], row["Gateway's fee"]) for row in events] == [
        ("Checkout opened", None, None),
        ("Paid", "$20.00", "$0.88"),  # 2.9 % and 30 cents
    ]
    assert [(row["Entry"], row["Credits of"], row["Credits"]) for row in lots] == [
        ("2", "Purchase", 20_000_000),
        ("3", "Bonus", 1_000_000),
    ]
    assert [(row["Entry"], row["What"]) for row in entries] == [("2", "Added"), ("3", "Added")]
    assert captions(page).startswith("Buy a pack for a user and see every purchase.\nReceipt 1, ")
    assert "price plan plan" in captions(page)


@pytest.mark.parametrize(
    ("amount", "back", "balance", "state"),
    [("", "$5.00", 1_000_000, "Refunded"), ("$1.25", "$1.25", 1_000_000 + 3_750_000, "Partly refunded")],
)
def test_a_refund_takes_the_same_share_of_the_credits(
    ledger: Engine, amount: str, back: str, balance: int, state: str
) -> None:
    selling.sell(ledger)
    selling.play(ledger, Ending.PAID)
    page = refund(open_page(BUY, purchase="1"), amount)
    assert f"Refunded {back} of purchase 1." in said(page)
    assert metrics(page)["Refunded"][0] == f"{1_000_000 + 5_000_000 - balance:,}"
    assert table(page, 2)[-1]["What"] == "Refunded"
    assert plain_sql.balance(ledger, "ada") == balance
    row = table(open_page(BUY, user="ada"))[0]
    assert (row["State"], row["Refunded"]) == (state, 6_000_000 - balance)
    assert {"Taken by the bank", "Frozen", "Owed"} & set(row) == set()


def test_what_a_bank_took_is_no_refund(ledger: Engine) -> None:
    selling.sell(ledger)
    for ending in (Ending.PAID, Ending.DISPUTED, Ending.LOST):
        selling.play(ledger, ending)
    page = open_page(BUY, purchase="1")
    assert metrics(page)["Taken by the bank"][0] == "5,000,000"
    assert "Refunded" not in metrics(page)
    assert table(page, 1)[0]["Taken by the bank"] == 5_000_000
    assert "Taken by the bank" in [row["What"] for row in table(page, 2)]
    row = table(open_page(BUY, user="ada"))[0]
    assert (row.get("Refunded"), row["Taken by the bank"]) == (None, 5_000_000)


def test_more_than_was_paid_is_not_refunded(ledger: Engine) -> None:
    selling.sell(ledger)
    selling.play(ledger, Ending.PAID)
    open_page(BUY, purchase="1")  # lets the daily totals and the seals catch up
    before = plain_sql.every_row(ledger)
    refused = refund(open_page(BUY, purchase="1"), "9").error[0]
    assert as_read(refused.proto.title) == "$9.00 is more than the $5.00 that can go back."
    for amount in ("5.01", "0", "five", "1.005"):
        page = refund(open_page(BUY, purchase="1"), amount)
        assert "Nothing was refunded." in said(page), amount
    assert plain_sql.every_row(ledger) == before


def test_what_was_spent_before_a_refund_is_owed_and_the_next_purchase_pays_it(ledger: Engine) -> None:
    selling.sell(ledger, "zoe")
    selling.play(ledger, Ending.PAID)
    world.charge(ledger, world.run_by("zoe"), key="run")
    refund(open_page(BUY, purchase="1"), "")
    taken, _frozen, owed = paying.stored(ledger).became
    assert (taken, owed) == (5_000_000, 300)
    assert metrics(open_page(BUY, purchase="1"))["Owed"][0] == "300"
    assert metrics(open_page("explore/balances.py", user="zoe"))["Owed"][0] == "300"
    selling.sell(ledger, "zoe", key="again")
    selling.play(ledger, Ending.PAID, 2)
    assert plain_sql.balance(ledger, "zoe") == 4_999_700


def test_a_viewer_sees_purchases_but_neither_buys_nor_refunds(ledger: Engine) -> None:
    selling.sell(ledger)
    selling.play(ledger, Ending.PAID)
    with signed_in(actor_as(PersonRole.VIEWER)):
        page = open_page(BUY, user="ada")
        assert table(page)[0]["State"] == "Paid"
        assert [label for label in button_labels(page) if label.startswith("Buy")] == []
        assert "Refund" not in button_labels(open_page(BUY, purchase="1"))


def test_who_may_not_move_so_many_credits_alone_refunds_less(ledger: Engine) -> None:
    selling.sell(ledger, pack_id="regular")
    selling.play(ledger, Ending.PAID)
    with signed_in(actor_as(PersonRole.FINANCE)):
        page = refund(open_page(BUY, purchase="1"), "")
        assert "Nothing was refunded." in said(page)
        assert plain_sql.balance(ledger, "ada") == 22_000_000
        refund(open_page(BUY, purchase="1"), "9")
    assert plain_sql.balance(ledger, "ada") == 12_550_000


def test_an_entry_of_a_purchase_leads_to_it_and_is_not_refunded_by_itself(ledger: Engine) -> None:
    selling.sell(ledger)
    selling.play(ledger, Ending.PAID)
    page = open_page("explore/history.py", entry="2")
    assert links(page)["Purchase 1"] == ("buy-credits", "to_purchase=1&anew=")
    assert "Refund this entry" not in button_labels(page)
    assert "Refund this entry" in button_labels(open_page("explore/history.py", entry="1"))


@pytest.mark.parametrize("number", ["0", "2", "-1", "1.0", "ada", "9" * 40])
def test_an_address_of_no_purchase_opens_the_packs(ledger: Engine, number: str) -> None:
    selling.sell(ledger)
    assert "Buy Starter" in button_labels(open_page(BUY, purchase=number))


def test_a_purchase_has_its_receipt_as_a_file_once_it_is_paid(ledger: Engine) -> None:
    selling.sell(ledger)
    with downloads() as downloaded:
        open_page(BUY, purchase="1")
        assert downloaded.files == {}
        selling.play(ledger, Ending.PAID)
        open_page(BUY, purchase="1")
        said = PdfReader(io.BytesIO(downloaded.files["receipt-1.pdf"]())).pages[0].extract_text()
    assert "Receipt 1" in said
    assert "$5.00" in said


def test_a_refund_of_two_payments_that_fails_half_way_offers_the_rest_alone(
    ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    selling.sell(ledger)
    selling.play(ledger, Ending.PAID_TWICE)
    gateway = paying.HalfWay(ledger)
    monkeypatch.setattr(at_gateway, "gateway", lambda: gateway)
    page = refund(open_page(BUY, purchase="1"), "")
    assert "did not confirm $5.00 of what you asked for" in as_read("\n".join(one.value for one in page.warning))
    assert paying.stored(ledger).standing.refunded_minor == 500
    gateway.is_silent = False
    click(page, "Refund the other \\$5.00")
    assert paying.stored(ledger).standing.refunded_minor == 1_000
    assert "Refunded \\$5.00 of purchase 1." in "\n".join(one.value for one in [*page.success, *page.markdown])
