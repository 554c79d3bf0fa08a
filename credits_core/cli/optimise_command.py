"""The command that looks for price plans, with its options and help."""

from pathlib import Path
from typing import Annotated

import typer


def optimise(
    trace: Annotated[
        list[Path] | None,
        typer.Option(help="A log as the command replay reads it, instead of the ledger; each file is one user."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model of every run of the logs, e.g. openai/gpt-4o.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First day of the ledger, e.g. 2026-11-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of the ledger, included.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Look at the runs of this data set, from usage list, instead of the ledger.")
    ] = None,
    sums: Annotated[
        str | None, typer.Option(help="What a row of several requests is taken as: one-run or equal-runs.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same plans.", min=0, max=2**32 - 1)] = 1,
    plans: Annotated[int | None, typer.Option(help="How many plans are tried at most.", min=1)] = None,
    most_increase_bps: Annotated[
        int, typer.Option(help="How much more a user may pay, in hundredths of a %.", min=0)
    ] = 1_000,
    card_fee_bps: Annotated[
        int, typer.Option(help="A card fee that every markup covers, in hundredths of a %; 0: none.", min=0, max=9_999)
    ] = 290,
    most_tiers: Annotated[int, typer.Option(help="How many tiers a plan may have.", min=1, max=50)] = 4,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find plans that earn more, or charge users less, than the live plan would have on past runs. Changes nothing.

    Ctrl-C stops the search and prints the best plans so far.
    """
    from credits_core.cli import optimising

    optimising.optimise(
        trace or [],
        model,
        data=data,
        sums=sums,
        first=first,
        last=last,
        seed=seed,
        plans=plans,
        most_increase_bps=most_increase_bps,
        card_fee_bps=card_fee_bps,
        most_tiers=most_tiers,
        as_json=as_json,
    )
