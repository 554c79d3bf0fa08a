from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.store.kinds import CreditSource
from tests.support import page_driver, plain_sql, world
from tests.support.page_driver import as_read, choose, click, links, metrics, open_page, small_tables

ENTRIES = "SELECT type, description, actor FROM journal_entries ORDER BY id"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        yield engine
        assert plain_sql.contradictions(engine) == []


def page_for(user: str, **query: str) -> AppTest:
    return open_page("act/add_credits.py", user=user, **query)


def test_a_purchase_raises_the_balance_and_shows_it_before_and_after(ledger: Engine) -> None:
    page = choose(page_for("ada"), amount=250_000)
    click(page, "Add credits")
    assert [success.value for success in page.success] == ["Added 250,000 credits (\\$0.25) to ada, by entry 2."]
    assert small_tables(page) == {
        "The entry's transactions": [
            ("ada", "Credit purchase", "+250,000 (\\$0.25)", "1,000,000 (\\$1.00)", "1,250,000 (\\$1.25)"),
            ("Payments in", "Credit purchase", "-250,000 (-\\$0.25)", "–", "–"),
        ]
    }
    assert metrics(page) == {"Balance of ada": ("1,250,000", "$1.25")}
    assert links(page)["Entry 2 in the history"] == ("history", "entry=2&anew=")
    assert plain_sql.transactions(ledger, 2) == [
        ("ada", "credit_purchase", 250_000, 1_250_000),
        ("platform:payments_in", "credit_purchase", -250_000, None),
    ]


@pytest.mark.parametrize(
    ("typed", "amount_credits"),
    [("12.50", 12_500_000), ("$1,234.5", 1_234_500_000), ("0.000001", 1), (" 3 ", 3_000_000)],
)
def test_an_amount_in_dollars_is_added_exactly(ledger: Engine, typed: str, amount_credits: int) -> None:
    page = choose(page_for("ada"), unit="Dollars", dollars=typed)
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "ada") == 1_000_000 + amount_credits


@pytest.mark.parametrize("typed", ["1,50", "-5", "free", "0", "0.0000001", "$1$2", "9007199254.740992"])
def test_a_dollar_amount_that_cannot_be_accepted_is_explained_and_adds_nothing(ledger: Engine, typed: str) -> None:
    before = plain_sql.every_row(ledger)
    page = choose(page_for("ada"), unit="Dollars", dollars=typed)
    assert any(caption.value.startswith(":red[Amount ") for caption in page.caption)
    click(page, "Add credits")
    assert plain_sql.every_row(ledger) == before


@pytest.mark.parametrize("typed", ["-5", "1.5", "many", "0", "9007199254740992", "99999999999999999999"])
def test_an_amount_that_cannot_be_accepted_does_not_add_the_one_before(ledger: Engine, typed: str) -> None:
    before = plain_sql.every_row(ledger)
    page = choose(page_for("ada", amount="250000"), amount=typed)
    red = ":red[Enter a whole number from 1 to 9,007,199,254,740,991.]"
    assert red in [caption.value for caption in page.caption]
    click(page, "Add credits")
    assert [warning.value for warning in page.warning] == ["Choose or type an amount first."]
    assert plain_sql.every_row(ledger) == before


def test_an_amount_may_be_written_in_groups_of_thousands(ledger: Engine) -> None:
    click(choose(page_for("ada"), amount="250,000"), "Add credits")
    assert plain_sql.balance(ledger, "ada") == 1_250_000


def test_the_amount_stands_in_credits_and_dollars_before_it_is_added(ledger: Engine) -> None:
    page = choose(page_for("ada"), unit="Dollars", dollars="12.5")
    assert "12,500,000 credits (\\$12.50)" in [caption.value for caption in page.caption]


@pytest.mark.parametrize(("unit", "key", "value"), [("Credits", "amount", "10,000,000"), ("Dollars", "dollars", "10")])
def test_a_quick_amount_fills_in_the_amount(ledger: Engine, unit: str, key: str, value: object) -> None:
    page = choose(page_for("ada"), unit=unit)
    click(page, "\\$10")
    assert page.get_by_key(key).value == value
    assert plain_sql.balance(ledger, "ada") == 1_000_000
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "ada") == 11_000_000


def test_the_first_credits_of_a_user_open_the_account(ledger: Engine) -> None:
    page = page_for("zoe", amount="500")
    assert [info.value for info in page.info] == ["zoe does not exist yet. Adding credits creates the user."]
    click(page, "Add credits")
    assert metrics(page) == {"Balance of zoe": ("500", "$0.0005")}
    assert plain_sql.balance(ledger, "zoe") == 500


def test_a_user_is_chosen_before_anything_is_added(ledger: Engine) -> None:
    page = choose(open_page("act/add_credits.py"), amount=5)
    click(page, "Add credits")
    assert [warning.value for warning in page.warning] == ["Choose a user first."]
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM journal_entries") == 1


@pytest.mark.parametrize(
    ("kind", "reason", "entry"),
    [
        ("purchase", "", ("credit_purchase", None, "dashboard")),
        ("purchase", "Invoice 17", ("credit_purchase", "Invoice 17", "dashboard")),
        ("grant", "Welcome", ("grant", "Welcome", "dashboard")),
        ("adjustment", " Goodwill ", ("adjustment", "Goodwill", "dashboard")),
    ],
)
def test_the_kind_and_the_reason_are_recorded(
    ledger: Engine, kind: str, reason: str, entry: tuple[str, str | None, str]
) -> None:
    page = page_for("ada", amount="500")
    page.get_by_key("kind").set_value(CreditSource(kind))
    page.text_input(key="reason").set_value(reason)
    click(page, "Add credits")
    assert plain_sql.rows(ledger, ENTRIES)[1] == entry


@pytest.mark.parametrize("kind", ["grant", "adjustment"])
@pytest.mark.parametrize("reason", ["", "   "])
def test_a_grant_and_an_adjustment_are_refused_without_a_reason(ledger: Engine, kind: str, reason: str) -> None:
    before = plain_sql.every_row(ledger)
    page = page_for("ada", amount="500")
    page.get_by_key("kind").set_value(CreditSource(kind))
    page.text_input(key="reason").set_value(reason)
    click(page, "Add credits")
    assert ([error.value for error in page.error], [warning.value for warning in page.warning]) == (
        [],
        ["Enter a reason, at most 500 printable characters."],
    )
    assert "Receipt" not in [heading.value for heading in page.header]
    assert plain_sql.every_row(ledger) == before


def test_a_refusal_is_gone_when_another_user_or_amount_is_chosen(ledger: Engine) -> None:
    page = page_for("ada", amount="500")
    page.get_by_key("kind").set_value(CreditSource.GRANT)
    click(page, "Add credits")
    assert page.warning
    assert not choose(page, amount=600).warning


def test_a_refused_request_can_be_mended_and_sent_again(ledger: Engine) -> None:
    page = page_for("ada", amount="500")
    page.get_by_key("kind").set_value(CreditSource.GRANT)
    click(page, "Add credits")
    page.text_input(key="reason").set_value("Welcome")
    click(page, "Add credits")
    assert not page.error
    assert plain_sql.balance(ledger, "ada") == 1_000_500


def test_the_same_credits_are_added_once_until_more_is_asked_for(ledger: Engine) -> None:
    page = page_for("ada", amount="500")
    click(page, "Add credits")
    click(page, "Add credits")
    assert not page.success
    assert page.info[0].value == (
        "Added 500 credits (\\$0.0005) to ada once, by entry 2. To add credits again, choose Add more."
    )
    assert plain_sql.balance(ledger, "ada") == 1_000_500
    click(page, "Add more")
    assert not page.table
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "ada") == 1_001_000


def test_the_receipt_stays_while_something_else_is_chosen(ledger: Engine) -> None:
    page = page_for("ada", amount="500")
    click(page, "Add credits")
    choose(page, user="zoe", unit="Dollars")
    assert [success.value for success in page.success] == ["Added 500 credits (\\$0.0005) to ada, by entry 2."]
    assert plain_sql.balance(ledger, "ada") == 1_000_500


def test_a_new_user_whose_id_looks_like_anothers_is_added_once_the_person_says_so(ledger: Engine) -> None:
    world.add(ledger, "kim@x.example", 500, key="kim")
    page = page_for("KIM@x.example", amount="700")
    click(page, "Add credits")
    assert [(one.proto.title, as_read(one.value)) for one in page.error] == [
        (
            "Almost the same id is in use",
            "There is no user KIM@x.example, but there is kim@x.example. Nothing was added.",
        )
    ]
    (box,) = page.checkbox
    assert box.label == "This is somebody else"
    click(page, "Add credits")
    assert page.error
    page.checkbox[0].check()
    click(page, "Add credits")
    assert not page.error
    assert not page.checkbox
    assert plain_sql.balance(ledger, "KIM@x.example") == 700
    assert plain_sql.balance(ledger, "kim@x.example") == 500


def test_who_is_somebody_else_is_said_of_one_user_only(ledger: Engine) -> None:
    for user_id in ("kim@x.example", "lee@x.example"):
        world.add(ledger, user_id, 500, key=user_id)
    page = page_for("KIM@x.example", amount="700")
    click(page, "Add credits")
    page.checkbox[0].check()
    page = choose(page, user="LEE@x.example")
    assert not page.checkbox
    click(page, "Add credits")
    assert page.error
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM user_credits") == 3


def test_a_balance_above_the_largest_is_refused(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = page_for("ada", amount="9007199254740991")
    click(page, "Add credits")
    assert "the largest balance is 9,007,199,254,740,991" in page.error[0].proto.title
    assert plain_sql.every_row(ledger) == before


def test_without_an_amount_nothing_is_added(ledger: Engine) -> None:
    page = page_for("ada")
    click(page, "Add credits")
    assert [warning.value for warning in page.warning] == ["Choose or type an amount first."]
    assert plain_sql.scalar(ledger, "SELECT COUNT(*) FROM journal_entries") == 1


@pytest.mark.parametrize(
    "query",
    [
        {"user": "$x$ **b** <i>"},
        {"user": "ada\0"},
        {"user": "=1+1", "amount": "-5"},
        {"amount": "1e300"},
        {"amount": "nonsense", "unit": "Yen"},
        {"unit": "Dollars", "dollars": "9" * 400},
    ],
)
def test_a_link_that_makes_no_sense_opens_the_page(ledger: Engine, query: dict[str, str]) -> None:
    page = open_page("act/add_credits.py", **query)
    assert page.button[-1].label == "Add credits"


def test_in_an_empty_database_the_first_user_can_be_made(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path) as engine:
        page = page_for("ada", amount="1000000")
        click(page, "Add credits")
        assert plain_sql.balance(engine, "ada") == 1_000_000


@pytest.mark.parametrize(("key", "value"), [("reason", "Another one"), ("kind", CreditSource.GRANT)])
def test_credits_of_another_kind_or_reason_are_added_without_asking_for_more(
    ledger: Engine, key: str, value: str
) -> None:
    page = page_for("ada", amount="500")
    page.text_input(key="reason").set_value("One")
    click(page, "Add credits")
    page.get_by_key(key).set_value(value)
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "ada") == 1_001_000


def test_a_bonus_is_not_added_by_hand(ledger: Engine) -> None:
    assert page_for("ada").get_by_key("kind").options == ["Purchase", "Grant", "Adjustment"]
