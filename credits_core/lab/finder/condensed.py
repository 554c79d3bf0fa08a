"""A history as its distinct charges with counts by user, so that one plan after another is priced in a moment. Pure.

What a run costs depends on its inference cost and creator fee alone, what an unlock costs on its fee alone. So equal
charges are priced once, and what every user pays is a sum over counts: exact, to the credit. Refunds in parts are few
and are priced one by one.
"""

from dataclasses import dataclass, replace

import numpy as np

from credits_core.lab.replay.counterfactual import (
    PricedCharges,
    chosen,
    given_back,
    lowest_balances,
    price_charges,
    require_summable,
)
from credits_core.lab.replay.record import UNLOCK, Charges, RecordedHistory, Refunds
from credits_core.lab.replay.result import Lines
from credits_core.pricing.plan import PricePlan
from credits_core.values.arrays import Credits


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each account has each kind of charge, and how often it was refunded whole; ordered by account.

    `accounts` are in ascending order; the entries of the account at position n begin at `first[n]`.
    """

    accounts: Credits
    first: Credits
    kind: Credits
    charged: Credits
    refunded: Credits

    def sums(self, of_kinds: Credits, counts: Credits, accounts: int) -> Credits:
        """For each of so many accounts the sum of an amount by kind, times the counts."""
        sums = np.zeros(accounts, np.int64)
        if len(self.accounts):
            sums[self.accounts] = np.add.reduceat(of_kinds[self.kind] * counts, self.first)
        return sums


@dataclass(frozen=True, slots=True)
class Paid:
    """What is paid and received under a plan when nothing is refused, in credits, after refunds.

    `by_user` has an element for each account of the history. `is_certain` says that no balance can fall short, so that
    a replay gives the same; else somebody may run out of credits, and only a replay says who.
    """

    users_credits: int
    inference_credits: int
    creators_credits: int
    by_user: Credits
    is_certain: bool

    @property
    def platform_credits(self) -> int:
        """What the platform receives."""
        return self.users_credits - self.inference_credits - self.creators_credits


@dataclass(frozen=True, slots=True)
class Condensed:
    """The distinct charges of a history with counts. `kinds` has one recorded charge of each kind.

    A kind is an inference cost and fee, of a run or an unlock, with the recorded amounts; `charged` counts its charges,
    `kept` those that were not refunded whole. `in_parts` holds the charges
    that were refunded in parts, and those refunds; they count among the kinds too, as not refunded. The constants are
    what no plan changes: refunds of charges from before the days that are compared. `has_strays` says that charges were
    refunded on days that are not compared, which moves balances and no sum.
    """

    history: RecordedHistory
    kinds: Charges
    charged: Credits
    kept: Credits
    by_payer: Counts
    by_creator: Counts
    in_parts: RecordedHistory
    recorded_in_parts: PricedCharges
    lowest_credits: Credits
    constant_by_user: Credits
    constant_creators_credits: int
    inference_credits: int
    has_strays: bool
    users: Credits
    """The numbers of the accounts that paid something or were refunded, in ascending order."""

    @property
    def charges(self) -> int:
        """How many runs and unlocks there are."""
        return int(self.charged.sum())

    @property
    def least_credits(self) -> int:
        """The lowest that any balance comes to; 2^62 where nobody has one."""
        return int(self.lowest_credits.min(initial=2**62))

    def paid(self, plan: PricePlan) -> Paid:
        """What is paid under the plan when nothing is refused.

        Raises:
            InvalidRequest: a total would be above 2^53-1 credits, or all amounts together are too large.
        """
        accounts, priced = len(self.history.accounts), price_charges(self.kinds, plan)
        totals, shares = priced.total_credits, priced.creator_share_credits
        self._require_summable(priced)
        by_payer = self.by_payer
        by_user = by_payer.sums(totals, by_payer.charged - by_payer.refunded, accounts) + self.constant_by_user
        parts = given_back(self.in_parts, price_charges(self.in_parts.charges, plan))
        payer = self.in_parts.charges.payer[self.in_parts.refunds.charge]
        np.subtract.at(by_user, payer, parts.total_credits)
        creators_credits = int((shares * self.kept).sum()) - int(parts.creator_share_credits.sum())
        return Paid(
            users_credits=int(by_user.sum()),
            inference_credits=self.inference_credits,
            creators_credits=creators_credits + self.constant_creators_credits,
            by_user=by_user,
            is_certain=self._is_certain(priced, parts),
        )

    def _is_certain(self, priced: PricedCharges, parts: PricedCharges) -> bool:
        """Whether no account can fall below zero, whatever the order of its losses against the record."""
        if self.has_strays:
            return False
        # At most all of it is lost by one account, which nearly always answers the question.
        more = priced.total_credits - self.kinds.total_credits
        less = self.kinds.creator_share_credits - priced.creator_share_credits
        if int((np.maximum(more, 0) + np.maximum(less, 0)).dot(self.charged)) <= self.least_credits:
            return True
        accounts = len(self.history.accounts)
        lost = np.zeros(accounts, np.int64)
        # What a refund gives back less, its charge took less before; so only charges count, and rounding in parts.
        for counts, change in ((self.by_payer, more), (self.by_creator, less)):
            lost += counts.sums(np.maximum(change, 0), counts.charged, accounts)
        charge, charges = self.in_parts.refunds.charge, self.in_parts.charges
        back = self.recorded_in_parts.total_credits - parts.total_credits
        np.add.at(lost, charges.payer[charge], np.maximum(back, 0))
        has_creator = charges.creator[charge] >= 0
        shares_back = parts.creator_share_credits - self.recorded_in_parts.creator_share_credits
        np.add.at(lost, charges.creator[charge][has_creator], np.maximum(shares_back, 0)[has_creator])
        return bool(np.all(self.lowest_credits >= lost))

    def _require_summable(self, priced: PricedCharges) -> None:
        require_summable(self.history, self.kinds.total_credits, priced.total_credits, times=self.charged)


def condense(history: RecordedHistory) -> Condensed:
    """The history as distinct charges with counts. Charges that are not compared stay as recorded.

    Raises:
        InvalidRequest: all amounts together are above 2^62 credits.
    """
    charges, refunds = history.charges, history.refunds
    kind_of, kinds = _kinds(charges)
    is_counted = refunds.is_compared & charges.is_compared[refunds.charge]
    is_part = refunds.in_parts(charges)
    whole = refunds.charge[is_counted & ~is_part]
    charged = np.flatnonzero(charges.is_compared)
    recorded = PricedCharges(charges.total_credits, charges.creator_share_credits)
    in_parts = _of_refunds(history, is_counted & is_part)
    of_constant = _of_refunds(history, refunds.is_compared & ~is_counted)
    constants = given_back(of_constant, _recorded(of_constant.charges))
    constant_by_user = np.zeros(len(history.accounts), np.int64)
    np.subtract.at(constant_by_user, of_constant.charges.payer[of_constant.refunds.charge], constants.total_credits)
    returned_credits = int(refunds.returned_cost_credits[refunds.is_compared].sum())
    payers = np.concatenate([charges.payer[charged], charges.payer[refunds.charge[refunds.is_compared]]])
    number = len(kinds.entry_id)
    charged_by_kind = np.bincount(kind_of[charged], minlength=number)
    return Condensed(
        history=history,
        kinds=kinds,
        charged=charged_by_kind,
        kept=charged_by_kind - np.bincount(kind_of[whole], minlength=number),
        by_payer=_counts(charges.payer, kind_of, charged, whole, number),
        by_creator=_counts(charges.creator, kind_of, charged, whole, number),
        in_parts=in_parts,
        recorded_in_parts=given_back(in_parts, _recorded(in_parts.charges)),
        lowest_credits=lowest_balances(history, recorded),
        constant_by_user=constant_by_user,
        constant_creators_credits=-int(constants.creator_share_credits.sum()),
        inference_credits=int(charges.inference_cost_credits[charged].sum()) - returned_credits,
        has_strays=bool(np.any(charges.is_compared[refunds.charge] & ~refunds.is_compared)),
        users=np.unique(payers),
    )


def replayed(history: RecordedHistory, lines: Lines) -> Paid:
    """What a replay came to, in the same form: without the charges that were refused."""
    by_user = np.zeros(len(history.accounts), np.int64)
    np.add.at(by_user, lines.payer, lines.amounts["users plan"])
    sums = lines.sums()
    return Paid(
        users_credits=sums.users.plan_credits,
        inference_credits=sums.inference.plan_credits,
        creators_credits=sums.creators.plan_credits,
        by_user=by_user,
        is_certain=True,
    )


def _kinds(charges: Charges) -> tuple[Credits, Charges]:
    """The number of each charge's kind, and one charge of each kind."""
    columns = (
        (charges.model == UNLOCK).astype(np.int64),
        charges.inference_cost_credits,
        charges.creator_fee_credits,
        charges.platform_markup_credits,
        charges.creator_share_credits,
    )
    codes = np.zeros(len(charges.entry_id), np.int64)
    for column in columns:
        values, number = np.unique(column, return_inverse=True)
        # Numbered anew after each column, so that no product passes 64 bits.
        _, codes = np.unique(codes * max(len(values), 1) + number, return_inverse=True)
    _, position = np.unique(codes, return_index=True)
    return codes, Charges(*(getattr(charges, name)[position] for name in Charges.__slots__))


def _counts(account_of: Credits, kind_of: Credits, charged: Credits, whole: Credits, kinds: int) -> Counts:
    charged, whole = charged[account_of[charged] >= 0], whole[account_of[whole] >= 0]
    of = np.concatenate([charged, whole])
    pairs, number = np.unique(account_of[of] * max(kinds, 1) + kind_of[of], return_inverse=True)
    account, kind = np.divmod(pairs, max(kinds, 1))
    return Counts(
        *np.unique(account, return_index=True),
        kind,
        np.bincount(number[: len(charged)], minlength=len(pairs)),
        np.bincount(number[len(charged) :], minlength=len(pairs)),
    )


def _of_refunds(history: RecordedHistory, which: np.typing.NDArray[np.bool_]) -> RecordedHistory:
    """The history of these refunds and their charges alone."""
    refunds = Refunds(*(getattr(history.refunds, name)[which] for name in Refunds.__slots__))
    is_refunded = np.zeros(len(history.charges.entry_id), np.bool_)
    is_refunded[refunds.charge] = True
    position = np.cumsum(is_refunded) - 1
    return replace(
        history,
        charges=chosen(history.charges, is_refunded),
        refunds=replace(refunds, charge=position[refunds.charge]),
    )


def _recorded(charges: Charges) -> PricedCharges:
    return PricedCharges(charges.total_credits, charges.creator_share_credits)
