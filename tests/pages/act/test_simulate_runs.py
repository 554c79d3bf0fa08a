from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import Engine
from streamlit.testing.v1 import AppTest

from pages.parts import action
from tests.support import page_driver, plain_sql, world
from tests.support.page_driver import charts, choose, click, links, metrics, open_page, run, small_tables, table

RUNS = "SELECT COUNT(*), SUM(total_credits) FROM prompt_runs"
HAIKU = {"model": "claude-3-haiku"}
FEE = {**HAIKU, "creator": "ben", "fee": "1001"}
TOKENS = {"model": "openai/gpt-4o", "input_tokens": "1021", "output_tokens": "129"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Engine]:
    with page_driver.small_dashboard(tmp_path) as engine:
        world.add(engine, "ada", 1_000_000, key="a")
        world.add(engine, "cleo", 1_000, key="c")
        yield engine
        assert plain_sql.contradictions(engine) == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with page_driver.dashboard(tmp_path_factory.mktemp("simulate"), demo=True) as engine:
        yield engine


def page_for(**query: str) -> AppTest:
    return open_page("act/simulate_runs.py", **query)


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


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
    assert small_tables(page) == {"Every step of the price": steps}
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
    assert "Claude 3 Haiku · 250 credits (\\$0.00025) per run" in captions(page_for(**HAIKU))
    assert (
        "GPT\\-4o \\(per token\\) · \\$2.50 per million input tokens, \\$10.00 per million output tokens"
        in captions(page_for(**TOKENS))
    )


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
    assert [success.value for success in page.success] == ["Charged 1,251 credits (\\$0.001251) to ada, by entry 3."]
    assert small_tables(page)["The entry's transactions"] == [
        ("ada", "Prompt run", "-1,251 (-\\$0.001251)", "1,000,000 (\\$1.00)", "998,749 (\\$0.998749)"),
        ("ben", "Creator payment", "+800 (\\$0.0008)", "0 (\\$0.00)", "800 (\\$0.0008)"),
        ("Platform revenue", "Platform revenue", "+201 (\\$0.000201)", "–", "–"),
        ("Inference costs", "Inference cost", "+250 (\\$0.00025)", "–", "–"),
    ]
    assert "ada holds 998,749 credits (\\$0.998749), which is enough." in captions(page)
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
            "Charged 300 credits (\\$0.0003) to ada once, by entry 3. To run again, choose New run.",
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
    assert [success.value for success in page.success] == ["Charged 300 credits (\\$0.0003) to ada, by entry 3."]
    assert plain_sql.rows(ledger, RUNS) == [(1, 300)]


def test_a_user_who_cannot_pay_is_refused_and_nothing_changes(ledger: Engine) -> None:
    before = plain_sql.every_row(ledger)
    page = page_for(user="cleo", model="gpt-4")
    click(page, "Run")
    assert [(error.proto.title, error.value) for error in page.error] == [
        ("cleo has 1,000 credits (\\$0.001), but this takes 33,000 credits (\\$0.033).", "Nothing was charged.")
    ]
    assert links(page)["Add credits to cleo"] == ("add-credits", "user=cleo&anew=")
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


# --- batches --------------------------------------------------------------------------------------------------------


def test_a_batch_is_charged_run_by_run_and_summed_up(ledger: Engine) -> None:
    page = page_for(user="ada", runs="250", **FEE)
    assert metrics(page)["Total of 250 runs"] == ("312,750", "$0.31275")
    click(page, "Run 250 times")
    assert [success.value for success in page.success] == ["Charged 250 of 250 runs to ada."]
    summed = metrics(page)
    assert summed["Total charged"] == ("312,750", "$0.31275")
    assert summed["Balance before"] == ("1,000,000", "$1.00")
    assert summed["Balance after"] == ("687,250", "$0.68725")
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


def test_runs_of_a_batch_that_cannot_be_paid_for_are_refused_with_the_reason(ledger: Engine) -> None:
    page = page_for(user="cleo", runs="5", **HAIKU)
    assert "which is not enough for all runs: some will be refused." in captions(page)
    click(page, "Run 5 times")
    assert [warning.value for warning in page.warning] == ["Charged 3 of 5 runs to cleo."]
    assert links(page)["Add credits to cleo"] == ("add-credits", "user=cleo&anew=")
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
    click(page, "Run 40 times")
    assert metrics(page)["Total charged"][0] == shown
    ((charged, total_credits, different),) = plain_sql.rows(
        ledger, "SELECT COUNT(*), SUM(total_credits), COUNT(DISTINCT input_tokens) FROM prompt_runs"
    )
    assert (charged, f"{total_credits:,}") == (40, shown)
    assert int(str(different)) > 30


def test_a_batch_that_was_stopped_half_way_is_continued(ledger: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    in_parts = action.perform_in_parts

    def end_the_run_after_the_first_part(*arguments: Any) -> Iterator[Any]:
        yield next(in_parts(*arguments))
        st.stop()

    page = page_for(user="ada", runs="250", **HAIKU)
    with monkeypatch.context() as patch:
        patch.setattr(action, "perform_in_parts", end_the_run_after_the_first_part)
        click(page, "Run 250 times")
    assert plain_sql.rows(ledger, RUNS) == [(100, 30_000)]
    run(page)
    assert [(warning.proto.title, warning.value) for warning in page.warning] == [
        ("Stopped half way", "Charged 100 of 250 runs to ada so far.")
    ]
    assert page.button(key="simulate:run").disabled
    choose(page, user="cleo", runs=3)
    click(page, "Continue the batch")
    assert [success.value for success in page.success] == ["Charged 250 of 250 runs to ada."]
    assert plain_sql.rows(ledger, RUNS) == [(250, 75_000)]
    assert plain_sql.balance(ledger, "cleo") == 1_000


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
    page = page_for(**query)
    assert page.button(key="simulate:run").label == "Run"


def test_without_any_user_the_page_says_to_add_credits_first(tmp_path: Path) -> None:
    with page_driver.small_dashboard(tmp_path):
        page = page_for()
        assert [info.proto.title for info in page.info] == ["Add credits first"]
        assert links(page) == {"Add credits": ("add-credits", "")}
        assert not page.button
