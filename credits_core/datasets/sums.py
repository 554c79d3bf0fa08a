"""Rows that are sums of several requests, taken as runs: as one run each, or as many equal ones. Exact.

A markup depends on the size of a run. Twelve requests that cost 35,250 credits together are one run in a tier of 10 %,
or twelve runs in a tier of 20 %, so somebody has to say which is assumed.
"""

from enum import StrEnum

import numpy as np

from credits_core.datasets.columns import Columns
from credits_core.datasets.costs import PricedRuns
from credits_core.errors import InvalidRequest
from credits_core.pricing.units import GENERAL, PARTS
from credits_core.values.arrays import Credits

MOST_RUNS = 5_000_000
"""As many runs a data set is taken as at most."""


class Sums(StrEnum):
    """What a row of sums is taken as."""

    ONE_RUN = "one-run"
    EQUAL_RUNS = "equal-runs"


def runs_of(columns: Columns, sums: Sums) -> tuple[PricedRuns, Credits]:
    """The runs of a data set, and for each the position of its row.

    Equal runs share a row's counts as evenly as whole numbers allow; the first ones have one more where they do not
    come out even. Nothing is lost: the counts of the runs add up to those of the row.

    Raises:
        InvalidRequest: they are more than five million.
    """
    times = np.ones(len(columns), np.int64)
    if sums is Sums.EQUAL_RUNS:
        times = np.maximum(columns.requests, 1)
    if int(times.sum()) > MOST_RUNS:
        raise InvalidRequest("data", f"has {int(times.sum()):,} requests; at most {MOST_RUNS:,} can be taken as runs")
    row = np.repeat(np.arange(len(columns)), times)
    usage = {key: counts[row] for key, counts in columns.usage.items()}
    if (times > 1).any():
        first = np.cumsum(times) - times
        usage = _shared(columns.usage, times, row, np.arange(len(row)) - first[row])
    priced = PricedRuns(
        at_us=columns.at_us[row],
        model_ids=columns.model_id.names,
        model=columns.model_id.number[row],
        tiers=columns.service_tier.names,
        tier=columns.service_tier.number[row],
        usage=usage,
        known_cost_credits=columns.known_cost_credits[row],
        is_free=columns.is_free[row],
    )
    return priced, row


def _shared(counts: dict[str, Credits], times: Credits, row: Credits, place: Credits) -> dict[str, Credits]:
    """The counts of each run. A unit's own count, without its parts', is shared, so that no part outgrows its whole."""
    own: dict[str, Credits] = {}
    for key in sorted(counts, key=lambda one: -len(GENERAL[one])):
        own[key] = counts[key] - sum(own[part] for part in PARTS[key] & own.keys())
        if own[key].min(initial=0) < 0:
            raise InvalidRequest("data", f"has rows whose parts of {key} overlap, so they cannot be shared out")
    each: dict[str, Credits] = {}
    for key, whole in own.items():
        quotient, rest = np.divmod(whole, times)
        each[key] = quotient[row] + (place < rest[row])
    return {key: each[key] + sum(each[part] for part in PARTS[key] & each.keys()) for key in counts}
