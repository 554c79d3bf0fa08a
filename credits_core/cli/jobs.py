"""What the commands about jobs do: list them, run one, and list runs."""

from datetime import UTC, datetime

import typer
from sqlalchemy import Engine

from credits_core import settings
from credits_core.cli import ending
from credits_core.cli.opened import actor, opened_ledger, price_books
from credits_core.operations import jobs, lease, running, runs
from credits_core.operations.runs import Run
from credits_core.operations.surroundings import Surroundings
from credits_core.store import database


def list_all() -> None:
    """Print a line for each job, and who leads."""
    now, zone = _now(), settings.time_zone()
    with opened_ledger() as engine, database.read(engine) as connection:
        found = runs.newest_of_each(connection, jobs.NAMES, limit=runs.FAILURES_UNTIL_RED)
        leading = lease.held(connection).get(lease.LEADER)
    for job in jobs.ALL:
        last = found[job.name][0] if found[job.name] else None
        said = "never ran" if last is None else f"{last.started_at:%Y-%m-%d %H:%M} {last.outcome or 'going on'}"
        failures = runs.failures_in_a_row(found[job.name])
        broken = f", failed {failures} times" if failures >= runs.FAILURES_UNTIL_RED else ""
        next_time = job.next_time(zone, last_started=None if last is None else last.started_at, now=now)
        following = "begins soon after a server starts" if last is None else f"next {next_time:%Y-%m-%d %H:%M}"
        typer.echo(f"{job.name:<12} {job.runs:<20} {said}{broken}, {following}")
    typer.echo(f"Hours of the schedule are those of {zone.name}; times of runs are UTC.")
    if leading is None or not leading.is_running:
        typer.echo("No process leads, so no job runs by itself. A server does, unless CREDITS_JOBS is 0.")
    else:
        typer.echo(f"The process {leading.holder} leads.")


def run(name: str, *, by_schedule: bool) -> None:
    """Run a job to its end and print what became of it."""
    job = jobs.named(name)
    who = running.SCHEDULE if by_schedule else actor()
    with ending.in_order(), opened_ledger() as engine:
        done = running.run(job, _surroundings(engine), actor=who)
    typer.echo(f"{name}: {done.outcome}. {done.message}", err=done.outcome != runs.OK)
    if done.outcome != runs.OK:
        raise typer.Exit(1)


def history(name: str | None, limit: int) -> None:
    """Print the last runs, newest first."""
    if name is not None:
        jobs.named(name)
    with opened_ledger() as engine, database.read(engine) as connection:
        found = runs.newest(connection, name, limit=limit)
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("No job ran yet.")


def _line(one: Run) -> str:
    took = "" if one.took is None else f" in {one.took.total_seconds():.1f} s"
    outcome = f"{one.outcome or 'going on'}{took}"
    return f"{one.started_at:%Y-%m-%d %H:%M:%S} {one.job_name:<12} {outcome:<16} by {one.actor}: {one.message}"


def _surroundings(engine: Engine) -> Surroundings:
    return Surroundings(engine, price_books(), settings.time_zone(), _now)


def _now() -> datetime:
    return datetime.now(UTC)
