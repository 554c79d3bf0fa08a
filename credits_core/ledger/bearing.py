"""Who bears what of a refund, in credits and in one sentence, before it is made and after. Pure.

The parts are read off the movements that `movements.for_refund` decides, or that were posted, so the sentence and the
ledger cannot differ.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from credits_core.ledger.movements import Movement
from credits_core.ledger.receipts import PostedTransaction
from credits_core.ledger.refund_terms import RefundTerms
from credits_core.store.kinds import (
    PLATFORM_INFERENCE,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    Part,
    RefundRule,
    TransactionType,
    part_account,
)
from credits_core.values.text import both

Moved = Movement | PostedTransaction


@dataclass(frozen=True, slots=True)
class Bearing:
    """Who bears a refund, in credits. `user_credits` is what the user gets back; negative when added credits go back.

    The parts are never negative and add up to what a user gets back. Of the creator's share, `creator_credits` are
    given back at once and `owed_credits` are owed, because they are spent; under earlier rules `spent_share_credits`
    are not given back instead. `revenue_credits` is the platform's own income from the charge, `inference_credits` the
    inference cost that stays a cost. These two and a spent share the platform bears. `returned_cost_credits` is
    inference cost that the provider gave back, or that was booked back under the earliest rule.
    """

    user_id: str
    user_credits: int
    creator_id: str | None
    creator_credits: int
    owed_credits: int
    spent_share_credits: int
    revenue_credits: int
    inference_credits: int
    returned_cost_credits: int
    terms: RefundTerms

    @property
    def share_credits(self) -> int:
        """The creator's share of what is refunded."""
        return self.creator_credits + self.owed_credits + self.spent_share_credits

    @property
    def platform_credits(self) -> int:
        """What the platform bears in all."""
        return self.spent_share_credits + self.revenue_credits + self.inference_credits

    @property
    def cost_credits(self) -> int:
        """The inference cost of the refunded run; 0 when the refund is of something else."""
        return self.inference_credits + self.returned_cost_credits


def bearing(paid: Iterable[Moved], back: Sequence[Moved], terms: RefundTerms) -> Bearing:
    """Who bears the refund `back` of the entry whose movements are `paid`."""
    creators = (moved.account_id for moved in paid if moved.type is TransactionType.CREATOR_PAYMENT)
    creator_id = next(creators, None)
    given_credits = {(moved.account_id, moved.type): -moved.amount_credits for moved in back[1:]}
    refund = TransactionType.REFUND
    owed_credits = 0
    if creator_id is not None:
        owed_credits = given_credits.get((part_account(creator_id, Part.DEBT), TransactionType.TRANSFER), 0)
    returned_credits = given_credits.get((creator_id or "", TransactionType.CREATOR_PAYMENT), 0)
    return Bearing(
        user_id=back[0].account_id,
        user_credits=back[0].amount_credits,
        creator_id=creator_id,
        creator_credits=returned_credits - owed_credits,
        owed_credits=owed_credits,
        spent_share_credits=given_credits.get((PLATFORM_REVENUE, refund), 0),
        revenue_credits=given_credits.get((PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE), 0),
        inference_credits=given_credits.get((PLATFORM_REFUNDED_INFERENCE, refund), 0),
        returned_cost_credits=given_credits.get((PLATFORM_INFERENCE, TransactionType.INFERENCE_COST), 0),
        terms=terms,
    )


def sentence(
    found: Bearing, *, done: bool, name: Callable[[str], str] = str, amount: Callable[[int], str] = both
) -> str:
    """Who bears what, in one sentence: before the refund, or after it when it is `done`.

    `name` and `amount` write a user's id and the first amount, where a reader needs them escaped.

    >>> asked = Bearing("ada", 5_340, "noor", 1_200, 0, 0, 300, 3_840, 0, RefundTerms())
    >>> sentence(asked, done=False)
    'ada gets back 5,340 credits ($0.00534): noor gives back 1,200, PromptFlow bears 4,140.'
    >>> sentence(asked, done=True)
    'ada got back 5,340 credits ($0.00534): noor gave back 1,200, PromptFlow bore 4,140.'
    >>> from dataclasses import replace
    >>> sentence(replace(asked, creator_credits=500, owed_credits=700), done=False)
    'ada gets back 5,340 credits ($0.00534): noor gives back 500 of 1,200 and will owe 700, PromptFlow bears 4,140.'
    """
    if found.user_credits < 0:
        return f"{name(found.user_id)} {'gave' if done else 'gives'} back {amount(-found.user_credits)}."
    parts = ", ".join(_parts(found, done=done, name=name))
    return f"{name(found.user_id)} {'got' if done else 'gets'} back {amount(found.user_credits)}: {parts}."


def _parts(found: Bearing, *, done: bool, name: Callable[[str], str]) -> Iterator[str]:
    gives = "gave" if done else "gives"
    if found.creator_id is not None:
        spent = ""
        if found.owed_credits:
            spent = f" of {found.share_credits:,} and {'came to owe' if done else 'will owe'} {found.owed_credits:,}"
        elif found.spent_share_credits:
            spent = f" of {found.share_credits:,} (the rest {'was' if done else 'is'} spent)"
        yield f"{name(found.creator_id)} {gives} back {found.creator_credits:,}{spent}"
    if found.platform_credits:
        yield f"PromptFlow {'bore' if done else 'bears'} {found.platform_credits:,}"
    if found.returned_cost_credits and found.terms.provider_refunded:
        yield f"the provider {gives} back {found.returned_cost_credits:,}"
    elif found.returned_cost_credits:
        yield f"{found.returned_cost_credits:,} of inference cost {'were' if done else 'are'} booked back"


def rule_sentence(found: Bearing) -> str:
    """The rule that the refund was made under, as it applies to this refund."""
    return " ".join([*_share_rule(found), _cost_rule(found)])


def _share_rule(found: Bearing) -> Iterator[str]:
    if found.owed_credits:
        yield "What a creator has spent of the share is owed, and the next earnings pay it first."
    elif found.spent_share_credits:
        yield "Earlier rule: PromptFlow bore what the creator had spent of the share."


def _cost_rule(found: Bearing) -> str:
    if found.cost_credits == 0:
        return "No inference cost is involved."
    if found.terms.rule is RefundRule.COST_BOOKED_BACK:
        return "Earlier rule: the inference cost was booked back as if the provider had given it back."
    if found.terms.provider_refunded:
        return "The provider gave the inference cost back."
    return "The provider is paid whether or not a run is refunded, so PromptFlow bears the inference cost."
