"""The table of refunds in parts. All tables together are in `tables`, which is where to import it from."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import KEY, Base
from credits_core.values.credits import MAX_CREDITS


class PartialRefund(Base):
    """A part of an entry that a refund gave back. The row's id is the refund's entry. Never changed.

    Every `partial_refund` has one, and so has the `refund` that gives back the rest after them; the refund of a whole
    entry at once has none. `number` counts the parts of an entry from 1. `refunded_credits` is this part and
    `through_credits` all parts up to it, of what the user paid. `fee_credits` and `share_credits` are what this part
    gives back of the creator's fee, and of the creator's share of it.
    """

    __tablename__ = "partial_refunds"
    __table_args__ = (
        CheckConstraint(
            f"number >= 1 AND refunded_credits >= 1 AND through_credits BETWEEN refunded_credits AND {MAX_CREDITS}",
            name="part_in_bounds",
        ),
        CheckConstraint("(number = 1) = (through_credits = refunded_credits)", name="first_begins_at_nothing"),
        CheckConstraint(
            "fee_credits BETWEEN 0 AND refunded_credits AND share_credits BETWEEN 0 AND refunded_credits",
            name="fee_in_bounds",
        ),
        UniqueConstraint("original_id", "number", name="uq_partial_refunds_number"),
    )

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    original_id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"))
    number: Mapped[int] = mapped_column(Integer)
    refunded_credits: Mapped[int] = mapped_column(BigInteger)
    through_credits: Mapped[int] = mapped_column(BigInteger)
    fee_credits: Mapped[int] = mapped_column(BigInteger)
    share_credits: Mapped[int] = mapped_column(BigInteger)
