"""Prices history under another plan: what each recorded run and unlock would have cost, and who could have paid. Pure.

Each keeps its recorded inference cost and creator fee; `quote_costs` and `PricePlan.split_fee` apply the other plan's
rules to them. Balances are followed through time with the plan's amounts: credits are added as recorded, and a charge
that the balance would not have covered is refused. Runs that were really refused are not recorded, so they are missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from credits_core.errors import InvalidRequest
from credits_core.lab.replay.balances import (
    ADDED,
    CHARGED,
    NOBODY,
    REFUNDED,
    REFUNDED_OWED,
    Events,
    Flags,
    follow_quickly,
    lowest,
)
from credits_core.lab.replay.record import UNLOCK, Charges, RecordedHistory
from credits_core.pricing.plan import PricePlan
from credits_core.pricing.quote_many import quote_costs
from credits_core.pricing.refund_shares import share_back
from credits_core.values.arrays import Credits

_LARGEST_SUM_CREDITS = 2**62


@dataclass(frozen=True, slots=True)
class PricedCharges:
    """What charges cost under a plan, in credits: what the payer pays, and the creator's share of it."""

    total_credits: Credits
    creator_share_credits: Credits


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would have become of each recorded charge and refund under the plan.

    `happened` is false for a charge that the payer's balance would not have covered. `back` is what each refund gives
    back to the payer, and of the creator's share; `borne_credits` is what the platform pays towards it.
    `refused_additions` counts refunds of added credits that would have been impossible, because the user would have
    spent the credits.
    """

    priced: PricedCharges
    happened: Flags
    back: PricedCharges
    borne_credits: Credits
    refused_additions: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A charge that differs from the record: total and creator's share, recorded and under the plan, in credits."""

    entry_id: int
    recorded_total_credits: int
    plan_total_credits: int
    recorded_share_credits: int
    plan_share_credits: int
    refused: bool


@dataclass(frozen=True, slots=True)
class ReplayedRun:
    """One compared run, recorded and under the plan, in credits, before any refund. `refused`: under the plan.

    A charge without a model is an unlock.
    """

    entry_id: int
    day_number: int
    user_id: str
    creator_id: str | None
    model_id: str | None
    recorded_plan_id: str
    inference_cost_credits: int
    creator_fee_credits: int
    recorded_total_credits: int
    plan_total_credits: int
    recorded_share_credits: int
    plan_share_credits: int
    refused: bool
    refunded: bool

    @property
    def user_gain_credits(self) -> int:
        """How much less the user pays; 0 when the charge is refused, because then there is nothing for it."""
        return 0 if self.refused else self.recorded_total_credits - self.plan_total_credits

    @property
    def creator_gain_credits(self) -> int:
        """How much more the creator receives; a refused charge brings the creator nothing."""
        return (0 if self.refused else self.plan_share_credits) - self.recorded_share_credits


def price_charges(charges: Charges, plan: PricePlan) -> PricedCharges:
    """What the recorded charges would cost under the plan, at their recorded inference costs and fees.

    Raises:
        InvalidRequest: a total would be above 2^53-1 credits, or a step could overflow 64 bits.
    """
    is_run = charges.model != UNLOCK
    runs = slice(None) if is_run.all() else is_run
    quoted = quote_costs(
        plan, charges.inference_cost_credits[runs], creator_fee_credits=charges.creator_fee_credits[runs]
    )
    if is_run.all():
        return PricedCharges(quoted.total_credits, quoted.creator_share_credits)
    total_credits = charges.creator_fee_credits.copy()
    share_credits = np.empty(len(total_credits), np.int64)
    total_credits[is_run], share_credits[is_run] = quoted.total_credits, quoted.creator_share_credits
    share_credits[~is_run] = [plan.split_fee(fee)[0] for fee in total_credits[~is_run].tolist()]
    return PricedCharges(total_credits, share_credits)


def replay(history: RecordedHistory, plan: PricePlan) -> Outcome:
    """What would have happened under the plan. Charges that are not compared keep their recorded amounts.

    Raises:
        InvalidRequest: as `price_charges`, or all amounts together are above 2^62 credits.
    """
    charges = history.charges
    priced, recorded_credits = price_charges(charges, plan), charges.total_credits
    if not charges.is_compared.all():
        priced = PricedCharges(
            np.where(charges.is_compared, priced.total_credits, recorded_credits),
            np.where(charges.is_compared, priced.creator_share_credits, charges.creator_share_credits),
        )
    require_summable(history, recorded_credits, priced.total_credits)
    back = given_back(history, priced)
    events, charge_at, refund_at, addition_at = _events(history, priced, back)
    followed = follow_quickly(events, list(history.starting_credits), history.starting_owed_credits)
    happened = np.ones(len(recorded_credits), np.bool_)
    is_event = charge_at >= 0
    happened[is_event] = followed.happened[charge_at[is_event]]
    return Outcome(
        priced,
        happened,
        back,
        followed.borne_credits[refund_at],
        int(np.count_nonzero(~followed.happened[addition_at])),
    )


def lowest_balances(history: RecordedHistory, priced: PricedCharges) -> Credits:
    """The lowest balance of each account after any of its events, if all happened in full at these prices.

    What somebody owed at the beginning is taken off, because later shares pay it first.

    Raises:
        InvalidRequest: all amounts together are above 2^62 credits.
    """
    require_summable(history, history.charges.total_credits, priced.total_credits)
    events, *_ = _events(history, priced, given_back(history, priced))
    owed_credits = history.starting_owed_credits or (0,) * len(history.starting_credits)
    return lowest(events, [has - owes for has, owes in zip(history.starting_credits, owed_credits, strict=True)])


def given_back(history: RecordedHistory, priced: PricedCharges) -> PricedCharges:
    """What each recorded refund gives back when charges cost this much: the payer's total, and the creator's share.

    One in parts gives back the same part of the total as was recorded, rounded down over all parts of a charge, and of
    the share what is due for that (`pricing.refund_shares`).
    """
    refunds, charges = history.refunds, history.charges
    total_credits = priced.total_credits[refunds.charge]
    share_credits = priced.creator_share_credits[refunds.charge]
    for at in np.flatnonzero(refunds.in_parts(charges)).tolist():  # few, and exact beyond 64 bits
        charge, total, share = int(refunds.charge[at]), int(total_credits[at]), int(share_credits[at])
        recorded_total = int(charges.total_credits[charge])
        ends = [
            share_back(total, refunded_credits=int(end), total_credits=recorded_total)
            for end in (refunds.before_credits[at], refunds.through_credits[at])
        ]
        shares = [share_back(share, refunded_credits=end, total_credits=total) if total else 0 for end in ends]
        total_credits[at], share_credits[at] = ends[1] - ends[0], shares[1] - shares[0]
    return PricedCharges(total_credits, share_credits)


def replayed_runs(history: RecordedHistory, outcome: Outcome) -> Iterator[ReplayedRun]:
    """Every compared run in the order of the ledger. Days count from 1970-01-01."""
    is_run = history.charges.is_compared & (history.charges.model != UNLOCK)
    return replayed(history, outcome, np.flatnonzero(is_run))


def replayed(history: RecordedHistory, outcome: Outcome, positions: Credits) -> Iterator[ReplayedRun]:
    """The charges at these positions, in the given order. An unlock has no inference cost and is of no model."""
    charges, priced, runs = history.charges, outcome.priced, positions
    refunded = np.zeros(len(charges.entry_id), np.bool_)
    refunded[history.refunds.charge[history.refunds.ends(charges)]] = True
    columns = (
        *(charges.entry_id, charges.day, charges.payer, charges.creator, charges.model, charges.plan),
        *(charges.inference_cost_credits, charges.creator_fee_credits),
        *(charges.total_credits, priced.total_credits),
        *(charges.creator_share_credits, priced.creator_share_credits),
        *(~outcome.happened, refunded),
    )
    accounts: tuple[str | None, ...] = (*history.accounts, None)  # -1, for nobody, is the last one
    models: tuple[str | None, ...] = (*history.models, None)  # -1, for an unlock, too
    for row in zip(*(column[runs].tolist() for column in columns), strict=True):
        entry_id, day, payer, creator, model, plan, *amounts = row
        yield ReplayedRun(
            *(entry_id, day, history.accounts[payer], accounts[creator], models[model], history.plans[plan]),
            *amounts,
        )


def first_difference(history: RecordedHistory, outcome: Outcome) -> Difference | None:
    """The first compared charge, in the order of the ledger, that differs from the record; None when none does.

    A charge also differs when the platform would pay another part of its refund.
    """
    charges, refunds, priced = history.charges, history.refunds, outcome.priced
    differs = charges.total_credits != priced.total_credits
    differs |= charges.creator_share_credits != priced.creator_share_credits
    differs |= ~outcome.happened
    differs &= charges.is_compared
    differs[refunds.charge[refunds.is_compared & (refunds.borne_credits != outcome.borne_credits)]] = True
    return _difference(charges, priced, ~outcome.happened, differs)


@dataclass(frozen=True, slots=True)
class OwnPlans:
    """Every charge priced again under the plan it was charged with: how many, and the first that differs.

    None should ever differ; one that does shows that the record or the plan was tampered with. `unknown_plans` are not
    in the price book; their charges are not among `checked`.
    """

    checked: int
    unknown_plans: tuple[str, ...]
    first_difference: Difference | None


def under_own_plans(history: RecordedHistory, plans: Mapping[str, PricePlan]) -> OwnPlans:
    """Prices every compared charge again under its own plan and compares the amounts with the record."""
    charges, checked, unknown = history.charges, 0, []
    total_credits, share_credits = charges.total_credits.copy(), charges.creator_share_credits.copy()
    for number, plan_id in enumerate(history.plans):
        is_own = charges.is_compared & (charges.plan == number)
        if not is_own.any():
            continue
        if plan_id not in plans:
            unknown.append(plan_id)
            continue
        priced = price_charges(chosen(charges, is_own), plans[plan_id])
        total_credits[is_own], share_credits[is_own] = priced.total_credits, priced.creator_share_credits
        checked += int(np.count_nonzero(is_own))
    priced = PricedCharges(total_credits, share_credits)
    differs = (charges.total_credits != total_credits) | (charges.creator_share_credits != share_credits)
    nobody_refused = np.zeros(len(differs), np.bool_)
    return OwnPlans(checked, tuple(unknown), _difference(charges, priced, nobody_refused, differs))


def chosen(charges: Charges, which: Flags) -> Charges:
    """The charges that `which` marks; when it marks all, the same object."""
    if which.all():
        return charges
    return Charges(*(getattr(charges, name)[which] for name in Charges.__slots__))


def _difference(charges: Charges, priced: PricedCharges, refused: Flags, differs: Flags) -> Difference | None:
    if not differs.any():
        return None
    positions = np.flatnonzero(differs)
    first = positions[np.argmin(charges.entry_id[positions])]
    return Difference(
        entry_id=int(charges.entry_id[first]),
        recorded_total_credits=int(charges.total_credits[first]),
        plan_total_credits=int(priced.total_credits[first]),
        recorded_share_credits=int(charges.creator_share_credits[first]),
        plan_share_credits=int(priced.creator_share_credits[first]),
        refused=bool(refused[first]),
    )


def _events(
    history: RecordedHistory, priced: PricedCharges, back: PricedCharges
) -> tuple[Events, Credits, Credits, Credits]:
    """What moves users' credits, and at which event each charge (-1 for earlier ones), refund and addition is."""
    charges, refunds, additions = history.charges, history.refunds, history.additions
    here = np.flatnonzero(charges.entry_id >= history.first_entry_id)
    charge, added = refunds.charge, len(additions.entry_id)
    entry_id = np.concatenate([charges.entry_id[here], refunds.entry_id, additions.entry_id])
    in_order = np.argsort(entry_id, kind="stable")
    at = np.empty(len(entry_id), np.int64)
    at[in_order] = np.arange(len(entry_id))
    refund_at, addition_at = at[len(here) : len(here) + len(charge)], at[len(here) + len(charge) :]
    charge_at = np.full(len(charges.entry_id), -1, np.int64)
    charge_at[here] = at[: len(here)]

    def column(of_charges: Credits, of_refunds: Credits, of_additions: Credits) -> Credits:
        both = np.concatenate([of_charges[here], of_refunds, of_additions])
        ordered: Credits = both[in_order]
        return ordered

    refund_kind = np.where(refunds.is_owed, REFUNDED_OWED, REFUNDED)
    kind = np.concatenate([np.full(len(here), CHARGED), refund_kind, np.full(added, ADDED)])
    refunded = np.concatenate([np.full(len(here), -1), charge_at[charge], np.full(added, -1)])
    events = Events(
        kind=kind[in_order],
        payer=column(charges.payer, charges.payer[charge], additions.account),
        creator=column(charges.creator, charges.creator[charge], np.full(added, NOBODY)),
        amount_credits=column(priced.total_credits, back.total_credits, additions.amount_credits),
        share_credits=column(priced.creator_share_credits, back.creator_share_credits, np.zeros(added, np.int64)),
        charge=refunded[in_order],
    )
    return events, charge_at, refund_at, addition_at


def require_summable(
    history: RecordedHistory, recorded_credits: Credits, plan_credits: Credits, *, times: Credits | None = None
) -> None:
    """Refuse amounts that could overflow 64 bits when they are added up. `times`: how often each charge counts.

    Raises:
        InvalidRequest: all amounts together are above 2^62 credits.
    """
    # In floating point, which may be slightly off but cannot wrap around.
    often = np.ones(len(plan_credits), np.int64) if times is None else times
    amounts: list[npt.NDArray[Any]] = [
        *(recorded_credits * often.astype(np.float64), plan_credits * often.astype(np.float64)),
        *(np.abs(history.additions.amount_credits), np.array(history.starting_credits, np.int64)),
    ]
    if times is None:
        amounts.append(plan_credits[history.refunds.charge])
    if sum(part.sum(dtype=np.float64) for part in amounts) * 2 > _LARGEST_SUM_CREDITS:
        raise InvalidRequest("days", "have amounts that are too large to be added up; choose fewer days")
