"""The tables of the parts of a user's credits, and of holds.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ACCOUNT, ID, KEY, Base
from credits_core.store.kinds import HoldEnd, Part
from credits_core.values.credits import MAX_CREDITS

# With a backslash, because SQLAlchemy would take a colon with a word for a parameter.
_PART_KNOWN = " OR ".join(rf"account_id = user_id || '\:{part.value}'" for part in Part)
_END_KNOWN = " OR ".join(f"kind = '{end.value}'" for end in HoldEnd)


class UserPart(Base):
    """What a user has in one part beside what the user can spend, such as `ada:held`. Only a debt is below 0.

    It is the sum of the account's transactions, as a user's balance is. A row stays when nothing is left.
    """

    __tablename__ = "user_parts"
    __table_args__ = (
        CheckConstraint(_PART_KNOWN, name="part_known"),
        CheckConstraint(
            f"balance_credits BETWEEN 0 AND {MAX_CREDITS}"
            rf" OR (account_id LIKE '%\:debt' AND balance_credits BETWEEN -{MAX_CREDITS} AND 0)",
            name="balance_in_bounds",
        ),
        {"sqlite_with_rowid": False},
    )

    account_id: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"))
    balance_credits: Mapped[int] = mapped_column(BigInteger)


class Hold(Base):
    """Credits set aside for a run: what was asked, at which price, and until when. Its id is that of its entry.

    Its price is that of the plan and the price list of the moment when it was made. `asked_credits` is what the caller
    asked to be held; null when the credits are the price of the run with this usage. Only `ended_by_entry_id` changes,
    once, and says the same as `hold_ends`; by it, holds that are open are found.
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("held_credits > 0", name="credits_positive"),
        CheckConstraint("asked_credits IS NULL OR asked_credits = held_credits", name="asked_is_held"),
        CheckConstraint("(creator_fee_credits = 0) = (creator_id IS NULL)", name="fee_has_creator"),
        CheckConstraint("expires_at_us > created_at_us", name="expires_later"),
        Index(
            "ix_holds_open",
            "expires_at_us",
            sqlite_where=text("ended_by_entry_id IS NULL"),
            postgresql_where=text("ended_by_entry_id IS NULL"),
        ),
        Index("ix_holds_user_id", "user_id", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"))
    prompt_id: Mapped[str] = mapped_column(ID)
    model_id: Mapped[str] = mapped_column(ID)
    asked_model: Mapped[str | None] = mapped_column(ID)
    creator_id: Mapped[str | None] = mapped_column(ID)
    creator_fee_credits: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    usage: Mapped[str | None] = mapped_column(Text)
    service_tier: Mapped[str | None] = mapped_column(String(32))
    asked_credits: Mapped[int | None] = mapped_column(BigInteger)
    held_credits: Mapped[int] = mapped_column(BigInteger)
    plan_id: Mapped[str] = mapped_column(String(64))
    price_list_id: Mapped[int | None] = mapped_column(KEY, ForeignKey("price_lists.id"))
    created_at_us: Mapped[int] = mapped_column(BigInteger)
    expires_at_us: Mapped[int] = mapped_column(BigInteger)
    ended_by_entry_id: Mapped[int | None] = mapped_column(KEY, ForeignKey("journal_entries.id"))


class HoldEnding(Base):
    """How a hold ended: the entry that gave the held credits back, and the run that was then charged, if any.

    A hold ends once. The row's id is that of the entry that gave back.
    """

    __tablename__ = "hold_ends"
    __table_args__ = (
        CheckConstraint(_END_KNOWN, name="kind_known"),
        CheckConstraint("(kind = 'captured') = (run_entry_id IS NOT NULL)", name="captured_has_run"),
    )

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    hold_id: Mapped[int] = mapped_column(KEY, ForeignKey("holds.id"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    run_entry_id: Mapped[int | None] = mapped_column(KEY, ForeignKey("journal_entries.id"), unique=True)
