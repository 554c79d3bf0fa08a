"""The tables of sums by day, which speed up reports. Derived: they can be emptied and built again at any time."""

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ACCOUNT, Base
from credits_core.store.base import ID as _ID


class DailyTotal(Base):
    """The credits one account received or paid on one day, by type of entry and transaction; speeds up `reports`.

    Covers the entries up to `rollup_watermark.entry_id` by the days of `rollup_watermark.time_zone`; later entries are
    added up when they are read. Derived from `credit_transactions`, and the audit compares the two.
    """

    __tablename__ = "daily_totals"
    __table_args__ = (
        Index("ix_daily_totals_account_id", "account_id", "type"),
        # The rows of creators' payments, so that they are found among those of all users.
        Index(
            "ix_daily_totals_payments",
            "day",
            "account_id",
            sqlite_where=text("type = 'creator_payment'"),
            postgresql_where=text("type = 'creator_payment'"),
        ),
        {"sqlite_with_rowid": False},
    )

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    account_id: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    entry_type: Mapped[str] = mapped_column(String(32), primary_key=True)
    type: Mapped[str] = mapped_column(String(32), primary_key=True)
    amount_credits: Mapped[int] = mapped_column(BigInteger)
    transaction_count: Mapped[int] = mapped_column(BigInteger)


class DailySum(Base):
    """What all users together, or one of the platform's accounts, received and gave on one day, by type.

    So there are a few dozen rows a day, however many users there are. `party` is the platform's account, or `users`.
    The entries are the first and the last one that have such a transaction. Covers what `daily_totals` covers.
    """

    __tablename__ = "daily_sums"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    party: Mapped[str] = mapped_column(String(32), primary_key=True)
    entry_type: Mapped[str] = mapped_column(String(32), primary_key=True)
    type: Mapped[str] = mapped_column(String(32), primary_key=True)
    received_credits: Mapped[int] = mapped_column(BigInteger)
    given_credits: Mapped[int] = mapped_column(BigInteger)
    transaction_count: Mapped[int] = mapped_column(BigInteger)
    first_entry_id: Mapped[int] = mapped_column(BigInteger)
    last_entry_id: Mapped[int] = mapped_column(BigInteger)


class DailyWork(Base):
    """The uses of one prompt or flow on one day, with its fees; speeds up `reports`. Covers what `daily_totals` covers.

    `entry_type` says whether it is a prompt that was run or a flow that was unlocked; `creator_id` is empty for a
    prompt without a fee. The three last columns are those of the uses that were refunded, on the day of the use.
    """

    __tablename__ = "daily_works"
    __table_args__ = (
        # What was refunded of one creator's works, without reading those of all creators.
        Index("ix_daily_works_creator_id", "creator_id", "day"),
        {"sqlite_with_rowid": False},
    )

    day: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_type: Mapped[str] = mapped_column(String(32), primary_key=True)
    work_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    creator_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    plan_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    uses: Mapped[int] = mapped_column(BigInteger)
    fees_credits: Mapped[int] = mapped_column(BigInteger)
    creator_share_credits: Mapped[int] = mapped_column(BigInteger)
    refunded_uses: Mapped[int] = mapped_column(BigInteger)
    refunded_fees_credits: Mapped[int] = mapped_column(BigInteger)
    refunded_share_credits: Mapped[int] = mapped_column(BigInteger)


class RollupWatermark(Base):
    """One row: the last entry that the daily tables cover, and the stamp of the time zone whose days they have.

    `time_zone` is a `TimeZone.stamp`, or empty while the rows of an earlier zone are being deleted.
    `circulating_credits` is what all users together held after that entry.
    """

    __tablename__ = "rollup_watermark"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(BigInteger)
    time_zone: Mapped[str] = mapped_column(String(80), server_default="UTC")
    circulating_credits: Mapped[int] = mapped_column(BigInteger, server_default="0")
