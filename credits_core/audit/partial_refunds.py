"""The invariant of refunds in parts: what each gives back is worked out again from what its entry moved.

Nothing here is taken from `pricing.refund_shares`: the rule is written a second time, plainly.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, select, union

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.ledger import entries
from credits_core.store.kinds import (
    PLATFORM_INFERENCE,
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    EntryType,
    RefundRule,
    TransactionType,
)
from credits_core.store.tables import CreditTransaction, JournalEntry, PartialRefund, PromptRun, Refund, UnlockedFlow
from credits_core.values.credits import div_floor

_AT_ONCE = 500
_CREATOR = TransactionType.CREATOR_PAYMENT.value
_REFUND = TransactionType.REFUND.value
Moved = dict[tuple[str, str], int]
"""What an entry moved, in credits, by account and type."""


class _Original(NamedTuple):
    """What an entry that is refunded in parts moved, in credits."""

    payer_id: str
    creator_id: str
    total_credits: int
    share_credits: int
    revenue_credits: int
    inference_credits: int
    fee_credits: int

    def back(self, through_credits: int) -> tuple[int, int, int, int]:
        """After so many credits: what the creator, the income, the inference, and of the fee everybody gave back."""
        creator = div_floor(self.share_credits * through_credits, self.total_credits)
        platform = through_credits - creator
        of_platform = self.revenue_credits + self.inference_credits
        inference = div_floor(self.inference_credits * platform, of_platform) if of_platform else 0
        fee = div_floor(self.fee_credits * through_credits, self.total_credits)
        return creator, platform - inference, inference, fee


def partial_refunds_are_exact(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """The parts of every entry follow each other, never pass what was paid, and move what is due of every share.

    Each has its number and its row, and the refund of the rest is the last. Under earlier rules a creator gives back
    less only who has nothing left. Under the present one it is the whole share; what is owed of it is for
    `audit.debts`. After an earlier audit: the entries of which something was refunded since.
    """
    originals, violations = _originals(connection, since), [*_without_row(connection, since)]
    checked = 0
    for first in range(0, len(originals), _AT_ONCE):
        among = originals[first : first + _AT_ONCE]
        parts: dict[int, list[Row[Any]]] = defaultdict(list)
        for row in connection.execute(_PARTS.where(PartialRefund.original_id.in_(among))):
            parts[row.original_id].append(row)
        moved = _moved(connection, [*among, *(part.id for rows in parts.values() for part in rows)])
        fees = _fees(connection, among)
        ended = _ended(connection, among)
        for original_id in among:
            checked += len(parts[original_id])
            original = _original(moved.get(original_id, {}), fees.get(original_id))
            if original is None:
                violations.append(f"entry {original_id} was refunded in parts, but is no run and no unlock")
                continue
            violations += _of_one(connection, original_id, original, parts[original_id], moved)
            last = parts[original_id][-1].id
            if ended.get(original_id, last) != last:
                violations.append(f"refund {ended[original_id]} is of entry {original_id}, but is not its last part")
    return Finding("every refund in parts gives back its part", checked, tuple(violations))


def _of_one(
    connection: Connection, original_id: int, original: _Original, parts: list[Row[Any]], moved: dict[int, Moved]
) -> Iterator[str]:
    before_credits, before_id = 0, original_id
    for number, part in enumerate(parts, 1):
        of = f"refund {part.id} of entry {original_id}"
        through_credits = before_credits + part.refunded_credits
        if part.number != number or part.id <= before_id or part.through_credits != through_credits:
            yield f"{of} does not follow the part before it"
        is_last = through_credits == original.total_credits
        ends = EntryType.REFUND if is_last else EntryType.PARTIAL_REFUND
        if through_credits > original.total_credits:
            yield f"{of} is of {through_credits} in all, but {original.total_credits} were paid"
            return
        if part.type != ends.value or (is_last and part.refunds_entry_id != original_id):
            yield f"{of} is a {part.type} after {through_credits} of {original.total_credits}"
        after, before = original.back(through_credits), original.back(before_credits)
        creator, revenue, inference, fee = (now - then for now, then in zip(after, before, strict=True))
        if (part.fee_credits, part.share_credits) != (fee, creator):
            yield (
                f"{of} names {part.fee_credits} of the fee and {part.share_credits} of the share, "
                f"but its part is {fee} and {creator}"
            )
        found = dict(moved.get(part.id, {}))
        for account_id in (original.creator_id, f"{original.creator_id}:debt"):
            found.pop((account_id, TransactionType.TRANSFER.value), None)
        owes = part.rule == RefundRule.CREATOR_OWES_SHARE.value
        spent_credits = 0 if owes else -found.get((PLATFORM_REVENUE, _REFUND), 0)
        returns = part.provider_refunded or part.rule == RefundRule.COST_BOOKED_BACK.value
        due = {
            (original.payer_id, _REFUND): part.refunded_credits,
            (original.creator_id, _CREATOR): -(creator - spent_credits),
            (PLATFORM_REVENUE, _REFUND): -spent_credits,
            (PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE.value): -revenue,
            (PLATFORM_INFERENCE, TransactionType.INFERENCE_COST.value): -inference if returns else 0,
            (PLATFORM_REFUNDED_INFERENCE, _REFUND): 0 if returns else -inference,
        }
        for account_id, type_ in sorted(found.keys() | due.keys()):
            is_due, was = due.get((account_id, type_), 0), found.get((account_id, type_), 0)
            if is_due != was:
                yield f"{of} moves {was} of {account_id} as {type_}, but {is_due} are due"
        if not 0 <= spent_credits <= creator:
            yield f"{of} has the platform pay {spent_credits} of a share of {creator}"
        elif spent_credits and (held := entries.balance_at(connection, original.creator_id, entry_id=part.id)) != 0:
            yield f"{of} leaves {spent_credits} with {original.creator_id}, who held {held}"
        before_credits, before_id = through_credits, part.id


def _originals(connection: Connection, since: Since) -> list[int]:
    """The entries with a row of a part, or with a part that has no row, which is reported apart."""
    ids = select(PartialRefund.original_id).where(PartialRefund.id > since.entry_id)
    ended = (  # the rest may be refunded without its row
        select(PartialRefund.original_id)
        .join(JournalEntry, JournalEntry.refunds_entry_id == PartialRefund.original_id)
        .where(JournalEntry.id > since.entry_id)
    )
    return sorted(connection.execute(union(ids, ended)).scalars())


def _without_row(connection: Connection, since: Since) -> Iterator[str]:
    lost = (
        select(JournalEntry.id)
        .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
        .where(JournalEntry.type == EntryType.PARTIAL_REFUND.value, JournalEntry.id > since.entry_id)
        .where(PartialRefund.id.is_(None))
        .order_by(JournalEntry.id)
    )
    yield from (f"refund {id_} is a part of no entry" for id_ in connection.execute(lost).scalars())


def _ended(connection: Connection, among: Collection[int]) -> dict[int, int]:
    """The refund of all, or of the rest, of each of these entries."""
    ended = select(JournalEntry.refunds_entry_id, JournalEntry.id).where(JournalEntry.refunds_entry_id.in_(among))
    return {original_id: id_ for original_id, id_ in connection.execute(ended) if original_id is not None}


def _moved(connection: Connection, among: Collection[int]) -> dict[int, Moved]:
    found: dict[int, Moved] = defaultdict(lambda: defaultdict(int))
    moved = CreditTransaction
    rows = select(moved.entry_id, moved.account_id, moved.type, moved.amount_credits).where(moved.entry_id.in_(among))
    for entry_id, account_id, type_, amount_credits in connection.execute(rows):
        found[entry_id][account_id, type_] += amount_credits
    return found


def _fees(connection: Connection, among: Collection[int]) -> dict[int, int]:
    runs = select(PromptRun.entry_id, PromptRun.creator_fee_credits).where(PromptRun.entry_id.in_(among))
    unlocks = select(UnlockedFlow.entry_id, UnlockedFlow.unlock_fee_credits).where(UnlockedFlow.entry_id.in_(among))
    return {entry_id: fee for wanted in (runs, unlocks) for entry_id, fee in connection.execute(wanted)}


def _original(moved: Moved, fee_credits: int | None) -> _Original | None:
    paid = {
        account_id: -credits
        for (account_id, type_), credits in moved.items()
        if type_ in (EntryType.PROMPT_RUN.value, EntryType.FLOW_UNLOCK.value)
    }
    if len(paid) != 1 or fee_credits is None:
        return None
    ((payer_id, total_credits),) = paid.items()
    shares = {account_id: credits for (account_id, type_), credits in moved.items() if type_ == _CREATOR}
    revenue = moved.get((PLATFORM_REVENUE, TransactionType.PLATFORM_REVENUE.value), 0)
    inference = moved.get((PLATFORM_INFERENCE, TransactionType.INFERENCE_COST.value), 0)
    creator_id = next(iter(shares), "")
    if total_credits < 1:
        return None
    return _Original(payer_id, creator_id, total_credits, shares.get(creator_id, 0), revenue, inference, fee_credits)


_PARTS: Select[*tuple[Any, ...]] = (
    select(
        PartialRefund.__table__,
        JournalEntry.type,
        JournalEntry.refunds_entry_id,
        Refund.rule,
        Refund.provider_refunded,
    )
    .outerjoin(JournalEntry, JournalEntry.id == PartialRefund.id)
    .outerjoin(Refund, Refund.entry_id == PartialRefund.id)
    .order_by(PartialRefund.original_id, PartialRefund.number)
)
