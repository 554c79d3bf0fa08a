from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from tests.support import page_driver, plain_sql
from tests.support.page_driver import (
    button_labels,
    captions,
    choose,
    click,
    links,
    metrics,
    open_page,
    run,
    small_tables,
    table,
)

RUNS = "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs"
HAIKU = {"model": "claude-3-haiku"}
FEE = {**HAIKU, "creator": "ben", "fee": "1001"}
TOKENS = {"model": "openai/gpt-4o", "input_tokens": "1021", "output_tokens": "129"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("simulate"), demo=True) as engine:
        yield engine


def page_for(**query: str) -> AppTest:
    return open_page("act/simulate_runs.py", **query)


@pytest.mark.parametrize(
    ("query", "steps"),
    [
        (
            HAIKU,
            [
                ("Inference cost", "250 credits per run", "250", "\\$0.000250"),
                ("Creator fee", "none", "0", "\\$0.000000"),
                ("Platform markup", "cost below 10,000: 20 %, rounded down", "50", "\\$0.000050"),
                ("**Total**", "inference cost + creator fee + platform markup", "**300**", "\\$0.000300"),
            ],
        ),
        (
            FEE,
            [
                ("Inference cost", "250 credits per run", "250", "\\$0.000250"),
                ("Creator fee", "set by the creator", "1,001", "\\$0.001001"),
                ("Creator's share", "80 % of the fee, rounded down", "800", "\\$0.000800"),
                ("Platform's share", "the rest of the fee", "201", "\\$0.000201"),
                ("Platform markup", "none, because there is a creator fee", "0", "\\$0.000000"),
                ("**Total**", "inference cost + creator fee + platform markup", "**1,251**", "\\$0.001251"),
            ],
        ),
        (
            TOKENS,
            [
                (
                    "Inference cost",
                    "1,021 input × 2.5 + 129 output × 10 = 3,842.5 credits, rounded up",
                    "3,843",
                    "\\$0.003843",
                ),
                ("Creator fee", "none", "0", "\\$0.000000"),
                ("Platform markup", "cost below 10,000: 20 %, rounded down", "768", "\\$0.000768"),
                ("**Total**", "inference cost + creator fee + platform markup", "**4,611**", "\\$0.004611"),
            ],
        ),
    ],
    ids=["per run", "with a fee", "per token"],
)
def test_every_step_of_the_price_is_shown_before_anything_is_charged(
    ledger: Engine, query: dict[str, str], steps: list[tuple[str, ...]]
) -> None:
    page = page_for(**query)
    units = [
        ("Input tokens", "1,021", "\\$2.5 per 1,000,000", "2,552.5"),
        ("Output tokens", "129", "\\$10 per 1,000,000", "1,290"),
    ]
    made_of = {"What the inference cost is made of": units} if query == TOKENS else {}
    assert small_tables(page) == made_of | {"Every step of the price": steps}
    assert plain_sql.rows(ledger, RUNS) == [(0, None)]


def test_the_price_follows_the_inputs(ledger: Engine) -> None:
    page = page_for()
    assert metrics(page)["Total"] == ("300", "$0.0003")
    choose(page, model="gpt-4")
    assert metrics(page)["Total"] == ("33,000", "$0.033")
    choose(page, model="openai/gpt-4o", input_tokens=1_021, output_tokens=129)
    assert metrics(page)["Total"] == ("4,611", "$0.004611")
    choose(page, creator="ben", fee=7)
    assert metrics(page)["Total"] == ("3,850", "$0.00385")


def test_the_model_stands_with_its_price(ledger: Engine) -> None:
    assert "250 credits (\\$0.00025) per run" in captions(page_for(**HAIKU)).splitlines()
    assert "\\$2.50 per million input tokens, \\$10.00 per million output tokens" in captions(page_for(**TOKENS))


@pytest.mark.parametrize(
    ("user", "model", "said"),
    [
        ("ada", "claude-3-haiku", ":material/check: ada holds 1,000,000 credits (\\$1.00), which is enough."),
        (
            "cleo",
            "gpt-4",
            ":material/block: cleo holds 1,000 credits (\\$0.001), which is not enough: the run will be refused.",
        ),
    ],
)
def test_it_is_said_beforehand_whether_the_user_can_pay(ledger: Engine, user: str, model: str, said: str) -> None:
    assert said in captions(page_for(user=user, model=model))


def test_a_run_shows_its_receipt_and_the_balance_after_it(ledger: Engine) -> None:
    page = page_for(user="ada", **FEE)
    click(page, "Run")
    assert [success.value for success in page.success] == ["ada paid 1,251 credits (\\$0.001251), by entry 3."]
    assert small_tables(page)["The entry's transactions"] == [
        ("ada", "Prompt run", "-1,251 (-\\$0.001251)", "1,000,000 (\\$1.00)", "998,749 (\\$0.998749)"),
        ("ben", "Creator payment", "+800 (\\$0.0008)", "0 (\\$0.00)", "800 (\\$0.0008)"),
        ("Platform revenue", "Platform revenue", "+201 (\\$0.000201)", "–", "–"),
        ("Inference costs", "Inference cost", "+250 (\\$0.00025)", "–", "–"),
    ]
    assert "ada holds 998,749 credits (\\$0.9987), which is enough." in captions(page)
    assert plain_sql.transactions(ledger, 3) == [
        ("ada", "prompt_run", -1_251, 998_749),
        ("ben", "creator_payment", 800, 800),
        ("platform:revenue", "platform_revenue", 201, None),
        ("platform:inference", "inference_cost", 250, None),
    ]


def test_the_run_is_recorded_with_what_was_chosen(ledger: Engine) -> None:
    page = page_for(user="ada", prompt="my-own-prompt", **TOKENS)
    click(page, "Run")
    recorded = "SELECT user_id, prompt_id, model_id, creator_id, input_tokens, output_tokens FROM prompt_runs"
    assert plain_sql.rows(ledger, recorded) == [("ada", "my-own-prompt", "openai/gpt-4o", None, 1_021, 129)]


def test_the_same_run_is_charged_once_until_a_new_run_is_asked_for(ledger: Engine) -> None:
    page = page_for(user="ada", **HAIKU)
    click(page, "Run")
    click(page, "Run")
    assert [(info.proto.title, info.value) for info in page.info] == [
        (
            "This click was a repeat and was not charged",
            "ada paid 300 credits (\\$0.0003) once, by entry 3. To run again, choose New run.",
        )
    ]
    assert plain_sql.rows(ledger, RUNS) == [(1, 300)]
    click(page, "New run")
    assert list(small_tables(page)) == ["Every step of the price"]
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(2, 600)]


def test_another_run_is_charged_without_asking_for_a_new_run(ledger: Engine) -> None:
    page = page_for(user="ada", **HAIKU)
    click(page, "Run")
    choose(page, fee=1_001, creator="ben")
    click(page, "Run")
    assert plain_sql.rows(ledger, RUNS) == [(2, 300 + 1_251)]


def test_the_receipt_stays_while_something_else_is_chosen(ledger: Engine) -> None:
    page = page_for(user="ada", **HAIKU)
    click(page, "Run")
    choose(page, model="gpt-4", user="cleo")
    assert [success.value for success in page.success] == ["ada paid 300 credits (\\$0.0003), by entry 3."]
    assert plain_sql.rows(ledger, RUNS) == [(1, 300)]


def test_a_user_who_cannot_pay_is_refused_and_nothing_changes(ledger: Engine) -> None:
    page = page_for(user="cleo", model="gpt-4")
    before = plain_sql.every_row(ledger)
    click(page, "Run")
    assert [(error.proto.title, error.value) for error in page.error] == [
        ("cleo has 1,000 credits (\\$0.001), but this takes 33,000 credits (\\$0.033).", "Nothing was charged.")
    ]
    assert links(page)["Add credits to cleo"] == ("add-credits", "to_user=cleo&anew=")
    assert plain_sql.every_row(ledger) == before


def test_a_refusal_is_gone_when_something_else_is_chosen(ledger: Engine) -> None:
    page = page_for(user="cleo", model="gpt-4")
    click(page, "Run")
    choose(page, model="claude-3-haiku")
    assert not page.error


def test_a_user_without_an_account_is_told_so_and_refused(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = page_for(user="zoe", **HAIKU)
    assert [info.value for info in page.info] == ["zoe does not exist yet. Adding credits creates the user."]
    click(page, "Run")
    assert page.error[0].proto.title.startswith("There is no user 'zoe'")
    assert plain_sql.every_row(ledger) == before


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({**HAIKU, "fee": "5"}, "Creator must be given when there is a creator fee"),
        ({**HAIKU, "fee": "5", "creator": "a b"}, "Creator must be 1 to 128 characters"),
        ({**HAIKU, "prompt": "<b>"}, "Prompt must be 1 to 128 characters"),
        (
            {**TOKENS, "input_tokens": "0", "output_tokens": "0"},
            "Input tokens must have a count above 0",
        ),
        ({**HAIKU, "creator": "ben", "fee": "9007199254740991"}, "Total would be 9,007,199,254,741,241"),
    ],
)
def test_what_has_no_price_cannot_be_run(ledger: Engine, query: dict[str, str], why: str) -> None:
    page = page_for(user="ada", **query)
    (warning,) = page.warning
    assert warning.proto.title == "No price yet"
    assert warning.value.startswith(why)
    assert "Total" not in metrics(page)
    assert page.button(key="simulate:run").disabled


@pytest.mark.parametrize("typed", ["-7", "1.5", "many", "1000000001", "99999999999999999999"])
def test_a_number_that_cannot_be_accepted_is_not_run_with_the_one_before(ledger: Engine, typed: str) -> None:
    before = plain_sql.every_row(ledger)
    page = choose(page_for(user="ada", **TOKENS), input_tokens=typed)
    assert ":red[Enter a whole number from 0 to 1,000,000,000.]" in captions(page)
    assert "Total" not in metrics(page)
    assert page.button(key="simulate:run").disabled
    choose(page, input_tokens="1,021", runs=typed)
    assert ":red[Enter a whole number from 1 to 10,000.]" in captions(page)
    assert page.button(key="simulate:run").disabled
    assert plain_sql.every_row(ledger) == before


def test_an_empty_box_for_tokens_is_the_usual_count(ledger: Engine) -> None:
    page = page_for(user="ada", model="openai/gpt-4o")
    # 1,000 × 2.5 + 200 × 10 = 4,500; + 20 %
    assert metrics(page)["Total"] == ("5,400", "$0.0054")


def test_a_creator_without_a_fee_earns_nothing(ledger: Engine) -> None:
    page = page_for(user="ada", creator="ben", **HAIKU)
    assert metrics(page)["Total"] == ("300", "$0.0003")
    click(page, "Run")
    assert plain_sql.rows(ledger, "SELECT creator_id FROM prompt_runs") == [(None,)]


# --- what can be chosen ---------------------------------------------------------------------------------------------


def test_a_demo_prompt_brings_its_creator_fee_and_model(demo: Engine) -> None:
    page = page_for(user="dev", prompt="product-photo")
    assert page.selectbox(key="model").value == "gpt-image-1"
    assert small_tables(page)["Every step of the price"] == [
        ("Inference cost", "30,000 credits per run", "30,000", "\\$0.030000"),
        ("Creator fee", "set by the creator", "9,999", "\\$0.009999"),
        ("Creator's share", "80 % of the fee, rounded down", "7,999", "\\$0.007999"),
        ("Platform's share", "the rest of the fee", "2,000", "\\$0.002000"),
        ("Platform markup", "none, because there is a creator fee", "0", "\\$0.000000"),
        ("**Total**", "inference cost + creator fee + platform markup", "**39,999**", "\\$0.039999"),
    ]
    assert "Product photo by quinn · fee 9,999 credits (\\$0.009999)" in captions(page)


def test_choosing_another_demo_prompt_brings_its_model_and_usual_tokens(demo: Engine) -> None:
    page = choose(page_for(prompt="product-photo"), prompt="sql-tuner")
    assert page.selectbox(key="model").value == "openai/gpt-4o"
    # The medians of a code prompt: 1,469 × 2.5 + 13 × 10 = 3,802.5.
    assert small_tables(page)["Every step of the price"][0][2] == "3,803"


def test_a_model_can_be_chosen_instead_of_the_prompts_own(demo: Engine) -> None:
    page = page_for(prompt="quick-answer", model="gpt-4")
    assert page.selectbox(key="model").value == "gpt-4"
    choose(page, model="claude-3-haiku")
    assert metrics(page)["Total"] == ("300", "$0.0003")


def test_every_model_of_the_registry_can_be_priced(demo: Engine) -> None:
    page = page_for(prompt="free-form")
    models = page.selectbox(key="model").options
    assert {"gpt-4", "claude-3-haiku", "openai/gpt-4o"} <= set(models)
    assert len(models) > 40
    for model in models:
        choose(page, model=model)
        assert metrics(page)["Total"][0] != "0", model


def test_the_prices_of_all_models_stand_in_one_table(ledger: Engine) -> None:
    page = page_for()
    assert not page.dataframe
    page.session_state["prices"] = True
    rows = table(run(page))
    assert [(row["Model"], row["Credits per run"], row["Dollars per run"]) for row in rows[:2]] == [
        ("claude-3-haiku", 250, "$0.00025"),
        ("gpt-4", 30_000, "$0.03"),
    ]
    assert (float(rows[2]["$ per million in"]), float(rows[2]["$ per million out"])) == (2.5, 10)


@pytest.mark.parametrize(
    "query",
    [
        {"user": "$x$ **b** <i>", "prompt": "$p$"},
        {"model": "no-such-model", "runs": "0", "fee": "-1"},
        {"runs": "1e300", "input_tokens": "many", "output_tokens": "-3"},
        {"runs": "20000", "tokens": "Poetry"},
        {"user": "ada\0", "prompt": "a\0b", "creator": "\0"},
    ],
)
def test_a_link_that_makes_no_sense_opens_the_page(ledger: Engine, query: dict[str, str]) -> None:
    assert page_for(**query).button(key="simulate:run").label == "Run"


def test_without_any_user_the_page_says_to_add_credits_first(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path):
        page = page_for()
        assert [info.proto.title for info in page.info] == ["Add credits first"]
        assert links(page) == {"One run": ("test-credits", ""), "Add credits": ("add-credits", "")}
        assert not page.button


def test_credits_are_set_aside_first_and_what_was_used_is_charged(ledger: Engine) -> None:
    page = click(page_for(user="ada", **TOKENS), "Set credits aside first")
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 4_611
    choose(page, **{"hold:used": "29"})
    # 1,021 × 2.5 + 29 × 10 = 2,842.5, rounded up 2,843; 20 % of it is 568.
    click(page, "Charge what was used")
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 3_411
    assert [(one.title, one.value) for one in page.success] == [
        ("Charged", "ada paid 3,411 credits (\\$0.003411) for the run. 1,200 credits (\\$0.0012) came back.")
    ]
    assert "Set credits aside first" in button_labels(click(page, "Put away"))


def test_a_hold_is_released_and_a_run_that_costs_more_is_refused_and_stays_held(ledger: Engine) -> None:
    page = click(page_for(user="ada", **TOKENS), "Set credits aside first")
    choose(page, **{"hold:used": "130"})
    click(page, "Charge what was used")
    assert plain_sql.balance(ledger, "ada") == 1_000_000 - 4_611
    assert [one.title for one in page.error] == [
        "The run costs 4,623 credits, but hold 3 can be charged at most 4,611\\."
    ]
    click(page, "Release")
    assert plain_sql.balance(ledger, "ada") == 1_000_000
    assert [one.title for one in page.success] == ["Released"]
    assert plain_sql.rows(ledger, RUNS) == [(0, None)]
