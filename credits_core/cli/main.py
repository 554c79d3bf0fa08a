"""The command line, `python -m credits_core …`: its commands with their options and help.

What a command needs is imported when it runs, so `--help` answers at once. Errors: one line and exit 1; Ctrl-C 130.
"""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from credits_core.cli.backup_app import backup_app
from credits_core.cli.jobs_app import jobs_app
from credits_core.cli.key_commands import key_app
from credits_core.cli.limits_app import limits_app
from credits_core.cli.margin_command import margin
from credits_core.cli.optimise_command import optimise
from credits_core.cli.payouts_app import payouts_app
from credits_core.cli.people_commands import people_app
from credits_core.cli.proof_app import app as proof_app
from credits_core.cli.refund_commands import refund
from credits_core.cli.role_commands import grant_app_role
from credits_core.cli.trial_user_commands import trial_user_app
from credits_core.cli.usage_app import usage_app
from credits_core.cli.webhook_app import low_balance_app, webhook_app
from credits_core.errors import CreditsError, DataFileInvalid

_PROGRAM = "python -m credits_core"
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanName = Annotated[str, typer.Argument(metavar="ID-or-FILE.toml", help="A plan's id, or a file that holds a plan.")]
Revision = Annotated[int | None, typer.Option(help="The revision of the draft you looked at, from plan show.", min=1)]
PlanId = Annotated[str, typer.Argument(metavar="ID", help="A stored plan's id.")]

app = typer.Typer(
    help="PromptFlow's credit system. The database is CREDITS_DATABASE_URL (default: data/credits.db).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="AI models: which are offered, and their price lists.", no_args_is_help=True)
plan_app = typer.Typer(help="Price plans: list, check, edit, replay, and make one live.", no_args_is_help=True)
app.add_typer(models_app, name="models")
app.add_typer(plan_app, name="plan")
app.add_typer(backup_app, name="backup")
app.add_typer(jobs_app, name="jobs")
app.add_typer(key_app, name="api-key")
app.add_typer(limits_app, name="limits")
app.add_typer(payouts_app, name="payouts")
app.add_typer(webhook_app, name="webhooks")
app.add_typer(low_balance_app, name="low-balance")
app.add_typer(people_app, name="people")
app.add_typer(proof_app, name="proof")
app.add_typer(trial_user_app, name="test-user")
app.add_typer(usage_app, name="usage")
plan_app.command()(optimise)
app.command()(grant_app_role)
app.command()(margin)
app.command()(refund)


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
        _fail(f"{refusal.path}: {refusal.counted} above; nothing was changed")
    except CreditsError as refusal:
        _fail(str(refusal))
    except _database_errors() as error:
        _fail(f"the database cannot be used: {str(getattr(error, 'orig', None) or error).splitlines()[0]}")
    except OSError as error:
        _fail(f"{error.filename or 'a file'}: cannot be used: {error.strerror or error}")
    if exit_code == 130:  # by convention, and what Typer returns for Ctrl-C
        _fail("stopped by Ctrl-C", exit_code=exit_code)
    sys.exit(exit_code)


@app.command()
def migrate() -> None:
    """Migrate the database to the newest schema. Safe to repeat."""
    from credits_core.cli import ledger

    ledger.migrate()


@app.command()
def doctor(as_json: Json = False) -> None:
    """Examine settings, database, disk, clock, permissions, jobs, backups and sign-in, and say what to do."""
    from credits_core.cli import doctor as examination

    examination.examine(as_json=as_json)


@app.command()
def seed(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start the demo over: delete all, unless it is more than a demo.")
    ] = False,
) -> None:
    """Build the demo world, a month that ends now, in an empty, migrated database. Repeating it changes nothing."""
    from credits_core.cli import ledger

    ledger.seed(fresh=fresh)


@app.command("import-legacy")
def import_legacy(
    file: Annotated[Path, typer.Argument(help="CSV file with the columns user_id,credits.")],
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Ids that differ only in upper and lower case are different people.")
    ] = False,
) -> None:
    """Import the former system's balances as opening balances, once. Run it again to go on after a stop."""
    from credits_core.cli import ledger

    ledger.import_legacy(file, distinct=distinct)


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="CSV file with TIMESTAMP,ContextTokens,GeneratedTokens(,RequestId).")],
    model: Annotated[str, typer.Option(help="Model of every run, e.g. openai/gpt-4o.")],
    user: Annotated[str, typer.Option(help="User who pays.")],
    limit: Annotated[int | None, typer.Option(help="Take at most this many rows.", min=1)] = None,
    of_its_day: Annotated[
        bool, typer.Option("--of-its-day", help="Take the plan and the price of each row's day, not today's.")
    ] = False,
) -> None:
    """Charge one run per row of a log, now. Run it again to go on where it stopped; nothing is charged twice."""
    from credits_core.cli import ledger

    ledger.replay(trace, model, user, limit, of_its_day=of_its_day)


@app.command()
def verify(since_last: Annotated[bool, typer.Option("--since-last", help="Check only what is new.")] = False) -> None:
    """Audit the whole ledger, or what came after the last clean run: one line per invariant. Exit 0 when all hold."""
    from credits_core.cli import ledger

    ledger.verify(since_last=since_last)


@app.command()
def simulate(
    workload: Annotated[str, typer.Option(help="What runs look like, from data/scenarios.toml: conversation or code.")],
    plan: Annotated[
        str | None, typer.Option(metavar="ID-or-FILE.toml", help="A plan's id, or a file with one; else the live plan.")
    ] = None,
    runs: Annotated[int, typer.Option(help="How many runs, up to 5,000,000.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same runs.")] = 1,
    days: Annotated[int | None, typer.Option(help="How many days they are spread over.")] = None,
    users: Annotated[int | None, typer.Option(help="How many users; default: in proportion to the runs.")] = None,
    starting_credits: Annotated[int | None, typer.Option(help="What each user holds on the first day.")] = None,
    top_up_credits: Annotated[int | None, typer.Option(help="What a user buys at once.")] = None,
    growth_bps_per_day: Annotated[int | None, typer.Option(help="More runs each day, in hundredths of a %.")] = None,
    as_json: Json = False,
) -> None:
    """Try a plan on made-up runs: who pays what, who runs out, what the platform keeps. Charges nobody."""
    from credits_core.cli import scenario

    given = {
        "seed": seed,
        "days": days,
        "users": users,
        "starting_credits": starting_credits,
        "top_up_credits": top_up_credits,
        "growth_bps_per_day": growth_bps_per_day,
    }
    scenario.simulate_runs(workload, plan, runs, given, as_json=as_json)


@app.command()
def price(
    jsonl: Annotated[str, typer.Option(metavar="FILE", help="A file with one JSON object a line, or - for stdin.")],
    plan: Annotated[
        str | None, typer.Option(metavar="ID-or-FILE.toml", help="A plan's id, or a file with one; else the live plan.")
    ] = None,
) -> None:
    """Quote runs of any model: for each line with a model_id and a usage, one line of JSON. Charges nothing.

    Offered models have the prices of the live price list, which the answer then names as price_list. Where there is no
    database yet, they have those of data/models.toml. All others have the prices of the genai-prices package.
    """
    from credits_core.cli import price as pricing

    pricing.price_lines(jsonl, plan)


@app.command()
def explain(
    entry: Annotated[
        int, typer.Argument(metavar="ENTRY", help="Number of a prompt run, flow unlock or refund.", min=1)
    ],
    as_json: Json = False,
) -> None:
    """Explain a charge or refund, recalculated from its stored inputs. Exit 0 when everything matches, else 1."""
    from credits_core.cli import explain as explained

    explained.explain_entry(entry, as_json=as_json)


@models_app.command("list")
def list_models(
    search: Annotated[str, typer.Option(help="Part of the id.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Also models that are not offered.")] = False,
    as_json: Json = False,
) -> None:
    """List the offered models with their prices."""
    from credits_core.cli import models

    models.list_models(search, every=every, as_json=as_json)


@models_app.command("offer")
def offer_model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model of the price package, such as openai/gpt-5.")],
    reason: Annotated[str, typer.Option(help="The reason, which is kept in the journal.")],
    confirm_price: Annotated[bool, typer.Option("--confirm-price", help="A price above $1,000 is right.")] = False,
) -> None:
    """Offer a model for running, from the next charge on."""
    from credits_core.cli import models

    models.offer(name, reason, is_price_confirmed=confirm_price)


@models_app.command("withdraw")
def withdraw_model(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An offered model.")],
    reason: Annotated[str, typer.Option(help="The reason, which is kept in the journal.")],
) -> None:
    """Offer a model no more. Past runs keep their price."""
    from credits_core.cli import models

    models.withdraw(model, reason)


@models_app.command("lists")
def price_lists(as_json: Json = False) -> None:
    """List every price list, newest first, and which is live."""
    from credits_core.cli import models

    models.list_lists(as_json=as_json)


@models_app.command("show")
def show_price_list(
    number: Annotated[int | None, typer.Argument(metavar="NUMBER", help="Default: the live one.", min=1)] = None,
) -> None:
    """Print a price list as TOML, to edit and import again."""
    from credits_core.cli import models

    models.show(number)


@models_app.command("import")
def import_price_list(file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A price list.")]) -> None:
    """Save a file as a new price list and show what would change. It is not live yet."""
    from credits_core.cli import models

    models.import_file(file)


@models_app.command("refresh")
def refresh_models(
    is_file: Annotated[bool, typer.Option("--file", help="Rewrite data/models.toml, for the next release.")] = False,
) -> None:
    """Save the live prices, renewed from the genai-prices package, as a new price list. It is not live yet."""
    from credits_core.cli import model_prices, models

    (model_prices.refresh_and_print if is_file else models.refresh)()


@models_app.command("diff")
def diff_price_list(number: Annotated[int, typer.Argument(metavar="NUMBER", min=1)]) -> None:
    """Show what would change if a price list were made live."""
    from credits_core.cli import models

    models.diff(number)


@models_app.command("activate")
def activate_price_list(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1)],
    reason: Annotated[str, typer.Option(help="The reason, which is kept in the journal.")],
    live_list: Annotated[int | None, typer.Option(help="The live list that you compared it with.", min=1)] = None,
) -> None:
    """Make a price list live, from the next charge on, in every process. Name the live list that you saw."""
    from credits_core.cli import models

    models.activate(number, reason, live_list)


@plan_app.command("list")
def list_plans(as_json: Json = False) -> None:
    """List every plan: live (in force), draft, or previously live (retired)."""
    from credits_core.cli import plans

    plans.list_plans(as_json=as_json)


@plan_app.command("show")
def show_plan(plan: PlanName, as_json: Json = False) -> None:
    """Print a plan as TOML, to edit and import again."""
    from credits_core.cli import plans

    plans.show(plan, as_json=as_json)


@plan_app.command("import")
def import_plan(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="A file that holds a plan.")],
    revision: Revision = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace any draft; print first what changes.")] = False,
    as_json: Json = False,
) -> None:
    """Save the plan in a file as a draft. To replace a draft, name its revision, or use --replace."""
    from credits_core.cli import plans

    plans.import_plan(file, revision=revision, replace=replace, as_json=as_json)


@plan_app.command("discard")
def discard_plan(plan: PlanId, revision: Revision = None, as_json: Json = False) -> None:
    """Discard a draft; name its revision. A plan that was ever live is kept for ever."""
    from credits_core.cli import plans

    plans.discard(plan, revision=revision, as_json=as_json)


@plan_app.command("activate")
def activate_plan(
    plan: PlanId,
    reason: Annotated[str, typer.Option(help="The reason, which is kept in the journal.")],
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Make a stored plan live, from the next charge on. For a draft, name its revision."""
    from credits_core.cli import plans

    plans.activate(plan, reason=reason, revision=revision, as_json=as_json)


@plan_app.command("journal")
def plan_journal(as_json: Json = False) -> None:
    """List which plan was made live when, by whom and why, newest first."""
    from credits_core.cli import plans

    plans.journal(as_json=as_json)


@plan_app.command("inspect")
def inspect_plan(
    plan: PlanName,
    card_fee_bps: Annotated[
        int, typer.Option(help="Assumed card fee in hundredths of a per cent of a total.", min=0, max=9_999)
    ] = 290,
    card_fee_credits: Annotated[
        int, typer.Option(help="Assumed fixed part of the card fee per run, in credits.", min=0, max=10**9)
    ] = 0,
    as_json: Json = False,
) -> None:
    """Find hidden problems in a plan: cliffs, fee inversions, losses, and runs without a markup."""
    from credits_core.cli import plans

    plans.inspect(plan, card_fee_bps, card_fee_credits, as_json=as_json)


@plan_app.command("replay")
def replay_plan(
    plan: PlanName,
    first: Annotated[str | None, typer.Option("--from", help="First day of posting, e.g. 2026-11-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of posting, included.")] = None,
    data: Annotated[str | None, typer.Option(metavar="NAME", help="The runs of a data set, not the ledger's.")] = None,
    sums: Annotated[str | None, typer.Option(help="What rows of sums are: one-run or equal-runs.")] = None,
    as_json: Json = False,
) -> None:
    """Show what the recorded runs and unlocks, or a data set's, would have cost under the plan. Changes nothing."""
    from credits_core.cli import plans

    plans.replay(plan, first=first, last=last, data=data, sums=sums, as_json=as_json)


def _database_errors() -> tuple[type[Exception], ...]:
    # Asked for only once something was raised, so that help and wrong calls load no database.
    import psycopg
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from credits_core.store import database

    return SQLAlchemyError, psycopg.Error, database.sqlite_driver().Error, CommandError


def _fail(message: str, *, exit_code: int = 1) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    sys.exit(exit_code)
