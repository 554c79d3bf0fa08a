"""The table of spending limits. All tables together are in `tables`, which is where to import it from."""

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, Base
from credits_core.store.kinds import SpendingPeriod
from credits_core.values.credits import MAX_CREDITS

_PERIOD_KNOWN = " OR ".join(f"period = '{period.value}'" for period in SpendingPeriod)


class SpendingLimit(Base):
    """How many credits a user, or whoever has an API key, may spend in a day or a month, and how many that were.

    `subject` is a user's id, or `key:NAME` for a key. The present period of `time_zone` is from `begins_us` to before
    `ends_us`; `spent_credits` is what runs and unlocks in it came to. Entries up to `after_entry_id` were there before
    the limit. Whoever is not in this table spends as much as there is.
    """

    __tablename__ = "spending_limits"
    __table_args__ = (
        CheckConstraint(_PERIOD_KNOWN, name="period_known"),
        CheckConstraint(f"limit_credits BETWEEN 0 AND {MAX_CREDITS}", name="limit_in_bounds"),
        CheckConstraint("spent_credits >= 0", name="spent_not_negative"),
        CheckConstraint("begins_us < ends_us", name="period_lasts"),
        {"sqlite_with_rowid": False},
    )

    subject: Mapped[str] = mapped_column(ID, primary_key=True)
    period: Mapped[str] = mapped_column(String(8), primary_key=True)
    limit_credits: Mapped[int] = mapped_column(BigInteger)
    time_zone: Mapped[str] = mapped_column(String(64))
    begins_us: Mapped[int] = mapped_column(BigInteger)
    ends_us: Mapped[int] = mapped_column(BigInteger)
    spent_credits: Mapped[int] = mapped_column(BigInteger)
    after_entry_id: Mapped[int] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(ID)
    set_at_us: Mapped[int] = mapped_column(BigInteger)
