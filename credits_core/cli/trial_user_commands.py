"""The commands about test users, with their options and help."""

from typing import Annotated

import typer

UserId = Annotated[str, typer.Argument(metavar="USER", help="A user's id.")]
trial_user_app = typer.Typer(help="Test users, whose credits testers may move.", no_args_is_help=True)


@trial_user_app.command("add")
def add(user: UserId) -> None:
    """Make a user a test user: testers may add, charge and refund the user's credits."""
    from credits_core.cli import trial_users

    trial_users.add(user)


@trial_user_app.command("remove")
def remove(user: UserId) -> None:
    """Make a user a test user no more."""
    from credits_core.cli import trial_users

    trial_users.remove(user)


@trial_user_app.command("list")
def list_all() -> None:
    """List who was made a test user, since when and by whom. Others may be by CREDITS_TEST_USER_PREFIX."""
    from credits_core.cli import trial_users

    trial_users.list_all()
