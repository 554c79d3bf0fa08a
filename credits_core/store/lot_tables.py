"""The tables of lots: when credits expire, and for users whose lots are kept, what is left of which.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base


class LotTerms(Base):
    """When the credits that an entry added expire, as was asked. The row's id is its entry's. Without one: never."""

    __tablename__ = "lot_terms"
    __table_args__ = (CheckConstraint("expires_at_us > 0", name="expires"),)

    id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    expires_at_us: Mapped[int] = mapped_column(BigInteger)


class StoredLot(Base):
    """What is left of a lot of a user whose lots are kept. Follows from the journal; the audit compares.

    `number` is that of the entry that added it; 0 is all that the user earns as a creator.
    """

    __tablename__ = "lots"
    __table_args__ = (
        CheckConstraint("left_credits >= 0", name="left_not_negative"),
        Index(
            "ix_lots_expires_at_us",
            "expires_at_us",
            sqlite_where=text("left_credits > 0 AND expires_at_us IS NOT NULL"),
            postgresql_where=text("left_credits > 0 AND expires_at_us IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    user_id: Mapped[str] = mapped_column(ID, ForeignKey("user_credits.user_id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String(16))
    expires_at_us: Mapped[int | None] = mapped_column(BigInteger)
    left_credits: Mapped[int] = mapped_column(BigInteger)


class LotDraw(Base):
    """What one transaction of such a user took from a lot; negative: gave to it. Follows from the journal, too."""

    __tablename__ = "lot_draws"
    __table_args__ = (
        CheckConstraint("credits <> 0", name="credits_moved"),
        {"sqlite_with_rowid": False},
    )

    entry_id: Mapped[int] = mapped_column(KEY, ForeignKey("journal_entries.id"), primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    lot: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    credits: Mapped[int] = mapped_column(BigInteger)
