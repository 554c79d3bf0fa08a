"""What the commands about the ledger do: migrate, seed, import, replay, verify."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from credits_core import settings, startup
from credits_core.bulk import demo, opening_balances
from credits_core.bulk import replay as trace_replay
from credits_core.bulk.demo_world import load_demo_world
from credits_core.cli.opened import actor, both, opened_ledger, price_books
from credits_core.operations import verifying
from credits_core.operations.surroundings import Surroundings
from credits_core.reports import daily_totals
from credits_core.store import database, grants

_SHOWN = 10


def migrate() -> None:
    """Bring the database to the newest schema."""
    with database.opened(settings.database_url()) as engine:
        startup.migrate(engine)
        typer.echo(f"{engine.url.render_as_string(hide_password=True)} is at the newest migration")


def grant_app_role(name: str) -> None:
    """Give the role what the running product needs, and no more."""
    with opened_ledger() as engine:
        database.write(engine, lambda connection: grants.grant(connection, name))
    typer.echo(f"{name} may now run the product: it can add to history, and neither change nor delete it")


def seed(*, fresh: bool) -> None:
    """Build the demo world in an empty, migrated database, or start it over."""
    books, now = price_books(), _now()
    with opened_ledger() as engine:
        if fresh:
            deleted = database.write(
                engine, lambda connection: startup.start_demo_over(connection, books, now=now, actor=actor())
            )
            typer.echo(f"Deleted: {deleted}.")
            typer.echo(f"The demo world is built: {demo.summary(load_demo_world())}.")
        else:
            world, ends_at = load_demo_world(), startup.demo_ends_at(now)
            typer.echo(
                database.write(
                    engine,
                    lambda connection: demo.build_once(
                        connection, world, books.at(connection), ends_at=ends_at, actor=actor()
                    ),
                )
            )
        daily_totals.catch_up(engine, settings.time_zone())


def import_legacy(file: Path, *, distinct: bool) -> None:
    """Import opening balances from a CSV file."""
    with opened_ledger() as engine:
        summary = opening_balances.import_legacy(engine, file, now=_now(), actor=actor(), distinct=distinct)
    typer.echo(
        f"{summary.imported:,} opening balances imported ({both(summary.imported_credits)}), "
        f"{summary.imported_before:,} imported before, {summary.empty:,} empty accounts"
    )


def replay(file: Path, model: str, user: str, limit: int | None, *, of_its_day: bool) -> None:
    """Charge one run per row of a log, with a progress bar on stderr."""
    books = price_books()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with opened_ledger() as engine:
        with database.read(engine) as connection:
            book = books.at(connection)
        # What can be refused is refused here, so that an error's one line does not stand below a progress bar.
        plan = trace_replay.plan_replay(
            engine,
            file,
            user_id=user,
            model_id=model,
            book=book,
            now=_now(),
            limit=limit,
            of_its_day=of_its_day,
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Replaying", total=len(plan.runs))
            summary = trace_replay.replay(
                engine,
                plan,
                book_at=books.at,
                clock=_now,
                actor=actor(),
                on_progress=lambda rows: progress.advance(task, rows),
            )
        daily_totals.catch_up(engine, settings.time_zone())
    typer.echo(
        f"{summary.rows:,} rows: {summary.charged_now:,} charged now, {summary.charged_before:,} charged before, "
        f"{summary.refused:,} refused for lack of credits, {len(summary.unused_lines):,} unused; "
        f"total {both(summary.total_credits)}"
    )
    for line in _replayed_under(plan, summary.unused_lines, model):
        typer.echo(line)


def _replayed_under(plan: trace_replay.ReplayPlan, unused_lines: Sequence[int], model: str) -> Iterator[str]:
    if unused_lines:
        shown = ", ".join(map(str, unused_lines[:_SHOWN]))
        more = f" and {len(unused_lines) - _SHOWN:,} more" if len(unused_lines) > _SHOWN else ""
        yield f"Unused, because nothing was used or it is free: line {shown}{more}."
    if plan.is_of_its_day:
        yield "Entries are dated now. Each has the price plan and the price list that were live on its row's day."
        return
    plan_id, price_list = plan.terms
    known = "" if plan.price_since is None else f", known since {plan.price_since.date()}"
    yield (
        f"Entries are dated now and have the live plan {plan_id}, live since {plan.plan_since.date()}, and the price "
        f"of {model} in price list {price_list}{known}. {plan.older_than_plan:,} rows are older than the plan, "
        f"{plan.older_than_price:,} older than the price."
    )


def _now() -> datetime:
    return datetime.now(UTC)


def verify(*, since_last: bool) -> None:
    """Print one line per invariant and keep the result of the audit."""
    with opened_ledger() as engine:
        found = verifying.verify(Surroundings(engine, price_books(), settings.time_zone(), _now), since_last=since_last)
    if found.since is not None:
        typer.echo(f"After entry {found.since.entry_id:,}, where the last clean audit ended:")
    elif since_last:
        typer.echo("No audit was clean yet, so everything is checked:")
    for finding in found.findings:
        typer.echo(str(finding))
    if not found.is_clean:
        raise typer.Exit(1)
