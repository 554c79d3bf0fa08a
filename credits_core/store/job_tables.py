"""The tables of jobs: who may run one now, and what became of each run.

All tables together are in `tables`, which is where to import these from.
"""

from sqlalchemy import BigInteger, CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from credits_core.store.base import ID, KEY, Base


class JobLease(Base):
    """Which process may do something now, until when: be the leader, or run the job of this name.

    `epoch` grows by one each time that somebody takes the lease, so that one who had it before can tell. Times are the
    database's own.
    """

    __tablename__ = "job_leases"
    __table_args__ = (CheckConstraint("epoch > 0", name="epoch_positive"),)

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    holder: Mapped[str] = mapped_column(ID)
    epoch: Mapped[int] = mapped_column(BigInteger)
    until_us: Mapped[int] = mapped_column(BigInteger)


class JobRun(Base):
    """One run of a job. `ended_at_us` and `outcome` are missing while it goes on, and for ever if its process died.

    `process` is the host and the number of the process; `actor` who asked: `jobs` for the schedule.
    """

    __tablename__ = "job_runs"
    __table_args__ = (
        CheckConstraint("(ended_at_us IS NULL) = (outcome IS NULL)", name="ended_with_outcome"),
        CheckConstraint("outcome = 'ok' OR outcome = 'failed'", name="outcome_known"),
        Index("ix_job_runs_job_name", "job_name", "id"),
    )

    id: Mapped[int] = mapped_column(KEY, primary_key=True)
    job_name: Mapped[str] = mapped_column(String(48))
    started_at_us: Mapped[int] = mapped_column(BigInteger)
    ended_at_us: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(Text)
    process: Mapped[str] = mapped_column(ID)
    actor: Mapped[str] = mapped_column(ID)
