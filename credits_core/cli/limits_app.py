"""The group `limits` of the command line: its commands with their options and help."""

from typing import Annotated

import typer

from credits_core.store.kinds import SpendingPeriod

limits_app = typer.Typer(help="What users and API keys may spend in a day or a month.", no_args_is_help=True)
Credits = Annotated[int, typer.Argument(metavar="CREDITS", help="At most how many credits; 0 for none.")]
Per = Annotated[SpendingPeriod, typer.Option("--per", help="In each day or in each month.")]
User = Annotated[str, typer.Option("--user", help="The user whose spending is limited.")]
Key = Annotated[str, typer.Option("--key", help="The name of the API key whose spending is limited.")]


@limits_app.command("list")
def list_limits() -> None:
    """List every limit: what was spent in its period, what is held, and what is left."""
    from credits_core.cli import limits

    limits.list_all()


@limits_app.command("set")
def set_limit(credits: Credits, per: Per, user: User = "", key: Key = "") -> None:
    """Let a user or a key spend at most so many credits in each day or month. What was spent so far in it counts."""
    from credits_core.cli import limits

    limits.set_limit(credits, per, user, key)


@limits_app.command("remove")
def remove_limit(per: Per, user: User = "", key: Key = "") -> None:
    """Let a user or a key spend as much as there is again."""
    from credits_core.cli import limits

    limits.remove_limit(per, user, key)
