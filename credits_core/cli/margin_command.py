"""The command `margin` with its options and help."""

from typing import Annotated

import typer


def margin(
    by: Annotated[str, typer.Option(help="Put charges together by user, model, prompt, creator or month.")] = "user",
    first: Annotated[str | None, typer.Option("--from", help="First day of posting, e.g. 2026-11-01.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day of posting, included.")] = None,
    card_fee_bps: Annotated[int, typer.Option(help="What the card company takes, in hundredths of a %.", min=0)] = 290,
    card_fee_credits: Annotated[int, typer.Option(help="What it takes of each charge as well.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many rows.", min=1, max=1_000_000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is left for the platform after models, creators and card fees; what loses most comes first."""
    from credits_core.cli import margin

    margin.show(by, first, last, card_fee_bps, card_fee_credits, limit, as_json=as_json)
