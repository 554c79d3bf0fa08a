"""Explaining a charge: every step with its numbers, beside what was recorded."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from credits_core.audit.explanation import Explanation, explain
from credits_core.ledger import actions
from credits_core.ledger.requests import ChargeRequest
from credits_core.pricing.models import ModelRegistry
from credits_core.pricing.plan_toml import parse_price_plan
from credits_core.pricing.quote import PriceBook
from credits_core.store import database
from tests.support import damage, world
from tests.support.actors import TESTER
from tests.support.damage import Ledger
from tests.support.prices import by_usage

Step = tuple[str, str, str, int | None, int | None]


def explained(engine: Engine, entry_id: int, book: PriceBook) -> Explanation:
    with database.read(engine) as connection:
        return explain(connection, entry_id, plans=book.plans)


def steps(found: Explanation) -> list[Step]:
    assert [step.number for step in found.steps] == list(range(1, len(found.steps) + 1))
    return [
        (step.label, step.arithmetic, step.result, step.recomputed_credits, step.recorded_credits)
        for step in found.steps
    ]


def moved(found: Explanation) -> list[tuple[object, ...]]:
    return [
        (
            one.account_id,
            one.type.value,
            one.recorded_credits,
            one.recomputed_credits,
            one.balance_before_credits,
            one.balance_after_credits,
        )
        for one in found.transactions
    ]


# --- what was charged -----------------------------------------------------------------------------------------------


def test_a_run_priced_per_run_is_its_base_cost_and_the_markup_of_its_tier(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 1_000, key="add")
    entry_id = world.charge(engine, world.HAIKU, key="run").entry_id
    found = explained(engine, entry_id, book)
    assert (found.is_proved, found.differences, found.refunded_by_entry_id) == (True, (), None)
    assert found.verdict == "Recalculated from the stored inputs: matches the charge exactly."
    assert (found.about, found.user_id) == ("Run of summarise on claude-3-haiku", "ada")
    assert found.inputs == (
        ("Prompt", "summarise"),
        ("Model", "claude-3-haiku"),
        ("Price plan", "plan-1"),
        ("Price per run", "250 credits"),
        ("Creator fee", "none"),
    )
    assert steps(found) == [
        ("Inference cost", "250 per run, for any number of tokens", "250", 250, 250),
        ("Creator fee", "none", "0", 0, 0),
        ("Price tier", "an inference cost of 250 is below 10,000", "tier 1 of 3", None, None),
        ("Platform markup", "20 % of 250 = 50", "50", 50, 50),
        ("Total", "inference cost + creator fee + platform markup: 250 + 0 + 50", "300", 300, 300),
    ]
    assert moved(found) == [
        ("ada", "prompt_run", -300, -300, 1_000, 700),
        ("platform:revenue", "platform_revenue", 50, 50, None, None),
        ("platform:inference", "inference_cost", 250, 250, None, None),
    ]


def test_a_fraction_of_a_credit_is_shown_exactly_before_it_is_rounded(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 10_000, key="add")
    found = explained(engine, world.charge(engine, world.TOKENS, key="run").entry_id, book)
    assert found.is_proved
    assert found.inputs[3:] == (
        ("Input tokens", "1,021"),
        ("Output tokens", "129"),
        ("Input tokens price", "$2.5 per 1,000,000 input tokens, so 2.5 credits each"),
        ("Output tokens price", "$10 per 1,000,000 output tokens, so 10 credits each"),
        ("Creator fee", "none"),
    )
    # 1,021 × 2.5 is 2,552.5 and 129 × 10 is 1,290; 20 % of 3,843 is 768.6.
    assert steps(found) == [
        ("Input tokens", "1,021 × 2.5", "2,552.5 = 5,105/2", None, None),
        ("Output tokens", "129 × 10", "1,290", None, None),
        ("Inference cost", "3,842.5, rounded up once", "3,843", 3_843, 3_843),
        ("Creator fee", "none", "0", 0, 0),
        ("Price tier", "an inference cost of 3,843 is below 10,000", "tier 1 of 3", None, None),
        ("Platform markup", "20 % of 3,843 = 768.6 = 3,843/5, rounded down", "768", 768, 768),
        ("Total", "inference cost + creator fee + platform markup: 3,843 + 0 + 768", "4,611", 4_611, 4_611),
    ]


@pytest.mark.parametrize(
    ("input_tokens", "tier", "markup"),
    [
        (3_999, "9,998 is below 10,000: tier 1 of 3", "20 % of 9,998 = 1,999.6 = 9,998/5, rounded down"),
        (4_000, "10,000 is from 10,000 to 99,999: tier 2 of 3", "10 % of 10,000 = 1,000"),
        (39_999, "99,998 is from 10,000 to 99,999: tier 2 of 3", "10 % of 99,998 = 9,999.8 = 49,999/5, rounded down"),
        (40_000, "100,000 is 100,000 or more: tier 3 of 3", "500, flat"),
    ],
)
def test_the_tier_that_was_hit_is_named(
    sqlite_engine: Engine, book: PriceBook, input_tokens: int, tier: str, markup: str
) -> None:
    world.add(sqlite_engine, "ada", 1_000_000, key="add")
    request = ChargeRequest("ada", "long", "openai/gpt-4o", input_tokens=input_tokens, output_tokens=0)
    found = explained(sqlite_engine, world.charge(sqlite_engine, request, key="run").entry_id, book)
    by_label = {step.label: step for step in found.steps}
    hit = by_label["Price tier"]
    assert f"{hit.arithmetic}: {hit.result}" == f"an inference cost of {tier}"
    assert (by_label["Platform markup"].arithmetic, found.is_proved) == (markup, True)


def test_the_odd_credit_of_a_fee_goes_to_the_platform(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 2_000, key="add")
    world.add(engine, "ben", 70, key="add-ben")
    found = explained(engine, world.charge(engine, world.HAIKU_WITH_FEE, key="run").entry_id, book)
    assert found.is_proved
    assert found.inputs[-1] == ("Creator fee", "1,001, asked by ben")
    assert steps(found) == [
        ("Inference cost", "250 per run, for any number of tokens", "250", 250, 250),
        ("Creator fee", "set by the creator", "1,001", 1_001, 1_001),
        ("Creator's share", "80 % of 1,001 = 800.8 = 4,004/5, rounded down", "800", 800, 800),
        ("Platform's share", "the rest of the fee, 1,001 − 800, plus the credit left by rounding", "201", 201, 201),
        ("Platform markup", "none, because there is a creator fee", "0", 0, 0),
        ("Total", "inference cost + creator fee + platform markup: 250 + 1,001 + 0", "1,251", 1_251, 1_251),
    ]
    assert found.parts is not None
    assert (found.parts.total_credits, found.parts.inference_cost_credits) == (1_251, 250)
    assert (found.parts.creator_share_credits, found.parts.platform_credits) == (800, 201)
    assert moved(found) == [
        ("ada", "prompt_run", -1_251, -1_251, 2_000, 749),
        ("ben", "creator_payment", 800, 800, 70, 870),
        ("platform:revenue", "platform_revenue", 201, 201, None, None),
        ("platform:inference", "inference_cost", 250, 250, None, None),
    ]


def test_a_creator_who_runs_an_own_prompt_pays_before_receiving(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ben", 2_000, key="add")
    entry_id = world.charge(engine, world.run_by("ben", world.HAIKU_WITH_FEE), key="run").entry_id
    found = explained(engine, entry_id, book)
    assert found.is_proved
    assert moved(found)[:2] == [
        ("ben", "prompt_run", -1_251, -1_251, 2_000, 749),
        ("ben", "creator_payment", 800, 800, 749, 1_549),
    ]


def test_an_unlock_is_the_split_of_its_fee(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 2_000, key="add")
    unlocked = world.unlock(engine, world.UNLOCK, key="unlock").receipt
    assert unlocked is not None
    found = explained(engine, unlocked.entry_id, book)
    assert (found.is_proved, found.about) == (True, "Unlock of report-flow")
    assert found.inputs == (("Flow", "report-flow"), ("Price plan", "plan-1"), ("Unlock fee", "1,001, asked by ben"))
    assert steps(found) == [
        ("Unlock fee", "set by the creator, paid once", "1,001", 1_001, 1_001),
        ("Creator's share", "80 % of 1,001 = 800.8 = 4,004/5, rounded down", "800", 800, 800),
        ("Platform's share", "the rest of the fee, 1,001 − 800, plus the credit left by rounding", "201", 201, 201),
    ]
    assert moved(found) == [
        ("ada", "flow_unlock", -1_001, -1_001, 2_000, 999),
        ("ben", "creator_payment", 800, 800, 0, 800),
        ("platform:revenue", "platform_revenue", 201, 201, None, None),
    ]


def test_a_refunded_run_is_explained_and_names_its_refund(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 1_000, key="add")
    entry_id = world.charge(engine, world.HAIKU, key="run").entry_id
    refund_id = world.refund(engine, entry_id, key="refund").entry_id
    found = explained(engine, entry_id, book)
    assert (found.is_proved, found.refunded_by_entry_id) == (True, refund_id)


def test_a_run_of_an_earlier_day_is_explained_by_the_prices_of_that_day(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 10_000, key="add")
    entry_id = world.charge(engine, world.HAIKU, key="run").entry_id
    assert steps(explained(engine, entry_id, world.dearer_book())) == steps(explained(engine, entry_id, book))


def test_every_unit_of_a_usage_is_a_step_with_its_own_price(engine: Engine, book: PriceBook) -> None:
    world.add(engine, "ada", 50_000, key="add")
    found = explained(engine, world.charge(engine, world.USED, key="run", book=world.usage_book()).entry_id, book)
    assert (found.is_proved, found.about) == (True, "Run of research on openai/gpt-5")
    assert found.inputs == (
        ("Prompt", "research"),
        ("Model", "openai/gpt-5"),
        ("Price plan", "plan-1"),
        ("Asked for as", "gpt-5-2025-08-07"),
        ("Input tokens", "2,006"),
        ("Output tokens", "300"),
        ("Cache read tokens", "1,920"),
        ("Output reasoning tokens", "192"),
        ("Web searches", "2"),
        ("Service tier", "flex"),
        ("Input tokens price", "$0.625 per 1,000,000 input tokens, so 0.625 credits each"),
        ("Output tokens price", "$5 per 1,000,000 output tokens, so 5 credits each"),
        ("Cache read tokens price", "$0.0625 per 1,000,000 cache read tokens, so 0.0625 credits each"),
        ("Web searches price", "$10 per 1,000 web searches, so 10,000 credits each"),
        ("Creator fee", "none"),
    )
    assert steps(found) == [
        (
            "Input tokens",
            "86 × 0.625 (2,006 were used; the others have prices of their own)",
            "53.75 = 215/4",
            None,
            None,
        ),
        ("Output tokens", "300 × 5", "1,500", None, None),
        ("Cache read tokens", "1,920 × 0.0625", "120", None, None),
        ("Web searches", "2 × 10,000", "20,000", None, None),
        ("Inference cost", "21,673.75, rounded up once", "21,674", 21_674, 21_674),
        ("Creator fee", "none", "0", 0, 0),
        ("Price tier", "an inference cost of 21,674 is from 10,000 to 99,999", "tier 2 of 3", None, None),
        ("Platform markup", "10 % of 21,674 = 2,167.4 = 10,837/5, rounded down", "2,167", 2_167, 2_167),
        ("Total", "inference cost + creator fee + platform markup: 21,674 + 0 + 2,167", "23,841", 23_841, 23_841),
    ]


# --- plans with more rules ------------------------------------------------------------------------------------------

RULES = """
id = "rules"
creator_share_bps = 8_000
creator_share_rounding = "up"
tier_mode = "graduated"
markup_rounding = "up"
tiers = [{{below_credits = 100, markup_bps = 2000}}, {{markup_bps = 333}}]
{more}
"""


def charged_under(
    connection: object, ledger: Ledger, more: str, request: ChargeRequest
) -> tuple[Explanation, PriceBook]:
    plan = parse_price_plan(RULES.format(more=more))
    book = replace(ledger.book, plan=plan, plans={**ledger.book.plans, plan.id: plan})
    posted = actions.charge_prompt(
        connection,  # type: ignore[arg-type]
        request,
        book=book,
        key="rules",
        now=damage.MUCH_LATER,
        actor=TESTER,
    )
    return explain(connection, posted.entry_id, plans=book.plans), book  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, book: PriceBook
) -> Iterator[Ledger]:
    """A ledger whose damage is rolled back after each test."""
    with damage.four_days(request, tmp_path_factory.mktemp("explanation"), book) as ledger:
        yield ledger


def test_graduated_tiers_show_what_each_slice_adds(ledger: Ledger) -> None:
    with ledger.unguarded() as connection:
        found, _ = charged_under(connection, ledger, "", replace(world.HAIKU, user_id="ada"))
    # 20 % of 100 is 20 and 3.33 % of 150 is 4.995, rounded up together.
    assert steps(found)[2:4] == [
        ("Price tier", "an inference cost of 250 is 100 or more", "tier 2 of 2", None, None),
        ("Platform markup", "100 × 20 % + 150 × 3.33 % = 24.995 = 4,999/200, rounded up", "25", 25, 25),
    ]
    assert found.is_proved


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            "minimum_platform_income_credits = 500",
            [("Platform markup", "the platform gets at least 500: 500 − 200", "300", 300, 300)],
        ),
        (
            "minimum_platform_income_credits = 150",
            [("Platform markup", "none: the platform gets at least 150 and its share is 200", "0", 0, 0)],
        ),
        (  # the markup of a run without a fee would be 25, so it is not what the least comes from
            "minimum_platform_income_credits = 500\nminimum_platform_income_is_markup = true",
            [
                ("Price tier", "an inference cost of 250 is 100 or more", "tier 2 of 2", None, None),
                ("Platform markup", "the platform gets at least 500: 500 − 200", "300", 300, 300),
            ],
        ),
    ],
)
def test_a_fee_run_of_a_plan_with_a_minimum_shows_what_the_platforms_share_lacks(
    ledger: Ledger, more: str, expected: list[Step]
) -> None:
    with ledger.unguarded() as connection:
        found, _ = charged_under(connection, ledger, more, replace(world.HAIKU_WITH_FEE, creator_id="cara"))
    # 80 % of 1,001 is 800.8, rounded up: the odd credit is the creator's.
    assert steps(found)[2:4] == [
        ("Creator's share", "80 % of 1,001 = 800.8 = 4,004/5, rounded up", "801", 801, 801),
        ("Platform's share", "the rest of the fee, 1,001 − 801; rounding goes to the creator", "200", 200, 200),
    ]
    assert steps(found)[4:-1] == expected
    assert found.parts is not None
    assert found.parts.platform_credits == 200 + int(str(expected[-1][2]))
    assert found.is_proved


def test_a_run_that_the_cap_does_not_lower_shows_its_rate(ledger: Ledger) -> None:
    request = ChargeRequest("ada", "short", "openai/gpt-4o", input_tokens=20, output_tokens=0)
    with ledger.unguarded() as connection:
        found, _ = charged_under(connection, ledger, "cap_down = true", request)
    assert ("Platform markup", "50 × 20 % = 10", "10", 10, 10) in steps(found)
    assert found.is_proved


def test_a_price_for_each_request_is_one_of_the_summands(engine: Engine, book: PriceBook) -> None:
    prices = by_usage(input_tokens="2.5", output_tokens="10", requests="5")
    model = replace(book.models["openai/gpt-4o"], prices=prices)
    with_search = replace(book, models=ModelRegistry({model.id: model}))
    world.add(engine, "ada", 100_000, key="add")
    found = explained(engine, world.charge(engine, world.TOKENS, key="run", book=with_search).entry_id, with_search)
    assert steps(found)[:4] == [
        ("Input tokens", "1,021 × 2.5", "2,552.5 = 5,105/2", None, None),
        ("Output tokens", "129 × 10", "1,290", None, None),
        ("Request", "5,000 each", "5,000", None, None),
        ("Inference cost", "8,842.5, rounded up once", "8,843", 8_843, 8_843),
    ]
    assert ("Request price", "$5 per 1,000 requests, so 5,000 credits each") in found.inputs
    assert found.is_proved


def test_a_minimum_that_is_the_markup_shows_the_tier_it_comes_from(ledger: Ledger) -> None:
    request = replace(world.HAIKU_WITH_FEE, creator_fee_credits=10)
    with ledger.unguarded() as connection:
        found, _ = charged_under(connection, ledger, "minimum_platform_income_is_markup = true", request)
    assert steps(found)[2:] == [
        ("Creator's share", "80 % of 10 = 8", "8", 8, 8),
        ("Platform's share", "the rest of the fee, 10 − 8", "2", 2, 2),
        ("Price tier", "an inference cost of 250 is 100 or more", "tier 2 of 2", None, None),
        (
            "Platform markup",
            "the platform gets at least 25, as without a fee"
            " (100 × 20 % + 150 × 3.33 % = 24.995 = 4,999/200, rounded up): 25 − 2",
            "23",
            23,
            23,
        ),
        ("Total", "inference cost + creator fee + platform markup: 250 + 10 + 23", "283", 283, 283),
    ]
    assert found.is_proved
