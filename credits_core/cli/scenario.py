"""What `simulate` does: made-up runs under a plan, at the prices of this moment. It needs no database."""

from dataclasses import replace
from datetime import UTC, datetime

import typer

from credits_core import settings
from credits_core.cli.opened import both
from credits_core.cli.plans import current_book
from credits_core.errors import InvalidRequest
from credits_core.lab.scenario.assumptions import load_scenarios, with_offered, with_runs
from credits_core.lab.scenario.result import ScenarioResult, share_bps
from credits_core.lab.scenario.simulation import simulate
from credits_core.lab.scenario.workload import load_workloads
from credits_core.values.text import format_bps, format_credits


def simulate_runs(workload: str, plan: str | None, runs: int, given: dict[str, int | None], *, as_json: bool) -> None:
    """Print what a scenario comes to; `given` are the assumptions to change, None keeps one as the file has it.

    A model of the file that is not offered any more is named on stderr and left out.
    """
    scenarios = load_scenarios(settings.SCENARIOS_FILE, load_workloads(settings.WORKLOADS_FILE))
    if workload not in scenarios:
        raise InvalidRequest("workload", f"must be one of {', '.join(scenarios)}, not {workload!r}")
    changed: dict[str, int] = {name: number for name, number in given.items() if number is not None}
    book = current_book(plan)
    scenario, replaced = with_offered(scenarios[workload], list(book.models))
    if replaced:
        typer.echo(replaced, err=True)
    scenario = replace(with_runs(scenario, runs), **changed)  # type: ignore[arg-type]
    result = simulate(scenario, book.plan, book.models, at=datetime.now(UTC))
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
        f"users paid  {both(paid_credits)}",
        f"inference   {both(sums.inference_credits)}, {_share(sums.inference_credits, paid_credits)}",
        f"creators    {both(sums.creators_credits)}, {_share(sums.creators_credits, paid_credits)}; "
        f"the best-earning fifth of {scenario.creators:,} has {_share(top_credits, sums.creators_credits)}",
        f"platform    {both(sums.platform_credits)}, {_share(sums.platform_credits, paid_credits)}",
        f"purchases   {result.top_ups:,} of {both(scenario.top_up_credits)}; "
        f"card fees {both(result.card_fee_credits)}, fee on purchases {both(result.purchase_fee_credits)}",
        f"margin      {both(result.margin_credits)} after card fees",
        f"run total   {', '.join(f'{name} {format_credits(credits)}' for name, credits in quantiles.items())}, "
        f"max {format_credits(totals.max_credits)} credits",
        f"ran out     {result.users_run_dry:,} of {scenario.users:,} users{half}",
    ]


def _share(part: int, whole: int) -> str:
    return format_bps(share_bps(part, whole))
