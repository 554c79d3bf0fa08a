"""The command line for price plans: `python -m credits_core plan list | show | inspect`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from credits_core import price_shape, settings
from credits_core.errors import UnknownPlan
from credits_core.plan_files import load_price_plan, price_plan_toml
from credits_core.plan_findings import findings
from credits_core.price_plan import PricePlan
from credits_core.price_shape import CardFee, Cliff

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
