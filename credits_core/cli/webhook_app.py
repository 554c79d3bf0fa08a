"""The groups `webhooks` and `low-balance` of the command line: their commands with their options and help."""

from typing import Annotated

import typer

webhook_app = typer.Typer(help="Other systems that are told what happened.", no_args_is_help=True)
low_balance_app = typer.Typer(help="Levels of balances below which one wants to be told.", no_args_is_help=True)
Endpoint = Annotated[int, typer.Argument(metavar="ENDPOINT", help="Its number, as webhooks list prints it.")]
Credits = Annotated[int, typer.Argument(metavar="CREDITS", help="Below how many credits.")]
User = Annotated[str, typer.Option("--user", help="Whose balance; default: everybody without levels of their own.")]


@webhook_app.command("list")
def list_endpoints() -> None:
    """List every endpoint: its address, its events, and whether it takes them."""
    from credits_core.cli import webhooks

    webhooks.list_all()


@webhook_app.command("add")
def add_endpoint(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="An https address that takes events.")],
    event: Annotated[list[str] | None, typer.Option(help="A kind of event; may be given again; default: all.")] = None,
) -> None:
    """Add an endpoint and print its secret. It is shown only now, and checks that an event is ours."""
    from credits_core.cli import webhooks

    webhooks.add(address, event or [])


@webhook_app.command("remove")
def remove_endpoint(endpoint: Endpoint) -> None:
    """Tell an endpoint nothing any more."""
    from credits_core.cli import webhooks

    webhooks.remove(endpoint)


@webhook_app.command("enable")
def enable_endpoint(endpoint: Endpoint) -> None:
    """Go on with an endpoint that was disabled. It is told all that happened meanwhile."""
    from credits_core.cli import webhooks

    webhooks.enable(endpoint)


@webhook_app.command("rotate")
def rotate_secret(
    endpoint: Endpoint,
    overlap: Annotated[
        str,
        typer.Option(help="How long the old secret signs too, e.g. 90m, 24h or 7d; 0: not at all; at most 30d."),
    ] = "24h",
) -> None:
    """Replace an endpoint's secret and print the new one. It is shown only now."""
    from credits_core.cli import webhooks

    webhooks.rotate(endpoint, overlap)


@webhook_app.command("test")
def send_test(endpoint: Endpoint) -> None:
    """Send a test event, which says is_test. A server sends it within a minute."""
    from credits_core.cli import webhooks

    webhooks.send_test(endpoint)


@webhook_app.command("deliveries")
def list_deliveries(
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters.")] = False,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=1_000)] = 20,
) -> None:
    """List the newest deliveries with what the receivers answered."""
    from credits_core.cli import webhooks

    webhooks.deliveries_list(is_dead=dead, limit=limit)


@webhook_app.command("send-again")
def send_again(
    delivery: Annotated[int, typer.Argument(metavar="DELIVERY", help="Its number, as webhooks deliveries prints it.")],
) -> None:
    """Send a dead letter again."""
    from credits_core.cli import webhooks

    webhooks.send_again(delivery)


@low_balance_app.command("list")
def list_levels() -> None:
    """List every level."""
    from credits_core.cli import webhooks

    webhooks.list_levels()


@low_balance_app.command("set")
def set_level(level: Credits, user: User = "") -> None:
    """Tell whenever a balance falls below so many credits, once each time."""
    from credits_core.cli import webhooks

    webhooks.set_level(level, user)


@low_balance_app.command("remove")
def remove_level(level: Credits, user: User = "") -> None:
    """Tell nothing of this level any more."""
    from credits_core.cli import webhooks

    webhooks.remove_level(level, user)
