"""The tables of what is wrong now, and of what watching the credits found.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base


class Alert(Base):
    """One fault, from when it was first seen until it was over. `name` is that of its rule.

    It counts from `counts_from_us` on, when it had lasted as long as its rule asks. `told_at_us` and `end_told_at_us`
    say when a notice of it, and of its end, went out.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_name_now",
            "name",
            unique=True,
            sqlite_where=text("ended_at_us IS NULL"),
            postgresql_where=text("ended_at_us IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    name: Mapped[str] = mapped_column(String(48))
    said: Mapped[str] = mapped_column(Text)
    since_us: Mapped[int] = mapped_column(BigInteger)
    counts_from_us: Mapped[int | None] = mapped_column(BigInteger)
    ended_at_us: Mapped[int | None] = mapped_column(BigInteger)
    told_at_us: Mapped[int | None] = mapped_column(BigInteger)
    end_told_at_us: Mapped[int | None] = mapped_column(BigInteger)


class AlertSample(Base):
    """Two sums of the ledger at one moment, kept for some hours, so that a later look sees how they changed."""

    __tablename__ = "alert_samples"

    taken_at_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    circulating_credits: Mapped[int] = mapped_column(BigInteger)
    margin_credits: Mapped[int] = mapped_column(BigInteger)


class WatchFinding(Base):
    """Something unusual in the credits, with what led to it: numbers by name as JSON, and numbers of entries as JSON.

    `day` is the number of the day that it is about. What was looked at has somebody, a time and a note.
    """

    __tablename__ = "watch_findings"
    __table_args__ = (
        CheckConstraint(
            "(looked_at_us IS NULL) = (looked_by IS NULL) AND (looked_at_us IS NULL) = (note IS NULL)",
            name="looked_at_by_somebody",
        ),
        Index("uq_watch_findings_once", "rule", "subject", "day", unique=True),
        Index(
            "ix_watch_findings_waiting",
            "id",
            sqlite_where=text("looked_at_us IS NULL"),
            postgresql_where=text("looked_at_us IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    rule: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(256))
    day: Mapped[int] = mapped_column(Integer)
    numbers: Mapped[str] = mapped_column(Text)
    entries: Mapped[str] = mapped_column(Text)
    found_at_us: Mapped[int] = mapped_column(BigInteger)
    looked_at_us: Mapped[int | None] = mapped_column(BigInteger)
    looked_by: Mapped[str | None] = mapped_column(ID)
    note: Mapped[str | None] = mapped_column(Text)


class WatchProgress(Base):
    """One row: the last entry that was watched. No row before the first time."""

    __tablename__ = "watch_progress"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger)


class WatchKeyDay(Base):
    """For how many different users a key charged at once, at most, on one day. `actor` is as entries have it."""

    __tablename__ = "watch_key_days"
    __table_args__ = ({"sqlite_with_rowid": False},)

    actor: Mapped[str] = mapped_column(ID, primary_key=True)
    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    most_users: Mapped[int] = mapped_column(Integer)
