"""Invariants of runs and unlocks: each cost what it should, and moved the credits it should."""

from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

import numpy as np
from sqlalchemy import ColumnElement, Connection, Subquery, case, func, select, union_all
from sqlalchemy.orm import aliased

from credits_core.audit import recompute, said
from credits_core.audit.blocks import Row, blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.recompute import AMOUNTS, NotRecomputable, has_several_prices, run_amounts
from credits_core.audit.run_groups import RUNS_AT_ONCE, Run, RunGroup, RunGroups, run_rows
from credits_core.errors import CreditsError
from credits_core.pricing.quote_many import costs_at, quote_costs
from credits_core.store.kinds import PLATFORM_INFERENCE, PLATFORM_REVENUE, EntryType, TransactionType
from credits_core.store.tables import CreditTransaction, JournalEntry, PromptRun, UnlockedFlow


def runs_cost_what_they_should(connection: Connection, plans: Plans, since: Since = BEGINNING) -> Finding:
    """Every run, priced again from its recorded price, tokens, fee and plan, has the recorded cost breakdown."""
    checked, violations, groups = 0, [], RunGroups()
    for block in blocks(connection, run_rows().where(PromptRun.entry_id > since.entry_id), rows_at_once=RUNS_AT_ONCE):
        checked += len(block)
        # Arrays find which runs may be wrong, and the code that charges says what is wrong with each.
        doubtful = [Run._make(row) for group in groups.of(block) for row in _not_as_priced(group, plans)]
        for run in sorted(doubtful, key=attrgetter("entry_id")):
            quote = recompute.run_again(run, plans)
            if isinstance(quote, NotRecomputable):
                violations.append(f"run {run.entry_id} {quote.reason}")
            elif (recorded := run_amounts(run)) != (again := run_amounts(quote)):
                violations.append(said.priced_again(run.entry_id, recorded, again))
    return Finding("every run costs what its inputs say", checked, tuple(violations))


def _not_as_priced(group: RunGroup, plans: Plans) -> Sequence[Row]:
    """The runs of the group that do not have the amounts that arrays give; all of them where arrays give none."""
    plan, recorded = plans.get(group.first.plan_id), {name: group.column(name) for name in AMOUNTS}
    fees = recorded["creator_fee_credits"]
    if plan is None or group.price is None or group.usage is None or fees is None or has_several_prices(group.first):
        return group.rows
    try:
        costs = costs_at(group.price, len(group.rows), group.usage)
        due = quote_costs(plan, costs, creator_fee_credits=fees)
    except (CreditsError, OverflowError):
        return group.rows
    differs = np.zeros(len(group.rows), bool)
    for name, credits in recorded.items():
        if credits is None:
            return group.rows
        differs |= credits != getattr(due, name)
    return [group.rows[position] for position in np.flatnonzero(differs).tolist()]


def runs_match_their_transactions(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every prompt-run entry has a run, no other entry has one, and its transactions are that run's total and parts."""
    moved = _amounts_by_entry(EntryType.PROMPT_RUN, JournalEntry.id > since.entry_id)
    bad = connection.execute(
        select(moved.c.id)
        .outerjoin(PromptRun, PromptRun.entry_id == moved.c.id)
        .where(
            moved.c.payer_credits.is_distinct_from(-PromptRun.total_credits)
            | moved.c.payer_id.is_distinct_from(PromptRun.user_id)
            | moved.c.inference_credits.is_distinct_from(PromptRun.inference_cost_credits)
            | moved.c.creator_credits.is_distinct_from(PromptRun.creator_share_credits)
            | func.coalesce(moved.c.creator_id, PromptRun.creator_id).is_distinct_from(PromptRun.creator_id)
            | moved.c.revenue_credits.is_distinct_from(
                PromptRun.platform_markup_credits + PromptRun.creator_fee_credits - PromptRun.creator_share_credits
            )
        )
        .order_by(moved.c.id)
    ).scalars()
    violations = [f"entry {entry_id} does not match its run" for entry_id in bad]
    violations += [f"entry {id_} has a run but is a {type_}" for id_, type_ in _misplaced(connection, PromptRun, since)]
    return Finding("every run matches its transactions", _count(connection, PromptRun, since), tuple(violations))


def unlocks_are_split_as_planned(connection: Connection, plans: Plans, since: Since = BEGINNING) -> Finding:
    """Every unlock's fee is split between creator and platform as its plan says."""
    columns = (UnlockedFlow.plan_id, UnlockedFlow.unlock_fee_credits, UnlockedFlow.creator_share_credits)
    violations = []
    unlocks = select(UnlockedFlow.entry_id, *columns).where(UnlockedFlow.entry_id > since.entry_id)
    for entry_id, plan_id, fee_credits, share_credits in chain.from_iterable(
        blocks(connection, unlocks.order_by(UnlockedFlow.entry_id))
    ):
        again = recompute.split_again(plan_id, fee_credits, plans)
        if isinstance(again, NotRecomputable):
            violations.append(f"unlock {entry_id} {again.reason}")
        elif again[0] != share_credits:
            given, of, due = map(said.grouped, (share_credits, fee_credits, again[0]))
            violations.append(f"unlock {entry_id} gave the creator {given} of {of} credits, not {due}")
    checked = _count(connection, UnlockedFlow, since)
    return Finding("every unlock is split as its plan says", checked, tuple(violations))


def unlocks_match_their_transactions(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every unlock entry has one unlock, whose fee and share were moved; it is marked refunded exactly when it was."""
    is_new = JournalEntry.id > since.entry_id
    if not since.is_beginning:
        new = aliased(JournalEntry)
        refunded = select(new.refunds_entry_id).where(new.id > since.entry_id, new.refunds_entry_id.is_not(None))
        is_new = JournalEntry.id.in_(union_all(select(new.id).where(new.id > since.entry_id), refunded))
    moved = _amounts_by_entry(EntryType.FLOW_UNLOCK, is_new)
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
            moved.c.payer_credits.is_distinct_from(-UnlockedFlow.unlock_fee_credits)
            | moved.c.payer_id.is_distinct_from(UnlockedFlow.user_id)
            | moved.c.creator_credits.is_distinct_from(UnlockedFlow.creator_share_credits)
            | func.coalesce(moved.c.creator_id, UnlockedFlow.creator_id).is_distinct_from(UnlockedFlow.creator_id)
            | moved.c.revenue_credits.is_distinct_from(
                UnlockedFlow.unlock_fee_credits - UnlockedFlow.creator_share_credits
            )
            | refunds.c.id.is_distinct_from(UnlockedFlow.refunded_by_entry_id)
        )
        .order_by(moved.c.id)
    ).scalars()
    violations = [f"entry {entry_id} does not match its unlock" for entry_id in bad]
    misplaced = _misplaced(connection, UnlockedFlow, since)
    violations += [f"entry {id_} has an unlock but is a {type_}" for id_, type_ in misplaced]
    return Finding("every unlock matches its transactions", _count(connection, UnlockedFlow, since), tuple(violations))


def _amounts_by_entry(type_: EntryType, is_wanted: ColumnElement[bool]) -> Subquery:
    def credits_where(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, CreditTransaction.amount_credits), else_=0)), 0)

    is_creator = CreditTransaction.type == TransactionType.CREATOR_PAYMENT.value
    return (
        select(
            JournalEntry.id,
            credits_where(CreditTransaction.type == type_.value).label("payer_credits"),
            func.max(case((CreditTransaction.type == type_.value, CreditTransaction.account_id))).label("payer_id"),
            credits_where(is_creator).label("creator_credits"),
            func.max(case((is_creator, CreditTransaction.account_id))).label("creator_id"),
            credits_where(CreditTransaction.account_id == PLATFORM_REVENUE).label("revenue_credits"),
            credits_where(CreditTransaction.account_id == PLATFORM_INFERENCE).label("inference_credits"),
        )
        .outerjoin(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .where(JournalEntry.type == type_.value, is_wanted)
        .group_by(JournalEntry.id)
        .subquery()
    )


def _misplaced(
    connection: Connection, table: type[PromptRun] | type[UnlockedFlow], since: Since
) -> list[tuple[int, str]]:
    belongs_to = EntryType.PROMPT_RUN if table is PromptRun else EntryType.FLOW_UNLOCK
    rows = connection.execute(
        select(JournalEntry.id, JournalEntry.type)
        .join(table, table.entry_id == JournalEntry.id)
        .where(JournalEntry.type != belongs_to.value, table.entry_id > since.entry_id)
        .order_by(JournalEntry.id)
    )
    return [(id_, type_) for id_, type_ in rows]


def _count(connection: Connection, table: type[PromptRun] | type[UnlockedFlow], since: Since) -> int:
    rows = select(func.count()).select_from(table).where(table.entry_id > since.entry_id)
    return int(connection.execute(rows).scalar_one())
