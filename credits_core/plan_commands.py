"""The command line for price plans: `python -m credits_core plan list | show | inspect | replay`."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from credits_core import database, price_shape, replay_report, settings
from credits_core.errors import InvalidRequest, UnknownPlan
from credits_core.plan_files import load_price_plan, price_plan_toml
from credits_core.plan_findings import findings
from credits_core.price_plan import PricePlan
from credits_core.price_shape import CardFee, Cliff
from credits_core.recorded_runs import recorded_history
from credits_core.replay_results import compare
from credits_core.reports import DayRange

app = typer.Typer(help="Price plans: what they say and what they do.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanName = Annotated[str, typer.Argument(metavar="ID-or-FILE.toml", help="A plan's id, or a file that holds a plan.")]


@app.command("list")
def list_plans(as_json: Json = False) -> None:
    """Every plan, and which one is in force."""
    book = settings.load_price_book()
    if as_json:
        _print_json([{"id": plan.id, "in_force": plan is book.plan} for plan in book.plans.values()])
        return
    for plan in book.plans.values():
        typer.echo(f"{plan.id}  in force" if plan is book.plan else plan.id)


@app.command()
def show(plan: PlanName, as_json: Json = False) -> None:
    """A plan as TOML, as it can be edited and read again."""
    found = find_plan(plan)
    if as_json:
        fields = {name: value for name, value in asdict(found).items() if name not in {"pieces", "_starts"}}
        _print_json(fields)
        return
    typer.echo(price_plan_toml(found), nl=False)


@app.command()
def inspect(
    plan: PlanName,
    card_fee_bps: Annotated[
        int, typer.Option(help="Assumed card fee in hundredths of a per cent of a total.", min=0, max=9_999)
    ] = 290,
    card_fee_credits: Annotated[
        int, typer.Option(help="Assumed fixed part of the card fee per run, in credits.", min=0, max=10**9)
    ] = 0,
    as_json: Json = False,
) -> None:
    """What nobody reading the plan sees: cliffs, fee inversions, losses, and runs without a markup."""
    found, card_fee = find_plan(plan), CardFee(card_fee_bps, card_fee_credits)
    if not as_json:
        for finding in findings(found, card_fee):
            typer.echo(f"{finding.kind:<9}  {finding.sentence}")
        return
    _print_json(
        {
            "plan": found.id,
            "cliffs": [_cliff(cliff) for cliff in price_shape.cliffs(found)],
            "inversions": [asdict(inversion) for inversion in price_shape.inversions(found)],
            "losses": [asdict(zone) for zone in price_shape.losses(found, card_fee)],
            "unmarked": [asdict(costs) for costs in price_shape.unmarked(found)],
            "unseen": [asdict(costs) for costs in price_shape.unseen(found)],
        }
    )


def add_replay(ledger: Callable[[], AbstractContextManager[Engine]]) -> None:
    """Add the command that reads the database which `ledger` opens."""

    @app.command()
    def replay(
        plan: PlanName,
        first: Annotated[str | None, typer.Option("--from", help="First UTC day, e.g. 2026-11-01.")] = None,
        last: Annotated[str | None, typer.Option("--to", help="Last UTC day, included.")] = None,
        as_json: Json = False,
    ) -> None:
        """Price the ledger's runs and unlocks again under the plan, and follow the balances. Changes nothing."""
        found_plan, days = find_plan(plan), DayRange(_day("from", first), _day("to", last))
        with ledger() as engine, database.read(engine) as connection:
            history = recorded_history(connection, days)
        in_words = replay_report.scope(days.first, days.last)
        if history.is_empty:
            raise InvalidRequest("ledger", f"has no run and no unlock to price again ({in_words})")
        found = compare(history, found_plan, settings.load_price_book().plans)
        if as_json:
            _print_json(replay_report.as_json(found, days.first, days.last))
            return
        for line in replay_report.lines(found, in_words):
            typer.echo(line)


def _day(name: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(name, f"must be a day such as 2026-11-01, not {text!r}") from None


def _cliff(cliff: Cliff) -> dict[str, int]:
    return {
        "at_credits": cliff.at_credits,
        "total_below_credits": cliff.total_below_credits,
        "total_at_credits": cliff.total_at_credits,
        "drop_credits": cliff.drop_credits,
        "overcharged_from_credits": cliff.overcharged_from_credits,
    }


def find_plan(plan: str) -> PricePlan:
    """The plan with this id, or of this TOML file, as every command that takes a plan finds it.

    Raises:
        UnknownPlan: no plan has the id.
        DataFileInvalid: the file cannot be read or parsed.
    """
    if plan.endswith(".toml"):
        return load_price_plan(Path(plan))
    plans = settings.load_price_book().plans
    if plan not in plans:
        raise UnknownPlan(plan, list(plans))
    return plans[plan]


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2))
