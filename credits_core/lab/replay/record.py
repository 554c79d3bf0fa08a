"""The recorded history as arrays: every run, unlock, refund and addition of credits that a replay needs. Pure.

`reports.recorded_runs` reads it from the database; `lab.replay.counterfactual` prices it again.
"""

from dataclasses import dataclass

from credits_core.lab.replay.balances import Flags
from credits_core.values.arrays import Credits

UNLOCK = -1
"""Stands in place of a model in the charge of an unlock, which runs none."""


@dataclass(frozen=True, slots=True)
class Charges:
    """Recorded runs and unlocks, one element each. An unlock is a charge of only a fee, with the model `UNLOCK`.

    Accounts, models and plans are positions in the names of `RecordedHistory`; creator -1 is none. Days count from
    1970-01-01. Charges outside the chosen days are not compared and keep their recorded amounts.
    """

    entry_id: Credits
    day: Credits
    payer: Credits
    creator: Credits
    model: Credits
    plan: Credits
    inference_cost_credits: Credits
    creator_fee_credits: Credits
    platform_markup_credits: Credits
    creator_share_credits: Credits
    is_compared: Flags

    @property
    def total_credits(self) -> Credits:
        """What each payer paid, in credits."""
        totals: Credits = self.inference_cost_credits + self.creator_fee_credits + self.platform_markup_credits
        return totals


@dataclass(frozen=True, slots=True)
class Refunds:
    """Recorded refunds of runs and unlocks: `charge` is the position of the charge among `Charges`.

    `borne_credits` is what the platform paid for a creator who had spent the share; where `is_owed`, the creator owes
    it instead. `returned_cost_credits` is inference cost that was booked back: all of it under the earlier rule, or
    where the provider gave it back; else 0, because the platform bears it. A refund gives back the credits of its
    charge from `before_credits` on up to `through_credits`: of all at once from 0 to the total.
    """

    entry_id: Credits
    day: Credits
    charge: Credits
    borne_credits: Credits
    returned_cost_credits: Credits
    is_earlier_rule: Flags
    is_owed: Flags
    before_credits: Credits
    through_credits: Credits
    is_compared: Flags

    def in_parts(self, charges: Charges) -> Flags:
        """Which of them give back less than the whole charge."""
        found: Flags = (self.through_credits - self.before_credits) != charges.total_credits[self.charge]
        return found

    def ends(self, charges: Charges) -> Flags:
        """Which of them leave nothing of the charge to refund."""
        found: Flags = self.through_credits == charges.total_credits[self.charge]
        return found


@dataclass(frozen=True, slots=True)
class Additions:
    """Credits added to an account: purchases, grants, adjustments; negative when they were refunded."""

    entry_id: Credits
    account: Credits
    amount_credits: Credits


@dataclass(frozen=True, slots=True)
class RecordedHistory:
    """What happened from the first entry (inclusive) to the last, and the balances just before it.

    `starting_owed_credits` is what each account then owed for refunded shares; empty when nobody owed anything.
    `charges` also has earlier charges that were refunded in this range; their ids are below `first_entry_id`.
    """

    first_entry_id: int
    last_entry_id: int
    accounts: tuple[str, ...]
    models: tuple[str, ...]
    plans: tuple[str, ...]
    starting_credits: tuple[int, ...]
    starting_owed_credits: tuple[int, ...]
    charges: Charges
    refunds: Refunds
    additions: Additions

    @property
    def is_empty(self) -> bool:
        """Whether there is no run and no unlock to price again."""
        return not bool(self.charges.is_compared.any())
