"""The database: columns, checks and unique keys. The triggers that keep the ledger append-only are in the migrations.

The names are the specification's. Every constraint is named, because Alembic silently drops unnamed ones on SQLite.
All amounts are BIGINT credits, all times microseconds since 1970-01-01 UTC. Times tell when something happened; the
order of things is the order of `journal_entries.id`.

An entry, its transactions, its run and its refund are never updated or deleted, and neither is an activation or a plan
that was live. A transaction's key is its entry and its position, like a line of an invoice; a run's key is its entry's.

Some are in `choice_tables`, `daily_tables`, `job_tables`, `limit_tables`, `lot_tables`, `part_tables`, `people_tables`,
`purchase_tables`, `refund_tables`, `seal_tables`, `unlock_tables`, `watch_tables` and `webhook_tables`; all are named
here too.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.audit_tables import AuditRun as AuditRun
from credits_core.store.base import ACCOUNT as _ACCOUNT
from credits_core.store.base import ID as _ID
from credits_core.store.base import KEY as _KEY
from credits_core.store.base import Base as Base
from credits_core.store.choice_tables import CleanStart as CleanStart
from credits_core.store.choice_tables import SavedView as SavedView
from credits_core.store.daily_tables import DailySum as DailySum
from credits_core.store.daily_tables import DailyTotal as DailyTotal
from credits_core.store.daily_tables import DailyWork as DailyWork
from credits_core.store.daily_tables import RollupWatermark as RollupWatermark
from credits_core.store.job_tables import JobLease as JobLease
from credits_core.store.job_tables import JobRun as JobRun
from credits_core.store.kinds import FREQUENT_TYPES, EntryType, RefundRule, TransactionType
from credits_core.store.limit_tables import SpendingLimit as SpendingLimit
from credits_core.store.lot_tables import LotDraw as LotDraw
from credits_core.store.lot_tables import LotTerms as LotTerms
from credits_core.store.lot_tables import StoredLot as StoredLot
from credits_core.store.part_tables import Hold as Hold
from credits_core.store.part_tables import HoldEnding as HoldEnding
from credits_core.store.part_tables import UserPart as UserPart
from credits_core.store.payout_tables import Payout as Payout
from credits_core.store.payout_tables import PayoutApproval as PayoutApproval
from credits_core.store.payout_tables import PayoutCycle as PayoutCycle
from credits_core.store.payout_tables import PayoutFile as PayoutFile
from credits_core.store.payout_tables import PayoutFileLine as PayoutFileLine
from credits_core.store.payout_tables import PayoutMove as PayoutMove
from credits_core.store.payout_tables import PayoutReport as PayoutReport
from credits_core.store.payout_tables import PayoutTerms as PayoutTerms
from credits_core.store.people_tables import ActivityRecord as ActivityRecord
from credits_core.store.people_tables import Person as Person
from credits_core.store.people_tables import Proposal as Proposal
from credits_core.store.people_tables import SignInSession as SignInSession
from credits_core.store.people_tables import TrialUser as TrialUser
from credits_core.store.purchase_tables import EventToSettle as EventToSettle
from credits_core.store.purchase_tables import Purchase as Purchase
from credits_core.store.purchase_tables import PurchaseEvent as PurchaseEvent
from credits_core.store.purchase_tables import PurchaseMove as PurchaseMove
from credits_core.store.purchase_tables import PurchaseReceipt as PurchaseReceipt
from credits_core.store.purchase_tables import SandboxEvent as SandboxEvent
from credits_core.store.refund_tables import PartialRefund as PartialRefund
from credits_core.store.seal_tables import InvariantResult as InvariantResult
from credits_core.store.seal_tables import Seal as Seal
from credits_core.store.unlock_tables import UnlockAnswer as UnlockAnswer
from credits_core.store.unlock_tables import UnlockedFlow as UnlockedFlow
from credits_core.store.watch_tables import Alert as Alert
from credits_core.store.watch_tables import AlertSample as AlertSample
from credits_core.store.watch_tables import WatchFinding as WatchFinding
from credits_core.store.watch_tables import WatchKeyDay as WatchKeyDay
from credits_core.store.watch_tables import WatchProgress as WatchProgress
from credits_core.store.webhook_tables import LowBalanceLevel as LowBalanceLevel
from credits_core.store.webhook_tables import LowBalanceProgress as LowBalanceProgress
from credits_core.store.webhook_tables import WebhookDelivery as WebhookDelivery
from credits_core.store.webhook_tables import WebhookEndpoint as WebhookEndpoint
from credits_core.store.webhook_tables import WebhookEvent as WebhookEvent
from credits_core.store.webhook_tables import WebhookHeldUser as WebhookHeldUser
from credits_core.values.credits import MAX_CREDITS
from credits_core.values.roles import Role


def _one_of(column: str, values: type[EntryType] | type[TransactionType] | type[RefundRule] | type[Role]) -> str:
    # Not IN (...): SQLite builds a temporary index for each IN list, per statement, a fifth of a charge's time in all.
    return " OR ".join(f"{column} = '{value.value}'" for value in values)


_RARE_TYPES = " AND ".join(f"type <> '{type_.value}'" for type_ in TransactionType if type_ in FREQUENT_TYPES)
# Written as it stands in the index: otherwise SQLite does not use it.
ADDED = "(type = 'credit_purchase' OR type = 'grant' OR type = 'adjustment' OR type = 'bonus') AND position = 0"


class UserCredits(Base):
    """A user's account and its balance: what the user can spend, never negative.

    `has_parts`: the user has credits in other parts as well, in `user_parts`; `has_lots`: the user has credits that
    expire, so what is left of which is in `lots`. Whoever charges reads those too.
    """

    __tablename__ = "user_credits"
    __table_args__ = (
        CheckConstraint(f"balance_credits BETWEEN 0 AND {MAX_CREDITS}", name="balance_in_bounds"),
        # Finds ids that differ only in upper and lower case. Not unique: a caller may insist, and older ledgers have
        # such pairs.
        Index("ix_user_credits_folded_id", text("lower(user_id)")),
    )

    user_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    balance_credits: Mapped[int] = mapped_column(BigInteger)
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    has_parts: Mapped[bool] = mapped_column(Boolean, server_default=false())
    has_lots: Mapped[bool] = mapped_column(Boolean, server_default=false())


class JournalEntry(Base):
    """One business event. Immutable; its idempotency key is unique, and it is refunded by at most one other entry."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        CheckConstraint(_one_of("type", EntryType), name="type_known"),
        CheckConstraint("(type = 'refund') = (refunds_entry_id IS NOT NULL)", name="refund_names_entry"),
    )

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    type: Mapped[str] = mapped_column(String(32))
    # In the order of its bytes in every database, so that the keys of one batch stand together in the index.
    idempotency_key: Mapped[str] = mapped_column(
        String(400).with_variant(String(400, collation="C"), "postgresql"), unique=True
    )
    request_hash: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(128))
    description: Mapped[str | None] = mapped_column(Text)
    refunds_entry_id: Mapped[int | None] = mapped_column(_KEY, ForeignKey("journal_entries.id"), unique=True)
    created_at_us: Mapped[int] = mapped_column(BigInteger)


class CreditTransaction(Base):
    """One account's signed movement inside an entry. Platform accounts have no `balance_after_credits`.

    The account is a user's id for what the user can spend, such as `ada`; another part of the user, such as `ada:held`;
    or one of the platform's own.
    """

    __tablename__ = "credit_transactions"
    __table_args__ = (
        CheckConstraint(_one_of("type", TransactionType), name="type_known"),
        CheckConstraint(
            f"amount_credits <> 0 AND amount_credits BETWEEN -{MAX_CREDITS} AND {MAX_CREDITS}", name="amount_in_bounds"
        ),
        CheckConstraint(r"balance_after_credits >= 0 OR account_id LIKE '%\:debt'", name="balance_not_negative"),
        CheckConstraint(
            "(substr(account_id, 1, 9) = 'platform:') = (balance_after_credits IS NULL)", name="balance_only_for_users"
        ),
        Index("ix_credit_transactions_account_id", "account_id", "entry_id", "position"),
        # A run has none of these types, so its charge does not pay for the index.
        Index(
            "ix_credit_transactions_rare",
            "type",
            "entry_id",
            "position",
            sqlite_where=text(_RARE_TYPES),
            postgresql_where=text(_RARE_TYPES),
        ),
        # Says at once whether a user ever had credits that were not earned.
        Index(
            "ix_credit_transactions_added",
            "account_id",
            "entry_id",
            sqlite_where=text(ADDED),
            postgresql_where=text(ADDED),
        ),
        {"sqlite_with_rowid": False},
    )

    entry_id: Mapped[int] = mapped_column(_KEY, ForeignKey("journal_entries.id"), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    account_id: Mapped[str] = mapped_column(_ACCOUNT)
    type: Mapped[str] = mapped_column(String(32))
    amount_credits: Mapped[int] = mapped_column(BigInteger)
    balance_after_credits: Mapped[int | None] = mapped_column(BigInteger)
    created_at_us: Mapped[int] = mapped_column(BigInteger)


class PromptRun(Base):
    """A charged run with everything it was priced with, so that it can be recomputed when prices have changed.

    The price is `run_price_credits`, or `unit_prices`: a JSON object of exact dollars for each unit. What was used is
    either the two token counts or `usage`, a JSON object of counts, whichever the caller gave. Runs of earlier
    versions have three dollar prices instead of `unit_prices`. `asked_model` is the name that the caller gave where it
    is not the model's id, `used_at_us` when the run took place where that is not when it was charged. The run's id is
    its entry's.
    """

    __tablename__ = "prompt_runs"
    __table_args__ = (
        CheckConstraint(
            "total_credits = inference_cost_credits + creator_fee_credits + platform_markup_credits",
            name="total_is_sum",
        ),
        CheckConstraint("creator_share_credits BETWEEN 0 AND creator_fee_credits", name="share_within_fee"),
        CheckConstraint("(creator_fee_credits = 0) = (creator_id IS NULL)", name="fee_has_creator"),
        CheckConstraint(
            "(run_price_credits IS NULL) = (unit_prices IS NOT NULL OR (input_usd_per_mtok IS NOT NULL"
            " AND output_usd_per_mtok IS NOT NULL AND request_usd_per_thousand IS NOT NULL"
            " AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL))",
            name="one_price",
        ),
        CheckConstraint("usage IS NULL OR (input_tokens IS NULL AND output_tokens IS NULL)", name="one_usage"),
    )

    entry_id: Mapped[int] = mapped_column(_KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_credits.user_id"))
    prompt_id: Mapped[str] = mapped_column(_ID)
    model_id: Mapped[str] = mapped_column(_ID)
    creator_id: Mapped[str | None] = mapped_column(_ID)
    plan_id: Mapped[str] = mapped_column(String(64))
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    run_price_credits: Mapped[int | None] = mapped_column(BigInteger)
    input_usd_per_mtok: Mapped[str | None] = mapped_column(String(32))
    output_usd_per_mtok: Mapped[str | None] = mapped_column(String(32))
    request_usd_per_thousand: Mapped[str | None] = mapped_column(String(32))
    inference_cost_credits: Mapped[int] = mapped_column(BigInteger)
    creator_fee_credits: Mapped[int] = mapped_column(BigInteger)
    platform_markup_credits: Mapped[int] = mapped_column(BigInteger)
    total_credits: Mapped[int] = mapped_column(BigInteger)
    creator_share_credits: Mapped[int] = mapped_column(BigInteger)
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    usage: Mapped[str | None] = mapped_column(Text)
    unit_prices: Mapped[str | None] = mapped_column(Text)
    service_tier: Mapped[str | None] = mapped_column(String(32))
    asked_model: Mapped[str | None] = mapped_column(String(128))
    used_at_us: Mapped[int | None] = mapped_column(BigInteger)
    price_list_id: Mapped[int | None] = mapped_column(_KEY, ForeignKey("price_lists.id"))


class Refund(Base):
    """The rule that a refund was made under, so that the audit holds each against its own. The key is its entry's.

    `provider_refunded`: the refund says that the provider gave the inference cost back, which only the present rule
    asks.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(_one_of("rule", RefundRule), name="rule_known"),
        CheckConstraint("rule = 'platform_bears_cost' OR NOT provider_refunded", name="asked_by_rule"),
        # No refund is added to these any more, so what reports say of them costs the same for ever.
        Index(
            "ix_refunds_cost_booked_back",
            "entry_id",
            sqlite_where=text("rule = 'cost_booked_back'"),
            postgresql_where=text("rule = 'cost_booked_back'"),
        ),
    )

    entry_id: Mapped[int] = mapped_column(_KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    rule: Mapped[str] = mapped_column(String(32))
    provider_refunded: Mapped[bool] = mapped_column(Boolean)


class ApiKey(Base):
    """Who may call the API. Only the hash of a key is stored; the key is shown once. Revoked keys stay as history.

    The name says who calls. While a key is being replaced, two keys have the same name: the old one, with
    `replaced_at_us`, works until it expires. Before migration 0005 a key's number was part of its callers' idempotency
    keys (`has_numbered_requests`), so a row is never deleted.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint(_one_of("role", Role), name="role_known"),
        CheckConstraint("(role = 'user') = (user_id IS NOT NULL)", name="user_only_for_users"),
        Index(
            "uq_api_keys_name_in_force",
            "name",
            unique=True,
            sqlite_where=text("revoked_at_us IS NULL AND replaced_at_us IS NULL"),
            postgresql_where=text("revoked_at_us IS NULL AND replaced_at_us IS NULL"),
        ),
        Index(
            "ix_api_keys_numbered",
            "name",
            sqlite_where=text("has_numbered_requests = 1"),
            postgresql_where=text("has_numbered_requests"),
        ),
    )

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(String(16))
    user_id: Mapped[str | None] = mapped_column(_ID, ForeignKey("user_credits.user_id"))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    beginning: Mapped[str] = mapped_column(String(16))
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    expires_at_us: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at_us: Mapped[int | None] = mapped_column(BigInteger)
    replaced_at_us: Mapped[int | None] = mapped_column(BigInteger)
    has_numbered_requests: Mapped[bool] = mapped_column(Boolean)


class ApiCall(Base):
    """One answered call of the API, for people to look at. Only the newest are kept, so rows are deleted.

    `key_name` and all that the caller sent or read is empty without a valid key. The bodies are cut and hold no API
    key; the columns of bytes say how long they were. An entry's number is no foreign key: the row may be written after
    a demo was started over.
    """

    __tablename__ = "api_calls"
    # The bodies stand last: a list is read without them.
    __table_args__ = (Index("ix_api_calls_request_id", "request_id"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    answered_at_us: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(32))
    method: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(200))
    status: Mapped[int] = mapped_column(SmallInteger)
    code: Mapped[str] = mapped_column(String(64))
    key_name: Mapped[str] = mapped_column(String(64))
    latency_us: Mapped[int] = mapped_column(BigInteger)
    entry_id: Mapped[int | None] = mapped_column(_KEY)
    request_bytes: Mapped[int] = mapped_column(Integer)
    answer_bytes: Mapped[int] = mapped_column(Integer)
    idempotency_key: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    request_body: Mapped[str] = mapped_column(Text)
    answer_body: Mapped[str] = mapped_column(Text)


class StoredPlan(Base):
    """A price plan as TOML. A draft until it is made live; from then on it is never changed or deleted.

    `revision` counts the times a draft with this id was saved, from 1, so that one person does not save over another. A
    discarded draft stays, with `discarded_at_us`, so that a new draft with its id goes on counting.
    `last_activation_id` is the plan's last line in the journal: without it nobody could see that the journal's last
    lines are missing.
    """

    __tablename__ = "price_plans"
    __table_args__ = (CheckConstraint("revision >= 1", name="revision_positive"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    toml: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer)
    actor: Mapped[str] = mapped_column(_ID)
    saved_at_us: Mapped[int] = mapped_column(BigInteger)
    discarded_at_us: Mapped[int | None] = mapped_column(BigInteger)
    last_activation_id: Mapped[int | None] = mapped_column(_KEY)


class PlanActivation(Base):
    """One line of the journal of live plans. The newest line names the plan that runs are priced with.

    Numbered from 1 without a gap; `seal` is a hash of the row, its plan and the seal before it.
    """

    __tablename__ = "plan_activations"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason_given"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True, autoincrement=False)
    plan_id: Mapped[str] = mapped_column(String(64), ForeignKey("price_plans.id"))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(_ID)
    activated_at_us: Mapped[int] = mapped_column(BigInteger)
    seal: Mapped[str] = mapped_column(String(64))


class PriceList(Base):
    """A version of the model prices, as TOML of the form of `data/models.toml`. Never changed or deleted.

    Numbered from 1; `source` says where it is from. `last_activation_id`, the list's last line in the journal, is the
    one thing that may rise.
    """

    __tablename__ = "price_lists"
    __table_args__ = (CheckConstraint("toml <> ''", name="toml_given"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True, autoincrement=False)
    toml: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(_ID)
    saved_at_us: Mapped[int] = mapped_column(BigInteger)
    last_activation_id: Mapped[int | None] = mapped_column(_KEY)


class PriceListActivation(Base):
    """The journal of the live price lists: the newest one names the prices that runs are charged at.

    Numbered from 1 without a gap; `seal` is a hash of the row, its list and the seal before it.
    """

    __tablename__ = "price_list_activations"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason_given"),)

    id: Mapped[int] = mapped_column(_KEY, primary_key=True, autoincrement=False)
    price_list_id: Mapped[int] = mapped_column(_KEY, ForeignKey("price_lists.id"))
    reason: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(_ID)
    activated_at_us: Mapped[int] = mapped_column(BigInteger)
    seal: Mapped[str] = mapped_column(String(64))
