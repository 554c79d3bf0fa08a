"""What is left for the platform of what users paid, after the models, the creators and the card company.

By user, model, prompt or flow, creator, or month. Charges count in the days in which they were posted. Refunds count on
the day on which they were made, for the user, the model and the work of what they refund. Amounts are whole credits and
come from the entries: users' payments are split between models, creators and the platform without a rest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, or_, select

from credits_core.lab.inspector.shape import CardFee
from credits_core.store.day_columns import day_number, within
from credits_core.store.kinds import (
    PLATFORM_INFERENCE,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    TransactionType,
)
from credits_core.store.tables import CreditTransaction, JournalEntry, PartialRefund, PromptRun, UnlockedFlow
from credits_core.values.credits import BPS_PER_WHOLE, div_ceil
from credits_core.values.days import DayRange, day_of
from credits_core.values.time_zones import Offset

NO_MODEL, NO_CREATOR = "unlocks", "no creator"
"""Stand for the unlocks, which run no model, and for runs without a creator's fee."""


class By(StrEnum):
    """What the charges are put together by."""

    USER = "user"
    MODEL = "model"
    PROMPT = "prompt"
    CREATOR = "creator"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Margin:
    """What one user, model, prompt, creator or month paid and what became of it, in credits, after refunds.

    `platform_credits` is what the platform has of `paid_credits` after `inference_credits` for models and
    `creators_credits`; below 0 where refunds cost more than it earned. `card_fee_credits` is what a card company is
    assumed to take of each charge; it gives nothing back with a refund.
    """

    name: str
    charges: int
    paid_credits: int
    inference_credits: int
    platform_credits: int
    card_fee_credits: int

    @property
    def creators_credits(self) -> int:
        """What creators have of it."""
        return self.paid_credits - self.inference_credits - self.platform_credits

    @property
    def left_credits(self) -> int:
        """What the platform has after the card company; below 0: it loses."""
        return self.platform_credits - self.card_fee_credits

    @property
    def mending_bps(self) -> int | None:
        """How much more of the inference cost users would have to pay so that nothing is lost, in basis points.

        Rounded up; the card fee on that is not in it. 0 where nothing is lost, None where no model cost anything.

        >>> Margin("ada", 1, 1_100, 1_000, 20, 32).mending_bps
        120
        """
        if self.left_credits >= 0:
            return 0
        if self.inference_credits <= 0:
            return None
        return div_ceil(-self.left_credits * BPS_PER_WHOLE, self.inference_credits)


def margins(connection: Connection, days: DayRange, by: By, card_fee: CardFee) -> list[Margin]:
    """One margin for each user, model, prompt or flow, creator or month of these days: what loses most comes first.

    Reads every charge of the days: a second for half a million.
    """
    sums: dict[str, Counter[str]] = {}
    offsets = _offsets(connection, days) if by is By.MONTH else ()
    for statement in (*_charges(days, by, offsets, card_fee), *_refunds(days, by, offsets)):
        for name, *columns in connection.execute(statement):
            found = sums.setdefault(_named(name, by), Counter())
            for column, amount in zip(_COLUMNS, columns, strict=True):
                found[column] += int(amount)
    listed = [
        Margin(name, one["charges"], one["paid"], one["inference"], one["platform"], one["card fee"])
        for name, one in sums.items()
    ]
    return sorted(listed, key=lambda one: one.name if by is By.MONTH else (one.left_credits, one.name))


def in_all(listed: list[Margin]) -> Margin:
    """The sum of these margins."""
    return Margin(
        "all",
        sum(one.charges for one in listed),
        sum(one.paid_credits for one in listed),
        sum(one.inference_credits for one in listed),
        sum(one.platform_credits for one in listed),
        sum(one.card_fee_credits for one in listed),
    )


_COLUMNS = ("charges", "paid", "inference", "platform", "card fee")


def _taken(card_fee: CardFee, paid_credits: Any) -> ColumnElement[int]:
    """What the card company takes of all charges, as `CardFee.taken_of` each; no product passes 64 bits on the way."""
    whole, rest = paid_credits // BPS_PER_WHOLE, paid_credits % BPS_PER_WHOLE
    share_credits = whole * card_fee.share_bps + (rest * card_fee.share_bps + BPS_PER_WHOLE - 1) // BPS_PER_WHOLE
    taken: ColumnElement[int] = func.sum(share_credits + card_fee.fixed_credits)
    return taken


def _named(name: object, by: By) -> str:
    if by is By.MONTH:
        return f"{day_of(int(str(name))):%Y-%m}"
    if name is None:
        return NO_CREATOR
    return str(name)


def _charges(
    days: DayRange, by: By, offsets: Sequence[Offset], card_fee: CardFee
) -> Iterator[Select[*tuple[Any, ...]]]:
    run, unlock = PromptRun, UnlockedFlow
    of_run = (
        func.count(),
        func.sum(run.total_credits),
        func.sum(run.inference_cost_credits),
        func.sum(run.total_credits - run.inference_cost_credits - run.creator_share_credits),
        _taken(card_fee, run.total_credits),
    )
    of_unlock = (
        func.count(),
        func.sum(unlock.unlock_fee_credits),
        literal(0),
        func.sum(unlock.unlock_fee_credits - unlock.creator_share_credits),
        _taken(card_fee, unlock.unlock_fee_credits),
    )
    for table, columns in ((run, of_run), (unlock, of_unlock)):
        key = _key(table, by, table.created_at_us, offsets)
        yield select(key, *columns).where(*within(table.created_at_us, days)).group_by(key)


def _refunds(days: DayRange, by: By, offsets: Sequence[Offset]) -> Iterator[Select[*tuple[Any, ...]]]:
    """What refunds gave back, for what they refund; what the platform bears of them it loses."""
    payer, moved = CreditTransaction, CreditTransaction.__table__.alias("moved")
    is_platform = or_(moved.c.account_id == PLATFORM_REVENUE, moved.c.account_id == PLATFORM_REFUNDED_INFERENCE)
    paid_back = case((moved.c.position == 0, -moved.c.amount_credits), else_=0)
    for table in (PromptRun, UnlockedFlow):
        key = _key(table, by, payer.created_at_us, offsets)
        yield (
            select(
                key,
                literal(0),
                func.sum(paid_back),
                func.sum(case((moved.c.account_id == PLATFORM_INFERENCE, moved.c.amount_credits), else_=0)),
                func.sum(case((is_platform, moved.c.amount_credits), else_=0)),
                literal(0),
            )
            .select_from(payer)
            .join(JournalEntry, JournalEntry.id == payer.entry_id)
            .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
            .join(table, table.entry_id == func.coalesce(JournalEntry.refunds_entry_id, PartialRefund.original_id))
            .join(moved, moved.c.entry_id == payer.entry_id)
            .where(
                payer.type == TransactionType.REFUND.value,
                payer.position == 0,
                *within(payer.created_at_us, days),
            )
            .group_by(key)
        )


def _offsets(connection: Connection, days: DayRange) -> Sequence[Offset]:
    first_and_last = select(func.min(JournalEntry.created_at_us), func.max(JournalEntry.created_at_us))
    first_us, last_us = connection.execute(first_and_last.where(*within(JournalEntry.created_at_us, days))).one()
    return days.zone.offsets(first_us or 0, last_us or 0)


def _key(
    table: type[PromptRun] | type[UnlockedFlow], by: By, moment_us: Any, offsets: Sequence[Offset]
) -> ColumnElement[Any]:
    if by is By.MONTH:
        return day_number(moment_us, offsets)
    if by is By.USER:
        return table.user_id  # type: ignore[return-value]
    if by is By.CREATOR:
        return table.creator_id  # type: ignore[return-value]
    if by is By.MODEL:
        return literal(NO_MODEL) if table is UnlockedFlow else PromptRun.model_id  # type: ignore[return-value]
    return UnlockedFlow.flow_id if table is UnlockedFlow else PromptRun.prompt_id  # type: ignore[return-value]
