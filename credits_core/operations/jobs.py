"""Every job: its name, when it runs, and what it does. All can be repeated at any time, and take bounded steps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from credits_core.operations import backup_jobs, ledger_jobs, payment_jobs, payout_jobs, watch_jobs, webhook_jobs
from credits_core.operations.refusals import UnknownJob
from credits_core.operations.surroundings import Surroundings
from credits_core.values.progress import Work
from credits_core.values.time_zones import TimeZone

_AGAIN_AFTER = timedelta(hours=1)
_UNTIL_FREE = timedelta(minutes=1)  # by then the lease of whoever died has ended


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `says` ends the sentence "This job …"; `runs` says when, for people.

    `first_after` is how long after the start of a server a job runs that never ran. `is_apart`: it takes so long that
    the schedule gives it a process of its own.
    """

    name: str
    title: str
    says: str
    runs: str
    trigger: Callable[[TimeZone], BaseTrigger]
    work: Callable[[Surroundings], Work[str]]
    first_after: timedelta = timedelta(minutes=1)
    is_apart: bool = False

    def next_time(
        self, zone: TimeZone, *, last_started: datetime | None, now: datetime, died: bool = False
    ) -> datetime:
        """When it runs next by itself: `now`, if that time has passed while nobody could run it.

        A job of the night whose last run `died` is not done for that night. It runs again an hour after that run began,
        so that a job that ends its own process does so once an hour at most.
        """
        if last_started is None:
            return now + self.first_after
        due: datetime | None = self.trigger(zone).get_next_fire_time(last_started, last_started)
        assert due is not None, "no trigger ends"
        again = max(last_started + _AGAIN_AFTER, now + _UNTIL_FREE)
        return max(min(due, again) if died else due, now)


def _every(minutes: int) -> Callable[[TimeZone], BaseTrigger]:
    return lambda _: IntervalTrigger(minutes=minutes, timezone=UTC)


def _at(**when: object) -> Callable[[TimeZone], BaseTrigger]:
    return lambda zone: CronTrigger(**when, timezone=zone.clock)


ALL: tuple[Job, ...] = (
    Job(
        "rollup", "Daily totals", "adds new entries to the daily totals", "every minute", _every(1), ledger_jobs.roll_up
    ),
    Job("seals", "Seals", "seals what is new", "every minute", _every(1), ledger_jobs.seal),
    Job(
        "expiry",
        "Expiry",
        "gives back holds, and books credits, whose time is over",
        "every minute",
        _every(1),
        ledger_jobs.expire,
    ),
    Job(
        "payments",
        "Payments",
        "takes in late news of payments, and pays what users owe",
        "every minute",
        _every(1),
        payment_jobs.settle,
    ),
    Job(
        "payouts",
        "Payouts",
        "carries out payouts that were approved",
        "every minute",
        _every(1),
        payout_jobs.pay_out,
    ),
    Job(
        "webhooks",
        "Webhooks",
        "tells other systems what happened, for most of each minute",
        "every minute",
        _every(1),
        webhook_jobs.tell,
    ),
    Job(
        "verify-new",
        "Audit of what is new",
        "checks what came after the last clean audit",
        "every five minutes",
        _every(5),
        ledger_jobs.verify_new,
        first_after=timedelta(minutes=2),
    ),
    Job(
        "verify-all",
        "Audit of everything",
        "checks the whole ledger",
        "every night at 2:00",
        _at(hour=2),
        ledger_jobs.verify_all,
        first_after=timedelta(minutes=20),
        is_apart=True,
    ),
    Job(
        "backup",
        "Backup",
        "makes a backup",
        "every night at 3:00",
        _at(hour=3),
        backup_jobs.backing_up,
        first_after=timedelta(minutes=10),
        is_apart=True,
    ),
    Job(
        "drill",
        "Drill",
        "restores the newest backup into a scratch place and proves it",
        "every Sunday at 4:00",
        _at(day_of_week="sun", hour=4),
        backup_jobs.drilling,
        first_after=timedelta(minutes=15),
        is_apart=True,
    ),
    Job(
        "prune",
        "Old backups",
        "deletes backups that are not to be kept",
        "every night at 5:00",
        _at(hour=5),
        backup_jobs.pruning,
        first_after=timedelta(minutes=30),
    ),
    Job(
        "clean-up",
        "Clean-up",
        "closes stale proposals, and deletes old calls, sessions and runs of jobs",
        "every hour",
        _every(60),
        ledger_jobs.clean_up,
        first_after=timedelta(minutes=5),
    ),
    Job(
        "price-check",
        "Price check",
        "compares the prices of new databases with the installed price package",
        "every night at 5:30",
        _at(hour=5, minute=30),
        ledger_jobs.check_prices,
        first_after=timedelta(minutes=30),
    ),
    Job(
        "alerts",
        "Alerts",
        "finds out what is wrong, and tells the addresses of CREDITS_NOTIFY_URLS",
        "every minute",
        _every(1),
        lambda around: watch_jobs.check_alerts(around, NAMES),
    ),
    Job(
        "watch",
        "Watching",
        "looks for what is unusual in the credits",
        "every ten minutes",
        _every(10),
        watch_jobs.watch_credits,
        first_after=timedelta(minutes=3),
    ),
)
NAMES: tuple[str, ...] = tuple(job.name for job in ALL)


def named(name: str) -> Job:
    """The job of this name.

    Raises:
        UnknownJob: there is none.
    """
    for job in ALL:
        if job.name == name:
            return job
    raise UnknownJob(name, NAMES)
