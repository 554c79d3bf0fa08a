"""`quote_many` is `quote` for arrays: equal on every row, and an overflow is refused instead of wrapped."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import CreditsError, InvalidRequest
from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import Model, RunPrice
from credits_core.pricing.plan import MarkupTier, PricePlan, TierMode
from credits_core.pricing.quote import quote
from credits_core.pricing.quote_many import QuoteArrays, quote_costs, quote_many
from credits_core.pricing.refusals import UnpricedServiceTier, UnpricedUsage
from credits_core.pricing.units import PARTS, REQUESTS, UNITS, parse_usage
from credits_core.pricing.usage_price import TieredPrices
from tests.support import plans
from tests.support.plans import SPECIFICATION
from tests.support.prices import by_usage, model

MODELS = [
    model(RunPrice(250)),
    model(by_usage(input_tokens="2.5", output_tokens="10")),
    model(by_usage(input_tokens="0.15", output_tokens="0.6", requests="14")),
    model(by_usage(input_tokens=("1.25", {200_000: "2.5"}), output_tokens=("10", {200_000: "15"}))),
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
        assert _row(many, row) == _amounts(one)


def _amounts(priced: Any) -> tuple[int, ...]:
    return (
        priced.inference_cost_credits,
        priced.creator_fee_credits,
        priced.platform_markup_credits,
        priced.total_credits,
        priced.creator_share_credits,
        priced.platform_share_credits,
    )


def _row(many: QuoteArrays, row: int) -> tuple[int, ...]:
    return tuple(int(array[row]) for array in _amounts(many))  # type: ignore[index]


# --- any usage ------------------------------------------------------------------------------------------------------

_countable = [key for key in UNITS if key != REQUESTS]
_usd = st.one_of(st.just(Decimal(0)), st.decimals("0.001", "20", places=3))


@st.composite
def models_by_usage(draw: st.DrawFn) -> Model:
    """A model with one to eight priced units, up to two long-prompt bounds, another price from a day on, and a tier."""
    keys = draw(st.lists(st.sampled_from([*UNITS]), min_size=1, max_size=8, unique=True))
    bounds = sorted(draw(st.sets(st.integers(0, 3_000), max_size=2)))

    def prices(of: list[str], minimum_seconds: int) -> TieredPrices:
        units = {key: (draw(_usd), tuple((bound, draw(_usd)) for bound in bounds if draw(st.booleans()))) for key in of}
        return TieredPrices(units, minimum_seconds)

    minimum_seconds = draw(st.sampled_from([0, 10]))
    standard = (
        DatedPrices(prices(keys, minimum_seconds)),
        DatedPrices(prices(keys, minimum_seconds), first_day=date(2026, 11, 26)),
    )
    some = draw(st.lists(st.sampled_from(keys), min_size=1, unique=True))
    return model(ModelPrices(standard, {"flex": (DatedPrices(prices(some, 0)),)}))


@st.composite
def usages(draw: st.DrawFn, of: Model) -> list[dict[str, int]]:
    """Runs of up to eight units each, most of which can be priced: of each unit so many alone, added up."""
    priced = [key for key in of.priced_units if key != REQUESTS]
    others = draw(st.lists(st.sampled_from(_countable), max_size=2))
    keys = list(dict.fromkeys([*priced, *(others if draw(st.booleans()) else [])]))[:8]
    count = st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 4_000))
    rows = []
    for _ in range(draw(st.integers(0, 6))):
        alone = {key: draw(count) for key in keys}
        rows.append({key: alone[key] + sum(alone[part] for part in PARTS[key] & alone.keys()) for key in keys})
        if keys and draw(st.integers(0, 9)) == 0:  # now and then a count that does not fit the others
            rows[-1][draw(st.sampled_from(keys))] = draw(count)
    return rows


@given(models_by_usage(), plans.price_plans(largest_bound=20_000), st.data())
def test_every_row_of_any_usage_is_the_quote_of_that_run_or_refused_as_quote_refuses_it(
    model: Model, plan: PricePlan, data: st.DataObject
) -> None:
    rows = data.draw(usages(model))
    at = data.draw(st.sampled_from([datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)]))
    tier = data.draw(st.sampled_from([None, "default", "flex"]))
    row_fees = [data.draw(fees) for _ in rows]
    expected: list[tuple[int, ...] | type[CreditsError]] = []
    for fee, counts in zip(row_fees, rows, strict=True):
        try:
            one = quote(model, plan, creator_fee_credits=fee, usage=parse_usage(counts), service_tier=tier, at=at)
        except CreditsError as refusal:
            expected.append(type(refusal))
        else:
            expected.append(_amounts(one))
    refused = {one for one in expected if isinstance(one, type)}
    arrays = {key: _array([counts[key] for counts in rows]) for key in (rows[0] if rows else ())}
    asked = partial(quote_many, model, plan, creator_fee_credits=_array(row_fees), usage=arrays)
    if refused:
        with pytest.raises(tuple(refused)):
            asked(service_tier=tier, at=at)
    else:
        many = asked(service_tier=tier, at=at)
        assert [_row(many, row) for row in range(len(rows))] == expected


CACHING = model(by_usage(input_tokens="2.5", output_tokens="10", cache_read_tokens="1.25", web_searches="10"))


def test_a_unit_that_a_run_does_not_give_is_0() -> None:
    many = quote_many(
        CACHING,
        SPECIFICATION,
        creator_fee_credits=_array([0, 0, 0]),
        usage={
            "input_tokens": _array([2_006, 10, 0]),
            "cache_read_tokens": _array([1_920, 0, 0]),
            "web_searches": _array([0, 0, 2]),
        },
    )
    # 86 × 2.5 + 1,920 × 1.25; 10 × 2.5; 2 × 10,000
    assert many.inference_cost_credits.tolist() == [2_615, 25, 20_000]


def test_an_overlap_is_asked_for_only_where_one_run_has_both() -> None:
    overlap = model(by_usage(input_tokens="1", cache_audio_read_tokens="2"))
    usage = {"input_tokens": _array([9, 9]), "input_audio_tokens": _array([5, 0]), "cache_read_tokens": _array([0, 5])}
    many = quote_many(overlap, SPECIFICATION, creator_fee_credits=_array([0, 0]), usage=usage)
    assert many.inference_cost_credits.tolist() == [9, 9]
    with pytest.raises(InvalidRequest) as caught:
        quote_many(
            overlap,
            SPECIFICATION,
            creator_fee_credits=_array([0, 0]),
            usage={**usage, "input_audio_tokens": _array([5, 5])},
        )
    assert caught.value.field == "usage.cache_audio_read_tokens"


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        ({"input_tokens": [1, 0]}, "usage"),  # a run that used nothing
        ({}, "usage"),
        ({"tokens": [1, 1]}, "tokens"),
        ({"requests": [1, 1]}, "requests"),
        ({"input_tokens": [1, -1]}, "input_tokens"),
        ({"input_tokens": [1, 10**9 + 1]}, "input_tokens"),
        ({"input_tokens": [1]}, "input_tokens"),
        ({"input_tokens": [5, 5], "cache_read_tokens": [5, 6]}, "cache_read_tokens"),
        ({"cache_read_tokens": [0, 5], "output_tokens": [1, 1]}, "usage.input_tokens"),
    ],
)
def test_a_usage_that_no_run_can_have_is_refused(usage: dict[str, list[int]], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote_many(
            CACHING,
            SPECIFICATION,
            creator_fee_credits=_array([0, 0]),
            usage={key: _array(counts) for key, counts in usage.items()},
        )
    assert caught.value.field == field


def test_a_unit_or_a_service_tier_without_a_price_is_refused_in_an_array() -> None:
    usage = {"input_tokens": _array([5, 5]), "social_searches": _array([0, 3])}
    with pytest.raises(UnpricedUsage) as caught:
        quote_many(CACHING, SPECIFICATION, creator_fee_credits=_array([0, 0]), usage=usage)
    assert (caught.value.unit, caught.value.count) == ("social_searches", 3)
    with pytest.raises(UnpricedServiceTier):
        quote_many(
            CACHING,
            SPECIFICATION,
            creator_fee_credits=_array([0]),
            usage={"input_tokens": _array([5])},
            service_tier="flex",
        )


@pytest.mark.parametrize("field", ["input_tokens", "output_tokens"])
def test_an_array_of_tokens_beside_a_usage_is_refused(field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        quote_many(
            CACHING,
            SPECIFICATION,
            creator_fee_credits=_array([0]),
            usage={"input_tokens": _array([1])},
            **{field: _array([1])},  # type: ignore[arg-type]
        )
    assert caught.value.field == field


# --- bounds ---------------------------------------------------------------------------------------------------------


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
    dear = model(by_usage(input_tokens="999999.999999999", output_tokens="1"))
    with pytest.raises(InvalidRequest, match="usage: is too large to be priced together at this price"):
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
