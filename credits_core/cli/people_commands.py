"""The group `people` of the command line: its commands with their options and help, as `main` has those of others."""

from typing import Annotated

import typer

from credits_core.values.roles import PersonRole

people_app = typer.Typer(help="People who may sign in at the dashboard, and their roles.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The address that the person signs in with.")]
Roles = Annotated[list[PersonRole], typer.Argument(metavar="ROLE…", help="viewer, tester, pricing, finance or admin.")]


@people_app.command("add")
def add_person(email: Email, roles: Roles) -> None:
    """Let a person sign in with these roles. The first admin is added here; admins can then use the screen People."""
    from credits_core.cli import people

    people.add(email, roles)


@people_app.command("list")
def list_people(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List everybody who has a role or came by their domain, and when they were last seen."""
    from credits_core.cli import people

    people.list_all(as_json=as_json)


@people_app.command("role")
def change_roles(email: Email, roles: Roles) -> None:
    """Give a person these roles instead of the present ones."""
    from credits_core.cli import people

    people.change_roles(email, roles)


@people_app.command("remove")
def remove_person(email: Email) -> None:
    """Remove a person: an open tab ends within a minute. The last admin cannot be removed."""
    from credits_core.cli import people

    people.remove(email)
