"""The command line, `python -m credits_core …`: an edge. Errors are one line on stderr and exit 1, Ctrl-C 130."""

import sys
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import psycopg
import typer
from alembic.util import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from typer.exceptions import TyperException

from credits_core import settings
from credits_core.audit import invariants
from credits_core.audit import log as audit_log
from credits_core.bulk import demo
from credits_core.bulk.opening_balances import import_legacy
from credits_core.bulk.trace import plan_replay, replay
from credits_core.cli import explain, keys, scenario
from credits_core.cli import plans as plan_commands
from credits_core.errors import CreditsError, DataFileInvalid
from credits_core.plans.book import PriceBooks
from credits_core.reports import daily_totals
from credits_core.store import database
from credits_core.values.text import format_credits, format_usd

_ACTOR = "cli"
_PROGRAM = "python -m credits_core"
_INTERRUPTED = 130  # by convention, and what Typer returns for Ctrl-C

app = typer.Typer(
    help="PromptFlow's credit system. The database is CREDITS_DATABASE_URL (default: data/credits.db).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="The registry of AI models, data/models.toml.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(plan_commands.app, name="plan")
app.command("simulate")(scenario.simulate_command)
app.command("explain")(explain.explain_command)


def main() -> None:
    """Run the command line. A refusal or an error becomes one line on stderr and exit code 1."""
    try:
        exit_code = app(prog_name=_PROGRAM, standalone_mode=False)
    except TyperException as error:
        # No message: there was no command, and the help was shown. Several lines: the values that an option may have.
        message = " ".join(error.format_message().split()) or "Missing command"
        context: typer.Context | None = getattr(error, "ctx", None)
        _fail(f"{message.rstrip('.')}. See: {context.command_path if context else _PROGRAM} --help")
    except typer.Abort:
        _fail("stopped")
    except DataFileInvalid as refusal:
        if len(refusal.problems) == 1 and not refusal.problems[0].startswith("line "):  # the file, not rows of it
            _fail(f"{refusal}; nothing was changed")
        for problem in refusal.problems:
            typer.echo(f"{refusal.path}: {problem}")
        _fail(f"{refusal.path}: {len(refusal.problems)} problem(s), listed above; nothing was changed")
    except CreditsError as refusal:
        _fail(str(refusal))
    except (SQLAlchemyError, psycopg.Error, database.sqlite_driver().Error, CommandError) as error:
        _fail(f"the database cannot be used: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: cannot be used: {error.strerror or error}")
    if exit_code == _INTERRUPTED:
        _fail("stopped by Ctrl-C", exit_code=exit_code)
    sys.exit(exit_code)


@app.command()
def migrate() -> None:
    """Migrate the database to the newest schema. Safe to repeat."""
    with database.opened(settings.database_url()) as engine:
        database.migrate(engine)
        typer.echo(f"{engine.url.render_as_string(hide_password=True)} is at the newest migration")


@app.command("seed")
def seed_command() -> None:
    """Build the demo world in an empty, migrated database. Repeating it changes nothing."""
    books, world = _books(), demo.load_demo_world()
    with _ledger() as engine:
        typer.echo(database.write(engine, lambda connection: demo.build_once(connection, world, books.at(connection))))
        daily_totals.catch_up(engine)


@app.command("import-legacy")
def import_legacy_command(
    file: Annotated[Path, typer.Argument(help="CSV file with the columns user_id,credits.")],
) -> None:
    """Import the former system's balances as opening balances, once; all rows or none."""
    with _ledger() as engine:
        summary = import_legacy(engine, file, now=datetime.now(UTC), actor=_ACTOR)
    typer.echo(
        f"{summary.imported:,} opening balances imported ({_both(summary.imported_credits)}), "
        f"{summary.imported_before:,} imported before, {summary.empty:,} empty accounts"
    )


@app.command("replay")
def replay_command(
    trace: Annotated[Path, typer.Argument(help="CSV file with TIMESTAMP,ContextTokens,GeneratedTokens.")],
    model: Annotated[str, typer.Option(help="Model of every run, e.g. openai/gpt-4o.")],
    user: Annotated[str, typer.Option(help="User who pays.")],
    limit: Annotated[int | None, typer.Option(help="Take at most this many rows.", min=1)] = None,
) -> None:
    """Charge one run per row of a trace, at the row's time. Run it again to go on where it stopped."""
    books = _books()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _ledger() as engine:
        with database.read(engine) as connection:
            book = books.at(connection)
        # What can be refused is refused here, so that an error's one line does not stand below a progress bar.
        charges = plan_replay(engine, trace, user_id=user, model_id=model, book=book, limit=limit)
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Replaying", total=len(charges))
            summary = replay(engine, charges, book=book, on_progress=lambda rows: progress.advance(task, rows))
        daily_totals.catch_up(engine)
    typer.echo(
        f"{summary.rows:,} rows: {summary.charged_now:,} charged now, {summary.charged_before:,} charged before, "
        f"{summary.refused:,} refused for lack of credits; total {_both(summary.total_credits)}"
    )


@app.command()
def verify() -> None:
    """Audit the whole ledger: one line per invariant. Exit 0 when all hold, else 1."""
    with _ledger() as engine:
        with database.read(engine) as connection:
            plans = _books().at(connection).plans
        findings = invariants.check(engine, plans)
        database.write(engine, lambda connection: audit_log.record(connection, findings, now=datetime.now(UTC)))
    for finding in findings:
        typer.echo(str(finding))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@models_app.command("refresh")
def models_refresh() -> None:
    """Take today's token prices from the installed genai-prices package into data/models.toml."""
    from credits_core.cli.model_prices import refresh  # its price data takes a while to load

    changes = refresh(settings.MODELS_FILE, datetime.now(UTC).date())
    for change in changes:
        typer.echo(change)
    typer.echo(f"{settings.MODELS_FILE.name}: {len(changes)} price(s) changed")


def _ledger() -> AbstractContextManager[Engine]:
    return database.opened_ledger(settings.database_url())


def _books() -> PriceBooks:
    return PriceBooks(settings.load_models())


app.add_typer(keys.commands(_ledger), name="api-key")


def _both(credits: int) -> str:
    return f"{format_credits(credits)} credits = {format_usd(credits)}"


def _fail(message: str, *, exit_code: int = 1) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(exit_code)
