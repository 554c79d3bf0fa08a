"""The record of changes that are no movement of credits: who changed what, when. Written beside the change itself."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert

from credits_core.store.tables import ActivityRecord
from credits_core.values.days import to_microseconds


class Change(StrEnum):
    """The kinds of change. The value is what is stored."""

    KEY_MADE = "key_made"
    KEY_REPLACED = "key_replaced"
    KEY_REVOKED = "key_revoked"
    PLAN_SAVED = "plan_saved"
    PLAN_DISCARDED = "plan_discarded"
    PLAN_MADE_LIVE = "plan_made_live"
    PRICES_SAVED = "prices_saved"
    PRICES_MADE_LIVE = "prices_made_live"
    PERSON_ADDED = "person_added"
    ROLES_CHANGED = "roles_changed"
    PERSON_REMOVED = "person_removed"
    TEST_USER_ADDED = "test_user_added"
    TEST_USER_REMOVED = "test_user_removed"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    EXPORTED = "exported"
    FINDING_LOOKED_AT = "finding_looked_at"
    DEMO_STARTED_OVER = "demo_started_over"
    RESTORED = "restored"
    REFUND_ASKED = "refund_asked"
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_REMOVED = "webhook_removed"
    WEBHOOK_ENABLED = "webhook_enabled"
    WEBHOOK_SECRET_REPLACED = "webhook_secret_replaced"  # noqa: S105 - no password
    DELIVERY_SENT_AGAIN = "delivery_sent_again"
    LOW_BALANCE_LEVEL_SET = "low_balance_level_set"
    LOW_BALANCE_LEVEL_REMOVED = "low_balance_level_removed"
    SPENDING_LIMIT_SET = "spending_limit_set"
    SPENDING_LIMIT_REMOVED = "spending_limit_removed"


def note(
    connection: Connection,
    change: Change,
    subject: str,
    *,
    actor: str,
    now: datetime,
    detail: Mapping[str, str | int | None] | None = None,
) -> None:
    """Write down a change in the unit of work that makes it. `subject` is what was changed, `detail` is not secret."""
    connection.execute(
        insert(ActivityRecord).values(
            kind=change.value,
            subject=subject,
            detail=json.dumps(detail or {}, sort_keys=True, ensure_ascii=False),
            actor=actor,
            happened_at_us=to_microseconds(now),
        )
    )
