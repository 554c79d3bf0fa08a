"""The invariant of unlocks that were answered without a payment, because the user already had the flow."""

import hashlib

from sqlalchemy import Connection, select

from credits_core.audit.finding import BEGINNING, Finding, Plans, Since
from credits_core.store.kinds import EntryType
from credits_core.store.tables import JournalEntry, UnlockAnswer, UnlockedFlow


def answers_match_their_unlocks(connection: Connection, _: Plans, _since: Since = BEGINNING) -> Finding:
    """Every answer without a payment has the hash of its request, no entry of its own, and an unlock that it names."""
    answers = select(
        UnlockAnswer.__table__,
        UnlockedFlow.user_id.label("unlocking_user_id"),
        UnlockedFlow.flow_id.label("unlocked_flow_id"),
    ).outerjoin(UnlockedFlow, UnlockedFlow.entry_id == UnlockAnswer.unlocked_by_entry_id)
    checked, violations = 0, []
    for answer in connection.execute(answers.execution_options(yield_per=10_000)):
        checked += 1
        asked = (answer.user_id, answer.flow_id, answer.creator_id, answer.unlock_fee_credits)
        request = ascii((EntryType.FLOW_UNLOCK.value, *asked)).encode("ascii")
        if hashlib.sha256(request).hexdigest() != answer.request_hash:
            violations.append(f"the answer to {answer.idempotency_key} differs from its request")
        named = (answer.unlocking_user_id, answer.unlocked_flow_id)
        if answer.unlocked_by_entry_id is not None and named != (answer.user_id, answer.flow_id):
            violations.append(f"the answer to {answer.idempotency_key} names an entry that did not unlock the flow")
    twice = select(UnlockAnswer.idempotency_key).join(
        JournalEntry, JournalEntry.idempotency_key == UnlockAnswer.idempotency_key
    )
    violations += [f"the key {key} has an answer and an entry" for key in connection.execute(twice).scalars()]
    return Finding("every answer without a payment names its unlock", checked, tuple(violations))
