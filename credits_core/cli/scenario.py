"""The command line for scenarios: `python -m credits_core simulate`. It needs no database."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from credits_core import settings
from credits_core.cli.plans import Json, find_plan
from credits_core.errors import InvalidRequest
from credits_core.lab.scenario.assumptions import load_scenarios, with_runs
from credits_core.lab.scenario.result import ScenarioResult, share_bps
from credits_core.lab.scenario.simulation import simulate
from credits_core.lab.scenario.workload import load_workloads
from credits_core.values.text import format_bps, format_credits, format_usd


def simulate_command(
    workload: Annotated[str, typer.Option(help="What runs look like, from data/scenarios.toml: conversation or code.")],
    plan: Annotated[
        str | None,
        typer.Option(metavar="ID-or-FILE.toml", help="A plan's id, or a file with one; default: the live plan."),
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
    scenarios = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))
    if workload not in scenarios:
        raise InvalidRequest("workload", f"must be one of {', '.join(scenarios)}, not {workload!r}")
    given: dict[str, Any] = {
        "seed": seed,
        "days": days,
        "users": users,
        "starting_credits": starting_credits,
        "top_up_credits": top_up_credits,
        "growth_bps_per_day": growth_bps_per_day,
    }
    sized = with_runs(scenarios[workload], runs)
    scenario = replace(sized, **{name: number for name, number in given.items() if number is not None})
    result = simulate(scenario, find_plan(plan), settings.load_models())
    if as_json:
        typer.echo(result.to_json(), nl=False)
        return
    for line in _summary(result):
        typer.echo(line)


def _summary(result: ScenarioResult) -> list[str]:
    scenario, sums, totals = result.scenario, result.sums, result.run_totals
    paid_credits = sums.paid_credits
    quantiles = {"p50": totals.p50_credits, "p95": totals.p95_credits, "p99": totals.p99_credits}
    half = f"; half of all users by day {result.median_dry_day}" if result.median_dry_day else ""
    top_credits = result.top_fifth_credits
    return [
        f"{sums.runs:,} runs of {scenario.workload.id} by {scenario.users:,} users over {scenario.days} days, "
        f"seed {scenario.seed}, plan {result.plan_id}",
        f"charged     {sums.charged:,} runs; refused {sums.refused:,}, {_share(sums.refused, sums.runs)}",
        f"users paid  {_both(paid_credits)}",
        f"inference   {_both(sums.inference_credits)}, {_share(sums.inference_credits, paid_credits)}",
        f"creators    {_both(sums.creators_credits)}, {_share(sums.creators_credits, paid_credits)}; "
        f"the best-earning fifth of {scenario.creators:,} has {_share(top_credits, sums.creators_credits)}",
        f"platform    {_both(sums.platform_credits)}, {_share(sums.platform_credits, paid_credits)}",
        f"purchases   {result.top_ups:,} of {_both(scenario.top_up_credits)}; "
        f"card fees {_both(result.card_fee_credits)}, fee on purchases {_both(result.purchase_fee_credits)}",
        f"margin      {_both(result.margin_credits)} after card fees",
        f"run total   {', '.join(f'{name} {format_credits(credits)}' for name, credits in quantiles.items())}, "
        f"max {format_credits(totals.max_credits)} credits",
        f"ran dry     {result.users_run_dry:,} of {scenario.users:,} users{half}",
    ]


def _share(part: int, whole: int) -> str:
    return format_bps(share_bps(part, whole))


def _both(credits: int) -> str:
    return f"{format_credits(credits)} credits = {format_usd(credits)}"
