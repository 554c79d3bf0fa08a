"""Sums up the API's newest calls, of all processes, from the list that is kept of them."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from credits_core.operations.alert_state import Calls
from credits_core.store.tables import ApiCall
from credits_core.values.days import to_microseconds

_MINUTES = 5
_MOST = 5_000
_UNAVAILABLE = 503


def read_calls(connection: Connection, now: datetime) -> Calls | None:
    """The calls of the last five minutes, at most the newest 5,000; None when no calls are kept at all."""
    newest = (
        select(ApiCall.answered_at_us, ApiCall.status, ApiCall.code, ApiCall.latency_us)
        .order_by(ApiCall.id.desc())
        .limit(_MOST)
    )
    since_us = to_microseconds(now - timedelta(minutes=_MINUTES))
    kept = connection.execute(newest).all()
    calls = [call for call in kept if call.answered_at_us > since_us]
    if not kept:
        return None
    return Calls(
        answered=len(calls),
        refused=sum(call.code != "" for call in calls),
        unavailable=sum(call.status == _UNAVAILABLE for call in calls),
        p99_us=percentile_99([call.latency_us for call in calls]),
    )


def percentile_99(numbers: list[int]) -> int:
    """The smallest of the numbers that at least 99 % of them do not exceed; 0 without any.

    >>> percentile_99(list(range(1, 201)))
    198
    """
    ranked = sorted(numbers)
    beyond = next((rank for rank in range(len(ranked)) if (rank + 1) * 100 >= 99 * len(ranked)), None)
    return 0 if beyond is None else ranked[beyond]
