"""The command that refunds an entry, with its options and help."""

from typing import Annotated

import typer


def refund(
    entry_id: Annotated[int, typer.Argument(metavar="ENTRY", help="Number of the entry to refund.", min=1)],
    reason: Annotated[str, typer.Option(help="Why. It is kept in the history.")],
    credits: Annotated[
        int | None, typer.Option(help="How much of a run or unlock. Without it: all that is left.", min=1)
    ] = None,
    provider_refunded: Annotated[
        bool, typer.Option("--provider-refunded", help="The provider gave the inference cost back.")
    ] = False,
    key: Annotated[
        str | None, typer.Option(help="An idempotency key: the same key with the same request refunds once.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Refund an entry, or a part of a run or unlock. Says who bears what, what is refunded by now, and what is left."""
    from credits_core.cli import refunds

    refunds.refund(entry_id, reason, credits, key, provider_refunded=provider_refunded, as_json=as_json)
