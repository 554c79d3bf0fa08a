"""The monthly statement of one creator: from what the creator had to what the creator has.

It counts all of the creator's credits, whichever part they are in: what can be spent, what is held, and what is on the
way to the bank. What is owed stands apart, with what became owed and what was paid of it. Amounts are whole credits;
days are those of a time zone.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, case, func, select

from credits_core.errors import InvalidRequest
from credits_core.ledger import accounts
from credits_core.payments import destinations
from credits_core.reports import sums
from credits_core.store.day_columns import within
from credits_core.store.kinds import EntryType, Part, PayoutNews, TransactionType, part_account
from credits_core.store.tables import CreditTransaction, Payout, PayoutReport
from credits_core.values.days import DayRange, from_microseconds
from credits_core.values.time_zones import TimeZone

_SHARES = {
    EntryType.PROMPT_RUN.value: "runs",
    EntryType.FLOW_UNLOCK.value: "unlocks",
}
_SPENT = {TransactionType.PROMPT_RUN.value, TransactionType.FLOW_UNLOCK.value, TransactionType.REFUND.value}


@dataclass(frozen=True, slots=True)
class PaidPayout:
    """One thing that became known of a payout in the month: it arrived, or it failed and came back. In credits."""

    payout_id: int
    cycle_id: int
    amount_credits: int
    to: str
    news: PayoutNews
    told_at: datetime
    reference: str


@dataclass(frozen=True, slots=True)
class CreatorMonth:
    """What changed a creator's credits in a month. What leaves is below 0, so that all lines add up to the last one.

    `runs_credits` and `unlocks_credits` are shares of fees, `refunds_credits` what refunds took back of shares,
    `paid_out_credits` what left for the bank less what came back, `spent_credits` what the creator paid for own runs
    and unlocks less refunds, `other_credits` all else: bought, granted, adjusted or expired. `became_owed_credits` are
    what the creator need not give back at once, because it is owed now, and `debt_paid_credits` what was paid of what
    is owed; `owed_before_credits` and `owed_after_credits` are what is owed, from 0. `parts` are what the last line
    consists of, by part; None is what can be spent. `is_over` is false while more can still happen in these days.
    """

    creator_id: str
    days: DayRange
    opening_credits: int
    runs_credits: int
    unlocks_credits: int
    refunds_credits: int
    became_owed_credits: int
    debt_paid_credits: int
    paid_out_credits: int
    spent_credits: int
    other_credits: int
    closing_credits: int
    owed_before_credits: int
    owed_after_credits: int
    parts: dict[Part | None, int]
    payouts: tuple[PaidPayout, ...]
    is_over: bool


def month(text: str, zone: TimeZone) -> DayRange:
    """The days of a month such as `2026-03`.

    Raises:
        InvalidRequest: it is no month of this form.

    >>> from credits_core.values.time_zones import UTC_ZONE
    >>> found = month("2026-02", UTC_ZONE)
    >>> str(found.first), str(found.last)
    ('2026-02-01', '2026-02-28')
    """
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise InvalidRequest("month", "must be a month such as 2026-03")
    year, number = int(text[:4]), int(text[5:])
    return DayRange(date(year, number, 1), date(year, number, monthrange(year, number)[1]), zone)


def statement(connection: Connection, creator_id: str, days: DayRange, *, today: date) -> CreatorMonth:
    """The statement of these days, which have a beginning and an end; of days that are not over, up to today.

    Raises:
        UnknownUser: there is no such creator.
    """
    first, last = days.first, days.last
    assert first is not None, "a statement begins on a day"
    assert last is not None, "a statement ends on a day"
    accounts.user(connection, creator_id)
    is_over = last < today
    if not is_over:
        days = replace(days, last=max(today, first))
    before = DayRange(None, first - timedelta(days=1), days.zone)
    owed, debt = part_account(creator_id, Part.DEBT), _debt_moved(connection, creator_id, days)
    opening = _by_account(connection, creator_id, before)
    owed_before_credits = -opening.pop(owed, 0)
    closing = _by_account(connection, creator_id, replace(days, first=None))
    owed_after_credits = -closing.pop(owed, 0)
    moved = dict.fromkeys(("runs", "unlocks", "refunds", "paid_out", "spent", "other"), 0)
    totals = sums.totals_of(connection, days)
    for entry_type, type_, credits in connection.execute(
        select(totals.c.entry_type, totals.c.type, func.sum(totals.c.amount_credits))
        .where(totals.c.account_id.in_(_accounts(creator_id)), totals.c.type != TransactionType.TRANSFER.value)
        .group_by(totals.c.entry_type, totals.c.type)
    ):
        if type_ == TransactionType.CREATOR_PAYMENT.value:
            moved[_SHARES.get(entry_type, "refunds")] += int(credits)
        elif type_ == TransactionType.PAYOUT.value:
            moved["paid_out"] += int(credits)
        else:
            moved["spent" if type_ in _SPENT else "other"] += int(credits)
    return CreatorMonth(
        creator_id=creator_id,
        days=days,
        opening_credits=sum(opening.values()),
        became_owed_credits=debt[0],
        debt_paid_credits=-debt[1],
        owed_before_credits=owed_before_credits,
        owed_after_credits=owed_after_credits,
        **{f"{name}_credits": credits for name, credits in moved.items()},
        closing_credits=sum(closing.values()),
        parts={part: closing[account] for account, part in _accounts(creator_id).items() if closing.get(account)},
        payouts=_payouts(connection, creator_id, days),
        is_over=is_over,
    )


def _accounts(creator_id: str) -> dict[str, Part | None]:
    return {creator_id: None, **{part_account(creator_id, part): part for part in Part}}


def _debt_moved(connection: Connection, creator_id: str, days: DayRange) -> tuple[int, int]:
    """What became owed on these days, and what was paid of what is owed."""
    moved = CreditTransaction.amount_credits
    became, paid = connection.execute(
        select(
            func.coalesce(-func.sum(case((moved < 0, moved), else_=0)), 0),
            func.coalesce(func.sum(case((moved > 0, moved), else_=0)), 0),
        ).where(
            CreditTransaction.account_id == part_account(creator_id, Part.DEBT),
            *within(CreditTransaction.created_at_us, days),
        )
    ).one()
    return int(became), int(paid)


def _by_account(connection: Connection, creator_id: str, days: DayRange) -> dict[str, int]:
    totals = sums.totals_of(connection, days)
    found = (
        select(totals.c.account_id, func.sum(totals.c.amount_credits))
        .where(totals.c.account_id.in_(_accounts(creator_id)))
        .group_by(totals.c.account_id)
    )
    return {account_id: int(credits) for account_id, credits in connection.execute(found)}


def _payouts(connection: Connection, creator_id: str, days: DayRange) -> tuple[PaidPayout, ...]:
    found = connection.execute(
        select(
            Payout.id,
            Payout.cycle_id,
            Payout.amount_credits,
            Payout.terms_id,
            PayoutReport.kind,
            PayoutReport.reported_at_us,
            PayoutReport.reference,
        )
        .join(PayoutReport, PayoutReport.payout_id == Payout.id)
        .where(Payout.creator_id == creator_id, *within(PayoutReport.reported_at_us, days))
        .where(PayoutReport.kind.in_([PayoutNews.PAID.value, PayoutNews.FAILED.value]))
        .order_by(PayoutReport.id)
    ).all()
    terms = destinations.by_id(connection, [row.terms_id for row in found])
    return tuple(
        PaidPayout(
            row.id,
            row.cycle_id,
            row.amount_credits,
            terms[row.terms_id].shown,
            PayoutNews(row.kind),
            from_microseconds(row.reported_at_us),
            row.reference,
        )
        for row in found
    )
