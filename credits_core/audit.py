"""Proves the ledger: one small function per invariant, listed at the bottom like a table of contents.

Each function looks at the whole database and returns what contradicts its invariant, as sentences. They read what was
stored and trust nothing that the writing code computed. The audit reads one snapshot and can run at any moment.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Integer, case, cast, func, select, text

from credits_core import database, queries
from credits_core.errors import CreditsError
from credits_core.postings import (
    PLATFORM_INFERENCE,
    PLATFORM_PREFIX,
    PLATFORM_REVENUE,
    EntryType,
    TransactionType,
)
from credits_core.price_plan import PricePlan
from credits_core.tables import (
    MICROSECONDS_PER_DAY,
    CreditTransaction,
    DailyTotal,
    JournalEntry,
    PromptRun,
    RollupWatermark,
    UnlockedFlow,
    UserCredits,
)

Plans = dict[str, PricePlan]
_SHOWN = 5
_is_user = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one invariant: how many things were checked, and what contradicts it."""

    invariant: str
    checked: int
    violations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts the invariant."""
        return not self.violations

    def __str__(self) -> str:
        """One line: the verdict, the invariant, how many were checked, and the first violations."""
        if self.ok:
            return f"ok    {self.invariant}: {self.checked:,} checked"
        shown = "; ".join(self.violations[:_SHOWN])
        return f"WRONG {self.invariant}: {len(self.violations):,} of {self.checked:,}: {shown}"


def run(engine: Engine, plans: Plans) -> list[Finding]:
    """Every invariant in order, over one snapshot of the database."""
    with database.read(engine) as connection:
        return [invariant(connection, plans) for invariant in INVARIANTS]


def entries_sum_to_zero(connection: Connection, _: Plans) -> Finding:
    """Every entry has at least two transactions, and they sum to zero."""
    bad = connection.execute(
        select(JournalEntry.id, func.count(CreditTransaction.position), func.sum(CreditTransaction.amount_credits))
        .outerjoin(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .group_by(JournalEntry.id)
        .having((func.count(CreditTransaction.position) < 2) | (func.sum(CreditTransaction.amount_credits) != 0))
    )
    violations = [f"entry {id_} has {count} transactions with the sum {sum_}" for id_, count, sum_ in bad]
    orphans = connection.execute(
        select(func.count())
        .select_from(CreditTransaction)
        .outerjoin(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(JournalEntry.id.is_(None))
    ).scalar_one()
    if orphans:
        violations.append(f"{orphans} transactions belong to no entry")
    return _finding("the transactions of every entry sum to zero", _count(connection, JournalEntry), violations)


def balances_are_sums(connection: Connection, _: Plans) -> Finding:
    """Every user's balance is the sum of the user's transactions, and not negative."""
    sums = (
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits).label("sum_credits"))
        .where(_is_user)
        .group_by(CreditTransaction.account_id)
        .subquery()
    )
    summed = func.coalesce(sums.c.sum_credits, 0)
    bad = connection.execute(
        select(UserCredits.user_id, UserCredits.balance_credits, summed)
        .outerjoin(sums, sums.c.account_id == UserCredits.user_id)
        .where((UserCredits.balance_credits != summed) | (UserCredits.balance_credits < 0))
    )
    violations = [f"{user} has {balance} but the transactions sum to {sum_}" for user, balance, sum_ in bad]
    without_row = connection.execute(
        select(sums.c.account_id)
        .outerjoin(UserCredits, UserCredits.user_id == sums.c.account_id)
        .where(UserCredits.user_id.is_(None))
    ).scalars()
    violations += [f"{user} has transactions but no account" for user in without_row]
    return _finding("every balance is the sum of its transactions", _count(connection, UserCredits), violations)


def balances_follow_each_other(connection: Connection, _: Plans) -> Finding:
    """In the ledger's order, each balance after a transaction is the one before plus the amount, and never negative."""
    order = (CreditTransaction.entry_id, CreditTransaction.position)
    running = select(
        CreditTransaction.entry_id,
        CreditTransaction.account_id,
        CreditTransaction.balance_after_credits,
        CreditTransaction.amount_credits,
        func.coalesce(
            func.lag(CreditTransaction.balance_after_credits).over(
                partition_by=CreditTransaction.account_id, order_by=order
            ),
            0,
        ).label("before"),
    ).where(_is_user)
    chain = running.subquery()
    bad = connection.execute(
        select(chain.c.account_id, chain.c.entry_id).where(
            (chain.c.before + chain.c.amount_credits != chain.c.balance_after_credits)
            | (chain.c.balance_after_credits < 0)
        )
    )
    violations = [f"{user}'s balance does not follow at entry {entry_id}" for user, entry_id in bad]
    checked = connection.execute(select(func.count()).select_from(CreditTransaction).where(_is_user)).scalar_one()
    return _finding("every balance follows from the one before", checked, violations)


def runs_cost_what_they_should(connection: Connection, plans: Plans) -> Finding:
    """Every run, priced again from its recorded price, tokens, fee and plan, has the recorded cost breakdown."""
    violations = []
    for run in _stream(connection, queries.run_columns()):
        plan = plans.get(run.plan_id)
        if plan is None:
            violations.append(f"run {run.entry_id} names the unknown plan {run.plan_id}")
            continue
        try:
            quote = queries.recompute_quote(run, plan)
        except (CreditsError, ArithmeticError) as error:
            violations.append(f"run {run.entry_id} cannot be priced again: {error}")
            continue
        recorded = (
            run.inference_cost_credits,
            run.creator_fee_credits,
            run.platform_markup_credits,
            run.total_credits,
            run.creator_share_credits,
        )
        again = (
            quote.inference_cost_credits,
            quote.creator_fee_credits,
            quote.platform_markup_credits,
            quote.total_credits,
            quote.creator_share_credits,
        )
        if recorded != again:
            violations.append(f"run {run.entry_id} is recorded as {recorded} and priced again as {again}")
    return _finding("every run costs what its inputs say", _count(connection, PromptRun), violations)


def runs_match_their_transactions(connection: Connection, _: Plans) -> Finding:
    """Every prompt-run entry has one run, and its transactions are that run's total and parts."""
    moved = _amounts_by_entry(EntryType.PROMPT_RUN)
    bad = connection.execute(
        select(moved.c.id)
        .outerjoin(PromptRun, PromptRun.entry_id == moved.c.id)
        .where(
            PromptRun.entry_id.is_(None)
            | (moved.c.payer_credits != -PromptRun.total_credits)
            | (moved.c.payer_id != PromptRun.user_id)
            | (moved.c.inference_credits != PromptRun.inference_cost_credits)
            | (moved.c.creator_credits != PromptRun.creator_share_credits)
            | (func.coalesce(moved.c.creator_id, PromptRun.creator_id, "") != func.coalesce(PromptRun.creator_id, ""))
            | (
                moved.c.revenue_credits
                != PromptRun.platform_markup_credits + PromptRun.creator_fee_credits - PromptRun.creator_share_credits
            )
        )
    ).scalars()
    violations = [f"entry {entry_id} does not match its run" for entry_id in bad]
    runs, entries = _count(connection, PromptRun), _count_entries(connection, EntryType.PROMPT_RUN)
    if runs != entries:
        violations.append(f"there are {runs} runs and {entries} entries for runs")
    return _finding("every run matches its transactions", entries, violations)


def unlocks_match_their_transactions(connection: Connection, _: Plans) -> Finding:
    """Every unlock entry has one unlock whose fee and share were moved; it is out of force exactly when refunded."""
    moved = _amounts_by_entry(EntryType.FLOW_UNLOCK)
    refunds = (
        select(JournalEntry.id, JournalEntry.refunds_entry_id)
        .where(JournalEntry.type == EntryType.REFUND.value)
        .subquery()
    )
    bad = connection.execute(
        select(moved.c.id)
        .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == moved.c.id)
        .outerjoin(refunds, refunds.c.refunds_entry_id == moved.c.id)
        .where(
            UnlockedFlow.entry_id.is_(None)
            | (moved.c.payer_credits != -UnlockedFlow.unlock_fee_credits)
            | (moved.c.payer_id != UnlockedFlow.user_id)
            | (moved.c.creator_credits != UnlockedFlow.creator_share_credits)
            | (func.coalesce(moved.c.creator_id, UnlockedFlow.creator_id) != UnlockedFlow.creator_id)
            | (moved.c.revenue_credits != UnlockedFlow.unlock_fee_credits - UnlockedFlow.creator_share_credits)
            | (func.coalesce(refunds.c.id, 0) != func.coalesce(UnlockedFlow.refunded_by_entry_id, 0))
        )
    ).scalars()
    violations = [f"entry {entry_id} does not match its unlock" for entry_id in bad]
    unlocks, entries = _count(connection, UnlockedFlow), _count_entries(connection, EntryType.FLOW_UNLOCK)
    if unlocks != entries:
        violations.append(f"there are {unlocks} unlocks and {entries} entries for unlocks")
    return _finding("every unlock matches its transactions", entries, violations)


def refunds_reverse_once(connection: Connection, _: Plans) -> Finding:
    """Every refund undoes its original account by account, except what the platform bore for a creator.

    The original is no refund, and no original is refunded twice.
    """
    original = select(JournalEntry.id, JournalEntry.type).subquery()
    refunds = connection.execute(
        select(JournalEntry.id, JournalEntry.refunds_entry_id, original.c.type)
        .outerjoin(original, original.c.id == JournalEntry.refunds_entry_id)
        .where(JournalEntry.type == EntryType.REFUND.value)
        .order_by(JournalEntry.id)
    ).all()
    violations, seen = [], set()
    for refund_id, original_id, original_type in refunds:
        if original_type in (None, EntryType.REFUND.value) or original_id >= refund_id or original_id in seen:
            violations.append(f"entry {refund_id} refunds entry {original_id}, which cannot be or was refunded")
        seen.add(original_id)
        paid, returned = _by_account(connection, original_id), _by_account(connection, refund_id)
        borne = _borne_by_platform(connection, refund_id)
        creators = _creators(connection, original_id)
        returned[PLATFORM_REVENUE] = returned.get(PLATFORM_REVENUE, 0) + borne
        kept = 0
        for account_id in paid.keys() | returned.keys():
            rest = paid.get(account_id, 0) + returned.get(account_id, 0)
            if rest < 0 or (rest and account_id not in creators):
                violations.append(f"refund {refund_id} leaves {rest} with {account_id}")
            kept += rest
        if kept != borne:
            violations.append(f"refund {refund_id}: creators kept {kept} but the platform bore {borne}")
    return _finding("every refund reverses its entry, once", len(refunds), violations)


def daily_totals_are_sums(connection: Connection, _: Plans) -> Finding:
    """The daily totals are the sums of the transactions up to their watermark."""
    watermark = connection.execute(select(RollupWatermark.entry_id)).scalar_one()
    day = cast(CreditTransaction.created_at_us // MICROSECONDS_PER_DAY, Integer)
    live = connection.execute(
        select(
            day,
            CreditTransaction.account_id,
            JournalEntry.type,
            CreditTransaction.type,
            func.sum(CreditTransaction.amount_credits),
            func.count(),
        )
        .join(JournalEntry, JournalEntry.id == CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id <= watermark)
        .group_by(day, CreditTransaction.account_id, JournalEntry.type, CreditTransaction.type)
    )
    summed = {tuple(row[:4]): (int(row[4]), int(row[5])) for row in live}
    kept = {tuple(row[:4]): (int(row[4]), int(row[5])) for row in connection.execute(select(DailyTotal.__table__))}
    violations = [
        f"daily total {key} is {kept.get(key)} but the transactions give {summed.get(key)}"
        for key in sorted(summed.keys() | kept.keys())
        if summed.get(key) != kept.get(key)
    ]
    return _finding("the daily totals are sums of the transactions", len(kept), violations)


def ledger_is_append_only(connection: Connection, _: Plans) -> Finding:
    """The triggers that refuse to change or delete history are in place."""
    if connection.dialect.name == "postgresql":
        wanted = {"no_change", "no_truncate"}
        present = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    else:
        wanted = {"no_update", "no_delete", "no_replace"}
        present = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    found = set(connection.execute(text(present)).scalars())
    tables = ("journal_entries", "credit_transactions", "prompt_runs")
    names = [f"{table}_{suffix}" for table in tables for suffix in sorted(wanted)]
    return _finding(
        "history cannot be changed",
        len(names),
        [f"the trigger {name} is missing" for name in names if name not in found],
    )


def _finding(invariant: str, checked: int, violations: list[str]) -> Finding:
    return Finding(invariant, checked, tuple(violations))


def _count(connection: Connection, table: type[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _count_entries(connection: Connection, type_: EntryType) -> int:
    statement = select(func.count()).select_from(JournalEntry).where(JournalEntry.type == type_.value)
    return int(connection.execute(statement).scalar_one())


def _stream(connection: Connection, statement: Any) -> Iterator[Any]:
    yield from connection.execution_options(yield_per=10_000).execute(statement)


def _amounts_by_entry(type_: EntryType) -> Any:
    def amount(condition: Any) -> Any:
        return func.coalesce(func.sum(case((condition, CreditTransaction.amount_credits), else_=0)), 0)

    is_creator = CreditTransaction.type == TransactionType.CREATOR_PAYMENT.value
    return (
        select(
            JournalEntry.id,
            amount(CreditTransaction.type == type_.value).label("payer_credits"),
            func.max(case((CreditTransaction.type == type_.value, CreditTransaction.account_id))).label("payer_id"),
            amount(is_creator).label("creator_credits"),
            func.max(case((is_creator, CreditTransaction.account_id))).label("creator_id"),
            amount(CreditTransaction.account_id == PLATFORM_REVENUE).label("revenue_credits"),
            amount(CreditTransaction.account_id == PLATFORM_INFERENCE).label("inference_credits"),
        )
        .outerjoin(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .where(JournalEntry.type == type_.value)
        .group_by(JournalEntry.id)
        .subquery()
    )


def _by_account(connection: Connection, entry_id: int) -> dict[str, int]:
    rows = connection.execute(
        select(CreditTransaction.account_id, func.sum(CreditTransaction.amount_credits))
        .where(CreditTransaction.entry_id == entry_id)
        .group_by(CreditTransaction.account_id)
    )
    return {account_id: int(sum_credits) for account_id, sum_credits in rows}


def _borne_by_platform(connection: Connection, refund_id: int) -> int:
    statement = select(func.coalesce(func.sum(CreditTransaction.amount_credits), 0)).where(
        CreditTransaction.entry_id == refund_id,
        CreditTransaction.account_id == PLATFORM_REVENUE,
        CreditTransaction.type == TransactionType.REFUND.value,
    )
    return -int(connection.execute(statement).scalar_one())


def _creators(connection: Connection, entry_id: int) -> set[str]:
    statement = select(CreditTransaction.account_id).where(
        CreditTransaction.entry_id == entry_id, CreditTransaction.type == TransactionType.CREATOR_PAYMENT.value
    )
    return set(connection.execute(statement).scalars())


INVARIANTS: tuple[Callable[[Connection, Plans], Finding], ...] = (
    entries_sum_to_zero,
    balances_are_sums,
    balances_follow_each_other,
    runs_cost_what_they_should,
    runs_match_their_transactions,
    unlocks_match_their_transactions,
    refunds_reverse_once,
    daily_totals_are_sums,
    ledger_is_append_only,
)
