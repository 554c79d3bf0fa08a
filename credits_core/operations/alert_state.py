"""Reads how the ledger and what runs beside it are: what `/metrics` shows and what the rules of alerts judge.

Every read costs the same with a million entries: sums by day, newest rows, and what is not sealed yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from credits_core.audit import log as audit_log
from credits_core.audit import seals
from credits_core.operations import lease, runs
from credits_core.reports import debts, sums
from credits_core.reports.daily_rows import USERS
from credits_core.store.kinds import (
    PLATFORM_REFUNDED_INFERENCE,
    PLATFORM_REVENUE,
    TransactionType,
)
from credits_core.store.tables import AlertSample, AuditRun, JobRun, JournalEntry, WatchFinding
from credits_core.values.days import DayRange, from_microseconds, to_microseconds
from credits_core.values.time_zones import TimeZone

_LOOKED_BACK = 20  # runs of a job, to count how often it failed in a row


@dataclass(frozen=True, slots=True)
class Money:
    """Sums over the whole ledger, in credits. `moved_credits` is what accounts received, by type of transaction.

    `revenue_credits` is net of refunds. `borne_for_creators_credits` is what the platform paid under earlier rules in
    refunds for creators who had spent their share. `owed_credits` is what users owe now.
    """

    circulating_credits: int
    revenue_credits: int
    refunded_inference_credits: int
    borne_for_creators_credits: int
    owed_credits: int
    moved_credits: Mapping[str, int]

    @property
    def margin_credits(self) -> int:
        """What the platform has kept: its revenue, less the inference of refunded runs that it bears."""
        return self.revenue_credits - self.refunded_inference_credits


@dataclass(frozen=True, slots=True)
class Job:
    """One job: whether its last run that ended went well, and since when it had no good run.

    `good_age_seconds` counts from the last good run, or from the first run of any job when it never had one; None when
    no job ever ran.
    """

    name: str
    is_ok: bool | None
    good_age_seconds: int | None
    failures_in_a_row: int


@dataclass(frozen=True, slots=True)
class Calls:
    """The API's answers of some minutes: how many, how many of them refused and 503, and the 99th percentile."""

    answered: int
    refused: int
    unavailable: int
    p99_us: int


@dataclass(frozen=True, slots=True)
class State:
    """How everything is now. What is None is not known. `newest_finding` is the number of the newest that waits."""

    money: Money
    audit_ok: bool | None = None
    audit_age_seconds: int | None = None
    whole_audit_age_seconds: int | None = None
    clean_audit_age_seconds: int | None = None
    seal_number: int | None = None
    seal_age_seconds: int | None = None
    seal_lag_seconds: int = 0
    unsealed_entries: int = 0
    has_leader: bool = False
    jobs: Sequence[Job] = ()
    findings_waiting: int = 0
    newest_finding: int = 0
    an_hour_ago: tuple[int, int] | None = None
    calls: Calls | None = field(default=None)

    def job(self, name: str) -> Job:
        """The job of this name. Of one that was not asked for nothing is known."""
        return next((job for job in self.jobs if job.name == name), Job(name, None, None, 0))


def read_state(connection: Connection, names: Sequence[str], *, now: datetime, zone: TimeZone) -> State:
    """How everything is, with these jobs by name, but for the API's calls, which `alert_calls` reads.

    `zone` is the time zone whose days the daily totals have; the sums are the same by any.
    """
    last = audit_log.last_run(connection)
    whole = audit_log.last_run(connection, of_everything=True)
    seal = seals.newest(connection)
    is_whole = seal is not None and seal.is_whole()  # one that was changed may hold anything
    began = _age(_first_run(connection), now)
    verdict = audit_log.verdict(connection)
    findings_waiting, newest_finding = _findings_waiting(connection)
    clean = _age(_last_clean_audit(connection, whole), now)
    return State(
        money=_money(connection, zone),
        audit_ok=None if verdict is None else verdict.ok,
        audit_age_seconds=None if last is None else _seconds(now - last.finished_at),
        whole_audit_age_seconds=None if whole is None else _seconds(now - whole.finished_at),
        clean_audit_age_seconds=began if clean is None else clean,
        seal_number=None if seal is None else seal.number,
        seal_age_seconds=None if seal is None or not is_whole else _seconds(now - seal.sealed_at),
        seal_lag_seconds=_seal_lag(connection, 0 if seal is None or not is_whole else seal.last_entry_id, now),
        unsealed_entries=seals.unsealed(connection).entries,
        has_leader=_has_leader(connection),
        jobs=[_job(connection, name, began, now) for name in names],
        findings_waiting=findings_waiting,
        newest_finding=newest_finding,
        an_hour_ago=_sample_before(connection, now - timedelta(hours=1)),
    )


def _money(connection: Connection, zone: TimeZone) -> Money:
    totals = sums.sums_of(connection, DayRange(zone=zone))
    party, type_ = totals.c.party, totals.c.type
    of_all = connection.execute(
        select(
            sums.sum_where(totals, party == USERS),
            sums.sum_where(totals, party == PLATFORM_REVENUE),
            sums.sum_where(totals, party == PLATFORM_REFUNDED_INFERENCE),
            sums.sum_where(totals, sums.borne_by_platform(party, type_)),
        )
    ).one()
    received = select(type_, func.sum(totals.c.received_credits)).group_by(type_)
    moved = dict.fromkeys((one.value for one in TransactionType), 0)
    moved |= {str(name): int(credits) for name, credits in connection.execute(received)}
    circulating, revenue, refunded_inference, borne = map(int, of_all)
    return Money(circulating, revenue, -refunded_inference, -borne, debts.owed_now(connection), moved)


def _seal_lag(connection: Connection, sealed_up_to: int, now: datetime) -> int:
    first = select(JournalEntry.created_at_us).where(JournalEntry.id > sealed_up_to).order_by(JournalEntry.id).limit(1)
    return _age(connection.execute(first).scalar(), now) or 0


def _has_leader(connection: Connection) -> bool:
    holder = lease.held(connection).get(lease.LEADER)
    return holder is not None and holder.is_running


def _first_run(connection: Connection) -> int | None:
    return connection.execute(select(JobRun.started_at_us).order_by(JobRun.id).limit(1)).scalar()


def _job(connection: Connection, name: str, began_seconds: int | None, now: datetime) -> Job:
    newest = runs.newest(connection, name, limit=_LOOKED_BACK)
    last = runs.last_ended(connection, name)
    good = runs.last_ended(connection, name, is_ok=True)
    return Job(
        name,
        None if last is None else last.outcome == runs.OK,
        began_seconds if good is None or good.ended_at is None else _seconds(now - good.ended_at),
        runs.failures_in_a_row(newest),
    )


def _last_clean_audit(connection: Connection, whole: audit_log.LoggedAudit | None) -> int | None:
    clean = select(AuditRun.finished_at_us).where(AuditRun.broken_invariants == 0)
    if whole is not None and not whole.ok:  # a clean audit of what is new does not make the rest clean
        clean = clean.where(AuditRun.since_entry_id == 0)
    return connection.execute(clean.order_by(AuditRun.id.desc()).limit(1)).scalar()


def _findings_waiting(connection: Connection) -> tuple[int, int]:
    """How many findings wait, and the number of the newest of them, 0 where none does."""
    waiting = select(func.count(), func.coalesce(func.max(WatchFinding.id), 0)).where(
        WatchFinding.looked_at_us.is_(None)
    )
    count, newest = connection.execute(waiting).one()
    return int(count), int(newest)


def _sample_before(connection: Connection, moment: datetime) -> tuple[int, int] | None:
    """The newest sample of at least this age."""
    found = connection.execute(
        select(AlertSample.circulating_credits, AlertSample.margin_credits)
        .where(AlertSample.taken_at_us <= to_microseconds(moment))
        .order_by(AlertSample.taken_at_us.desc())
        .limit(1)
    ).one_or_none()
    return None if found is None else (int(found[0]), int(found[1]))


def _age(moment_us: int | None, now: datetime) -> int | None:
    return None if moment_us is None else _seconds(now - from_microseconds(moment_us))


def _seconds(ago: timedelta) -> int:
    return ago // timedelta(seconds=1)
