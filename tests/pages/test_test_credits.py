from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from credits_core.store.kinds import CreditSource
from tests.support import page_driver, plain_sql
from tests.support.page_driver import choose, click, links, metrics, open_page, small_tables, table

RUNS = "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs"
FEE = {"user": "ada", "model": "claude-3-haiku", "creator": "ben", "fee": "1001"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("bench"), demo=True) as engine:
        yield engine


def bench(**query: str) -> AppTest:
    return open_page("test_credits.py", **query)


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.subheader]


def test_all_five_parts_are_on_one_screen(demo: Engine) -> None:
    page = bench(user="dev")
    assert headings(page) == [
        "Balances",
        "Run a prompt",
        "Add credits",
        "Creator payments",
        "Transaction history of dev",
    ]
    balances, payments, history = (table(page, number) for number in range(3))
    users = plain_sql.rows(demo, "SELECT user_id, balance_credits FROM user_credits ORDER BY user_id")
    assert [(row["User"], row["Balance"]) for row in balances] == users
    newest = (
        "SELECT entry_id, account_id, amount_credits FROM credit_transactions WHERE {} ORDER BY entry_id DESC LIMIT 8"
    )
    assert [(row["Account"], row["Credits"]) for row in payments] == [
        (account_id, credits)
        for _, account_id, credits in plain_sql.rows(demo, newest.format("type = 'creator_payment'"))
    ]
    assert [(row["Entry"], "dev", row["Credits"]) for row in history] == plain_sql.rows(
        demo, newest.format("account_id = 'dev'")
    )


def test_a_run_shows_the_deduction_everywhere(ledger: Engine) -> None:
    page = bench(**FEE)
    assert metrics(page) == {"Balance of ada": ("1,000,000", "$1.00"), "Total": ("1,251", "$0.001251")}
    click(page, "Run")
    assert metrics(page)["Balance of ada"] == ("998,749", "$0.998749")
    balances, payments, history = (table(page, number) for number in range(3))
    assert [(row["User"], row["Balance"], row["Dollars"]) for row in balances] == [
        ("ada", 998_749, "$0.998749"),
        ("ben", 800, "$0.000800"),
        ("cleo", 1_000, "$0.001000"),
    ]
    assert [(row["Account"], row["Credits"], row["Dollars"]) for row in payments] == [("ben", 800, "$0.000800")]
    assert [(row["Entry"], row["Credits"], row["Balance after"]) for row in history] == [
        (3, -1_251, 998_749),
        (1, 1_000_000, 1_000_000),
    ]
    assert plain_sql.transactions(ledger, 3) == [
        ("ada", "prompt_run", -1_251, 998_749),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]


def test_the_receipt_shows_every_step_of_the_price_and_each_account(ledger: Engine) -> None:
    page = click(bench(**FEE), "Run")
    assert small_tables(page) == {
        "Every step of the price": [
            ("Inference cost", "250 credits per run", "250", "\\$0.000250"),
            ("Creator fee", "set by the creator", "1,001", "\\$0.001001"),
            ("Creator's share", "80 % of the fee, rounded down", "800", "\\$0.000800"),
            ("Platform's share", "the rest of the fee", "201", "\\$0.000201"),
            ("Platform markup", "none, because there is a creator fee", "0", "\\$0.000000"),
            ("**Total**", "inference cost + creator fee + platform markup", "**1,251**", "\\$0.001251"),
        ],
        "The entry's transactions": [
            ("ada", "Prompt run", "-1,251 (-\\$0.001251)", "1,000,000 (\\$1.00)", "998,749 (\\$0.998749)"),
            ("ben", "Creator payment", "+800 (\\$0.0008)", "0 (\\$0.00)", "800 (\\$0.0008)"),
            ("Platform revenue", "Platform revenue", "+201 (\\$0.000201)", "–", "–"),
            ("Inference costs", "Inference cost", "+250 (\\$0.00025)", "–", "–"),
        ],
    }
    assert links(page)["Entry 3 in the history"] == ("history", "entry=3&anew=")


def test_the_same_run_is_charged_once_until_a_new_run_is_asked_for(ledger: Engine) -> None:
    page = bench(**FEE)
    click(page, "Run")
    click(page, "Run")
    assert [info.proto.title for info in page.info] == ["This click was a repeat and was not charged"]
    assert plain_sql.rows(ledger, RUNS) == [(1, 1_251)]
    click(page, "New run")
    assert "Receipt" not in headings(page)
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(2, 2_502)]


def test_adding_credits_and_running_keep_apart(ledger: Engine) -> None:
    page = bench(amount="500", **FEE)
    click(page, "Run")
    click(page, "Add credits")
    assert [success.value for success in page.success] == [
        "Charged 1,251 credits (\\$0.001251) to ada, by entry 3.",
        "Added 500 credits (\\$0.0005) to ada, by entry 4.",
    ]
    assert metrics(page)["Balance of ada"] == ("999,249", "$0.999249")
    click(page, "New run")
    assert [success.value for success in page.success] == ["Added 500 credits (\\$0.0005) to ada, by entry 4."]


def test_the_same_credits_are_added_once_until_more_is_asked_for(ledger: Engine) -> None:
    page = bench(user="cleo", amount="500")
    click(page, "Add credits")
    click(page, "Add credits")
    assert [info.proto.title for info in page.info] == ["This click was a repeat and nothing was added"]
    assert plain_sql.balance(ledger, "cleo") == 1_500
    click(page, "Add more")
    click(page, "Add credits")
    assert plain_sql.balance(ledger, "cleo") == 2_000


def test_a_grant_without_a_reason_is_refused_beside_the_form(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = bench(amount="500")
    page.get_by_key("kind").set_value(CreditSource.GRANT)
    click(page, "Add credits")
    assert ([error.value for error in page.error], [warning.value for warning in page.warning]) == (
        [],
        ["Enter a reason, at most 500 printable characters."],
    )
    assert plain_sql.every_row(ledger) == before


def test_a_user_who_cannot_pay_is_refused_and_can_run_after_adding_credits(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = bench(user="cleo", model="gpt-4", amount="50000")
    click(page, "Run")
    assert [(error.proto.title, error.value) for error in page.error] == [
        ("cleo has 1,000 credits (\\$0.001), but this takes 33,000 credits (\\$0.033).", "Nothing was charged.")
    ]
    assert plain_sql.every_row(ledger) == before
    click(page, "Add credits")
    assert not page.error  # what was missing is there now
    click(page, "Run")
    assert not page.error
    assert metrics(page)["Balance of cleo"] == ("18,000", "$0.018")


def test_tokens_are_asked_for_when_the_model_is_priced_per_token(ledger: Engine) -> None:
    page = bench(user="ada", model="claude-3-haiku")
    assert "input_tokens" not in [box.key for box in page.text_input]
    choose(page, model="openai/gpt-4o", input_tokens=1_021, output_tokens=129)
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(1, 4_611)]


def test_the_chosen_user_is_the_one_who_pays_and_is_shown(ledger: Engine) -> None:
    page = choose(bench(model="claude-3-haiku"), user="cleo")
    assert "Transaction history of cleo" in headings(page)
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT user_id FROM prompt_runs") == [("cleo",)]


def test_an_account_can_be_opened_from_an_empty_database(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path) as engine:
        page = bench()
        assert [info.proto.title for info in page.info] == ["Add credits first"]
        assert "Type an id here, then add credits below" in page.caption[1].value
        page = bench(user="maya", amount="1000000")
        assert [info.value for info in page.info] == ["maya does not exist yet. Adding credits creates the user."]
        click(page, "Add credits")
        click(page, "Run")
        assert plain_sql.balance(engine, "maya") == 1_000_000 - 300
        assert page.selectbox(key="prompt").options == ["free-form"]


@pytest.mark.parametrize(
    "query",
    [
        {"user": "$x$ **b** <i>", "prompt": "$p$"},
        {"user": "a@example.org", "model": "no-such-model", "fee": "nan"},
        {"user": "ada\0", "amount": "0", "unit": "", "input_tokens": "-1"},
    ],
)
def test_a_link_that_makes_no_sense_opens_the_page(ledger: Engine, query: dict[str, str]) -> None:
    assert headings(bench(**query))[:2] == ["Balances", "Run a prompt"]


def test_a_typed_text_is_shown_as_it_was_typed(ledger: Engine) -> None:
    page = bench(user="$x$ *b*", model="claude-3-haiku")
    assert "Transaction history of \\$x\\$ \\*b\\*" in headings(page)
