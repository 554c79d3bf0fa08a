"""The tables of what people chose: how to begin, and views by name. No history: rows may change and go.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base


class CleanStart(Base):
    """One row when somebody chose to begin with an empty database, so that nobody is asked again; no row before.

    Other beginnings need no row: the first entry tells.
    """

    __tablename__ = "clean_start"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    actor: Mapped[str] = mapped_column(ID)
    chosen_at_us: Mapped[int] = mapped_column(BigInteger)


class SavedView(Base):
    """What somebody chose on a screen, by name: the query of the screen's address, as JSON.

    `folded_name` is the name without differences of upper and lower case; a screen has each once.
    """

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("screen", "folded_name"),)

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    screen: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(60))
    folded_name: Mapped[str] = mapped_column(String(180))
    query: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(ID)
    saved_at_us: Mapped[int] = mapped_column(BigInteger)
