"""Invariants of journal entries: each sums to zero, has the form of its type, and happened at one time."""

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, or_, select, true, union_all

from credits_core.audit import said
from credits_core.audit.carried import is_of_part, is_own, is_users
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import (
    PLATFORM_ADJUSTMENTS,
    PLATFORM_EXPIRED,
    PLATFORM_GRANTS,
    PLATFORM_INFERENCE,
    PLATFORM_PAYMENTS_IN,
    PLATFORM_PAYOUTS,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    EntryType,
    Part,
    TransactionType,
)
from credits_core.store.tables import CreditTransaction, JournalEntry, PromptRun, UnlockedFlow
from credits_core.values.text import counted

Form = tuple[str, str, int]
"""The form of a transaction: its type, its account and its sign. The account is "user" for what any user can spend, and
":held" or the like for a part of any user."""

_ADDED = {
    EntryType.CREDIT_PURCHASE: (TransactionType.CREDIT_PURCHASE, PLATFORM_PAYMENTS_IN),
    EntryType.GRANT: (TransactionType.GRANT, PLATFORM_GRANTS),
    EntryType.ADJUSTMENT: (TransactionType.ADJUSTMENT, PLATFORM_ADJUSTMENTS),
    EntryType.BONUS: (TransactionType.BONUS, PLATFORM_GRANTS),
}
_USER = "user"
_PARTS = tuple(f":{part.value}" for part in (Part.HELD, Part.FROZEN, Part.DEBT, Part.IN_PAYOUT))
_IN_PAYOUT, _DEBT = f":{Part.IN_PAYOUT.value}", f":{Part.DEBT.value}"
_PAYS_DEBT: set[Form] = {(TransactionType.TRANSFER, _USER, -1), (TransactionType.TRANSFER, _DEBT, 1)}
"""What a creator owes is paid in the entry that brings earnings, from these."""
_BECOMES_DEBT = {(type_, account, -sign) for type_, account, sign in _PAYS_DEBT}
"""What is spent of a refunded share becomes owed."""
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
    **{entry_type: {(type_, account, -1)} for entry_type, (type_, account) in _ADDED.items()},
}
# The allowed forms of the first transaction of each kind of entry, and of those after it.
FORMS: dict[tuple[str, bool], set[Form]] = {
    (EntryType.PROMPT_RUN, True): {(TransactionType.PROMPT_RUN, _USER, -1)},
    (EntryType.FLOW_UNLOCK, True): {(TransactionType.FLOW_UNLOCK, _USER, -1)},
    **{(entry_type, True): {(type_, _USER, 1)} for entry_type, (type_, _) in _ADDED.items()},
    (EntryType.EXPIRY, True): {(TransactionType.EXPIRY, _USER, -1)},
    (EntryType.EXPIRY, False): {(TransactionType.EXPIRY, PLATFORM_EXPIRED, 1)},
    (EntryType.TRANSFER, True): {(TransactionType.TRANSFER, _USER, sign) for sign in (-1, 1)},
    (EntryType.TRANSFER, False): {
        *((TransactionType.TRANSFER, part, sign) for part in _PARTS for sign in (-1, 1)),
        *_PAYS_DEBT,
    },
    (EntryType.PAYOUT, True): {(TransactionType.PAYOUT, _IN_PAYOUT, sign) for sign in (-1, 1)},
    (EntryType.PAYOUT, False): {(TransactionType.PAYOUT, PLATFORM_PAYOUTS, sign) for sign in (-1, 1)},
    (EntryType.REVERSAL, True): {(TransactionType.REVERSAL, _USER, sign) for sign in (-1, 1)},
    (EntryType.REVERSAL, False): {
        (TransactionType.REVERSAL, account, sign)
        for account in (PLATFORM_PAYMENTS_IN, PLATFORM_GRANTS)
        for sign in (-1, 1)
    },
    (EntryType.REFUND, True): {(TransactionType.REFUND, _USER, 1), (TransactionType.REFUND, _USER, -1)},
    (EntryType.PARTIAL_REFUND, True): {(TransactionType.REFUND, _USER, 1)},
    **{(entry_type, False): forms for entry_type, forms in _RECEIVERS.items()},
    **{
        (entry_type, False): _RECEIVERS[entry_type] | _PAYS_DEBT
        for entry_type in (EntryType.PROMPT_RUN, EntryType.FLOW_UNLOCK)
    },
    (EntryType.REFUND, False): {
        *((type_, account, -sign) for forms in _RECEIVERS.values() for type_, account, sign in forms),
        *_BECOMES_DEBT,
        (TransactionType.REFUND, PLATFORM_REVENUE, -1),
        (TransactionType.REFUND, PLATFORM_REFUNDED_INFERENCE, -1),
    },
    (EntryType.PARTIAL_REFUND, False): {
        *((type_, account, -sign) for type_, account, sign in _RECEIVERS[EntryType.PROMPT_RUN]),
        *_BECOMES_DEBT,
        (TransactionType.REFUND, PLATFORM_REVENUE, -1),
        (TransactionType.REFUND, PLATFORM_REFUNDED_INFERENCE, -1),
    },
}


def entries_sum_to_zero(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every entry has at least two transactions, and they sum to zero."""
    bad = connection.execute(
        select(JournalEntry.id, func.count(CreditTransaction.position), func.sum(CreditTransaction.amount_credits))
        .outerjoin(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .where(JournalEntry.id > since.entry_id)
        .group_by(JournalEntry.id)
        .having((func.count(CreditTransaction.position) < 2) | (func.sum(CreditTransaction.amount_credits) != 0))
        .order_by(JournalEntry.id)
    )
    return Finding(
        "the transactions of every entry sum to zero",
        _count(connection, since),
        tuple(
            f"entry {id_} has {counted(count, 'transaction')} with the sum of {said.credits(sum_ or 0)}"
            for id_, count, sum_ in bad
        ),
    )


def entries_have_the_form_of_their_kind(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every entry moves credits only between the accounts, in the directions and with the types that its type allows.

    Positions count from 0 without a gap; after the first transaction, no type occurs twice in an entry, except that
    the platform can pay for two reasons in a refund, from two accounts, and that a transfer has two ends.
    """
    is_first = CreditTransaction.position == 0
    form = (
        JournalEntry.type,
        case((is_first, 1), else_=0),
        CreditTransaction.type,
        case((is_own, _USER), else_=CreditTransaction.account_id),
        case((CreditTransaction.amount_credits > 0, 1), else_=-1),
    )
    is_allowed = case(
        *((JournalEntry.type == entry_type.value, _has_form_of(entry_type)) for entry_type in EntryType),
        else_=false(),
    )
    other_forms = (
        select(*form, JournalEntry.id)
        .join(CreditTransaction, CreditTransaction.entry_id == JournalEntry.id)
        .where(JournalEntry.id > since.entry_id, is_allowed.is_not(true()))
        .order_by(*form, JournalEntry.id)
    )
    is_inference = CreditTransaction.account_id == PLATFORM_REFUNDED_INFERENCE
    kind = case((is_inference | is_of_part, CreditTransaction.account_id), else_=CreditTransaction.type)
    violations = [
        f"entry {entry_id}, a {entry_type}, has a {'first' if first else 'later'} transaction {type_}"
        f" {'to' if sign > 0 else 'from'} {account}"
        for entry_type, first, type_, account, sign, entry_id in connection.execute(other_forms)
    ]
    crooked = connection.execute(
        select(CreditTransaction.entry_id)
        .where(CreditTransaction.entry_id > since.entry_id)
        .group_by(CreditTransaction.entry_id)
        .having(
            (func.min(CreditTransaction.position) != 0)
            | (func.max(CreditTransaction.position) != func.count() - 1)
            | (func.count(case((is_first, ""), else_=kind).distinct()) != func.count())
        )
        .order_by(CreditTransaction.entry_id)
    ).scalars()
    violations += [f"entry {entry_id} has transactions that repeat or are numbered with gaps" for entry_id in crooked]
    return Finding("every entry has the form of its kind", _count(connection, since), tuple(violations))


def times_agree(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """The transactions, the run and the unlock of an entry have its time, and no run was used long after it."""
    other_times = union_all(
        *(
            select(JournalEntry.id)
            .join(table, table.entry_id == JournalEntry.id)
            .where(JournalEntry.id > since.entry_id, table.created_at_us != JournalEntry.created_at_us)
            for table in (CreditTransaction, PromptRun, UnlockedFlow)
        )
    ).subquery()
    bad = connection.execute(select(other_times.c.id).distinct().order_by(other_times.c.id)).scalars()
    violations = [f"entry {entry_id} has parts of another time" for entry_id in bad]
    used_later = connection.execute(
        select(JournalEntry.id)
        .join(PromptRun, PromptRun.entry_id == JournalEntry.id)
        .where(JournalEntry.id > since.entry_id, PromptRun.used_at_us > JournalEntry.created_at_us + _CLOCKS_DIFFER_US)
        .order_by(JournalEntry.id)
    ).scalars()
    violations += [f"entry {entry_id} charges a run that took place after it" for entry_id in used_later]
    return Finding("everything in an entry happened at one time", _count(connection, since), tuple(violations))


def _has_form_of(entry_type: EntryType) -> ColumnElement[bool]:
    """Whether a transaction has one of the forms that this kind of entry allows."""
    allowed = []
    for is_first in (True, False):
        for type_, account, sign in sorted(FORMS.get((entry_type, is_first), set())):
            if account == _USER:
                of_account = is_own
            elif account in _PARTS:
                of_account = is_users & CreditTransaction.account_id.endswith(account)
            else:
                of_account = CreditTransaction.account_id == account
            place = CreditTransaction.position == 0 if is_first else CreditTransaction.position != 0
            amount = CreditTransaction.amount_credits
            allowed.append(
                and_(CreditTransaction.type == type_, place, amount > 0 if sign > 0 else amount <= 0, of_account)
            )
    return or_(*allowed)


def _count(connection: Connection, since: Since) -> int:
    entries = select(func.count()).select_from(JournalEntry).where(JournalEntry.id > since.entry_id)
    return int(connection.execute(entries).scalar_one())
