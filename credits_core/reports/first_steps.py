"""Whom and what to look at first in a ledger, for links that make sense in any database. Writes nothing."""

from dataclasses import dataclass

from sqlalchemy import Connection, exists, or_, select
from sqlalchemy.orm import aliased

from credits_core.reports import earnings
from credits_core.store.tables import JournalEntry, PartialRefund, PromptRun, UserCredits
from credits_core.values.days import DayRange


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What is best looked at, each None where there is nothing of the kind.

    `creator_id` earned most, `prompt_id` is the prompt with which that creator earned last, for `fee_credits` a run;
    `user_id` holds most of all others, and `run_entry_id` is the newest run of which nothing is refunded.
    """

    creator_id: str | None
    prompt_id: str | None
    fee_credits: int
    user_id: str | None
    run_entry_id: int | None


def first_steps(connection: Connection, days: DayRange) -> FirstSteps:
    """Whom and what to look at first; the creator is the one who earned most in these days."""
    leading = earnings.creator_totals(connection, days, limit=1)
    creator_id = leading[0][0] if leading else None
    of_creator = select(PromptRun.prompt_id, PromptRun.creator_fee_credits).where(PromptRun.creator_id == creator_id)
    last_first = of_creator.order_by(PromptRun.entry_id.desc())
    work = None if creator_id is None else connection.execute(last_first.limit(1)).first()
    holders = select(UserCredits.user_id).where(UserCredits.balance_credits > 0)
    if creator_id is not None:
        holders = holders.where(UserCredits.user_id != creator_id)
    richest_first = holders.order_by(UserCredits.balance_credits.desc(), UserCredits.user_id)
    refund = aliased(JournalEntry)
    is_refunded = or_(
        exists().where(refund.refunds_entry_id == PromptRun.entry_id),
        exists().where(PartialRefund.original_id == PromptRun.entry_id),
    )
    return FirstSteps(
        creator_id=creator_id,
        prompt_id=work.prompt_id if work else None,
        fee_credits=work.creator_fee_credits if work else 0,
        user_id=connection.execute(richest_first.limit(1)).scalar(),
        run_entry_id=connection.execute(
            select(PromptRun.entry_id).where(~is_refunded).order_by(PromptRun.entry_id.desc()).limit(1)
        ).scalar(),
    )
