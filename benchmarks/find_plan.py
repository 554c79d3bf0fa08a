"""How fast plans are tried on a history: `python -m benchmarks.find_plan [--runs N] [--rounds N]`.

A record of a million runs of 2,000 users is made up in memory, with as many different inference costs as token counts
bring. It is condensed once; then plans are tried on it, each one priced anew to the credit. The seconds of both are
printed, the median over the rounds.

The baseline is a full replay of the same record under the same plan, which follows every balance. The last line printed
is `ratio N`: how many times as long the replay takes as the condensed history does.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from credits_core.lab.finder.measures import Assessor
from credits_core.lab.replay.counterfactual import replay
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.record_of_runs import record_of_runs
from credits_core.lab.replay.result import Lines
from credits_core.pricing.plan import PricePlan, TierMode
from credits_core.settings import load_price_book

_USERS, _CREATORS = 2_000, 200


def made_up(runs: int, plan: PricePlan) -> RecordedHistory:
    """A record of so many runs: costs around 5,000 credits, and a creator fee on two runs of five."""
    random = np.random.default_rng(1)
    has_fee = random.random(runs) < 0.4
    return record_of_runs(
        plan,
        users=tuple(f"user-{number:05}" for number in range(_USERS)),
        models=("model",),
        payer=random.integers(0, _USERS, runs),
        creator=np.where(has_fee, random.integers(0, _CREATORS, runs), -1),
        model=np.zeros(runs, np.int64),
        inference_cost_credits=random.lognormal(8.5, 1.3, runs).astype(np.int64) + 1,
        creator_fee_credits=np.where(has_fee, random.integers(1, 100, runs) * 50, 0),
    )


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    """Condense, try plans and compare with a replay; the ratio is the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    plan = load_price_book().plan
    history = made_up(given.runs, plan)
    condensing, assessor = _seconds(lambda: Assessor(history, plan))
    kinds, pairs = len(assessor.condensed.kinds.entry_id), len(assessor.condensed.by_payer.kind)
    print(f"{given.runs:,} runs condensed in {condensing:.2f} s: {kinds:,} kinds of run, {pairs:,} by user")
    tried = [
        replace(plan, id="capped", cap_down=True),
        replace(plan, id="graduated", tier_mode=TierMode.GRADUATED),
        replace(plan, id="half", creator_share_bps=5_000),
    ]
    trying = [_seconds(lambda p=one: assessor.figures(p)) for _ in range(given.rounds) for one in tried]  # type: ignore[misc]
    assert all(figures.is_sure for _, figures in trying)
    seconds = statistics.median(one for one, _ in trying)
    print(f"one plan tried: {seconds * 1000:.1f} ms")
    replaying = [
        _seconds(lambda p=one: Lines(history, replay(history, p)).sums())  # type: ignore[misc]
        for _ in range(given.rounds)
        for one in tried
    ]
    of_replay = statistics.median(one for one, _ in replaying)
    print(f"one plan replayed: {of_replay * 1000:.0f} ms")
    print(f"ratio {of_replay / seconds:.1f}")


if __name__ == "__main__":
    main()
