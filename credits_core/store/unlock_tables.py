"""The tables of unlocked flows, and of requests to unlock what the user had already.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID as _ID
from credits_core.store.base import KEY as _KEY
from credits_core.store.base import Base


class UnlockedFlow(Base):
    """A paid unlock of a flow. A user has at most one per flow that is not refunded; refunded ones stay as history."""

    __tablename__ = "unlocked_flows"
    __table_args__ = (
        CheckConstraint("unlock_fee_credits > 0", name="fee_positive"),
        CheckConstraint("creator_share_credits BETWEEN 0 AND unlock_fee_credits", name="share_within_fee"),
        Index(
            "uq_unlocked_flows_in_force",
            "user_id",
            "flow_id",
            unique=True,
            sqlite_where=text("refunded_by_entry_id IS NULL"),
            postgresql_where=text("refunded_by_entry_id IS NULL"),
        ),
        Index("ix_unlocked_flows_user_id", "user_id", "flow_id", "entry_id"),
        Index("ix_unlocked_flows_flow_id", "flow_id", "entry_id"),
    )

    entry_id: Mapped[int] = mapped_column(_KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_credits.user_id"))
    flow_id: Mapped[str] = mapped_column(_ID)
    creator_id: Mapped[str] = mapped_column(_ID)
    plan_id: Mapped[str] = mapped_column(String(64))
    unlock_fee_credits: Mapped[int] = mapped_column(BigInteger)
    creator_share_credits: Mapped[int] = mapped_column(BigInteger)
    refunded_by_entry_id: Mapped[int | None] = mapped_column(_KEY, ForeignKey("journal_entries.id"))
    created_at_us: Mapped[int] = mapped_column(BigInteger)


class UnlockAnswer(Base):
    """A request to unlock a flow that the user already had: answered without a payment, and so without an entry.

    Kept so that the same request with the same key never pays later. `unlocked_by_entry_id` is the entry by which the
    user had the flow, None when the user made it.
    """

    __tablename__ = "unlock_answers"
    __table_args__ = (
        CheckConstraint("(unlocked_by_entry_id IS NULL) = (creator_id = user_id)", name="entry_or_own_flow"),
        Index(
            "ix_unlock_answers_own_flow",
            "user_id",
            "flow_id",
            sqlite_where=text("unlocked_by_entry_id IS NULL"),
            postgresql_where=text("unlocked_by_entry_id IS NULL"),
        ),
    )

    idempotency_key: Mapped[str] = mapped_column(String(400), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(_ID, ForeignKey("user_credits.user_id"))
    flow_id: Mapped[str] = mapped_column(_ID)
    creator_id: Mapped[str] = mapped_column(_ID)
    unlock_fee_credits: Mapped[int] = mapped_column(BigInteger)
    unlocked_by_entry_id: Mapped[int | None] = mapped_column(_KEY, ForeignKey("journal_entries.id"))
    actor: Mapped[str] = mapped_column(_ID)
    answered_at_us: Mapped[int] = mapped_column(BigInteger)
