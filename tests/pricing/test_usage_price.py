"""What a usage costs: each unit at its own price, nothing counted twice, nothing free, and rounded up once."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits_core.errors import InvalidRequest
from credits_core.pricing.refusals import UnpricedUsage
from credits_core.pricing.units import PARTS, REQUESTS, UNITS, parse_usage
from credits_core.pricing.usage_price import TieredPrices, UsagePrice
from tests.support.prices import by_usage, usage_price

usd = st.decimals(min_value="0", max_value="1000000", places=12)
tokens = st.integers(min_value=0, max_value=1_000_000_000)


def cost(price: UsagePrice, **counts: int) -> int:
    return price.inference_cost(parse_usage(counts))


# --- the exact sum, rounded up once ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "counts", "cost_credits"),
    [
        # $1 per million tokens is 1 credit per token.
        ({"input_tokens": "1"}, {"input_tokens": 1}, 1),
        ({"input_tokens": "2.5", "output_tokens": "10"}, {"input_tokens": 1_020, "output_tokens": 129}, 3_840),
        ({"input_tokens": "2.5", "output_tokens": "10"}, {"input_tokens": 1_021, "output_tokens": 129}, 3_843),
        # 153 + 77.4 = 230.4: rounded once, not twice; 0.3: two roundings would give 2.
        ({"input_tokens": "0.15", "output_tokens": "0.6"}, {"input_tokens": 1_020, "output_tokens": 129}, 231),
        ({"input_tokens": "0.15", "output_tokens": "0.15"}, {"input_tokens": 1, "output_tokens": 1}, 1),
        # A trillionth of a credit is charged as one.
        ({"input_tokens": "0.000000000001"}, {"input_tokens": 1}, 1),
        ({"input_tokens": "0.000000001"}, {"input_tokens": 1_000_000_000}, 1),
        ({"input_tokens": "0.000000001", "output_tokens": "1"}, {"input_tokens": 10**9, "output_tokens": 1}, 2),
        # 300 + 150 + $0.014 for the request.
        (
            {"input_tokens": "3", "output_tokens": "15", "requests": "14"},
            {"input_tokens": 100, "output_tokens": 10},
            14_450,
        ),
        ({"input_tokens": "1", "requests": "0.0005"}, {"input_tokens": 2}, 3),  # 2 + 0.5
        ({"requests": "12"}, {}, 12_000),
        ({"requests": "12"}, {"requests": 1}, 12_000),
        ({"web_searches": "10"}, {"web_searches": 3}, 30_000),  # $10 per thousand
        ({"audio_seconds": "0.36"}, {"audio_seconds": 60}, 6_000),  # 36 cents an hour
        ({"audio_seconds": "0.1"}, {"audio_seconds": 1}, 28),  # 27.777…
        ({"input_pixels": "1"}, {"input_pixels": 1_000}, 1),  # a thousandth of a credit each
        ({"input_document_pages": "2"}, {"input_document_pages": 3}, 6_000),
        ({"input_tokens": "0", "output_tokens": "1"}, {"input_tokens": 10**9, "output_tokens": 7}, 7),
        ({"input_tokens": "0"}, {"input_tokens": 10**9}, 0),
    ],
)
def test_a_run_costs_the_exact_sum_rounded_up_once(
    prices: dict[str, str], counts: dict[str, int], cost_credits: int
) -> None:
    assert cost(usage_price(**prices), **counts) == cost_credits


@given(usd, usd, usd, tokens, tokens)
def test_the_cost_is_exact_for_every_price_and_length(
    input_usd: Decimal, output_usd: Decimal, request_usd: Decimal, input_tokens: int, output_tokens: int
) -> None:
    price = UsagePrice((("input_tokens", input_usd), ("output_tokens", output_usd), ("requests", request_usd)))
    usage = parse_usage({"input_tokens": input_tokens, "output_tokens": output_tokens})
    exact = input_tokens * Fraction(input_usd) + output_tokens * Fraction(output_usd) + 1_000 * Fraction(request_usd)
    assert Fraction(*price.exact_cost(usage)) == exact
    assert 0 <= price.inference_cost(usage) - exact < 1


# --- special units --------------------------------------------------------------------------------------------------

CACHING = usage_price(input_tokens="2.5", output_tokens="10", cache_read_tokens="1.25")
WRITING = usage_price(
    input_tokens="1",
    output_tokens="5",
    cache_read_tokens="0.1",
    cache_write_tokens="1.25",
    cache_write_1h_tokens="2",
)


@pytest.mark.parametrize(
    ("price", "counts", "charged"),
    [
        (
            CACHING,
            {"input_tokens": 2_006, "output_tokens": 300, "cache_read_tokens": 1_920},
            {"input_tokens": 86, "output_tokens": 300, "cache_read_tokens": 1_920},
        ),
        # A part without a price of its own falls to the general unit.
        (
            CACHING,
            {"input_tokens": 10, "output_tokens": 300, "cache_write_tokens": 4, "output_reasoning_tokens": 192},
            {"input_tokens": 10, "output_tokens": 300, "cache_read_tokens": 0},
        ),
        # A part of a part: 3,000 of which 2,000 are written, of which 1,500 for an hour.
        (
            WRITING,
            {"input_tokens": 3_000, "cache_write_tokens": 2_000, "cache_write_1h_tokens": 1_500},
            {
                "input_tokens": 1_000,
                "output_tokens": 0,
                "cache_read_tokens": 0,
                "cache_write_tokens": 500,
                "cache_write_1h_tokens": 1_500,
            },
        ),
        (
            CACHING,
            {"input_tokens": 5, "cache_read_tokens": 5},
            {"input_tokens": 0, "output_tokens": 0, "cache_read_tokens": 5},
        ),
        (usage_price(requests="3"), {}, {"requests": 1}),
        (usage_price(requests="3"), {"web_searches": 0}, {"requests": 1}),
    ],
)
def test_a_special_unit_is_charged_at_its_own_price_and_taken_out_of_the_general_one(
    price: UsagePrice, counts: dict[str, int], charged: dict[str, int]
) -> None:
    assert price.counts(parse_usage(counts)) == charged


def test_an_overlap_with_a_price_is_taken_out_of_both() -> None:
    price = usage_price(input_tokens="1", input_audio_tokens="10", cache_read_tokens="0.1", cache_audio_read_tokens="2")
    used = parse_usage(
        {"input_tokens": 100, "input_audio_tokens": 40, "cache_read_tokens": 30, "cache_audio_read_tokens": 10}
    )
    # 100 − 30 audio alone − 20 cached alone − 10 of both.
    assert price.counts(used) == {
        "input_tokens": 40,
        "input_audio_tokens": 30,
        "cache_read_tokens": 20,
        "cache_audio_read_tokens": 10,
    }
    assert price.inference_cost(used) == 40 + 300 + 2 + 20


@pytest.mark.parametrize(
    ("price", "counts", "field", "problem"),
    [
        (
            WRITING,
            {"input_tokens": 10, "cache_read_tokens": 6, "cache_write_tokens": 6},
            "usage.input_tokens",
            "is 10, and its parts (cache_write_1h_tokens, cache_read_tokens, cache_write_tokens) are 2 more",
        ),
        (
            CACHING,
            {"cache_read_tokens": 5},
            "usage.input_tokens",
            "must be given, because cache_read_tokens is a part of it",
        ),
        (
            WRITING,
            {"input_tokens": 9, "cache_write_1h_tokens": 5},
            "usage.cache_write_tokens",
            "must be given, because cache_write_1h_tokens is a part of it",
        ),
        (
            usage_price(input_tokens="1", cache_audio_read_tokens="2"),
            {"input_tokens": 9, "input_audio_tokens": 5, "cache_read_tokens": 5},
            "usage.cache_audio_read_tokens",
            "must be given beside cache_read_tokens and input_audio_tokens, because it has a price of its own",
        ),
    ],
)
def test_a_usage_that_cannot_be_split_is_refused(
    price: UsagePrice, counts: dict[str, int], field: str, problem: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        price.inference_cost(parse_usage(counts))
    assert (caught.value.field, caught.value.problem) == (field, problem)


def test_parts_of_which_none_were_used_need_no_general_unit() -> None:
    assert cost(CACHING, output_tokens=3, cache_read_tokens=0) == 30
    overlap = usage_price(input_tokens="1", cache_audio_read_tokens="2")
    assert cost(overlap, input_tokens=9, input_audio_tokens=5, cache_read_tokens=0) == 9


@pytest.mark.parametrize(
    ("price", "counts", "unit", "count"),
    [
        (CACHING, {"input_tokens": 5, "web_searches": 2}, "web_searches", 2),
        (usage_price(input_tokens="1"), {"input_tokens": 5, "output_tokens": 1}, "output_tokens", 1),
        (usage_price(cache_read_tokens="1"), {"input_tokens": 5, "cache_read_tokens": 3}, "input_tokens", 2),
        (usage_price(requests="1"), {"output_reasoning_tokens": 1}, "output_reasoning_tokens", 1),
        (usage_price(output_tokens="1"), {"output_tokens": 1, "audio_seconds": 1}, "audio_seconds", 1),
    ],
)
def test_what_fits_nowhere_is_refused_by_name(price: UsagePrice, counts: dict[str, int], unit: str, count: int) -> None:
    with pytest.raises(UnpricedUsage) as caught:
        price.inference_cost(parse_usage(counts))
    assert (caught.value.unit, caught.value.count) == (unit, count)


def test_a_general_unit_without_a_price_whose_priced_parts_are_all_of_it_is_charged() -> None:
    assert cost(usage_price(cache_read_tokens="2"), input_tokens=3, cache_read_tokens=3) == 6


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ({"audio_seconds": 0}, 0),
        ({"audio_seconds": 1}, 10),
        ({"audio_seconds": 9}, 10),
        ({"audio_seconds": 10}, 10),
        ({"audio_seconds": 11}, 11),
        ({"input_audio_seconds": 1}, 10),
        ({"input_audio_seconds": 11}, 11),
        ({"audio_seconds": 12, "input_audio_seconds": 12}, 12),
        ({"audio_seconds": 3, "input_audio_seconds": 3}, 10),
    ],
)
def test_any_audio_costs_at_least_the_minimum_seconds(counts: dict[str, int], seconds: int) -> None:
    hourly = (("audio_seconds", Decimal("0.36")), ("input_audio_seconds", Decimal("0.36")))
    assert cost(UsagePrice(hourly, minimum_seconds=10), **counts) == seconds * 100  # 36 cents are 360,000 credits


# --- tiers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("input_tokens", "cost_credits"),
    [
        (0, 100),
        (199_999, 199_999 + 100),
        (200_000, 200_000 + 100),
        (200_001, 2 * 200_001 + 300),  # all of it dearer, and the output too
        (499_999, 2 * 499_999 + 300),
        (500_000, 2 * 500_000 + 300),
        (500_001, 4 * 500_001 + 300),
        (1_000_000_000, 4 * 10**9 + 300),
    ],
)
def test_a_long_prompt_is_dearer_as_a_whole_from_one_token_above_the_bound(
    input_tokens: int, cost_credits: int
) -> None:
    prices = by_usage(input_tokens=("1", {200_000: "2", 500_000: "4"}), output_tokens=("1", {200_000: "3"}))
    usage = parse_usage({"input_tokens": input_tokens, "output_tokens": 100})
    assert prices.for_usage(usage, None).inference_cost(usage) == cost_credits


def test_the_levels_are_the_prices_above_each_bound() -> None:
    prices = by_usage(input_tokens=("1", {5: "2"}), output_tokens=("3", {9: "4"})).at(None)
    assert list(prices.levels()) == [
        (0, usage_price(input_tokens="1", output_tokens="3")),
        (5, usage_price(input_tokens="2", output_tokens="3")),
        (9, usage_price(input_tokens="2", output_tokens="4")),
    ]


def test_a_price_that_depends_on_the_input_needs_the_input() -> None:
    prices = TieredPrices({"output_tokens": (Decimal(1), ((100, Decimal(2)),))})
    with pytest.raises(InvalidRequest) as caught:
        prices.for_usage((("output_tokens", 1), ("cache_read_tokens", 500)))
    assert (caught.value.field, caught.value.problem) == (
        "usage.input_tokens",
        "must be given, because cache_read_tokens is a part of it",
    )
    assert prices.for_usage((("output_tokens", 1),)) == usage_price(output_tokens="1")


def test_the_units_of_a_price_come_in_their_order() -> None:
    (_, price), *_ = by_usage(web_searches="1", output_tokens="2", input_tokens="3").at(None).levels()
    assert [key for key, _ in price.usd] == ["input_tokens", "output_tokens", "web_searches"]


# --- in words and as text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "counts", "explanation"),
    [
        (
            usage_price(input_tokens="2.5", output_tokens="10"),
            {"input_tokens": 1_020, "output_tokens": 129},
            "1,020 input × 2.5 + 129 output × 10 = 3,840 credits",
        ),
        (
            usage_price(input_tokens="0.15", output_tokens="0.6"),
            {"input_tokens": 1_020, "output_tokens": 129},
            "1,020 input × 0.15 + 129 output × 0.6 = 230.4 credits, rounded up",
        ),
        (
            usage_price(input_tokens="3", output_tokens="15", requests="14"),
            {"input_tokens": 100, "output_tokens": 10},
            "100 input × 3 + 10 output × 15 + 14,000 per request = 14,450 credits",
        ),
        (
            CACHING,
            {"input_tokens": 2_006, "output_tokens": 300, "cache_read_tokens": 1_920},
            "86 input × 2.5 + 300 output × 10 + 1,920 cache read × 1.25 = 5,615 credits",
        ),
        (usage_price(web_searches="10"), {"web_searches": 2}, "2 web searches × 10,000 = 20,000 credits"),
        (CACHING, {"input_tokens": 0}, "0 = 0 credits"),
    ],
)
def test_a_price_explains_its_arithmetic(price: UsagePrice, counts: dict[str, int], explanation: str) -> None:
    assert price.explain(parse_usage(counts)) == explanation


def test_the_lines_say_how_many_of_what_at_which_price() -> None:
    lines = CACHING.lines(parse_usage({"input_tokens": 2_006, "output_tokens": 0, "cache_read_tokens": 1_921}))
    assert [(line.key, line.count, line.usd, line.exact_credits) for line in lines] == [
        ("input_tokens", 85, Decimal("2.5"), Fraction(425, 2)),
        ("cache_read_tokens", 1_921, Decimal("1.25"), Fraction(9_605, 4)),
    ]


def test_a_price_is_recorded_as_exact_text() -> None:
    price = usage_price(input_tokens="0.000000001", output_tokens="1E+1", requests="0.0005")
    assert price.text == '{"input_tokens":"0.000000001","output_tokens":"10","requests":"0.0005"}'
    assert UsagePrice((("audio_seconds", Decimal("0.10")),), 10).text == '{"audio_seconds":"0.10","minimum_seconds":10}'


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"tokens":"1"}', '{"input_tokens":"much"}', '{"input_tokens":"NaN"}', '{"input_tokens":"Infinity"}'],
)
def test_a_text_that_is_no_price_is_not_read(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        UsagePrice.from_text(text)


# --- laws -----------------------------------------------------------------------------------------------------------

priced_units = st.sets(st.sampled_from([*UNITS]), min_size=1, max_size=8)


@st.composite
def priced(draw: st.DrawFn) -> UsagePrice:
    keys = draw(priced_units)
    return UsagePrice(tuple((key, draw(usd)) for key in UNITS if key in keys), draw(st.sampled_from([0, 0, 10])))


@st.composite
def priced_runs(draw: st.DrawFn) -> tuple[UsagePrice, dict[str, int]]:
    """A price and a usage that it can price: how many there are of each unit alone, added up to what is counted."""
    price = draw(priced())
    keys = [key for key, _ in price.usd if key != REQUESTS]
    alone = {key: draw(st.integers(0, 10**6)) for key in keys}
    counts = {key: alone[key] + sum(alone[part] for part in PARTS[key] & alone.keys()) for key in keys}
    return price, counts


@given(priced_runs())
def test_the_lines_add_up_to_the_exact_cost(run: tuple[UsagePrice, dict[str, int]]) -> None:
    price, counts = run
    usage = parse_usage(counts)
    exact = Fraction(*price.exact_cost(usage))
    assert sum((line.exact_credits for line in price.lines(usage)), Fraction(0)) == exact
    assert all(
        line.exact_credits == line.count * Fraction(line.usd) * 10**6 / UNITS[line.key].per
        for line in price.lines(usage)
    )
    assert 0 <= price.inference_cost(usage) - exact < 1


@given(priced_runs())
def test_the_explanation_ends_with_the_exact_cost_in_full(run: tuple[UsagePrice, dict[str, int]]) -> None:
    price, counts = run
    usage = parse_usage(counts)
    exact = Fraction(*price.exact_cost(usage))
    written, rounding = price.explain(usage).rpartition(" = ")[2].split(" credits")
    if exact.denominator == 1:
        assert (Fraction(written.replace(",", "")), rounding) == (exact, "")
    else:
        assert rounding == ", rounded up"


def test_the_least_number_of_seconds_leaves_out_the_seconds_that_were_spoken() -> None:
    rates = {
        "audio_seconds": Decimal(3_600),
        "input_audio_seconds": Decimal(7_200),
        "output_audio_seconds": Decimal(36),
    }
    price = UsagePrice(tuple(rates.items()), minimum_seconds=10)
    # 10 seconds are billed: 1 that was spoken at 0.01 dollars, and 9 that were heard at 2 dollars.
    spoken = parse_usage({"audio_seconds": 1, "input_audio_seconds": 0, "output_audio_seconds": 1})
    assert price.inference_cost(spoken) == 9 * 2_000_000 + 10_000
    assert price.inference_cost(parse_usage({"audio_seconds": 1, "input_audio_seconds": 1})) == 10 * 2_000_000


@given(priced_runs(), st.data(), st.integers(1, 1_000))
def test_more_of_a_unit_never_costs_less(
    run: tuple[UsagePrice, dict[str, int]], data: st.DataObject, more: int
) -> None:
    price, counts = run
    leaf = data.draw(st.sampled_from([REQUESTS, *(key for key in counts if not PARTS[key] & counts.keys())]))
    # What is more of the leaf is more of every unit that counts it, too.
    larger = {key: count + more if key == leaf or leaf in PARTS[key] else count for key, count in counts.items()}
    assert price.inference_cost(parse_usage(larger)) >= price.inference_cost(parse_usage(counts))


@given(priced())
def test_a_price_is_read_from_its_text_as_it_was(price: UsagePrice) -> None:
    again = UsagePrice.from_text(price.text)
    assert (again, again.text) == (price, price.text)
    assert again.rates == price.rates
