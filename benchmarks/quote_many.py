"""How fast runs are priced in bulk, as a ratio in one run: `python -m benchmarks.quote_many [--runs N]`.

`quote_many` against the plain NumPy expression of the specification's tiers over the same runs, alternating in rounds,
both from token counts to totals. The ratio is the median over the rounds; the last line printed is `ratio 0.NN`.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from credits_core.pricing.quote_many import quote_many
from credits_core.settings import load_price_book

Array = npt.NDArray[np.int64]


def _plain(input_tokens: Array, output_tokens: Array) -> Array:
    # openai/gpt-4o: $2.5 and $10 per million tokens, over the denominator 10.
    costs = -(-(input_tokens * 25 + output_tokens * 100) // 10)
    markups = np.where(costs < 10_000, costs * 2_000 // 10_000, np.where(costs < 100_000, costs * 1_000 // 10_000, 500))
    totals: Array = costs + markups
    return totals


def _rate(price: Callable[[], object], runs: int) -> float:
    start = time.perf_counter()
    price()
    return runs / (time.perf_counter() - start)


def main() -> None:
    """Compare the two; the ratio is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15, help="rounds that are counted")
    arguments = parser.parse_args()
    generator = np.random.default_rng(1)
    input_tokens = generator.integers(1, 14_050, arguments.runs)
    output_tokens = generator.integers(1, 1_000, arguments.runs)
    fees = np.zeros(arguments.runs, np.int64)
    book = load_price_book()
    model = book.models["openai/gpt-4o"]

    def ours() -> Array:
        return quote_many(
            model, book.plan, creator_fee_credits=fees, input_tokens=input_tokens, output_tokens=output_tokens
        ).total_credits

    assert np.array_equal(ours(), _plain(input_tokens, output_tokens))
    rates = [
        (_rate(lambda: _plain(input_tokens, output_tokens), arguments.runs), _rate(ours, arguments.runs))
        for _ in range(arguments.rounds)
    ]
    plain_rate, our_rate = (statistics.median(column) for column in zip(*rates, strict=True))
    print(f"plain NumPy {plain_rate:,.0f} runs/s, quote_many {our_rate:,.0f} runs/s")
    print(f"ratio {statistics.median(ours_ / plain for plain, ours_ in rates):.2f}")


if __name__ == "__main__":
    main()
