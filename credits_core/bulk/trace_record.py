"""Logs of real requests as a record that plans can be tried on: each file is one user. Charges nothing."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from credits_core.bulk.trace import TraceRow, read_trace
from credits_core.errors import DataFileInvalid
from credits_core.lab.replay.record import RecordedHistory
from credits_core.lab.replay.record_of_runs import record_of_runs
from credits_core.pricing.models import Model
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import inference_costs
from credits_core.values.arrays import Credits
from credits_core.values.days import number_of_day


def record_of_traces(paths: Sequence[Path], model: Model, plan: PricePlan, *, at: datetime) -> RecordedHistory:
    """Every request of the logs as a run of the model, at its price at that moment, as if charged under the plan.

    The user is named after the file; a second file of the same name is another user. Requests with no tokens at all,
    which failed, are left out.

    Raises:
        DataFileInvalid: as `read_trace`, or no request of a log used anything.
        InvalidRequest, UnpricedUsage: the model has no price for tokens.
    """
    rows: list[tuple[int, TraceRow]] = []
    names: list[str] = []
    for user, path in enumerate(paths):
        used = [row for row in read_trace(path) if row.input_tokens or row.output_tokens]
        if not used:
            raise DataFileInvalid(str(path), ["has no request that used a token"])
        rows += [(user, row) for row in used]
        names.append(path.stem if path.stem not in names else f"{path.stem}-{user + 1}")

    def column(numbers: list[int]) -> Credits:
        return np.array(numbers, np.int64)

    usage = {
        "input_tokens": column([row.input_tokens for _, row in rows]),
        "output_tokens": column([row.output_tokens for _, row in rows]),
    }
    nothing = np.zeros(len(rows), np.int64)
    return record_of_runs(
        plan,
        users=tuple(names),
        models=(model.id,),
        payer=column([user for user, _ in rows]),
        model=nothing,
        inference_cost_credits=inference_costs(model, len(rows), usage, at=at),
        creator_fee_credits=nothing,
        day=column([number_of_day(row.at.date()) for _, row in rows]),
    )
