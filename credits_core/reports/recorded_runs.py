"""Reads recorded runs, unlocks, refunds and additions as arrays for a replay, a million in a few seconds.

It reads the driver's cursor in pieces and turns texts into numbers at once, because making row objects would cost more
than the whole replay. Writes nothing.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Select, case, func, or_, select
from sqlalchemy.orm import aliased

from credits_core.errors import InvalidRequest
from credits_core.lab.replay.balances import NOBODY
from credits_core.lab.replay.record import UNLOCK, Additions, Charges, RecordedHistory, Refunds
from credits_core.reports.sums import borne_by_platform
from credits_core.store.day_columns import within
from credits_core.store.kinds import (
    PLATFORM_ADJUSTMENTS,
    PLATFORM_GRANTS,
    PLATFORM_PAYMENTS_IN,
    EntryType,
    RefundRule,
    TransactionType,
)
from credits_core.store.tables import (
    CreditTransaction,
    JournalEntry,
    PartialRefund,
    PromptRun,
    Refund,
    UnlockedFlow,
    UserCredits,
)
from credits_core.values.arrays import Credits
from credits_core.values.day_arrays import day_numbers, is_within
from credits_core.values.days import DayRange
from credits_core.values.progress import Progress, Work, finish

# Few enough rows to stay in the processor's cache and to be gone before the garbage collector looks at them. PostgreSQL
# answers each piece with a trip, so it gives more at once.
_ROWS, _POSTGRES_ROWS = 256, 5_000
_RUNS = select(
    PromptRun.user_id,
    PromptRun.creator_id,
    PromptRun.model_id,
    PromptRun.plan_id,
    PromptRun.entry_id,
    PromptRun.created_at_us,
    PromptRun.inference_cost_credits,
    PromptRun.creator_fee_credits,
    PromptRun.platform_markup_credits,
    PromptRun.creator_share_credits,
).order_by(PromptRun.entry_id)
_UNLOCKS = select(
    UnlockedFlow.user_id,
    UnlockedFlow.creator_id,
    UnlockedFlow.plan_id,
    UnlockedFlow.entry_id,
    UnlockedFlow.created_at_us,
    UnlockedFlow.unlock_fee_credits,
    UnlockedFlow.creator_share_credits,
).order_by(UnlockedFlow.entry_id)


class _Numbers(dict[str | None, int]):
    """Gives each new text the next number, from 0; None is -1."""

    def __init__(self) -> None:
        super().__init__({None: NOBODY})

    def __missing__(self, text: str | None) -> int:
        number = self[text] = len(self) - 1
        return number

    def texts(self) -> tuple[str, ...]:
        return tuple(text for text in self if text is not None)


@dataclass(slots=True)
class _Read:
    """How many entries were read, of how many. Each entry is a run, an unlock, an addition or a refund."""

    in_all: int
    entries: int = 0


def newest_entry(connection: Connection) -> tuple[int, str, int] | None:
    """The newest entry's id, key and time, or None in an empty ledger. While it is the same, so is every history.

    Not the id alone: a demo that was started over numbers its entries from 1 again.
    """
    newest = select(JournalEntry.id, JournalEntry.idempotency_key, JournalEntry.created_at_us)
    found = connection.execute(newest.order_by(JournalEntry.id.desc()).limit(1)).one_or_none()
    return None if found is None else (found.id, found.idempotency_key, found.created_at_us)


def recorded_history(connection: Connection, days: DayRange) -> RecordedHistory:
    """As `reading_history`, read at once."""
    return finish(reading_history(connection, days))


def reading_history(connection: Connection, days: DayRange) -> Work[RecordedHistory]:
    """Everything that a replay of these days needs, read from the connection's snapshot.

    It has all entries from the first one of these days to the last, in the ledger's order. Entries between them with a
    time on other days, as after charging an old trace, are included but not compared. The work counts entries.

    Raises:
        InvalidRequest: the first day is after the last.
    """
    if days.first and days.last and days.first > days.last:
        raise InvalidRequest("days", f"must not begin after they end: {days.first} is after {days.last}")
    first_entry_id, last_entry_id = connection.execute(
        select(func.coalesce(func.min(JournalEntry.id), 0), func.coalesce(func.max(JournalEntry.id), 0)).where(
            *within(JournalEntry.created_at_us, days)
        )
    ).one()
    window = int(first_entry_id), int(last_entry_id)
    accounts, models, plans = _Numbers(), _Numbers(), _Numbers()
    is_all = days.is_all
    runs_here, unlocks_here = (
        _RUNS.where(_of_window(PromptRun.entry_id, window, is_all=is_all)),
        _UNLOCKS.where(_of_window(UnlockedFlow.entry_id, window, is_all=is_all)),
    )
    read = _Read(max(1, window[1] - window[0] + 1))
    runs = yield from _columns(connection, runs_here, (accounts, accounts, models, plans), read)
    unlocks = yield from _columns(connection, unlocks_here, (accounts, accounts, plans), read)
    charges = _charges(runs, unlocks, days)
    refunds = yield from _refunds(connection, charges, window, days, read)
    additions = yield from _additions(connection, window, accounts, read)
    starting = {} if is_all else _balances_before(connection, window[0])
    return RecordedHistory(
        first_entry_id=window[0],
        last_entry_id=window[1],
        accounts=accounts.texts(),
        models=models.texts(),
        plans=plans.texts(),
        starting_credits=tuple(starting.get(account, 0) for account in accounts.texts()),
        charges=charges,
        refunds=refunds,
        additions=additions,
    )


def _of_window(entry_id: Any, window: tuple[int, int], *, is_all: bool) -> ColumnElement[bool]:
    """The condition for the charges of the window, and for those before it that were refunded in it."""
    first, last = window
    here: ColumnElement[bool] = entry_id.between(first, last)
    if is_all:
        return here
    refunded = select(JournalEntry.refunds_entry_id).where(
        JournalEntry.id.between(first, last), JournalEntry.refunds_entry_id < first
    )
    in_parts = select(PartialRefund.original_id).where(
        PartialRefund.id.between(first, last), PartialRefund.original_id < first
    )
    return or_(here, entry_id.in_(refunded), entry_id.in_(in_parts))


def _charges(runs: list[Credits], unlocks: list[Credits], days: DayRange) -> Charges:
    payer, creator, model, plan, entry_id, created_at_us, cost, fee, markup, share = runs
    payer_, creator_, plan_, entry_id_, created_at_us_, fee_, share_ = unlocks
    nothing = np.zeros(len(fee_), np.int64)
    all_days = day_numbers(np.concatenate([created_at_us, created_at_us_]), days.zone)
    return Charges(
        entry_id=np.concatenate([entry_id, entry_id_]),
        day=all_days,
        payer=np.concatenate([payer, payer_]),
        creator=np.concatenate([creator, creator_]),
        model=np.concatenate([model, np.full(len(fee_), UNLOCK)]),
        plan=np.concatenate([plan, plan_]),
        inference_cost_credits=np.concatenate([cost, nothing]),
        creator_fee_credits=np.concatenate([fee, fee_]),
        platform_markup_credits=np.concatenate([markup, nothing]),
        creator_share_credits=np.concatenate([share, share_]),
        is_compared=is_within(all_days, days),
    )


def _refunds(
    connection: Connection, charges: Charges, window: tuple[int, int], days: DayRange, read: _Read
) -> Work[Refunds]:
    share, cost = aliased(CreditTransaction), aliased(CreditTransaction)
    is_borne_share = (share.entry_id == JournalEntry.id) & borne_by_platform(share.account_id, share.type)
    is_cost = (cost.entry_id == JournalEntry.id) & (cost.type == TransactionType.INFERENCE_COST.value)
    # Not narrowed to the window: with the number of the refunded entry alone its index is used, and not every entry.
    wanted = (
        (JournalEntry.refunds_entry_id > 0, PartialRefund.id == JournalEntry.id, True),
        # Those that leave something to refund name their entry in the table of parts.
        (JournalEntry.type == EntryType.PARTIAL_REFUND.value, PartialRefund.id == JournalEntry.id, False),
    )
    pieces = []
    for is_wanted, is_part, is_outer in wanted:
        statement = (
            select(
                JournalEntry.id,
                JournalEntry.created_at_us,
                func.coalesce(JournalEntry.refunds_entry_id, PartialRefund.original_id),
                func.coalesce(-share.amount_credits, 0),
                func.coalesce(-cost.amount_credits, 0),
                case((Refund.rule == RefundRule.COST_BOOKED_BACK.value, 1), else_=0),
                func.coalesce(PartialRefund.through_credits - PartialRefund.refunded_credits, 0),
                func.coalesce(PartialRefund.through_credits, -1),
            )
            .join(PartialRefund, is_part, isouter=is_outer)
            .outerjoin(share, is_borne_share)
            .outerjoin(cost, is_cost)
            .outerjoin(Refund, Refund.entry_id == JournalEntry.id)
            .where(is_wanted)
            .order_by(JournalEntry.id)
        )
        pieces.append((yield from _columns(connection, statement, (), read)))
    columns = [np.concatenate(both) for both in zip(*pieces, strict=True)]
    in_order = np.argsort(columns[0], kind="stable")
    entry_id, created_at_us, refunded, borne_credits, cost_credits, is_earlier, before, through = (
        column[in_order] for column in columns
    )
    by_entry = np.argsort(charges.entry_id)
    found = np.searchsorted(charges.entry_id, refunded, sorter=by_entry)
    charge = np.append(by_entry, -1)[found]
    # Other refunds are of added credits, and are among the additions.
    is_here = (charge >= 0) & (entry_id >= window[0]) & (entry_id <= window[1])
    is_here &= np.append(charges.entry_id, -1)[charge] == refunded
    day = day_numbers(created_at_us[is_here], days.zone)
    return Refunds(
        entry_id=entry_id[is_here],
        day=day,
        charge=charge[is_here],
        borne_credits=borne_credits[is_here],
        returned_cost_credits=cost_credits[is_here],
        is_earlier_rule=is_earlier[is_here] == 1,
        before_credits=before[is_here],
        through_credits=np.where(through[is_here] < 0, charges.total_credits[charge[is_here]], through[is_here]),
        is_compared=is_within(day, days),
    )


def _additions(connection: Connection, window: tuple[int, int], accounts: _Numbers, read: _Read) -> Work[Additions]:
    user, outside = aliased(CreditTransaction), aliased(CreditTransaction)
    account, entry_id, amount_credits = yield from _columns(
        connection,
        select(user.account_id, user.entry_id, user.amount_credits)
        .join(outside, (outside.entry_id == user.entry_id) & (user.position == 0))
        .where(
            outside.account_id.in_([PLATFORM_PAYMENTS_IN, PLATFORM_GRANTS, PLATFORM_ADJUSTMENTS]),
            outside.entry_id.between(*window),
        )
        .order_by(user.entry_id),
        (accounts,),
        read,
    )
    return Additions(entry_id, account, amount_credits)


def _balances_before(connection: Connection, entry_id: int) -> dict[str, int]:
    latest = (
        select(CreditTransaction.balance_after_credits)
        .where(CreditTransaction.account_id == UserCredits.user_id, CreditTransaction.entry_id < entry_id)
        .order_by(CreditTransaction.entry_id.desc(), CreditTransaction.position.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(select(UserCredits.user_id, func.coalesce(latest, 0)))
    return {user_id: int(balance_credits) for user_id, balance_credits in rows}


def _columns(
    connection: Connection, statement: Select[*tuple[Any, ...]], texts: Sequence[_Numbers], read: _Read
) -> Work[list[Credits]]:
    """The columns of the statement as arrays; its first ones are texts and become numbers."""
    count = len(statement.selected_columns)
    pieces: list[list[Credits]] = [[np.empty(0, np.int64)] for _ in range(count)]
    rows_at_once = _ROWS if connection.dialect.name == "sqlite" else _POSTGRES_ROWS
    # Closed also when the work is left half way.
    with closing(_cursor(connection, statement)) as cursor:
        while rows := cursor.fetchmany(rows_at_once):
            columns: list[Iterable[Any]] = list(zip(*rows, strict=True))
            for position, numbers in enumerate(texts):
                columns[position] = map(numbers.__getitem__, columns[position])
            for piece, column in zip(pieces, columns, strict=True):
                piece.append(np.fromiter(column, np.int64, len(rows)))
            read.entries += len(rows)
            yield Progress(min(read.entries, read.in_all), read.in_all)
    return [np.concatenate(piece) for piece in pieces]


def _cursor(connection: Connection, statement: Select[*tuple[Any, ...]]) -> Any:
    """The driver's cursor, which has only the rows that were fetched last."""
    if connection.dialect.name == "sqlite":
        return connection.execute(statement).cursor
    # PostgreSQL's driver would hold all rows at once, so the cursor is the server's.
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor(name="recorded_runs")
    cursor.execute(str(compiled), compiled.params)
    return cursor
