"""`quote_many` is `quote` for arrays: equal on every row, and an overflow is refused instead of wrapped."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.models import Model, RunPrice, TokenPrice
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.pricing.quote import quote
from credits_core.pricing.quote_many import quote_costs, quote_many
from tests.support import plans
from tests.support.plans import SPECIFICATION


def _model(*prices: RunPrice | TokenPrice) -> Model:
    return Model("m", "M", "openai", "text", prices, "hand-written", date(2026, 1, 1))  # type: ignore[arg-type]


MODELS = [
    _model(RunPrice(250)),
    _model(TokenPrice(Decimal("2.5"), Decimal(10))),
    _model(TokenPrice(Decimal("0.15"), Decimal("0.6"), request_usd_per_thousand=Decimal(14))),
    _model(
        TokenPrice(Decimal("1.25"), Decimal(10)),
        TokenPrice(Decimal("2.5"), Decimal(15), above_input_tokens=200_000),
    ),
]
fees = st.one_of(st.just(0), st.integers(0, 3_000), st.integers(0, 10**9))
token_counts = st.one_of(st.integers(0, 5_000), st.integers(199_990, 200_010), st.integers(0, 10**9))
runs = st.lists(st.tuples(fees, token_counts, token_counts.map(lambda tokens: tokens + 1)), max_size=40)


def _array(numbers: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


@given(st.sampled_from(MODELS), plans.price_plans(largest_bound=200_000), runs)
def test_every_row_is_the_quote_of_that_run(model: Model, plan: PricePlan, rows: list[tuple[int, int, int]]) -> None:
    fee_credits, input_tokens, output_tokens = ([row[column] for row in rows] for column in range(3))
    output_tokens = [min(tokens, 10**9) for tokens in output_tokens]

    many = quote_many(
        model,
        plan,
        creator_fee_credits=_array(fee_credits),
        input_tokens=_array(input_tokens),
        output_tokens=_array(output_tokens),
    )

    for row, (fee, tokens_in, tokens_out) in enumerate(zip(fee_credits, input_tokens, output_tokens, strict=True)):
        one = quote(model, plan, creator_fee_credits=fee, input_tokens=tokens_in, output_tokens=tokens_out)
        assert (
            many.inference_cost_credits[row],
            many.creator_fee_credits[row],
            many.platform_markup_credits[row],
            many.total_credits[row],
            many.creator_share_credits[row],
            many.platform_share_credits[row],
        ) == (
            one.inference_cost_credits,
            one.creator_fee_credits,
            one.platform_markup_credits,
            one.total_credits,
            one.creator_share_credits,
            one.platform_share_credits,
        )


def test_the_specifications_tiers_over_more_runs_than_a_block() -> None:
    costs = np.arange(200_001, dtype=np.int64)
    totals = quote_costs(SPECIFICATION, costs, creator_fee_credits=np.zeros_like(costs)).total_credits
    assert [int(totals[cost]) for cost in (0, 4, 5, 9_999, 10_000, 99_999, 100_000, 200_000)] == [
        *(0, 4, 6, 11_998, 11_000, 109_998, 100_500, 200_500),
    ]
    assert totals.tolist() == plans.totals_up_to(SPECIFICATION, 200_000)


def test_a_long_prompt_has_its_own_price_from_one_token_above_the_bound() -> None:
    costs = quote_many(
        MODELS[3],
        SPECIFICATION,
        creator_fee_credits=_array([0, 0]),
        input_tokens=_array([200_000, 200_001]),
        output_tokens=_array([100, 100]),
    ).inference_cost_credits
    assert costs.tolist() == [251_000, 501_503]  # 250,000 + 1,000; 500,002.5 + 1,500, rounded up


def test_runs_with_and_without_a_fee_stand_side_by_side() -> None:
    many = quote_costs(SPECIFICATION, _array([250, 250]), creator_fee_credits=_array([0, 1_001]))
    assert many.total_credits.tolist() == [300, 1_251]
    assert many.platform_markup_credits.tolist() == [50, 0]
    assert many.creator_share_credits.tolist() == [0, 800]
    assert many.platform_share_credits.tolist() == [0, 201]


# Two thousand flat slices: their sum passes 2^63.
_FLATS = tuple(MarkupTier(None if bound == 2_000 else bound, None, 2**53 - 1) for bound in range(1, 2_001))


@pytest.mark.parametrize(
    ("plan", "cost", "fee"),
    [
        (SPECIFICATION, 2**53 - 1, 0),  # a total above the largest amount
        (SPECIFICATION, 2**53 - 1, 2**53 - 1),
        (PricePlan("dear", 8_000, (MarkupTier(None, 1_000_000, None),)), 2**44, 0),  # × 10^6 passes 2^63
        (PricePlan("all", 10_000, (MarkupTier(None, 0, None),)), 0, 2**53 - 1),  # the fee × 10^4 does
        (PricePlan("flat", 8_000, (MarkupTier(None, None, 2**53 - 1),)), 1, 0),
        (PricePlan("flats", 0, _FLATS, TierMode.GRADUATED), 2_000, 0),
    ],
)
def test_what_could_pass_64_bits_is_refused_and_never_wrapped(plan: PricePlan, cost: int, fee: int) -> None:
    with pytest.raises(InvalidRequest):
        quote_costs(plan, _array([1, cost]), creator_fee_credits=_array([0, fee]))


def test_rules_that_no_run_reaches_refuse_none() -> None:
    tiers = (MarkupTier(2**53 - 1, 2_000, None), MarkupTier(None, 1_000_000, None))
    far = PricePlan("far", 8_000, tiers, TierMode.GRADUATED)
    priced = quote_costs(far, _array([10_000, 1_000_000]), creator_fee_credits=_array([0, 0]))
    assert priced.total_credits.tolist() == [12_000, 1_200_000]
    flat = PricePlan("flat", 8_000, (MarkupTier(None, None, 2**50),))
    assert quote_costs(flat, _array([5]), creator_fee_credits=_array([0])).total_credits.tolist() == [2**50 + 5]


def test_tokens_that_could_pass_64_bits_at_their_price_are_refused() -> None:
    dear = _model(TokenPrice(Decimal("999999.999999999"), Decimal(1)))
    with pytest.raises(InvalidRequest, match="too many to be priced together"):
        quote_many(
            dear,
            SPECIFICATION,
            creator_fee_credits=_array([0]),
            input_tokens=_array([10**9]),
            output_tokens=_array([0]),
        )


@pytest.mark.parametrize(
    ("fee", "tokens_in", "tokens_out"),
    [
        ([0], [0], [0]),  # no run
        ([-1], [1], [1]),
        ([2**53], [1], [1]),
        ([0], [-1], [1]),
        ([0], [10**9 + 1], [1]),
        ([0], [1, 2], [1]),  # another length
        ([0], [1], None),  # a price per token needs both
    ],
)
def test_what_quote_refuses_is_refused_in_an_array(
    fee: list[int], tokens_in: list[int], tokens_out: list[int] | None
) -> None:
    with pytest.raises(InvalidRequest):
        quote_many(
            MODELS[1],
            SPECIFICATION,
            creator_fee_credits=_array(fee),
            input_tokens=_array(tokens_in),
            output_tokens=None if tokens_out is None else _array(tokens_out),
        )


def test_numbers_that_are_not_64_bit_integers_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="64-bit"):
        quote_costs(SPECIFICATION, _array([1]), creator_fee_credits=np.zeros(1, np.float64))  # type: ignore[arg-type]


def test_no_runs_have_no_amounts() -> None:
    assert quote_costs(SPECIFICATION, _array([]), creator_fee_credits=_array([])).total_credits.tolist() == []
