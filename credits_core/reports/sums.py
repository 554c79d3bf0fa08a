"""Reads sums by day and party, and where users' credits went. Creators' sums are in `reports.earnings`.

Sums come from the daily tables plus the entries after their watermark, so they are exact at any moment; keeping the
tables caught up (`reports.daily_totals.catch_up`) only makes them quick. Amounts are whole credits, days are those of a
time zone. Writes nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

from sqlalchemy import (
    ColumnElement,
    Connection,
    SQLColumnExpression,
    Subquery,
    case,
    func,
    literal_column,
    select,
    union_all,
)

from credits_core.reports import daily_rows
from credits_core.reports.daily_rows import USERS, After, Rows
from credits_core.store.day_columns import within
from credits_core.store.kinds import (
    PLATFORM_INFERENCE,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    REFUNDS,
    EntryType,
    RefundRule,
    TransactionType,
)
from credits_core.store.tables import (
    CreditTransaction,
    DailySum,
    DailyTotal,
    DailyWork,
    Refund,
    RollupWatermark,
)
from credits_core.values.days import DayRange, day_of, number_of_day
from credits_core.values.time_zones import UTC_ZONE, TimeZone


@dataclass(frozen=True, slots=True)
class DayTotals:
    """What happened on one day, in credits, net of refunds posted that day; `runs` counts the runs charged.

    `inference_credits` is what providers are owed: the cost of a refunded run stays in it. What the platform bears of
    that is `refunded_inference_credits`. So what users paid, less what they got back, is inference + creators +
    platform - refunded inference.
    """

    day: date
    inference_credits: int
    creators_credits: int
    platform_credits: int
    refunded_inference_credits: int
    circulation_change_credits: int
    runs: int


def totals_by_day(connection: Connection, days: DayRange) -> list[DayTotals]:
    """One row for every day that has entries, in order.

    `platform_credits` is the platform's revenue: markups and its shares of fees, less what it gave back of them and
    what it paid for creators in refunds.
    """
    totals = sums_of(connection, days)
    is_user = totals.c.party == USERS
    rows = connection.execute(
        select(
            totals.c.day,
            sum_where(totals, totals.c.party == PLATFORM_INFERENCE).label("inference_credits"),
            sum_where(totals, is_user & (totals.c.type == TransactionType.CREATOR_PAYMENT.value)).label(
                "creators_credits"
            ),
            sum_where(totals, totals.c.party == PLATFORM_REVENUE).label("platform_credits"),
            sum_where(totals, totals.c.party == PLATFORM_REFUNDED_INFERENCE).label("refunded_inference_credits"),
            sum_where(totals, is_user).label("circulation_change_credits"),
            func.sum(
                case((totals.c.type == TransactionType.PROMPT_RUN.value, totals.c.transaction_count), else_=0)
            ).label("runs"),
        )
        .group_by(totals.c.day)
        .order_by(totals.c.day)
    )
    return [
        DayTotals(
            day_of(int(row.day)),
            int(row.inference_credits),
            int(row.creators_credits),
            int(row.platform_credits),
            -int(row.refunded_inference_credits),
            int(row.circulation_change_credits),
            int(row.runs),
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Overview:
    """Sums over a range of days, in credits, and the days that have entries.

    `circulation_by_day_credits` is what all users together held at the end of each of these days (by entries' times),
    and `circulation_credits` at the end of the last day. `before` has the same sums of other days, if they were asked
    for.
    """

    days: tuple[DayTotals, ...]
    circulation_by_day_credits: tuple[int, ...]
    circulation_credits: int
    inference_credits: int
    platform_credits: int
    refunded_inference_credits: int
    creators_credits: int
    runs: int
    before: "Overview | None" = None

    @property
    def kept_credits(self) -> int:
        """What the platform has of it: its revenue, less the inference of refunded runs that it bears."""
        return self.platform_credits - self.refunded_inference_credits

    @property
    def spent_credits(self) -> int:
        """What users paid, less what they got back: the sum of what models, creators and platform have of it."""
        return self.inference_credits + self.creators_credits + self.kept_credits


def overview(connection: Connection, days: DayRange, *, before: DayRange | None = None) -> Overview:
    """The sums of these days, and the credits in circulation, which also count all earlier days.

    `before` are earlier days to compare them with.
    """
    up_to_last = totals_by_day(connection, replace(days, first=None))
    seen = _summed(up_to_last, days)
    if before is None:
        return seen
    earlier = [day for day in up_to_last if before.last is None or day.day <= before.last]
    return replace(seen, before=_summed(earlier, before))


def _summed(up_to_last: list[DayTotals], days: DayRange) -> Overview:
    circulation = accumulate(day.circulation_change_credits for day in up_to_last)
    shown = [
        (day, credits)
        for day, credits in zip(up_to_last, circulation, strict=True)
        if days.first is None or day.day >= days.first
    ]
    return Overview(
        days=tuple(day for day, _ in shown),
        circulation_by_day_credits=tuple(credits for _, credits in shown),
        circulation_credits=sum(day.circulation_change_credits for day in up_to_last),
        inference_credits=sum(day.inference_credits for day, _ in shown),
        platform_credits=sum(day.platform_credits for day, _ in shown),
        refunded_inference_credits=sum(day.refunded_inference_credits for day, _ in shown),
        creators_credits=sum(day.creators_credits for day, _ in shown),
        runs=sum(day.runs for day, _ in shown),
    )


@dataclass(frozen=True, slots=True)
class AccountFlow:
    """What one account received and paid in all, in credits; both numbers are positive.

    `transactions` are all of its movements, those between a user's own parts too.
    """

    received_credits: int
    given_credits: int
    transactions: int


def account_flow(connection: Connection, account_id: str) -> AccountFlow:
    """What an account received and what it paid. What went between a user's own parts is neither.

    A user's balance is received less paid, less what is in the user's other parts.
    """
    moved_credits = CreditTransaction.amount_credits
    is_transfer = CreditTransaction.type == TransactionType.TRANSFER.value
    received_credits, given_credits, transactions = connection.execute(
        select(
            func.coalesce(func.sum(case((~is_transfer & (moved_credits > 0), moved_credits), else_=0)), 0),
            func.coalesce(func.sum(case((~is_transfer & (moved_credits < 0), -moved_credits), else_=0)), 0),
            func.count(),
        ).where(CreditTransaction.account_id == account_id)
    ).one()
    return AccountFlow(int(received_credits), int(given_credits), int(transactions))


@dataclass(frozen=True, slots=True)
class Spending:
    """Who received what users paid, in credits, before refunds. The parts add up to what was paid.

    The refunds of runs and unlocks in the same days come after them, by who bore them: creators gave back of their
    shares (`refunds_owed_credits` of it are owed), the platform bore its own income, spent shares under earlier rules
    and inference costs (`refunded_inference_credits` of it), and
    inference costs were returned by providers, or booked back under the earlier rule.
    """

    runs_inference_credits: int
    runs_creators_credits: int
    runs_platform_credits: int
    unlocks_creators_credits: int
    unlocks_platform_credits: int
    refunds_creators_credits: int
    refunds_owed_credits: int
    refunds_platform_credits: int
    refunded_inference_credits: int
    provider_refunds_credits: int
    booked_back_credits: int

    @property
    def refunded_credits(self) -> int:
        """What refunds paid back to users for runs and unlocks."""
        returned_credits = self.provider_refunds_credits + self.booked_back_credits
        return self.refunds_creators_credits + self.refunds_platform_credits + returned_credits

    @property
    def runs_credits(self) -> int:
        """Paid for prompt runs."""
        return self.runs_inference_credits + self.runs_creators_credits + self.runs_platform_credits

    @property
    def unlocks_credits(self) -> int:
        """Paid for flow unlocks."""
        return self.unlocks_creators_credits + self.unlocks_platform_credits

    @property
    def creators_credits(self) -> int:
        """What creators received."""
        return self.runs_creators_credits + self.unlocks_creators_credits

    @property
    def platform_credits(self) -> int:
        """What the platform received: markups and its shares of fees."""
        return self.runs_platform_credits + self.unlocks_platform_credits


def spending(connection: Connection, days: DayRange) -> Spending:
    """How the credits paid by users in these days were split between inference, creators and platform."""
    totals = sums_of(connection, days)
    rows = connection.execute(
        select(totals.c.entry_type, totals.c.type, func.sum(totals.c.amount_credits)).group_by(
            totals.c.entry_type, totals.c.type
        )
    )
    moved_credits = Counter({(entry_type, type_): int(sum_credits) for entry_type, type_, sum_credits in rows})
    run, unlock = EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK
    inference, creator, platform = (
        TransactionType.INFERENCE_COST,
        TransactionType.CREATOR_PAYMENT,
        TransactionType.PLATFORM_REVENUE,
    )
    refunded_credits = {type_: -sum(moved_credits[refund, type_] for refund in REFUNDS) for type_ in TransactionType}
    is_shares = borne_by_platform(totals.c.party, totals.c.type)
    is_inference = totals.c.party == PLATFORM_REFUNDED_INFERENCE
    is_owed = (totals.c.entry_type.in_([*REFUNDS])) & (totals.c.type == TransactionType.TRANSFER.value)
    owed = func.coalesce(func.sum(case((is_owed, totals.c.received_credits), else_=0)), 0)
    *borne, owed_credits = connection.execute(
        select(sum_where(totals, is_shares), sum_where(totals, is_inference), owed)
    ).one()
    booked_back_credits = _booked_back(connection, days)
    return Spending(
        runs_inference_credits=moved_credits[run, inference],
        runs_creators_credits=moved_credits[run, creator],
        runs_platform_credits=moved_credits[run, platform],
        unlocks_creators_credits=moved_credits[unlock, creator],
        unlocks_platform_credits=moved_credits[unlock, platform],
        refunds_creators_credits=refunded_credits[creator],
        refunds_owed_credits=int(owed_credits),
        refunds_platform_credits=refunded_credits[platform] - int(sum(borne)),
        refunded_inference_credits=-int(borne[1]),
        provider_refunds_credits=refunded_credits[inference] - booked_back_credits,
        booked_back_credits=booked_back_credits,
    )


def _booked_back(connection: Connection, days: DayRange) -> int:
    """The inference cost that refunds under the earlier rule booked back in these days. There are no new ones."""
    # Written out, because SQLite uses the partial index only for the very text of its condition.
    earlier: ColumnElement[str] = literal_column(f"'{RefundRule.COST_BOOKED_BACK.value}'")
    statement = (
        select(func.coalesce(-func.sum(CreditTransaction.amount_credits), 0))
        .join(Refund, Refund.entry_id == CreditTransaction.entry_id)
        .where(Refund.rule == earlier, CreditTransaction.type == TransactionType.INFERENCE_COST.value)
        .where(*within(CreditTransaction.created_at_us, days))
    )
    return int(connection.execute(statement).scalar_one())


def entry_days(connection: Connection, zone: TimeZone = UTC_ZONE) -> DayRange:
    """The days of the earliest and the latest entry by the clock; both None in an empty ledger."""
    totals = sums_of(connection, DayRange(zone=zone))
    first, last = connection.execute(select(func.min(totals.c.day), func.max(totals.c.day))).one()
    if first is None:
        return DayRange(zone=zone)
    return DayRange(day_of(int(first)), day_of(int(last)), zone)


def borne_by_platform(account_id: SQLColumnExpression[str], type_: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """The condition for transactions by which the platform paid for a creator who had spent a refunded share."""
    return (account_id == PLATFORM_REVENUE) & (type_ == TransactionType.REFUND.value)


def sum_where(totals: Subquery, condition: ColumnElement[bool]) -> ColumnElement[int]:
    """A column: the sum of credits in the rows of `totals_of` that meet the condition; 0 without any."""
    return func.coalesce(func.sum(case((condition, totals.c.amount_credits), else_=0)), 0)


def sums_of(connection: Connection, days: DayRange) -> Subquery:
    """The sums of these days by party, in the columns of `daily_sums`, and `amount_credits`, received less given."""
    rows = _of_days(connection, days, DailySum, daily_rows.sums)
    return select(*rows.c, (rows.c.received_credits - rows.c.given_credits).label("amount_credits")).subquery()


def totals_of(connection: Connection, days: DayRange, *, type_: TransactionType | None = None) -> Subquery:
    """The totals of these days by account, in the columns of `daily_totals`: of all transactions, or of one type."""
    if type_ is None:
        return _of_days(connection, days, DailyTotal, daily_rows.totals)
    # Written out, because SQLite uses the partial index of payments only for the very text of its condition.
    wanted: ColumnElement[str] = literal_column(f"'{type_.value}'")
    kept, live = DailyTotal.type == wanted, CreditTransaction.type == wanted
    return _of_days(connection, days, DailyTotal, daily_rows.totals, kept=[kept], live=[live])


def works_of(connection: Connection, days: DayRange, kind: EntryType | None = None) -> Subquery:
    """The uses of prompts and flows on these days, or those of one kind alone, in the columns of `daily_works`."""
    kept = [] if kind is None else [DailyWork.entry_type == kind.value]
    works = _of_days(connection, days, DailyWork, daily_rows.works, kept=kept)
    return works if kind is None else select(works).where(works.c.entry_type == kind.value).subquery()


def watermark_for(connection: Connection, zone: TimeZone) -> int:
    """The last entry that the daily tables cover by the days of this time zone; 0 when they have other days."""
    entry_id, stamp = connection.execute(select(RollupWatermark.entry_id, RollupWatermark.time_zone)).one()
    return int(entry_id) if stamp == zone.stamp else 0


def _of_days(
    connection: Connection,
    days: DayRange,
    table: type[DailyTotal] | type[DailySum] | type[DailyWork],
    live_rows: Callable[[Connection, After, TimeZone], Rows],
    *,
    kept: Sequence[ColumnElement[bool]] = (),
    live: Sequence[ColumnElement[bool]] = (),
) -> Subquery:
    """The rows of a daily table for these days, and the same of the entries after its watermark."""
    watermark = watermark_for(connection, days.zone)
    after = live_rows(connection, After(watermark, days=days), days.zone).where(*live)
    if not watermark:
        return after.subquery()
    rows: Rows = select(table.__table__).where(*kept)
    if days.first is not None:
        rows = rows.where(table.day >= number_of_day(days.first))
    if days.last is not None:
        rows = rows.where(table.day <= number_of_day(days.last))
    return union_all(rows, after).subquery()
