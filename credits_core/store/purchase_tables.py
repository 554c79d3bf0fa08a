"""The tables of purchases: what was bought, what the gateway said of it, what the ledger did, and the receipts.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base
from credits_core.store.kinds import Happened, Step
from credits_core.values.credits import MAX_CREDITS

_HAPPENED_KNOWN = " OR ".join(f"kind = '{kind.value}'" for kind in Happened)
_STEP_KNOWN = " OR ".join(f"step = '{step.value}'" for step in Step)


class Purchase(Base):
    """What a user wants to buy: the credits, and the money in minor units of its currency. Never changed.

    The money is `price_minor` of the pack and `fee_minor`, which the price plan adds. `bonus_days` is how long the
    bonus can be spent; null for ever. Whether it is paid is what the gateway's events say.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        CheckConstraint("price_minor > 0 AND fee_minor >= 0", name="price_positive"),
        CheckConstraint(f"credits BETWEEN 1 AND {MAX_CREDITS}", name="credits_in_bounds"),
        CheckConstraint(f"bonus_credits BETWEEN 0 AND {MAX_CREDITS}", name="bonus_in_bounds"),
        CheckConstraint("bonus_days IS NULL OR bonus_credits > 0", name="days_of_bonus"),
        Index("ix_purchases_user_id", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"))
    gateway: Mapped[str] = mapped_column(String(16))
    pack_id: Mapped[str] = mapped_column(String(64))
    price_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    credits: Mapped[int] = mapped_column(BigInteger)
    bonus_credits: Mapped[int] = mapped_column(BigInteger)
    bonus_days: Mapped[int | None] = mapped_column(Integer)
    plan_id: Mapped[str] = mapped_column(String(64))
    idempotency_key: Mapped[str] = mapped_column(
        String(400).with_variant(String(400, collation="C"), "postgresql"), unique=True
    )
    request_hash: Mapped[str] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(128))
    created_at_us: Mapped[int] = mapped_column(BigInteger)


class PurchaseEvent(Base):
    """One thing that the gateway says has happened to a purchase; each of its events once. Never changed.

    `about` is the gateway's name of the checkout, payment, refund or dispute that it is about. `note` is the address of
    a checkout, or why a payment was declined.
    """

    __tablename__ = "purchase_events"
    __table_args__ = (
        CheckConstraint(_HAPPENED_KNOWN, name="kind_known"),
        CheckConstraint("amount_minor >= 0 AND fee_minor >= 0", name="amounts_not_negative"),
        UniqueConstraint("gateway", "event_id", name="uq_purchase_events_event_id"),
        Index("ix_purchase_events_purchase_id", "purchase_id", "id"),
        Index("ix_purchase_events_happened_at_us", "happened_at_us"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    purchase_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchases.id"))
    gateway: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(255))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)
    happened_at_us: Mapped[int] = mapped_column(BigInteger)
    received_at_us: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(String(128))


class EventToSettle(Base):
    """An event of a purchase that moves money and whose consequences are not carried out yet; the row is deleted then.

    It is written with the event and deleted with what follows from it, each in one unit of work. So an event whose
    process died in between is found again, whatever it was about.
    """

    __tablename__ = "events_to_settle"

    event_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchase_events.id"), primary_key=True, autoincrement=False)
    purchase_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchases.id"))


class PurchaseMove(Base):
    """What one entry did for a purchase: which step, with which lot, and how many credits. The row's id is its entry's.

    A lot has the number of the entry that added it. A purchase has one, and another one for its bonus.
    """

    __tablename__ = "purchase_moves"
    __table_args__ = (
        CheckConstraint(_STEP_KNOWN, name="step_known"),
        CheckConstraint("credits > 0", name="credits_positive"),
        CheckConstraint("step <> 'granted' OR lot = id", name="granted_is_lot"),
        Index("ix_purchase_moves_purchase_id", "purchase_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    purchase_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchases.id"))
    step: Mapped[str] = mapped_column(String(16))
    lot: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"))
    is_bonus: Mapped[bool] = mapped_column(Boolean)
    credits: Mapped[int] = mapped_column(BigInteger)


class PurchaseReceipt(Base):
    """The receipt of a purchase that was paid. Numbered from 1 without a gap."""

    __tablename__ = "purchase_receipts"

    id: Mapped[int] = mapped_column(KEY, primary_key=True, autoincrement=False)
    purchase_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchases.id"), unique=True)
    issued_at_us: Mapped[int] = mapped_column(BigInteger)


class SandboxEvent(Base):
    """A line in the books of the embedded gateway, which plays payments: what happened, whether or not it was told.

    `told_at_us` is when the event was delivered. A lost one never is; reconciliation finds it.
    """

    __tablename__ = "sandbox_events"
    __table_args__ = (Index("ix_sandbox_events_purchase_id", "purchase_id", "id"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    purchase_id: Mapped[int] = mapped_column(KEY, ForeignKey("purchases.id"))
    kind: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(255))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    fee_minor: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)
    happened_at_us: Mapped[int] = mapped_column(BigInteger)
    is_lost: Mapped[bool] = mapped_column(Boolean)
    told_at_us: Mapped[int | None] = mapped_column(BigInteger)
