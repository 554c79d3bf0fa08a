"""Stores the results of audits, so that the dashboard and the metrics can show when the ledger was last proved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from credits_core.audit.finding import Finding
from credits_core.store.tables import AuditRun
from credits_core.values.days import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True)
class LoggedAudit:
    """One run of the whole audit."""

    invariants: int
    broken_invariants: int
    finished_at: datetime

    @property
    def ok(self) -> bool:
        """Whether every invariant held."""
        return self.broken_invariants == 0


def record(connection: Connection, findings: Sequence[Finding], *, now: datetime) -> None:
    """Keep the result of an audit."""
    connection.execute(
        insert(AuditRun).values(
            invariants=len(findings),
            broken_invariants=sum(not finding.ok for finding in findings),
            finished_at_us=to_microseconds(now),
        )
    )


def last_run(connection: Connection) -> LoggedAudit | None:
    """The newest result, or None when there was no audit yet."""
    row = connection.execute(select(AuditRun.__table__).order_by(AuditRun.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return LoggedAudit(row.invariants, row.broken_invariants, from_microseconds(row.finished_at_us))
