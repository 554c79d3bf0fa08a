"""The invariant of requests: every entry is what somebody asked for.

An entry keeps the hash of its request (`ledger.requests`), which is computed here again from the recorded row. So a
changed prompt, model, fee, reason or amount shows, even when all the amounts were changed to match.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from credits_core.audit.blocks import blocks
from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import REFUNDS, CreditSource, EntryType
from credits_core.store.tables import (
    CreditTransaction,
    JournalEntry,
    LotTerms,
    PartialRefund,
    PromptRun,
    Refund,
    UnlockedFlow,
)

_SOURCES: dict[str, CreditSource] = {
    EntryType.CREDIT_PURCHASE: CreditSource.PURCHASE,
    EntryType.GRANT: CreditSource.GRANT,
    EntryType.ADJUSTMENT: CreditSource.ADJUSTMENT,
    EntryType.BONUS: CreditSource.BONUS,
}


def entries_say_what_was_asked(connection: Connection, _: Plans, since: Since = BEGINNING) -> Finding:
    """Every entry, with its run or unlock, has the hash of the request that it was written for."""
    checked, wrong = 0, []
    is_new = JournalEntry.id > since.entry_id
    # Most entries are runs of which nothing else was said. Theirs are read apart, in the order of their hash.
    for entry_id, request_hash, *request in chain.from_iterable(blocks(connection, _PLAIN_RUNS.where(is_new))):
        checked += 1
        # The total that the caller may have expected is not kept: none, or the one that was charged.
        if hash_of((*request[:-1], None)) != request_hash != hash_of(tuple(request)):
            wrong.append(entry_id)
    for entry in map(Entry._make, chain.from_iterable(blocks(connection, _OTHER_ENTRIES.where(is_new)))):
        checked += 1
        if entry.request_hash not in map(hash_of, possible_requests(entry)):
            wrong.append(entry.id)
    return Finding(
        "every entry says what was asked for",
        checked,
        tuple(f"entry {entry_id} differs from the request that it was written for" for entry_id in sorted(wrong)),
    )


class Entry(NamedTuple):
    """What is recorded of the request for an entry."""

    id: int
    type: str
    request_hash: str
    description: str | None
    refunds_entry_id: int | None
    account_id: str | None
    amount_credits: int | None
    prompt_id: str | None
    model_id: str | None
    user_id: str | None
    creator_id: str | None
    creator_fee_credits: int | None
    input_tokens: int | None
    output_tokens: int | None
    usage: str | None
    service_tier: str | None
    used_at_us: int | None
    total_credits: int | None
    flow_id: str | None
    unlock_fee_credits: int | None
    provider_refunded: bool | int | None
    expires_at_us: int | None
    original_id: int | None


_MODEL = func.coalesce(PromptRun.asked_model, PromptRun.model_id)
_ENTRY = (
    JournalEntry.id,
    JournalEntry.type,
    JournalEntry.request_hash,
    JournalEntry.description,
    JournalEntry.refunds_entry_id,
    CreditTransaction.account_id,
    CreditTransaction.amount_credits,
    PromptRun.prompt_id,
    _MODEL,
    func.coalesce(PromptRun.user_id, UnlockedFlow.user_id),
    func.coalesce(PromptRun.creator_id, UnlockedFlow.creator_id),
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
    LotTerms.expires_at_us,
    PartialRefund.original_id,
)


_IS_MORE_SAID = or_(
    JournalEntry.type != EntryType.PROMPT_RUN.value,
    *(
        column.is_not(None)
        for column in (JournalEntry.description, PromptRun.usage, PromptRun.service_tier, PromptRun.used_at_us)
    ),
)
_PLAIN_RUNS = (
    select(
        JournalEntry.id,
        JournalEntry.request_hash,
        JournalEntry.type,
        PromptRun.user_id,
        PromptRun.prompt_id,
        _MODEL,
        PromptRun.creator_id,
        PromptRun.creator_fee_credits,
        PromptRun.input_tokens,
        PromptRun.output_tokens,
        PromptRun.total_credits,
    )
    .join(PromptRun, PromptRun.entry_id == JournalEntry.id)
    .where(~_IS_MORE_SAID)
)
ENTRIES = (
    select(*_ENTRY)
    .outerjoin(CreditTransaction, and_(CreditTransaction.entry_id == JournalEntry.id, CreditTransaction.position == 0))
    .outerjoin(PromptRun, PromptRun.entry_id == JournalEntry.id)
    .outerjoin(UnlockedFlow, UnlockedFlow.entry_id == JournalEntry.id)
    .outerjoin(Refund, Refund.entry_id == JournalEntry.id)
    .outerjoin(LotTerms, LotTerms.id == JournalEntry.id)
    .outerjoin(PartialRefund, PartialRefund.id == JournalEntry.id)
    .where(JournalEntry.type.not_in((EntryType.TRANSFER.value, EntryType.REVERSAL.value, EntryType.PAYOUT.value)))
)
"""What is recorded of each request, in the order of `Entry`. What asked for a transfer, a
reversal or a payout is in `audit.holds`, `audit.purchases` and `audit.payouts`."""
_OTHER_ENTRIES = ENTRIES.where(PromptRun.entry_id.is_(None) | _IS_MORE_SAID)


def possible_requests(entry: Entry) -> Iterator[tuple[object, ...]]:
    """The requests that the entry can have been written for."""
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
            more = (usage_asked(entry.usage), entry.service_tier, *used_at)
        yield (entry.type, *run, None, *more)
        yield (entry.type, *run, entry.total_credits, *more)
    elif entry.type == EntryType.FLOW_UNLOCK:
        yield entry.type, entry.user_id, entry.flow_id, entry.creator_id, entry.unlock_fee_credits
    elif entry.type in REFUNDS:
        asked = (EntryType.REFUND.value, entry.refunds_entry_id or entry.original_id, entry.description)
        yield (*asked, bool(entry.provider_refunded), entry.amount_credits)
        if entry.type == EntryType.REFUND:  # of all that was left, which needs no amount
            yield (*asked, True) if entry.provider_refunded else asked
    elif entry.type in _SOURCES:
        source = _SOURCES[entry.type].value
        expiry = () if entry.expires_at_us is None else (entry.expires_at_us,)
        yield (entry.type, entry.account_id, entry.amount_credits, source, entry.description or "", *expiry)
    elif entry.type == EntryType.EXPIRY:
        yield entry.type, entry.account_id, -(entry.amount_credits or 0)


def usage_asked(text: str | None) -> object:
    """A recorded usage as it stands in the request."""
    if text is None:
        return None
    try:
        return tuple(json.loads(text).items())
    except (ValueError, AttributeError):
        return text  # damaged, and so nothing that anybody asked for


def hash_of(request: tuple[object, ...]) -> str:
    """The hash that an entry keeps of its request."""
    return hashlib.sha256(ascii(request).encode("ascii")).hexdigest()
