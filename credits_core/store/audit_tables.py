"""The table of audits."""

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import KEY as _KEY
from credits_core.store.base import Base


class AuditRun(Base):
    """One run of the audit and what it found. A clean one says after which entry the next may begin, with which sums.

    `since_entry_id` is the entry after which it began itself, 0 when it checked everything. The entries' numbers are no
    foreign keys: they are only places in the ledger.
    """

    __tablename__ = "audit_runs"

    id: Mapped[int] = mapped_column(_KEY, primary_key=True)
    invariants: Mapped[int] = mapped_column(Integer)
    broken_invariants: Mapped[int] = mapped_column(Integer)
    finished_at_us: Mapped[int] = mapped_column(BigInteger)
    last_entry_id: Mapped[int | None] = mapped_column(_KEY)
    carried: Mapped[str | None] = mapped_column(Text)
    since_entry_id: Mapped[int] = mapped_column(_KEY, server_default="0")
