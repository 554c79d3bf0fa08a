"""How fast runs are priced in bulk, as ratios in one run: `python -m benchmarks.quote_many [--runs N]`.

`quote_many` against the plain NumPy expression of the same prices and the specification's tiers over the same runs,
alternating in rounds, both from counts to totals: for two units and for eight. Each ratio is the median over the
rounds. The last line printed is `ratio 0.NN`, for two units.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from credits_core.pricing.dated_prices import DatedPrices, ModelPrices
from credits_core.pricing.models import Model
from credits_core.pricing.quote_many import quote_many
from credits_core.pricing.usage_price import TieredPrices
from credits_core.settings import load_price_book

Array = npt.NDArray[np.int64]


def _plain(input_tokens: Array, output_tokens: Array) -> Array:
    # openai/gpt-4o: $2.5 and $10 per million tokens, over the denominator 10.
    return _totals(-(-(input_tokens * 25 + output_tokens * 100) // 10))


# Dollars per million tokens of each unit, as whole parts of a ten-thousandth of a credit.
_EIGHT = {
    "input_tokens": 25_000,
    "output_tokens": 100_000,
    "cache_read_tokens": 2_500,
    "cache_write_tokens": 31_250,
    "cache_write_1h_tokens": 50_000,
    "input_audio_tokens": 400_000,
    "output_audio_tokens": 800_000,
    "output_reasoning_tokens": 120_000,
}


def _plain_eight(usage: dict[str, Array]) -> Array:
    # Each special unit at its own price and out of the general one.
    write = usage["cache_write_tokens"] - usage["cache_write_1h_tokens"]
    own = {
        **usage,
        "cache_write_tokens": write,
        "input_tokens": usage["input_tokens"]
        - usage["cache_read_tokens"]
        - write
        - usage["cache_write_1h_tokens"]
        - usage["input_audio_tokens"],
        "output_tokens": usage["output_tokens"] - usage["output_audio_tokens"] - usage["output_reasoning_tokens"],
    }
    parts: Array = sum(own[key] * rate for key, rate in _EIGHT.items())  # type: ignore[assignment]
    return _totals(-(-parts // 10_000))


def _totals(costs: Array) -> Array:
    markups = np.where(costs < 10_000, costs * 2_000 // 10_000, np.where(costs < 100_000, costs * 1_000 // 10_000, 500))
    totals: Array = costs + markups
    return totals


def _rate(price: Callable[[], object], runs: int) -> float:
    start = time.perf_counter()
    price()
    return runs / (time.perf_counter() - start)


def _compare(what: str, plain: Callable[[], Array], ours: Callable[[], Array], runs: int, rounds: int) -> float:
    assert np.array_equal(ours(), plain())
    rates = [(_rate(plain, runs), _rate(ours, runs)) for _ in range(rounds)]
    plain_rate, our_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(ours_ / plain_ for plain_, ours_ in rates)
    print(f"{what}: plain NumPy {plain_rate:,.0f} runs/s, quote_many {our_rate:,.0f} runs/s, ratio {ratio:.2f}")
    return ratio


def main() -> None:
    """Compare for eight units and for two; the latter ratio is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15, help="rounds that are counted")
    arguments = parser.parse_args()
    generator = np.random.default_rng(1)
    runs, rounds = arguments.runs, arguments.rounds
    fees = np.zeros(runs, np.int64)
    book = load_price_book()

    prices = TieredPrices({key: (Decimal(rate) / 10_000, ()) for key, rate in _EIGHT.items()})
    eight = Model("eight", "Eight", "maker", "text", ModelPrices((DatedPrices(prices),)), "", date(2026, 1, 1))
    usage = {key: generator.integers(0, 500, runs) for key in _EIGHT}
    usage["cache_write_tokens"] += usage["cache_write_1h_tokens"]
    usage["input_tokens"] += usage["cache_read_tokens"] + usage["cache_write_tokens"] + usage["input_audio_tokens"] + 1
    usage["output_tokens"] += usage["output_audio_tokens"] + usage["output_reasoning_tokens"]
    _compare(
        "eight units",
        lambda: _plain_eight(usage),
        lambda: quote_many(eight, book.plan, creator_fee_credits=fees, usage=usage).total_credits,
        runs,
        rounds,
    )

    input_tokens, output_tokens = generator.integers(1, 14_050, runs), generator.integers(1, 1_000, runs)
    gpt = book.models["openai/gpt-4o"]
    ratio = _compare(
        "two units",
        lambda: _plain(input_tokens, output_tokens),
        lambda: (
            quote_many(
                gpt, book.plan, creator_fee_credits=fees, input_tokens=input_tokens, output_tokens=output_tokens
            ).total_credits
        ),
        runs,
        rounds,
    )
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
