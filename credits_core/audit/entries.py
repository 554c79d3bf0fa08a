"""Invariants of journal entries: each sums to zero, has the form of its type, and matches its request.

An entry keeps the hash of its request (`ledger.requests`), which is computed here again from the recorded row. So a
changed prompt, model, fee, reason or amount shows, even when all the amounts were changed to match.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, and_, case, func, select, union_all

from credits_core.audit.finding import Finding, Plans
from credits_core.store.kinds import (
    PLATFORM_ADJUSTMENTS,
    PLATFORM_GRANTS,
    PLATFORM_INFERENCE,
    PLATFORM_PAYMENTS_IN,
    PLATFORM_PREFIX,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    CreditSource,
    EntryType,
    TransactionType,
)
from credits_core.store.tables import CreditTransaction, JournalEntry, PromptRun, Refund, UnlockedFlow

Form = tuple[str, str, int]
"""The form of a transaction: its type, its account ("user" for any user's) and its sign."""

_ADDED = {
    EntryType.CREDIT_PURCHASE: (CreditSource.PURCHASE, TransactionType.CREDIT_PURCHASE, PLATFORM_PAYMENTS_IN),
    EntryType.GRANT: (CreditSource.GRANT, TransactionType.GRANT, PLATFORM_GRANTS),
    EntryType.ADJUSTMENT: (CreditSource.ADJUSTMENT, TransactionType.ADJUSTMENT, PLATFORM_ADJUSTMENTS),
}
_USER = "user"
_CLOCKS_DIFFER_US = 300_000_000
"""Five minutes: how far the clock of whoever ran a prompt may be ahead of ours."""
_RECEIVERS: dict[EntryType, set[Form]] = {
    EntryType.PROMPT_RUN: {
        (TransactionType.CREATOR_PAYMENT, _USER, 1),
        (TransactionType.PLATFORM_REVENUE, PLATFORM_REVENUE, 1),
        (TransactionType.INFERENCE_COST, PLATFORM_INFERENCE, 1),
    },
    EntryType.FLOW_UNLOCK: {
        (TransactionType.CREATOR_PAYMENT, _USER, 1),
        (TransactionType.PLATFORM_REVENUE, PLATFORM_REVENUE, 1),
    },
    **{entry_type: {(type_, account, -1)} for entry_type, (_, type_, account) in _ADDED.items()},
}
# The allowed forms of the first transaction of each kind of entry, and of those after it.
_FORMS: dict[tuple[str, bool], set[Form]] = {
    (EntryType.PROMPT_RUN, True): {(TransactionType.PROMPT_RUN, _USER, -1)},
    (EntryType.FLOW_UNLOCK, True): {(TransactionType.FLOW_UNLOCK, _USER, -1)},
    **{(entry_type, True): {(type_, _USER, 1)} for entry_type, (_, type_, _) in _ADDED.items()},
    (EntryType.REFUND, True): {(TransactionType.REFUND, _USER, 1), (TransactionType.REFUND, _USER, -1)},
    **{(entry_type, False): forms for entry_type, forms in _RECEIVERS.items()},
    (EntryType.REFUND, False): {
        *((type_, account, -sign) for forms in _RECEIVERS.values() for type_, account, sign in forms),
        (TransactionType.REFUND, PLATFORM_REVENUE, -1),
        (TransactionType.REFUND, PLATFORM_REFUNDED_INFERENCE, -1),
    },
}


def entries_sum_to_zero(connection: Connection, _: Plans) -> Finding:
    """Every entry has at least two transactions, and they sum to zero."""
    bad = connection.execute(
        select(JournalEntry.id, func.count(CreditTransaction.position), func.sum(CreditTransaction.amount_credits))
        .outerjoin(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .group_by(JournalEntry.id)
        .having((func.count(CreditTransaction.position) < 2) | (func.sum(CreditTransaction.amount_credits) != 0))
        .order_by(JournalEntry.id)
    )
    return Finding(
        "the transactions of every entry sum to zero",
        _count(connection),
        tuple(f"entry {id_} has {count} transactions with the sum {sum_ or 0}" for id_, count, sum_ in bad),
    )


def entries_have_the_form_of_their_kind(connection: Connection, _: Plans) -> Finding:
    """Every entry moves credits only between the accounts, in the directions and with the types that its type allows.

    Positions count from 0 without a gap; after the first transaction, no type occurs twice in an entry, except that
    the platform can pay for two reasons in a refund, from two accounts.
    """
    is_user = func.substr(CreditTransaction.account_id, 1, len(PLATFORM_PREFIX)) != PLATFORM_PREFIX
    is_first = CreditTransaction.position == 0
    form = (
        JournalEntry.type,
        case((is_first, 1), else_=0),
        CreditTransaction.type,
        case((is_user, _USER), else_=CreditTransaction.account_id),
        case((CreditTransaction.amount_credits > 0, 1), else_=-1),
    )
    joined = select(*form).join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
    is_inference = CreditTransaction.account_id == PLATFORM_REFUNDED_INFERENCE
    kind = case((is_inference, CreditTransaction.account_id), else_=CreditTransaction.type)
    violations = []
    for found in connection.execute(joined.distinct().order_by(*form)).all():
        entry_type, first, type_, account, sign = found
        if (type_, account, sign) in _FORMS.get((entry_type, bool(first)), set()):
            continue
        same = and_(*(column == part for column, part in zip(form, found, strict=True)))
        entries = connection.execute(joined.with_only_columns(JournalEntry.id).where(same).order_by(JournalEntry.id))
        place, direction = "first" if first else "later", "to" if sign > 0 else "from"
        violations += [
            f"entry {entry_id}, a {entry_type}, has a {place} transaction {type_} {direction} {account}"
            for entry_id in entries.scalars()
        ]
    crooked = connection.execute(
        select(CreditTransaction.entry_id)
        .group_by(CreditTransaction.entry_id)
        .having(
            (func.min(CreditTransaction.position) != 0)
            | (func.max(CreditTransaction.position) != func.count() - 1)
            | (func.count(case((is_first, ""), else_=kind).distinct()) != func.count())
        )
        .order_by(CreditTransaction.entry_id)
    ).scalars()
    violations += [f"entry {entry_id} has transactions that repeat or are numbered with gaps" for entry_id in crooked]
    return Finding("every entry has the form of its kind", _count(connection), tuple(violations))


def entries_say_what_was_asked(connection: Connection, _: Plans) -> Finding:
    """Every entry, with its run or unlock, has the hash of the request that it was written for."""
    entries = (
        select(
            JournalEntry.id,
            JournalEntry.type,
            JournalEntry.request_hash,
            JournalEntry.description,
            JournalEntry.refunds_entry_id,
            CreditTransaction.account_id,
            CreditTransaction.amount_credits,
            PromptRun.prompt_id,
            func.coalesce(PromptRun.asked_model, PromptRun.model_id).label("model_id"),
            func.coalesce(PromptRun.user_id, UnlockedFlow.user_id).label("user_id"),
            func.coalesce(PromptRun.creator_id, UnlockedFlow.creator_id).label("creator_id"),
            PromptRun.creator_fee_credits,
            PromptRun.input_tokens,
            PromptRun.output_tokens,
            PromptRun.usage,
            PromptRun.service_tier,
            PromptRun.used_at_us,
            PromptRun.total_credits,
            UnlockedFlow.flow_id,
            UnlockedFlow.unlock_fee_credits,
            Refund.provider_refunded,
        )
        .outerjoin(
            CreditTransaction, (CreditTransaction.entry_id == JournalEntry.id) & (CreditTransaction.position == 0)
        )
        .outerjoin(PromptRun, PromptRun.entry_id == JournalEntry.id)
        .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == JournalEntry.id)
        .outerjoin(Refund, Refund.entry_id == JournalEntry.id)
        .order_by(JournalEntry.id)
    )
    checked, violations = 0, []
    for entry in connection.execute(entries.execution_options(yield_per=10_000)):
        checked += 1
        if entry.request_hash not in map(_hash, _possible_requests(entry)):
            violations.append(f"entry {entry.id} differs from the request that it was written for")
    return Finding("every entry says what was asked for", checked, tuple(violations))


def times_agree(connection: Connection, _: Plans) -> Finding:
    """The transactions, the run and the unlock of an entry have its time, and no run was used long after it."""
    other_times = union_all(
        *(
            select(JournalEntry.id)
            .join(table, table.entry_id == JournalEntry.id)
            .where(table.created_at_us != JournalEntry.created_at_us)
            for table in (CreditTransaction, PromptRun, UnlockedFlow)
        )
    ).subquery()
    bad = connection.execute(select(other_times.c.id).distinct().order_by(other_times.c.id)).scalars()
    violations = [f"entry {entry_id} has parts of another time" for entry_id in bad]
    used_later = connection.execute(
        select(JournalEntry.id)
        .join(PromptRun, PromptRun.entry_id == JournalEntry.id)
        .where(PromptRun.used_at_us > JournalEntry.created_at_us + _CLOCKS_DIFFER_US)
        .order_by(JournalEntry.id)
    ).scalars()
    violations += [f"entry {entry_id} charges a run that took place after it" for entry_id in used_later]
    return Finding("everything in an entry happened at one time", _count(connection), tuple(violations))


def _possible_requests(entry: Any) -> Iterator[tuple[object, ...]]:
    if entry.type in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK) and entry.description is not None:
        return  # nobody gives a reason for these
    if entry.type == EntryType.PROMPT_RUN:
        run = (
            entry.user_id,
            entry.prompt_id,
            entry.model_id,
            entry.creator_id,
            entry.creator_fee_credits,
            entry.input_tokens,
            entry.output_tokens,
        )
        # The total that the caller may have expected is not kept: it was either not named or the one that was charged.
        more: tuple[object, ...] = ()
        if entry.usage is not None or entry.service_tier is not None or entry.used_at_us is not None:
            used_at = () if entry.used_at_us is None else (entry.used_at_us,)
            more = (_usage_asked(entry.usage), entry.service_tier, *used_at)
        yield (entry.type, *run, None, *more)
        yield (entry.type, *run, entry.total_credits, *more)
    elif entry.type == EntryType.FLOW_UNLOCK:
        yield entry.type, entry.user_id, entry.flow_id, entry.creator_id, entry.unlock_fee_credits
    elif entry.type == EntryType.REFUND:
        provider = (True,) if entry.provider_refunded else ()
        yield (entry.type, entry.refunds_entry_id, entry.description, *provider)
    elif entry.type in _ADDED:
        source = _ADDED[EntryType(entry.type)][0].value
        yield entry.type, entry.account_id, entry.amount_credits, source, entry.description or ""


def _usage_asked(text: str | None) -> object:
    if text is None:
        return None
    try:
        return tuple(json.loads(text).items())
    except (ValueError, AttributeError):
        return text  # damaged, and so nothing that anybody asked for


def _hash(request: tuple[object, ...]) -> str:
    return hashlib.sha256(ascii(request).encode("ascii")).hexdigest()


def _count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(JournalEntry)).scalar_one())
