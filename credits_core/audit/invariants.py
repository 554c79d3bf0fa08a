"""Proves the ledger: one small function per invariant, listed at the bottom like a table of contents.

Each function looks at the whole database and returns what breaks its invariant, as sentences that name the entry or the
user. The functions trust nothing that the writing code computed. The audit reads one snapshot and can run at any time.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from credits_core.audit import carried
from credits_core.audit.answers import answers_match_their_unlocks
from credits_core.audit.balances import balances_are_sums, balances_follow_each_other
from credits_core.audit.changes import changes_are_on_record
from credits_core.audit.charges import (
    runs_cost_what_they_should,
    runs_match_their_transactions,
    unlocks_are_split_as_planned,
    unlocks_match_their_transactions,
)
from credits_core.audit.daily_tables import daily_totals_are_sums
from credits_core.audit.entries import (
    entries_have_the_form_of_their_kind,
    entries_sum_to_zero,
    times_agree,
)
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.audit.holds import holds_end_once
from credits_core.audit.lots import lots_follow_from_the_journal
from credits_core.audit.partial_refunds import partial_refunds_are_exact
from credits_core.audit.parts import parts_are_sums
from credits_core.audit.payouts import payouts_follow_from_their_cycles
from credits_core.audit.plans import activations_are_sealed
from credits_core.audit.prices import price_lists_are_sealed, runs_have_the_price_of_their_list
from credits_core.audit.purchases import purchases_follow_from_their_events
from credits_core.audit.refunds import refunds_have_a_rule, refunds_reverse_once
from credits_core.audit.requests import entries_say_what_was_asked
from credits_core.audit.schema import constraints_hold, ledger_is_append_only, references_exist
from credits_core.audit.seal_check import checking_seals, seals_hold, seals_of_a_copy_hold
from credits_core.audit.spending import spending_limits_hold
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.progress import Progress, Work, part

Invariant = Callable[[Connection, Plans, Since], Finding]


def check(engine: Engine, plans: Plans) -> list[Finding]:
    """Every invariant in order, over one snapshot of the database."""
    return audit(engine, plans)[0]


def audit(
    engine: Engine, plans: Plans, since: Since = BEGINNING, *, of_copy: bool = False
) -> tuple[list[Finding], Since | None]:
    """Every invariant in order, over one snapshot, for what came after an earlier audit; and what this one leaves.

    It leaves nothing when something is wrong, or when an entry may still appear before others. `of_copy`: the database
    is a copy that is thrown away, and the key that signs seals says nothing about it.
    What the database works out by itself goes on beside what is worked out here.
    """
    settled = daily_totals.last_settled_entry(engine)
    leaves = None
    with database.read_twice(engine) as (connection, other), ThreadPoolExecutor(1) as beside:
        by_database = [invariant for invariant in INVARIANTS if invariant not in _WORKED_OUT_HERE]
        going_on = beside.submit(_findings, other, plans, by_database, since)
        here = [invariant for invariant in _WORKED_OUT_HERE if not (of_copy and invariant is seals_hold)]
        found = _findings(connection, plans, here, since) | going_on.result()
        if of_copy:
            found[seals_hold] = finding(connection, plans, seals_of_a_copy_hold, since)
        if settled is not None and all(one.ok for one in found.values()):
            leaves = carried.after(connection, *settled)
    return [found[invariant] for invariant in INVARIANTS], leaves


def auditing(engine: Engine, plans: Plans) -> Work[tuple[list[Finding], Since | None]]:
    """The same over everything, one invariant after the other, which tells how far it has come and can be left."""
    settled = daily_totals.last_settled_entry(engine)
    found = []
    with database.read(engine) as connection:
        for number, invariant in enumerate(INVARIANTS):
            found.append((yield from part(_checking(invariant, connection, plans), number, len(INVARIANTS))))
        is_clean = settled is not None and all(one.ok for one in found)
        leaves = carried.after(connection, *settled) if settled is not None and is_clean else None
    return found, leaves


def _checking(invariant: Invariant, connection: Connection, plans: Plans) -> Work[Finding]:
    yield Progress(0, 1)
    if invariant is seals_hold:
        return (yield from checking_seals(connection))
    return finding(connection, plans, invariant, BEGINNING)


def _findings(
    connection: Connection, plans: Plans, invariants: Sequence[Invariant], since: Since
) -> dict[Invariant, Finding]:
    return {invariant: finding(connection, plans, invariant, since) for invariant in invariants}


def finding(connection: Connection, plans: Plans, invariant: Invariant, since: Since) -> Finding:
    """What one invariant finds, which is a violation too where a sum passes 64 bits: no CHECK allows such numbers."""
    try:
        with connection.begin_nested():
            return invariant(connection, plans, since)
    except (DBAPIError, psycopg.Error, database.sqlite_driver().Error) as error:
        if not database.is_overflow(error):
            raise
        return Finding(invariant.__name__.replace("_", " "), 0, ("a number in it is too large to be added up",))


_WORKED_OUT_HERE: tuple[Invariant, ...] = (
    daily_totals_are_sums,
    balances_follow_each_other,
    entries_say_what_was_asked,
    runs_cost_what_they_should,
    runs_have_the_price_of_their_list,
    seals_hold,
)
INVARIANTS: tuple[Invariant, ...] = (
    entries_sum_to_zero,
    entries_have_the_form_of_their_kind,
    entries_say_what_was_asked,
    times_agree,
    balances_are_sums,
    balances_follow_each_other,
    parts_are_sums,
    holds_end_once,
    lots_follow_from_the_journal,
    purchases_follow_from_their_events,
    payouts_follow_from_their_cycles,
    runs_cost_what_they_should,
    runs_match_their_transactions,
    unlocks_are_split_as_planned,
    unlocks_match_their_transactions,
    answers_match_their_unlocks,
    refunds_reverse_once,
    refunds_have_a_rule,
    partial_refunds_are_exact,
    spending_limits_hold,
    activations_are_sealed,
    price_lists_are_sealed,
    runs_have_the_price_of_their_list,
    daily_totals_are_sums,
    changes_are_on_record,
    seals_hold,
    references_exist,
    constraints_hold,
    ledger_is_append_only,
)
