"""What counts as unusual: the thresholds of `data/watch.toml`, read and checked."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from credits_core.values import data_files
from credits_core.values.credits import MAX_CREDITS

_Count = Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
_Days = Annotated[int, Field(ge=1, le=366, strict=True)]
_Percent = Annotated[int, Field(ge=0, le=100, strict=True)]
_Credits = Annotated[int, Field(ge=0, le=MAX_CREDITS, strict=True)]
_Payments = Annotated[int, Field(ge=1, le=500, strict=True)]


class WatchRule(StrEnum):
    """The kinds of finding. The value is what is stored."""

    SPENDING = "spending"
    REFUNDS = "refunds"
    ONE_PAYER = "one_payer"
    OWN_RUNS = "own_runs"
    BELOW_COST = "below_cost"
    MANY_USERS = "many_users"


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    again_after_days: _Days


class SpendingRule(_Rule):
    """A user's day against the largest day of their past."""

    at_least_credits: _Credits
    times_the_largest_day: _Count
    past_days: _Days
    fewest_past_days: _Days


class RefundRule(_Rule):
    """What was refunded of a creator's shares, as a percentage of what they earned."""

    more_than_percent: _Percent
    at_least_credits: _Credits
    past_days: _Days


class PaymentRule(_Rule):
    """What one account, or the creator, paid of a creator's newest payments, as a percentage."""

    of_the_last_payments: _Payments
    fewest_payments: _Payments
    at_least_credits: _Credits
    one_payer_more_than_percent: _Percent
    own_runs_more_than_percent: _Percent


class CostRule(_Rule):
    """Runs at zero or below cost."""

    fewest_runs: _Count


class KeyRule(_Rule):
    """The users that one key charges within some minutes, against the most on any day of its past."""

    window_minutes: Annotated[int, Field(ge=1, le=1_440, strict=True)]
    at_least_users: _Count
    times_the_most: _Count
    past_days: _Days
    fewest_past_days: _Days


class WatchRules(BaseModel):
    """All thresholds, by rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spending: SpendingRule
    refunds: RefundRule
    payments: PaymentRule
    below_cost: CostRule
    many_users: KeyRule

    def again_after_days(self, rule: WatchRule) -> int:
        """After how many days a rule may find the same subject again."""
        of_payments = {WatchRule.ONE_PAYER, WatchRule.OWN_RUNS}
        thresholds: _Rule = self.payments if rule in of_payments else getattr(self, rule.value)
        return thresholds.again_after_days


def load_watch_rules(path: Path) -> WatchRules:
    """The thresholds of a file.

    Raises:
        DataFileInvalid: the file is missing or wrong; every problem is listed.
    """
    return data_files.load(WatchRules, path)
