"""Stores the results of audits, so that the dashboard and the metrics can show when the ledger was last proved."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from credits_core.audit.finding import BEGINNING, Finding, Since
from credits_core.store.tables import AuditRun, InvariantResult, JournalEntry
from credits_core.values.days import from_microseconds, to_microseconds


@dataclass(frozen=True, slots=True)
class LoggedAudit:
    """One run of the audit. `last_entry_id` is the newest entry that it covered, 0 for none; None if nobody knows."""

    invariants: int
    broken_invariants: int
    finished_at: datetime
    last_entry_id: int | None = None

    @property
    def ok(self) -> bool:
        """Whether every invariant held."""
        return self.broken_invariants == 0


@dataclass(frozen=True, slots=True)
class LoggedFinding:
    """What the last audit said of one invariant; `first_wrong` is one sentence, empty when it holds."""

    invariant: str
    is_ok: bool
    checked: int
    wrong: int
    first_wrong: str
    finished_at: datetime


def record(
    connection: Connection,
    findings: Sequence[Finding],
    *,
    now: datetime,
    leaves: Since | None = None,
    since: Since = BEGINNING,
) -> None:
    """Keep the result of an audit, where it began, and what it leaves for the next one; None when that begins anew.

    An audit of what is new says nothing of what an audit of everything found before: that stays what `last_findings`
    says, until an audit of everything is clean. Only what it finds broken itself is added.
    """
    whole = last_run(connection, of_everything=True)
    is_behind = since.entry_id > 0 and whole is not None and not whole.ok
    connection.execute(
        insert(AuditRun).values(
            invariants=len(findings),
            broken_invariants=sum(not finding.ok for finding in findings),
            finished_at_us=to_microseconds(now),
            last_entry_id=_covered(connection, findings) if leaves is None else leaves.entry_id,
            carried=None if leaves is None else _text(leaves),
            since_entry_id=since.entry_id,
        )
    )
    told = [finding for finding in findings if not (is_behind and finding.ok)]
    forgotten = delete(InvariantResult)
    if is_behind:
        forgotten = forgotten.where(InvariantResult.name.in_([finding.invariant for finding in told]))
    connection.execute(forgotten)
    rows = [
        {
            "name": finding.invariant,
            "is_ok": finding.ok,
            "checked": finding.checked,
            "wrong": len(finding.violations),
            "first_wrong": next(iter(finding.violations), ""),
            "finished_at_us": to_microseconds(now),
        }
        for finding in told
    ]
    if rows:
        connection.execute(insert(InvariantResult), rows)


def last_findings(connection: Connection) -> list[LoggedFinding]:
    """What the audit of `verdict` said of each invariant, by name; nothing before the first audit."""
    rows = connection.execute(select(InvariantResult.__table__).order_by(InvariantResult.name))
    return [
        LoggedFinding(
            row.name, bool(row.is_ok), row.checked, row.wrong, row.first_wrong, from_microseconds(row.finished_at_us)
        )
        for row in rows
    ]


def last_run(connection: Connection, *, of_everything: bool = False) -> LoggedAudit | None:
    """The newest result, or the newest of an audit that checked everything; None when there was no such audit yet."""
    newest = select(AuditRun.__table__).order_by(AuditRun.id.desc()).limit(1)
    if of_everything:
        newest = newest.where(AuditRun.since_entry_id == 0)
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    return LoggedAudit(row.invariants, row.broken_invariants, from_microseconds(row.finished_at_us), row.last_entry_id)


def verdict(connection: Connection) -> LoggedAudit | None:
    """What is known of the ledger: the newest result, but while the newest audit of everything found something, that.

    A clean audit of what is new begins after what was clean, and does not look at older damage.
    """
    whole = last_run(connection, of_everything=True)
    return whole if whole is not None and not whole.ok else last_run(connection)


def entries_since(connection: Connection, last: LoggedAudit | None, *, most: int) -> int:
    """How many entries this result does not cover, counted up to `most`; 0 before the first result.

    Entries may be dated earlier than they were written, as those of the demo are. So they count by their numbers where
    the audit has kept how far it came, and else by when they were posted.
    """
    if last is None:
        return 0
    if last.last_entry_id is not None:
        later = select(JournalEntry.id).where(JournalEntry.id > last.last_entry_id).limit(most).subquery()
        return connection.execute(select(func.count()).select_from(later)).scalar_one()
    finished_at_us = to_microseconds(last.finished_at)
    newest = select(JournalEntry.created_at_us).order_by(JournalEntry.id.desc()).limit(most).subquery()
    return connection.execute(
        select(func.count()).select_from(newest).where(newest.c.created_at_us > finished_at_us)
    ).scalar_one()


def last_clean(connection: Connection) -> Since | None:
    """What the last clean audit left, or None when there is none whose last entry is still there."""
    row = connection.execute(
        select(AuditRun.last_entry_id, AuditRun.carried)
        .join(JournalEntry, JournalEntry.id == AuditRun.last_entry_id)
        .order_by(AuditRun.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    summed_entry_id, circulating_credits, sums, *seal_number = json.loads(row.carried)  # an older version kept three
    by_key = {(party, entry, type_): (got, gave, count) for party, entry, type_, got, gave, count in sums}
    return Since(row.last_entry_id, summed_entry_id, circulating_credits, by_key, *seal_number)


def _covered(connection: Connection, findings: Sequence[Finding]) -> int | None:
    """0 where all is well and there is no entry even now, so that there was none to cover; else it is not known."""
    is_empty = connection.scalar(select(JournalEntry.id).limit(1)) is None
    return 0 if is_empty and all(finding.ok for finding in findings) else None


def _text(leaves: Since) -> str:
    sums = [[*key, *numbers] for key, numbers in sorted(leaves.sums.items())]
    kept = [leaves.summed_entry_id, leaves.circulating_credits, sums, leaves.seal_number]
    return json.dumps(kept, separators=(",", ":"))
