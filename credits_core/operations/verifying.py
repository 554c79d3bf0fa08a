"""Audits the ledger and keeps the result: for the command line and the jobs alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from credits_core.audit import invariants, seals
from credits_core.audit import log as audit_log
from credits_core.audit.finding import BEGINNING, Finding, Since
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database
from credits_core.values.progress import Work


@dataclass(frozen=True, slots=True)
class Verified:
    """What an audit found. `since` is where it began, None when it checked everything."""

    findings: Sequence[Finding]
    since: Since | None

    @property
    def is_clean(self) -> bool:
        """Whether every invariant holds."""
        return all(finding.ok for finding in self.findings)

    @property
    def said(self) -> str:
        """The result in a sentence: how many invariants hold, or the first one that does not."""
        broken = [finding for finding in self.findings if not finding.ok]
        if not broken:
            after = "" if self.since is None else f" after entry {self.since.entry_id:,}"
            return f"All {len(self.findings)} invariants hold{after}."
        return f"{len(broken)} of {len(self.findings)} invariants are broken: {broken[0]}"


def verify(around: Surroundings, *, since_last: bool, kept_every: timedelta = timedelta(0)) -> Verified:
    """Audit everything, or what came after the last clean audit, with two threads; keep the result and return it.

    A result that is as it was, with nothing new, is kept again only when the last one is at least `kept_every` old:
    audits are on record for ever.
    """
    engine = around.engine
    seals.catch_up_quietly(engine, now=around.clock())
    with database.read(engine) as connection:
        plans = around.books.at(connection).plans
        since = audit_log.last_clean(connection) if since_last else None
    findings, leaves = invariants.audit(engine, plans, since or BEGINNING)
    return _kept(around, Verified(findings, since), leaves, kept_every)


def verifying(around: Surroundings) -> Work[Verified]:
    """Audit everything with one thread, and tell how far it has come."""
    engine = around.engine
    seals.catch_up_quietly(engine, now=around.clock())
    with database.read(engine) as connection:
        plans = around.books.at(connection).plans
    findings, leaves = yield from invariants.auditing(engine, plans)
    return _kept(around, Verified(findings, None), leaves, timedelta(0))


def _kept(around: Surroundings, found: Verified, leaves: Since | None, kept_every: timedelta) -> Verified:
    def keep(connection: Connection) -> None:
        last, now = audit_log.last_run(connection), around.clock()
        is_as_before = found.since is not None and leaves is not None and leaves.entry_id == found.since.entry_id
        if is_as_before and last is not None and last.ok and now < last.finished_at + kept_every:
            return
        audit_log.record(connection, found.findings, now=now, leaves=leaves, since=found.since or BEGINNING)

    database.write(around.engine, keep)
    return found
