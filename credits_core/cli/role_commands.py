"""The command about the role that the product runs as on PostgreSQL, with its options and help."""

from typing import Annotated

import typer


def grant_app_role(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The role that the dashboard and the API connect as.")],
) -> None:
    """On PostgreSQL, give a role what the product needs and no more. Run as the tables' owner, after each migrate."""
    from credits_core.cli import ledger

    ledger.grant_app_role(name)
