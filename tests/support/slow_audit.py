"""The audit without arrays: what it must find, one run, entry and user after the other, as slowly as that is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from credits_core.audit import daily_tables, prices, recompute, requests, said
from credits_core.audit.entries import FORMS
from credits_core.audit.finding import Plans
from credits_core.audit.recompute import NotRecomputable, run_amounts
from credits_core.audit.run_groups import Run, run_rows
from credits_core.store.kinds import PLATFORM_REFUNDED_INFERENCE, is_platform
from credits_core.store.tables import CreditTransaction, JournalEntry, PromptRun, UserCredits


def findings(connection: Connection, plans: Plans) -> dict[str, tuple[str, ...]]:
    """What breaks each of the invariants that have a fast way, by its name."""
    return {of.__name__.removeprefix("_"): tuple(of(connection, plans)) for of in _SLOW}


def _runs_cost_what_they_should(connection: Connection, plans: Plans) -> Iterator[str]:
    for run in map(Run._make, connection.execute(run_rows())):
        quote = recompute.run_again(run, plans)
        if isinstance(quote, NotRecomputable):
            yield f"run {run.entry_id} {quote.reason}"
        elif run_amounts(run) != run_amounts(quote):
            yield said.priced_again(run.entry_id, run_amounts(run), run_amounts(quote))


def _runs_have_the_price_of_their_list(connection: Connection, _: Plans) -> Iterator[str]:
    journal = prices.Journal(connection)
    for run in map(Run._make, connection.execute(run_rows().where(PromptRun.price_list_id.is_not(None)))):
        yield from prices.wrong_price(prices.models_of(connection, run.price_list_id), run, journal)


def _entries_say_what_was_asked(connection: Connection, _: Plans) -> Iterator[str]:
    for entry in map(requests.Entry._make, connection.execute(requests.ENTRIES.order_by(JournalEntry.id))):
        if entry.request_hash not in map(requests.hash_of, requests.possible_requests(entry)):
            yield f"entry {entry.id} differs from the request that it was written for"


def _entries_have_the_form_of_their_kind(connection: Connection, _: Plans) -> Iterator[str]:
    rows = connection.execute(
        select(JournalEntry.type, CreditTransaction.__table__, JournalEntry.id.label("of"))
        .join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .order_by(JournalEntry.id)
    ).all()
    wrong, places = [], dict[int, list[tuple[int, str]]]()
    for entry_type, entry_id, position, account_id, type_, amount, *_ in rows:
        sign, is_first = 1 if amount > 0 else -1, position == 0
        account = named = account_id if ":" in account_id else "user"
        is_part = ":" in account_id and not is_platform(account_id)
        if is_part:
            account = account_id[account_id.index(":") :]
        kind = account_id if is_part or account_id == PLATFORM_REFUNDED_INFERENCE else type_
        places.setdefault(entry_id, []).append((position, "" if is_first else kind))
        if (type_, account, sign) not in FORMS.get((entry_type, is_first), set()):
            place, direction = "first" if is_first else "later", "to" if sign > 0 else "from"
            said = f"entry {entry_id}, a {entry_type}, has a {place} transaction {type_} {direction} {named}"
            wrong.append(((entry_type, is_first, type_, named, sign, entry_id), said))
    yield from (said for _, said in sorted(wrong))
    for entry_id, found in sorted(places.items()):
        has_gaps = sorted(position for position, _ in found) != list(range(len(found)))
        if has_gaps or len({kind for _, kind in found}) < len(found):
            yield f"entry {entry_id} has transactions that repeat or are numbered with gaps"


def _balances_are_sums(connection: Connection, _: Plans) -> Iterator[str]:
    sums: dict[str, int] = {}
    for account_id, amount in connection.execute(
        select(CreditTransaction.account_id, CreditTransaction.amount_credits)
    ):
        if ":" not in account_id:
            sums[account_id] = sums.get(account_id, 0) + amount
    accounts = select(UserCredits.user_id, UserCredits.balance_credits)
    users = {row.user_id: row.balance_credits for row in connection.execute(accounts)}
    for user, balance in sorted(users.items()):
        if balance != sums.get(user, 0):
            yield f"{user} has {said.credits(balance)}, but the transactions sum to {said.grouped(sums.get(user, 0))}"
        elif balance < 0:
            yield f"{user} has {said.credits(balance)}, which is negative"
    yield from (f"{user} has transactions but no account" for user in sorted(sums.keys() - users.keys()))


def _balances_follow_each_other(connection: Connection, _: Plans) -> Iterator[str]:
    """In SQL alone, by a window over each account."""
    before = func.lag(CreditTransaction.balance_after_credits).over(
        partition_by=CreditTransaction.account_id, order_by=(CreditTransaction.entry_id, CreditTransaction.position)
    )
    amount_due = func.coalesce(before, 0) + CreditTransaction.amount_credits
    rows = connection.execute(
        select(
            CreditTransaction.account_id,
            CreditTransaction.entry_id,
            CreditTransaction.balance_after_credits,
            amount_due,
        ).where(func.substr(CreditTransaction.account_id, 1, 9) != "platform:")
    ).all()
    for user, entry_id, after, due_credits in sorted(rows, key=lambda row: (row[0], row[1])):
        if after != due_credits:
            due = said.grouped(due_credits)
            yield f"{user} has {said.credits(after)} after entry {entry_id}, where {due} follow from the balance before"
        elif user.endswith(":debt"):
            if after > 0:
                yield f"{user} has {said.credits(after)} after entry {entry_id}, though a debt is never above 0"
        elif after < 0:
            yield f"{user} has {said.credits(after)} after entry {entry_id}, which is negative"


def _daily_totals_are_sums(connection: Connection, plans: Plans) -> tuple[str, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daily_tables, "compare_days", lambda *_: None)
        return daily_tables.daily_totals_are_sums(connection, plans).violations


_SLOW: tuple[Callable[[Connection, Plans], Any], ...] = (
    _runs_cost_what_they_should,
    _runs_have_the_price_of_their_list,
    _entries_say_what_was_asked,
    _entries_have_the_form_of_their_kind,
    _balances_are_sums,
    _balances_follow_each_other,
    _daily_totals_are_sums,
)
