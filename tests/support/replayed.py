"""Two plans to replay history under, and the sums of a replay beside what the transactions themselves say."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from credits_core.lab.replay.result import Counterfactual, compare
from credits_core.pricing.plan import MarkupTier, PricePlan
from credits_core.reports.recorded_runs import recorded_history
from credits_core.store import database
from credits_core.values.days import DayRange
from tests.support import world
from tests.support.plain_sql import scalar

HALF = PricePlan("half", 5_000, (MarkupTier(None, 2_000, None),))
"""Markup 20 % as before below 10,000; a creator receives half of a fee instead of 80 %."""
DEARER = PricePlan("dearer", 8_000, (MarkupTier(None, 10_000, None),))
"""A run without a fee costs twice its inference cost."""
FIRST_DAY, SECOND_DAY = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)


def under(engine: Engine, plan: PricePlan, days: DayRange = DayRange()) -> Counterfactual:  # noqa: B008
    with database.read(engine) as connection:
        return compare(recorded_history(connection, days), plan, world.dearer_book().plans)


def parties(found: Counterfactual) -> dict[str, tuple[int, int]]:
    sums = {name: getattr(found.sums, name) for name in ("users", "inference", "creators", "platform")}
    return {name: (change.recorded_credits, change.plan_credits) for name, change in sums.items()}


def recorded_sums(engine: Engine, condition: str = "1 = 1") -> dict[str, int]:
    """What the transactions themselves say, in SQL; the users paid what inference, creators and platform received."""
    from_outside = "('credit_purchase', 'grant', 'adjustment')"
    found = {
        "inference": "account_id = 'platform:inference'",
        "creators": "type = 'creator_payment'",
        "platform": "account_id IN ('platform:revenue', 'platform:refunded_inference')",
        "users": f"type NOT IN {from_outside} AND account_id NOT LIKE 'platform:%' AND type <> 'creator_payment'"
        " AND NOT (type = 'refund' AND amount_credits < 0)",
    }
    sql = "SELECT COALESCE(SUM(amount_credits), 0) FROM credit_transactions WHERE {} AND {}"
    sums = {name: int(str(scalar(engine, sql.format(where, condition)))) for name, where in found.items()}
    return sums | {"users": -sums["users"]}
