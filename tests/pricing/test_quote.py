"""What a prompt run costs: the specification's numbers, the laws of a quote, and the runs that get no price."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.models_toml import load_model_registry
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.pricing.quote import Quote, quote, quote_at
from credits_core.pricing.refusals import UnknownModel, UnpricedServiceTier, UnpricedUsage
from credits_core.pricing.units import Usage, parse_usage
from credits_core.pricing.usage_price import UsagePrice
from tests.support import prices

MODELS = Path(__file__).resolve().parent.parent.parent / "data" / "models.toml"
LARGEST_CREDITS = 9_007_199_254_740_991  # 2^53 - 1
PLAN = PricePlan(
    "specification",
    creator_share_bps=8_000,
    tiers=(
        MarkupTier(below_credits=10_000, markup_bps=2_000, markup_credits=None),
        MarkupTier(below_credits=100_000, markup_bps=1_000, markup_credits=None),
        MarkupTier(below_credits=None, markup_bps=None, markup_credits=500),
    ),
)


def model(*, run_price_credits: int) -> Model:
    return prices.model(RunPrice(run_price_credits))


GPT_4O = prices.model(prices.by_usage(input_tokens="2.5", output_tokens="10"))
LONG_PROMPTS = prices.model(
    prices.by_usage(input_tokens=("1.25", {200_000: "2.5"}), output_tokens=("10", {200_000: "15"}))
)
SEARCHING = prices.model(prices.by_usage(input_tokens="3", output_tokens="15", requests="14"))
CACHING = prices.model(
    prices.by_usage(input_tokens="2.5", output_tokens="10", cache_read_tokens="1.25", web_searches="10")
)

fees = st.integers(min_value=0, max_value=10**12)
costs = st.integers(min_value=1, max_value=10**12)
tokens = st.integers(min_value=0, max_value=1_000_000_000)
usd_per_mtok = st.decimals(min_value="0.000000001", max_value="1000", places=9)


def parts(priced: Quote) -> tuple[int, int, int, int]:
    return (
        priced.inference_cost_credits,
        priced.creator_fee_credits,
        priced.platform_markup_credits,
        priced.total_credits,
    )


# --- the specification's numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "total_credits"),
    [
        ("gpt-4", 33_000),  # 30,000 + 10 %
        ("gpt-4o", 11_000),  # 10,000 + 10 %: the first cost of the second tier
        ("dall-e-3", 22_000),  # 20,000 + 10 %
        ("gpt-image-1", 33_000),  # 30,000 + 10 %
        ("sonar-small-online", 240),  # 200 + 20 %
        ("sonar-medium-online", 2_280),  # 1,900 + 20 %
        ("sonar-large-online", 10_200),  # 8,500 + 20 %
        ("sonar-pro-small-online", 240),  # 200 + 20 %
        ("sonar-pro-medium-online", 840),  # 700 + 20 %
        ("sonar-pro-large-online", 4_080),  # 3,400 + 20 %
        ("claude-3-opus", 16_500),  # 15,000 + 10 %
        ("claude-3-sonnet", 3_600),  # 3,000 + 20 %
        ("claude-3-haiku", 300),  # 250 + 20 %
        ("stable-diffusion-xl", 2_400),  # 2,000 + 20 %
    ],
)
def test_a_run_without_a_creator_fee_costs_the_base_plus_markup(model_id: str, total_credits: int) -> None:
    assert quote(load_model_registry(MODELS)[model_id], PLAN).total_credits == total_credits


@pytest.mark.parametrize(
    ("inference_cost_credits", "markup_credits", "total_credits"),
    [
        (1, 0, 1),  # 20 % is 0.2
        (5, 1, 6),
        (9_999, 1_999, 11_998),  # 20 % is 1,999.8
        (10_000, 1_000, 11_000),  # 10 % from here: dearer runs can be cheaper in all
        (99_999, 9_999, 109_998),  # 9,999.9
        (100_000, 500, 100_500),  # flat from here
        (LARGEST_CREDITS - 500, 500, LARGEST_CREDITS),
    ],
)
def test_the_markup_changes_exactly_at_the_bounds_of_the_tiers(
    inference_cost_credits: int, markup_credits: int, total_credits: int
) -> None:
    priced = quote(model(run_price_credits=inference_cost_credits), PLAN)
    assert parts(priced) == (inference_cost_credits, 0, markup_credits, total_credits)
    assert (priced.creator_share_credits, priced.platform_share_credits) == (0, 0)


@pytest.mark.parametrize(
    ("fee_credits", "creator_credits", "platform_credits", "markup_credits", "total_credits"),
    [
        (0, 0, 0, 50, 300),  # a fee of 0 is no fee, so there is a markup
        (1, 0, 1, 0, 251),  # the creator's 0.8 rounds down to nothing
        (2, 1, 1, 0, 252),
        (5, 4, 1, 0, 255),
        (101, 80, 21, 0, 351),
        (1_001, 800, 201, 0, 1_251),
    ],
)
def test_a_creator_fee_takes_the_place_of_the_markup_and_is_split(
    fee_credits: int, creator_credits: int, platform_credits: int, markup_credits: int, total_credits: int
) -> None:
    priced = quote(model(run_price_credits=250), PLAN, creator_fee_credits=fee_credits)
    assert parts(priced) == (250, fee_credits, markup_credits, total_credits)
    assert (priced.creator_share_credits, priced.platform_share_credits) == (creator_credits, platform_credits)


@pytest.mark.parametrize(
    ("priced_per_token", "input_tokens", "output_tokens", "inference_cost_credits", "total_credits"),
    [
        (GPT_4O, 0, 1, 10, 12),
        (GPT_4O, 1, 0, 3, 3),  # 2.5 rounded up; 20 % of 3 is 0.6
        (GPT_4O, 1_020, 129, 3_840, 4_608),  # 2,550 + 1,290; + 768
        (GPT_4O, 1_021, 129, 3_843, 4_611),  # 3,842.5 rounded up; 20 % is 768.6
        (LONG_PROMPTS, 200_000, 100, 251_000, 251_500),  # 250,000 + 1,000
        (LONG_PROMPTS, 200_001, 100, 501_503, 502_003),  # all of it dearer: 500,002.5 + 1,500, rounded up
        (SEARCHING, 100, 10, 14_450, 15_895),  # 300 + 150 + 14,000 for the request; + 10 %
    ],
)
def test_a_token_priced_run_is_rounded_up_once_before_the_markup(
    priced_per_token: Model, input_tokens: int, output_tokens: int, inference_cost_credits: int, total_credits: int
) -> None:
    priced = quote(priced_per_token, PLAN, input_tokens=input_tokens, output_tokens=output_tokens)
    assert (priced.inference_cost_credits, priced.total_credits) == (inference_cost_credits, total_credits)


def test_a_per_run_model_ignores_tokens() -> None:
    assert quote(model(run_price_credits=250), PLAN, input_tokens=1_000_000, output_tokens=0).total_credits == 300
    assert quote(model(run_price_credits=250), PLAN, input_tokens=0, output_tokens=0).total_credits == 300


def test_another_plan_gives_another_price_and_the_quote_names_it() -> None:
    dearer = PricePlan("dearer", creator_share_bps=7_000, tiers=(MarkupTier(None, 5_000, None),))
    assert quote(model(run_price_credits=250), dearer).total_credits == 375
    priced = quote(model(run_price_credits=250), dearer, creator_fee_credits=1_001)
    assert (priced.creator_share_credits, priced.platform_share_credits) == (700, 301)
    assert priced.plan.id == "dearer"


def test_a_recorded_price_gives_the_same_quote_again() -> None:
    priced = quote(LONG_PROMPTS, PLAN, creator_fee_credits=7, input_tokens=200_001, output_tokens=3)
    used = (("input_tokens", 200_001), ("output_tokens", 3))
    assert priced.usage == used
    assert quote_at("m", priced.price, plan=PLAN, creator_fee_credits=7, usage=used) == priced


def test_a_usage_is_priced_unit_by_unit_and_rounded_up_once_before_the_markup() -> None:
    used = parse_usage(
        {"input_tokens": 2_006, "cache_read_tokens": 1_920, "output_tokens": 300, "output_reasoning_tokens": 192}
    )
    # 86 × 2.5 + 1,920 × 1.25 + 300 × 10 = 5,615; reasoning is output. 20 % of 5,615 is 1,123.
    assert parts(quote(CACHING, PLAN, usage=used)) == (5_615, 0, 1_123, 6_738)


def test_two_token_counts_are_the_usage_of_these_two_units() -> None:
    used = parse_usage({"input_tokens": 1_021, "output_tokens": 129})
    assert quote(GPT_4O, PLAN, usage=used) == quote(GPT_4O, PLAN, input_tokens=1_021, output_tokens=129)


def test_an_embedding_needs_its_input_alone() -> None:
    embedding = prices.model(prices.by_usage(input_tokens="0.02"))
    assert quote(embedding, PLAN, input_tokens=1_000).inference_cost_credits == 20
    with pytest.raises(InvalidRequest) as caught:
        quote(embedding, PLAN, output_tokens=1_000)
    assert caught.value.field == "input_tokens"


# --- laws -----------------------------------------------------------------------------------------------------------


@given(costs, fees)
def test_the_total_is_the_sum_of_its_parts_and_the_shares_are_the_fee(cost: int, fee: int) -> None:
    priced = quote(model(run_price_credits=cost), PLAN, creator_fee_credits=fee)
    assert priced.total_credits == cost + priced.creator_fee_credits + priced.platform_markup_credits
    assert priced.creator_share_credits + priced.platform_share_credits == priced.creator_fee_credits == fee
    assert fee == 0 or priced.platform_markup_credits == 0


@given(costs, fees)
def test_the_steps_show_every_part_and_end_with_the_total(cost: int, fee: int) -> None:
    priced = quote(model(run_price_credits=cost), PLAN, creator_fee_credits=fee)
    shown = {step.label: step.credits for step in priced.steps}
    assert len(shown) == len(priced.steps)
    assert [*shown][-1] == "Total"
    assert shown["Total"] == shown["Inference cost"] + shown["Creator fee"] + shown["Platform markup"]
    assert shown["Total"] == priced.total_credits
    assert shown.get("Creator's share", 0) + shown.get("Platform's share", 0) == fee


@given(usd_per_mtok, usd_per_mtok, tokens, tokens, st.integers(min_value=1, max_value=1_000))
def test_more_tokens_never_cost_less_to_run(
    input_usd: Decimal, output_usd: Decimal, input_tokens: int, output_tokens: int, more: int
) -> None:
    price = UsagePrice((("input_tokens", input_usd), ("output_tokens", output_usd)))

    def cost(input_tokens: int, output_tokens: int) -> int:
        return price.inference_cost((("input_tokens", input_tokens), ("output_tokens", output_tokens)))

    assert cost(input_tokens + more, output_tokens) >= cost(input_tokens, output_tokens)
    assert cost(input_tokens, output_tokens + more) >= cost(input_tokens, output_tokens)


# --- every step shown -----------------------------------------------------------------------------------------------


def test_the_steps_of_a_run_with_a_fee_say_who_gets_what() -> None:
    priced = quote(GPT_4O, PLAN, creator_fee_credits=101, input_tokens=1_021, output_tokens=129)
    assert [(step.label, step.arithmetic, step.credits) for step in priced.steps] == [
        ("Inference cost", "1,021 input × 2.5 + 129 output × 10 = 3,842.5 credits, rounded up", 3_843),
        ("Creator fee", "set by the creator", 101),
        ("Creator's share", "80 % of the fee, rounded down", 80),
        ("Platform's share", "the rest of the fee", 21),
        ("Platform markup", "none, because there is a creator fee", 0),
        ("Total", "inference cost + creator fee + platform markup", 3_944),
    ]


@pytest.mark.parametrize(
    ("run_price_credits", "arithmetic", "markup_credits"),
    [
        (9_999, "cost below 10,000: 20 %, rounded down", 1_999),
        (10_000, "cost below 100,000: 10 %, rounded down", 1_000),
        (100_000, "any higher cost: flat", 500),
    ],
)
def test_the_steps_of_a_run_without_a_fee_name_the_tier(
    run_price_credits: int, arithmetic: str, markup_credits: int
) -> None:
    inference, fee, markup, _total = quote(model(run_price_credits=run_price_credits), PLAN).steps
    assert (inference.arithmetic, inference.credits) == (f"{run_price_credits:,} credits per run", run_price_credits)
    assert (fee.arithmetic, fee.credits) == ("none", 0)
    assert (markup.arithmetic, markup.credits) == (arithmetic, markup_credits)


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fee", [True, 1.0, "5", None, -1, LARGEST_CREDITS + 1])
def test_a_creator_fee_that_is_no_whole_number_is_refused(fee: object) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(model(run_price_credits=250), PLAN, creator_fee_credits=fee)  # type: ignore[arg-type]
    assert caught.value.field == "creator_fee_credits"


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens"])
@pytest.mark.parametrize("count", [True, 1.0, "5", -1, 1_000_000_001])
@pytest.mark.parametrize("asked", [GPT_4O, model(run_price_credits=250)], ids=["per token", "per run"])
def test_a_token_count_that_is_no_whole_number_is_refused(asked: Model, field: str, count: object) -> None:
    counts = {"input_tokens": 1, "output_tokens": 1, field: count}
    with pytest.raises(InvalidRequest) as caught:
        quote(asked, PLAN, **counts)  # type: ignore[arg-type]
    assert caught.value.field == field
    assert caught.value.problem == f"must be a whole number from 0 to 1,000,000,000, not {count!r}"


@pytest.mark.parametrize(
    ("input_tokens", "output_tokens", "field"),
    [(None, None, "input_tokens"), (None, 5, "input_tokens"), (5, None, "output_tokens")],
)
def test_a_token_priced_model_without_both_counts_is_refused(
    input_tokens: int | None, output_tokens: int | None, field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(GPT_4O, PLAN, input_tokens=input_tokens, output_tokens=output_tokens)
    assert (caught.value.field, caught.value.problem) == (
        field,
        "must be given, because this model is priced by what a run uses",
    )


@pytest.mark.parametrize("asked", [GPT_4O, SEARCHING], ids=["per token", "per token and request"])
def test_a_token_priced_run_of_no_tokens_is_refused(asked: Model) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(asked, PLAN, input_tokens=0, output_tokens=0)
    assert caught.value.field == "input_tokens"
    assert caught.value.problem == "must have a count above 0, because there is no run to price otherwise"


@pytest.mark.parametrize("used", [(), (("input_tokens", 0),), (("input_tokens", 0), ("web_searches", 0))])
def test_a_run_that_used_nothing_is_refused(used: Usage) -> None:
    with pytest.raises(InvalidRequest, match="usage: must have a count above 0"):
        quote(CACHING, PLAN, usage=used)


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens"])
def test_a_usage_and_a_token_count_beside_it_are_refused(field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote(GPT_4O, PLAN, usage=(("input_tokens", 5),), **{field: 5})  # type: ignore[arg-type]
    assert (caught.value.field, caught.value.problem) == (
        field,
        "must be left out, because there is a usage beside it",
    )


def test_a_model_without_token_prices_needs_a_usage() -> None:
    documents = prices.model(prices.by_usage(input_document_pages="1", input_annotated_document_pages="3"))
    with pytest.raises(InvalidRequest) as caught:
        quote(documents, PLAN, input_tokens=5, output_tokens=5)
    assert (caught.value.field, caught.value.problem) == (
        "usage",
        "must be given, because this model is priced by input_document_pages, input_annotated_document_pages",
    )


def test_a_unit_without_a_price_is_refused_and_never_free() -> None:
    with pytest.raises(UnpricedUsage) as caught:
        quote(GPT_4O, PLAN, usage=(("input_tokens", 5), ("web_searches", 2)))
    assert (caught.value.unit, caught.value.count) == ("web_searches", 2)
    assert str(caught.value) == (
        "This model has no price for 2 web_searches. Nothing was charged. Choose a model that has one, or send the "
        "usage that the provider billed."
    )
    assert quote(GPT_4O, PLAN, usage=(("input_tokens", 4), ("web_searches", 0))).inference_cost_credits == 10


def test_a_service_tier_without_a_price_is_refused() -> None:
    with pytest.raises(UnpricedServiceTier) as caught:
        quote(GPT_4O, PLAN, input_tokens=1, output_tokens=1, service_tier="flex")
    assert str(caught.value) == (
        "This model has no price in the service tier 'flex'. Nothing was charged. It has standard prices."
    )


def test_the_largest_token_counts_are_priced() -> None:
    priced = quote(GPT_4O, PLAN, input_tokens=1_000_000_000, output_tokens=1_000_000_000)
    assert priced.total_credits == 2_500_000_000 + 10_000_000_000 + 500


def test_a_total_may_reach_the_largest_amount_and_not_pass_it() -> None:
    asked = model(run_price_credits=250)
    assert quote(asked, PLAN, creator_fee_credits=LARGEST_CREDITS - 250).total_credits == LARGEST_CREDITS
    with pytest.raises(InvalidRequest) as caught:
        quote(asked, PLAN, creator_fee_credits=LARGEST_CREDITS - 249)
    assert caught.value.field == "total_credits"
    assert caught.value.problem.startswith("would be 9,007,199,254,740,992, above")


def test_a_model_that_the_registry_does_not_have_is_refused_and_not_guessed() -> None:
    with pytest.raises(UnknownModel) as caught:
        load_model_registry(MODELS)["gpt-4-o"]
    assert caught.value.model_id == "gpt-4-o"
